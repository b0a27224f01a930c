"""``tfdp report``."""

from __future__ import annotations

import argparse
from typing import Any

from tfdp_fast._arguments import add_input, add_scoring, add_verb
from tfdp_fast._verbs.common import (
    OK,
    WITH_PROBLEMS,
    check_output_of,
    opening,
    show,
    source_of,
    standard_output,
)
from tfdp_fast.errors import OptionError

EPILOG = """\
examples:
  tfdp report instances_train.json -o report.html                     contours on blank canvases
  tfdp report instances_train.json --images train2017 -o report.html  and over the images
  tfdp report VOCdevkit/VOC2012 -o report.html                        images that the data set finds itself
  tfdp report instances_train.json --preset official --variant si -n 12 -o report.html

The page is one file: it loads nothing, and can be read without a script and printed. It shows the data set in
numbers, what each pruning rate leaves of it, and the best and the least images by all variants.
"""


def add(verbs: Any) -> None:
    """Add the verb and its arguments."""
    parser = add_verb(
        verbs, "report", "write a page about a data set, its scores and its pruning", run, EPILOG
    )
    add_input(parser)
    parser.add_argument(
        "-o", "--output", metavar="FILE", required=True, help="where to, .html; - is standard output"
    )
    parser.add_argument("--title", metavar="TEXT", help="the heading of the page")
    parser.add_argument(
        "--images", metavar="FOLDER", help="where images are, for formats that do not say it (COCO, LVIS)"
    )
    parser.add_argument(
        "-n", type=int, metavar="N", default=6, help="images of each gallery (default: %(default)s)"
    )
    parser.add_argument("--no-areas", action="store_true", help="leave out how large the instances are")
    parser.add_argument("--fingerprint", action="store_true", help="hash the annotation files, too")
    add_scoring(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do it, and return the exit code."""
    from tfdp_fast._console import progress_bar
    from tfdp_fast._reports_report import report_report
    from tfdp_fast.report.writing import write_report

    to_stdout = arguments.output == "-"
    if to_stdout and arguments.json:
        raise OptionError("-o - and --json cannot both have standard output")
    if not to_stdout:
        check_output_of(arguments.output, arguments.input)
    with progress_bar(enabled=not (arguments.quiet or arguments.json)) as progress:
        written = write_report(
            source_of(arguments),
            standard_output() if to_stdout else arguments.output,
            variant=arguments.variant,
            polygons=arguments.polygons,
            preset=arguments.preset,
            on_error=arguments.on_error,
            images=arguments.images,
            n=arguments.n,
            areas=not arguments.no_areas,
            fingerprint=arguments.fingerprint,
            title=arguments.title,
            threads=arguments.threads,
            progress=progress,
            **opening(arguments),
        )
    show(report_report(written, arguments.input), arguments, to_stderr=to_stdout)
    return WITH_PROBLEMS if written.contents.statistics.problems else OK
