"""``tfdp bench``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfdp_fast._arguments import EPILOG, add_verb
from tfdp_fast._verbs.common import OK, WITH_PROBLEMS, show, standard_output
from tfdp_fast.errors import OptionError

if TYPE_CHECKING:
    from tfdp_fast.timing.paper import DataSetName

EXAMPLES = """\
examples:
  tfdp bench paper                                      minutes: data of the paper's sizes is made
  tfdp bench paper --scale 0.01                         a hundredth of it, and the times are of that
  tfdp bench paper --coco instances_train2017.json      the real file in place of a made one
  tfdp bench paper -o paper-timing.md                   and a page of Markdown

Each row says whether its time was measured here, is extrapolated from a part, or is quoted from the paper.
Real VOC annotations are also found in the folder that TFDP_TEST_DATA names. What is made is removed.
"""

EXIT_CODES = """\
exit codes:
  0  done
  1  done, but the authors' route came to other answers than ours
  2  bad input, bad usage, or output that cannot be written: one line on standard error, nothing half-written
  130  interrupted
"""


def add(verbs: Any) -> None:
    """Add the verb and its own verbs."""
    summary = "measure how fast it is on this machine"
    bench = verbs.add_parser(
        "bench",
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=EPILOG,
    )
    bench.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON object")
    bench.set_defaults(verb="bench", parser=bench, run=_no_verb)
    parser = add_verb(
        bench.add_subparsers(title="verbs", metavar="VERB"),
        "paper",
        "time what the paper's table 6 times, beside what it reports",
        run,
        EXAMPLES,
        exit_codes=EXIT_CODES,
    )
    data = parser.add_argument_group("real data in place of what is made")
    data.add_argument("--voc", metavar="FILE", help="VOC 2012 train as a COCO file")
    data.add_argument("--cityscapes", metavar="FOLDER", help="the folder that holds gtFine")
    data.add_argument("--coco", metavar="FILE", help="instances_train2017.json")
    parser.add_argument(
        "--scale",
        type=_scale,
        metavar="SHARE",
        default=1.0,
        help="make data of this share of the real size (default: 1)",
    )
    parser.add_argument(
        "--threads", type=int, metavar="N", help="threads, where several are used (default: all processors)"
    )
    parser.add_argument(
        "--rounds",
        type=int,
        metavar="N",
        default=5,
        help="how often to measure at most; fewer where it takes long (default: %(default)s)",
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="where a page of Markdown goes; - is standard output"
    )


def _scale(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share: write 0.1") from None


def _no_verb(arguments: argparse.Namespace) -> int:
    arguments.parser.error("say what to compare with: paper")
    raise AssertionError("unreachable")


def run(arguments: argparse.Namespace) -> int:
    """Do it, and return the exit code."""
    from tfdp_fast._console import status_line
    from tfdp_fast._output import atomic_output, check_output, refuse_to_overwrite
    from tfdp_fast._reports_bench import paper_report
    from tfdp_fast.timing.compare import time_against_paper
    from tfdp_fast.timing.page import page_of

    to_stdout = arguments.output == "-"
    if to_stdout and arguments.json:
        raise OptionError("-o - and --json cannot both have standard output")
    names: tuple[DataSetName, ...] = ("voc", "cityscapes", "coco")
    given = {name: Path(path) for name in names if (path := getattr(arguments, name)) is not None}
    if arguments.output is not None and not to_stdout:
        check_output(arguments.output)
        for path in given.values():
            if path.exists():
                refuse_to_overwrite(arguments.output, path.stat())
    with status_line(enabled=not (arguments.quiet or arguments.json)) as on_stage:
        timing = time_against_paper(
            given,
            scale=arguments.scale,
            threads=arguments.threads,
            rounds=arguments.rounds,
            on_stage=on_stage,
        )
    if arguments.output is not None:
        with atomic_output(standard_output() if to_stdout else arguments.output) as file:
            file.write(page_of(timing).encode())
    show(paper_report(timing, arguments.output), arguments, to_stderr=to_stdout)
    return OK if timing.same else WITH_PROBLEMS
