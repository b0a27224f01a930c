"""``tfdp compare``."""

from __future__ import annotations

import argparse
from typing import Any

from tfdp_fast._arguments import add_how_many, add_verb
from tfdp_fast._verbs.common import DIFFERENT, OK, how_many, show

EPILOG = """\
A score file is .parquet, .npz, .csv, or .json as the paper's authors write it: {"<image id>": score}.
A subset is a COCO or LVIS file, the .pruning.json beside a subset, or a list of image ids, one a line.

examples:
  tfdp compare scores.parquet theirs.json               correlation, differences, overlap, who moved
  tfdp compare scores.parquet theirs.json --tolerance 1e-6     the same up to rounding?
  tfdp compare scores.parquet pruned.json               are these the best?
  tfdp compare a.keep.txt b.keep.txt                    what have they in common?
"""

EXIT_CODES = """\
exit codes:
  0  the same: scores of the same images; the same subset; the best images are those of the subset
  1  different
  2  bad input or bad usage: one line on standard error
  130  interrupted
"""


def add(verbs: Any) -> None:
    """Add the verb and its arguments."""
    summary = "say how two score files, or subsets, differ"
    parser = add_verb(verbs, "compare", summary, run, EPILOG, exit_codes=EXIT_CODES)
    for name in ("a", "b"):
        parser.add_argument(name, metavar=name.upper(), help="a score file or a subset")
    add_how_many(parser)
    parser.add_argument(
        "--tolerance",
        type=float,
        metavar="R",
        default=0.0,
        help="relative difference up to which scores are the same (default: %(default)s)",
    )
    parser.add_argument(
        "--top", type=int, metavar="N", default=10, help="images to list (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Do it, and return the exit code."""
    from tfdp_fast._reports_compare import compare_report
    from tfdp_fast.comparing import compare

    comparison = compare(
        arguments.a,
        arguments.b,
        **how_many(arguments),
        tolerance=arguments.tolerance,
        top=arguments.top,
    )
    show(compare_report(comparison), arguments)
    return OK if comparison.same else DIFFERENT
