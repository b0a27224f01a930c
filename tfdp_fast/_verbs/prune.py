"""``tfdp prune``."""

from __future__ import annotations

import argparse
from typing import Any

from tfdp_fast._arguments import (
    add_how_many,
    add_images,
    add_input,
    add_of,
    add_scoring,
    add_strategy,
    add_verb,
)
from tfdp_fast._verbs.common import (
    OK,
    WITH_PROBLEMS,
    how_many,
    opening,
    show,
    source_of,
    standard_output,
    strategy,
)
from tfdp_fast.errors import OptionError

EPILOG = """\
examples:
  tfdp prune instances_train.json --rate 0.5 -o pruned.json     drop half of the images
  tfdp prune instances_train.json --keep 0.5 -o pruned.json     the same
  tfdp prune instances_train.json --keep 58660 -o pruned.json   keep 58,660 images
  tfdp prune - --rate 30% -o - < all.json > pruned.json         through a pipe: the report goes to stderr

  tfdp prune VOCdevkit/VOC2012 --rate 0.3 -o train_pruned.txt   other formats: a list, as they have it
  tfdp prune instances_train.json --rate 0.3 --strategy random --seed 7 -o random.json
  tfdp prune instances_train.json --ids keep.txt -o pruned.json images that something else has chosen
  tfdp prune --from pruned.json.pruning.json -o again.json      the same again, checked

The subset has the format of the data set. Beside it appear lists of the images that are kept and dropped
(.keep.txt, .drop.txt: id, tab, file name) and a record of what was done (.pruning.json). An output that
exists is replaced once the new one is complete. It cannot be the input.
"""

WITHOUT_INSTANCE = (
    ("without annotations", "without_annotations"),
    ("with crowd regions only", "with_crowd_regions_only"),
)


def add(verbs: Any) -> None:
    """Add the verb and its arguments."""
    parser = add_verb(verbs, "prune", "write the part of a data set that is worth keeping", run, EPILOG)
    add_input(parser, optional=True)
    parser.add_argument("-o", "--output", metavar="FILE", help="where to; - is standard output")
    how = add_how_many(parser)
    add_of(parser)
    how.add_argument(
        "--ids",
        metavar="LIST",
        help="the images to KEEP, by whatever method: a list of ids, one a line, as tfdp select writes it",
    )
    how.add_argument(
        "--from",
        dest="record",
        metavar="RECORD",
        help="prune again as a .pruning.json says, and check that the same comes out",
    )
    add_strategy(parser)
    add_images(parser)
    add_scoring(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do it, and return the exit code."""
    from tfdp_fast._console import progress_bar
    from tfdp_fast._reports import prune_report
    from tfdp_fast.pruning import prune
    from tfdp_fast.repeating import repeat

    _check_pruning(arguments)
    to_stdout = arguments.output == "-"
    if to_stdout and arguments.json:
        raise OptionError("-o - and --json cannot both have standard output")
    with progress_bar(enabled=not (arguments.quiet or arguments.json)) as progress:
        if arguments.record is not None:
            pruned = repeat(
                arguments.record,
                arguments.output,
                source=arguments.input,
                threads=arguments.threads,
                progress=progress,
            )
        else:
            pruned = prune(
                source_of(arguments),
                standard_output() if to_stdout else arguments.output,
                **how_many(arguments),
                of=arguments.of,
                **strategy(arguments),
                ids=arguments.ids,
                variant=arguments.variant,
                polygons=arguments.polygons,
                preset=arguments.preset,
                on_error=arguments.on_error,
                images=arguments.images,
                copy_images=arguments.copy_images,
                link_images=arguments.link_images,
                threads=arguments.threads,
                progress=progress,
                **opening(arguments),
            )
    report = prune_report(pruned, arguments.input)
    if arguments.verbose:
        for label, key in WITHOUT_INSTANCE:
            report.rows.append((f"{label}, ids", ", ".join(map(str, report.data["images"][key])) or "none"))
    show(report, arguments, to_stderr=to_stdout)
    return WITH_PROBLEMS if pruned.scores.problems else OK


def _check_pruning(arguments: argparse.Namespace) -> None:
    """What argparse cannot say: a record brings its own options, and without one they are needed."""
    usage = arguments.parser
    if arguments.record is None:
        for given, what in ((arguments.input, "ANNOTATIONS"), (arguments.output, "-o/--output")):
            if given is None:
                usage.error(f"the following arguments are required: {what}")
        if all(value is None for value in (*how_many(arguments).values(), arguments.ids)):
            usage.error("one of the arguments --rate --keep --k --ids --from is required")
        return
    free = {"record", "input", "output", "threads", "json", "quiet", "verbose", "version", "verb", "parser"}
    changed = [name for name, value in vars(arguments).items() if value != usage.get_default(name)]
    if wrong := sorted(set(changed) - free):
        usage.error(
            f"--from brings the options of the run: it does not go with --{wrong[0].replace('_', '-')}"
        )
    if arguments.output == "-" or arguments.input == "-":
        usage.error("--from does not go with standard input or output")
