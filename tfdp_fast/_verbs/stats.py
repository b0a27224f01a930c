"""``tfdp stats``."""

from __future__ import annotations

import argparse
from typing import Any

from tfdp_fast._arguments import add_how_many, add_input, add_scoring, add_verb
from tfdp_fast._verbs.common import (
    OK,
    WITH_PROBLEMS,
    check_output_of,
    how_many,
    opening,
    show,
    source_of,
)

EPILOG = """\
examples:
  tfdp stats instances_train.json                       tables: classes, areas, scores, class balance
  tfdp stats instances_train.json --rate 0.5            the balance at one pruning rate
  tfdp stats instances_train.json -o stats.svg          and a figure; .png too
  tfdp stats instances_train.json -o stats/             the same as a folder, a file for each panel
  tfdp stats VOCdevkit/VOC2012 --preset official --json | jq .areas.percent

Without --rate, --keep or --k, the balance is shown at 20, 30, ..., 90 % pruned. Areas are pixels of the
masks, which are read a second time for them; --no-areas does without.
"""


def add(verbs: Any) -> None:
    """Add the verb and its arguments."""
    parser = add_verb(verbs, "stats", "describe a data set, its scores, and what pruning does", run, EPILOG)
    add_input(parser)
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="where a figure goes, .png or .svg; or a new folder, with a slash at the end",
    )
    add_how_many(parser)
    parser.add_argument("--no-areas", action="store_true", help="leave out how large the instances are")
    add_scoring(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do it, and return the exit code."""
    from tfdp_fast._console import progress_bar
    from tfdp_fast._reports_stats import stats_report
    from tfdp_fast.report.statistics import statistics

    if arguments.output is not None:
        from tfdp_fast.report.figures import check_figures, is_figure_folder, save_figures

        check_figures(arguments.output)
        if not is_figure_folder(arguments.output):
            check_output_of(arguments.output, arguments.input)
    with progress_bar(enabled=not (arguments.quiet or arguments.json)) as progress:
        found = statistics(
            source_of(arguments),
            arguments.variant,
            **how_many(arguments),
            areas=not arguments.no_areas,
            polygons=arguments.polygons,
            preset=arguments.preset,
            on_error=arguments.on_error,
            threads=arguments.threads,
            progress=progress,
            **opening(arguments),
        )
    if arguments.output is not None:
        save_figures(found, arguments.output)
    show(stats_report(found, arguments.input, arguments.output), arguments)
    return WITH_PROBLEMS if found.problems else OK
