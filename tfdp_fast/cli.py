"""The command line ``tfdp``: parse, call, print.

Nothing but the standard library is imported until a verb has something to do, so that ``--help`` is quick.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from tfdp_fast.errors import OptionError, TfdpError

if TYPE_CHECKING:
    from tfdp_fast._console import Report

VARIANTS = ("tfdp", "scs", "si", "cb")
POLYGONS = ("coco", "opencv")
ON_ERROR = ("raise", "skip")
OF = ("scored", "annotated", "all")
FORMATS = ("parquet", "npz", "csv", "json")
SHELLS = ("bash", "zsh", "tcsh")

STANDARD_INPUT = "/dev/stdin"

OK, WITH_PROBLEMS, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

EPILOG = """\
exit codes:
  0  done
  1  done, but annotations were set aside (--on-error skip)
  2  bad input, bad usage, or output that cannot be written: one line on standard error, nothing half-written
"""

PRUNE_EPILOG = """\
examples:
  tfdp prune instances_train.json --rate 0.5 -o pruned.json     drop half of the images
  tfdp prune instances_train.json --keep 0.5 -o pruned.json     the same
  tfdp prune instances_train.json --keep 58660 -o pruned.json   keep 58,660 images
  tfdp prune - --rate 30% -o - < all.json > pruned.json         through a pipe: the report goes to stderr

An output that exists is replaced once the new one is complete. It cannot be the input.
"""

SCORE_EPILOG = """\
examples:
  tfdp score instances_train.json                       a summary
  tfdp score instances_train.json -o scores.parquet     everything; .npz too
  tfdp score instances_train.json -o scores.csv         the images
  tfdp score instances_train.json -o scores.json        {"<image id>": score}
  tfdp score instances_train.json -o - --format csv     to standard output
"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **options)

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def rate_to_drop(text: str) -> Fraction:
    """The value of --rate."""
    rate = _share(text)
    if rate is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share: write 0.5 or 50%")
    if rate >= 1 and re.fullmatch(r"[0-9]+", text):
        raise argparse.ArgumentTypeError(f"the share to drop is below 1, got {text}: write 0.5 or 50%")
    return rate


def share_or_count_to_keep(text: str) -> Fraction | int:
    """The value of --keep: a share has a point or a per cent sign, a count has none."""
    if text in {"0", "1"}:
        raise argparse.ArgumentTypeError(
            "1 can be a share or a count: write 1.0 or 100% for all images, --k 1 for one"
            if text == "1"
            else "0 would keep nothing"
        )
    if re.fullmatch(r"[0-9]+", text):
        return int(text)
    share = _share(text)
    if share is None:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a share (0.5, 50%) nor a count (58660)")
    return share


def _share(text: str) -> Fraction | None:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(%?)", text)
    return Fraction(match[1]) / (100 if match[2] else 1) if match else None


def build_parser() -> argparse.ArgumentParser:
    """The parser of ``tfdp`` and its verbs."""
    parser = _Parser(
        prog="tfdp",
        description="Score the images of an instance segmentation data set from its annotations alone,\n"
        "and keep those that are most worth training on.",
        epilog=EPILOG,
    )
    parser.add_argument("--version", action="store_true", help="print versions and leave")
    parser.add_argument("--json", action="store_true", help="print JSON (with --version)")
    parser.set_defaults(run=_version_or_usage, parser=parser, quiet=False, verbose=0)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", parser_class=_Parser)

    prune = _verb(verbs, "prune", _prune, "write the part of a data set that is worth keeping", PRUNE_EPILOG)
    _add_input(prune)
    prune.add_argument("-o", "--output", metavar="FILE", required=True, help="where to; - is standard output")
    how_many = prune.add_mutually_exclusive_group(required=True)
    how_many.add_argument(
        "--rate", type=rate_to_drop, metavar="SHARE", help="share of the images to DROP: 0.3, 30%%"
    )
    how_many.add_argument(
        "--keep",
        type=share_or_count_to_keep,
        metavar="SHARE|N",
        help="share (0.7, 70%%) or number (58660) to KEEP",
    )
    how_many.add_argument("--k", type=int, metavar="N", help="number of images to KEEP")
    prune.add_argument(
        "--of",
        choices=OF,
        default="scored",
        help="the images that a share refers to: those with a scored "
        "instance (default), with an annotation, or all",
    )
    _add_scoring(prune)

    score = _verb(verbs, "score", _score, "score every image of a data set", SCORE_EPILOG)
    _add_input(score)
    score.add_argument(
        "-o", "--output", metavar="FILE", help="where to; the suffix says how; - is standard output"
    )
    score.add_argument("--format", choices=FORMATS, help="the format of standard output (with -o -)")
    _add_scoring(score)

    demo = _verb(verbs, "demo", _demo, "make a small data set with images and prune it")
    demo.add_argument(
        "-o", "--output", metavar="FOLDER", default="tfdp-demo", help="where to (default: %(default)s)"
    )

    completion = _verb(verbs, "completion", _completion, "print a completion script for a shell")
    completion.add_argument("shell", choices=SHELLS)
    return parser


def _verb(
    verbs: Any, name: str, run: Callable[[argparse.Namespace], int], summary: str, epilog: str | None = None
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=summary, description=summary[0].upper() + summary[1:] + ".", epilog=epilog
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    parser.add_argument(
        "-v",
        "--verbose",
        action="count",
        default=0,
        help="say what is going on; -vv also where an error arose",
    )
    parser.set_defaults(run=run, parser=parser)
    return parser


def _add_input(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", metavar="ANNOTATIONS", help="a COCO or LVIS file; - is standard input")


def _add_scoring(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("scoring")
    group.add_argument(
        "--variant", choices=VARIANTS, default="tfdp", help="the method (default) or one of its ablations"
    )
    group.add_argument(
        "--polygons",
        choices=POLYGONS,
        default="coco",
        help="how polygons become masks (default: %(default)s)",
    )
    group.add_argument(
        "--on-error",
        choices=ON_ERROR,
        default="raise",
        help="stop at a bad annotation (default) or set it aside",
    )
    group.add_argument("--threads", type=int, metavar="N", help="threads to use (default: all processors)")


# ---- verbs ----


def _version_or_usage(arguments: argparse.Namespace) -> int:
    if not arguments.version:
        arguments.parser.error("say what to do: prune, score, demo or completion")
    from tfdp_fast._reports import version_report

    _show(version_report(), arguments)
    return OK


def _prune(arguments: argparse.Namespace) -> int:
    from tfdp_fast._console import progress_bar
    from tfdp_fast._reports import prune_report
    from tfdp_fast.pruning import prune

    to_stdout = arguments.output == "-"
    if to_stdout and arguments.json:
        raise OptionError("-o - and --json cannot both have standard output")
    count = arguments.keep if isinstance(arguments.keep, int) else arguments.k
    with progress_bar("annotations", enabled=not (arguments.quiet or arguments.json)) as progress:
        pruned = prune(
            _source(arguments),
            sys.stdout.buffer if to_stdout else arguments.output,
            rate=arguments.rate,
            keep=arguments.keep if isinstance(arguments.keep, Fraction) else None,
            k=count,
            of=arguments.of,
            variant=arguments.variant,
            polygons=arguments.polygons,
            on_error=arguments.on_error,
            threads=arguments.threads,
            progress=progress,
        )
    _show(prune_report(arguments.input, arguments.output, pruned), arguments, to_stderr=to_stdout)
    return WITH_PROBLEMS if pruned.scores.problems else OK


def _score(arguments: argparse.Namespace) -> int:
    from tfdp_fast._console import progress_bar
    from tfdp_fast._output import atomic_output
    from tfdp_fast._reports import score_report
    from tfdp_fast.formats.scores import suffix_of, write_scores
    from tfdp_fast.pruning import path_of_problems, write_problems
    from tfdp_fast.scoring import score

    to_stdout = arguments.output == "-"
    if to_stdout and (arguments.json or arguments.format is None):
        raise OptionError("-o - needs --format, and cannot share standard output with --json")
    if arguments.format and not to_stdout:
        raise OptionError("--format goes with -o -; of a file the suffix says it")
    problems_path = None
    if arguments.output and not to_stdout:
        suffix_of(arguments.output)
        _check_output(arguments.output, arguments.input)
        if arguments.on_error == "skip":
            problems_path = path_of_problems(arguments.output)
            _check_output(problems_path, arguments.input)
    with progress_bar("annotations", enabled=not (arguments.quiet or arguments.json)) as progress:
        scores = score(
            _source(arguments),
            arguments.variant,
            polygons=arguments.polygons,
            on_error=arguments.on_error,
            threads=arguments.threads,
            progress=progress,
        )
    if to_stdout:
        write_scores(scores, sys.stdout.buffer, f".{arguments.format}")
    elif arguments.output:
        with contextlib.ExitStack() as outputs:
            if problems_path is not None:
                write_problems(scores.problems, outputs.enter_context(atomic_output(problems_path)))
            scores.save(arguments.output)
    report = score_report(arguments.input, arguments.output, scores, problems_path)
    _show(report, arguments, to_stderr=to_stdout)
    return WITH_PROBLEMS if scores.problems else OK


def _check_output(output: str | Path, source: str) -> None:
    """Refuse, before anything is read, what cannot be written or would overwrite the source."""
    from tfdp_fast._output import check_output, refuse_to_overwrite

    check_output(output)
    try:
        there = Path(source).stat()
    except OSError:  # the reader will say so
        return
    refuse_to_overwrite(output, there)


def _demo(arguments: argparse.Namespace) -> int:
    from tfdp_fast._console import Report
    from tfdp_fast._reports import prune_report, score_report
    from tfdp_fast.demo import make_demo
    from tfdp_fast.pruning import prune

    folder = Path(arguments.output)
    annotations, output = folder / "annotations.json", folder / "pruned.json"
    # What is there may be somebody's: only an earlier demo is replaced.
    if folder.exists() and not annotations.is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise OptionError(f"{folder}: is there already, and is no earlier demo")
    make_demo(folder)
    pruned = prune(annotations, output, rate=0.5)
    report = prune_report(str(annotations), str(output), pruned)
    scored = score_report(str(annotations), None, pruned.scores, None)
    again = f"tfdp prune {annotations} --rate 0.5 -o {output}"
    named = [(label, value) for label, value in scored.rows if label in {"best image", "last image"}]
    report = Report(
        f"Made 60 images of shapes in {folder / 'images'}, and pruned their annotations",
        report.data
        | {"images_folder": str(folder / "images"), "best": scored.data["best"], "command": again},
        [("images in", str(folder / "images")), *report.rows, *named, ("by hand", again)],
        [*report.listings, *scored.listings],
    )
    _show(report, arguments)
    return OK


def _completion(arguments: argparse.Namespace) -> int:
    import shtab

    from tfdp_fast._console import Report

    script = shtab.complete(build_parser(), shell=arguments.shell)
    if arguments.json:
        _show(Report("", {"shell": arguments.shell, "script": script}, []), arguments)
    else:
        sys.stdout.write(script + "\n")
    return OK


def _source(arguments: argparse.Namespace) -> str:
    return STANDARD_INPUT if arguments.input == "-" else str(arguments.input)


def _show(report: Report, arguments: argparse.Namespace, *, to_stderr: bool = False) -> None:
    from tfdp_fast._console import show

    stream = sys.stderr if to_stderr else sys.stdout
    show(report, as_json=arguments.json, quiet=arguments.quiet, stream=stream)


# ---- the frame around every verb ----


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    if arguments.verbose:
        logging.basicConfig(format="%(name)s: %(message)s", stream=sys.stderr)
        level = logging.INFO if arguments.verbose == 1 else logging.DEBUG
        logging.getLogger("tfdp_fast").setLevel(level)
    try:
        return int(arguments.run(arguments))
    except BrokenPipeError:
        # Whoever read the output has seen enough. Python would complain when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except (TfdpError, OSError, MemoryError) as error:
        if arguments.verbose > 1:
            logging.getLogger(__name__).exception("failed")
        message = str(error) or "out of memory"
        sys.stderr.write(f"tfdp: error: {' '.join(message.split())}\n")
        return BAD_INPUT
    except KeyboardInterrupt:
        sys.stderr.write("tfdp: interrupted\n")
        return INTERRUPTED


def run() -> NoReturn:
    """Run the command line of this process."""
    sys.exit(main())
