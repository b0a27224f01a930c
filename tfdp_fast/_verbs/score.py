"""``tfdp score``."""

from __future__ import annotations

import argparse
from typing import Any

from tfdp_fast._arguments import OUTPUT_FORMATS, add_input, add_scoring, add_verb
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
  tfdp score instances_train.json                       a summary
  tfdp score instances_train.json -o scores.parquet     everything; .npz too
  tfdp score instances_train.json -o scores.csv         the images
  tfdp score instances_train.json -o scores.json        {"<image id>": score}
  tfdp score instances_train.json -o - --output-format csv     to standard output
"""


def add(verbs: Any) -> None:
    """Add the verb and its arguments."""
    parser = add_verb(verbs, "score", "score every image of a data set", run, EPILOG)
    add_input(parser)
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="where to; the suffix says how; - is standard output"
    )
    parser.add_argument(
        "--output-format", choices=OUTPUT_FORMATS, help="the format of standard output (with -o -)"
    )
    add_scoring(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do it, and return the exit code."""
    from tfdp_fast._console import progress_bar
    from tfdp_fast._output import Outputs
    from tfdp_fast._reports import score_report
    from tfdp_fast.beside import Beside, write_problems
    from tfdp_fast.formats.scores import suffix_of, write_scores
    from tfdp_fast.scoring import score

    to_stdout = arguments.output == "-"
    if to_stdout and (arguments.json or arguments.output_format is None):
        raise OptionError("-o - needs --output-format, and cannot share standard output with --json")
    if arguments.output_format and not to_stdout:
        raise OptionError("--output-format goes with -o -; of a file the suffix says it")
    problems_path = None
    if arguments.output and not to_stdout:
        suffix_of(arguments.output)
        check_output_of(arguments.output, arguments.input)
        if arguments.on_error == "skip":
            problems_path = Beside.of(arguments.output).problems
            check_output_of(problems_path, arguments.input)
    with progress_bar(enabled=not (arguments.quiet or arguments.json)) as progress:
        scores = score(
            source_of(arguments),
            arguments.variant,
            polygons=arguments.polygons,
            preset=arguments.preset,
            on_error=arguments.on_error,
            threads=arguments.threads,
            progress=progress,
            **opening(arguments),
        )
    if to_stdout:
        write_scores(scores, standard_output(), f".{arguments.output_format}")
    elif arguments.output:
        with Outputs() as outputs:
            write_scores(scores, outputs.open(arguments.output), suffix_of(arguments.output))
            if problems_path is not None:
                write_problems(scores.problems, outputs.open(problems_path))
    report = score_report(arguments.input, arguments.output, scores, problems_path)
    show(report, arguments, to_stderr=to_stdout)
    return WITH_PROBLEMS if scores.problems else OK
