"""``tfdp select``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tfdp_fast._arguments import add_how_many, add_of, add_strategy, add_verb
from tfdp_fast._verbs.common import OK, check_output_of, how_many, show, standard_output, strategy
from tfdp_fast.errors import OptionError

EPILOG = """\
A score file is what tfdp score writes (.parquet, .npz, .csv, .json), {"<image id>": score} as the paper's
authors write it, or any .csv with a header: a column image_id, id, image, file_name, filename or name, and
one of scores. Only .parquet and .npz hold instances, which stratified-by-class needs.

examples:
  tfdp select scores.parquet --rate 0.3 -o keep.txt                      the best 70 %
  tfdp select scores.parquet --rate 0.3 --strategy random --seed 7 -o keep.txt
  tfdp select aum.csv --column aum --order lowest --rate 0.3 --strategy ccs -o keep.txt
  tfdp select scores.npz --keep 5000 --strategy stratified-by-class -o - | head
  tfdp prune instances_train.json --ids keep.txt -o pruned.json          the subset of a data set

A list has a line for each image, in data-set order: its id, a tab, its file name.
"""


def add(verbs: Any) -> None:
    """Add the verb and its arguments."""
    parser = add_verb(
        verbs, "select", "choose images by their scores, whatever method these are of", run, EPILOG
    )
    parser.add_argument("scores", metavar="SCORES", help="a score file")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="where to list those kept; - is standard output"
    )
    parser.add_argument("--drop-output", metavar="FILE", help="where to list all others")
    parser.add_argument("--column", metavar="NAME", help="the column of scores, where a .csv has several")
    add_how_many(parser)
    add_of(parser)
    add_strategy(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do it, and return the exit code."""
    from tfdp_fast._output import Outputs
    from tfdp_fast._reports_select import select_report
    from tfdp_fast.beside import write_image_list
    from tfdp_fast.scores import Scores
    from tfdp_fast.selection import select

    share = how_many(arguments)
    if all(value is None for value in share.values()):
        arguments.parser.error("one of the arguments --rate --keep --k is required")
    to_stdout = arguments.output == "-"
    if to_stdout and arguments.json:
        raise OptionError("-o - and --json cannot both have standard output")
    if arguments.drop_output == "-":
        raise OptionError("--drop-output names a file: standard output is for those that are kept")
    if arguments.drop_output and arguments.output and _same(arguments.drop_output, arguments.output):
        raise OptionError("-o and --drop-output cannot be the same file")
    for output in (arguments.output, arguments.drop_output):
        if output not in {None, "-"}:
            check_output_of(output, arguments.scores)
    scores = Scores.load(arguments.scores, column=arguments.column)
    subset = select(scores, **share, of=arguments.of, **strategy(arguments))
    with Outputs() as outputs:
        if arguments.output is not None:
            output = standard_output() if to_stdout else arguments.output
            write_image_list(outputs, output, scores, subset.keep)
        if arguments.drop_output is not None:
            write_image_list(outputs, arguments.drop_output, scores, ~subset.keep)
    report = select_report(arguments.scores, arguments.output, arguments.drop_output, scores, subset)
    show(report, arguments, to_stderr=to_stdout)
    return OK


def _same(a: str, b: str) -> bool:
    """Are these two names of one file, be it there or not?"""
    return Path(a).resolve() == Path(b).resolve()
