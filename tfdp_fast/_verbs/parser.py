"""The parser of ``tfdp`` and all of its verbs."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from tfdp_fast._arguments import EPILOG, Parser, Run
from tfdp_fast._verbs import (
    ablation,
    bench,
    compare,
    completion,
    demo,
    explain,
    gallery,
    prune,
    report,
    run,
    score,
    select,
    stats,
    warmup,
)

VERBS = (
    prune,
    score,
    select,
    compare,
    ablation,
    stats,
    gallery,
    explain,
    report,
    run,
    demo,
    bench,
    warmup,
    completion,
)
"""In the order in which they are listed."""


def build_parser(
    run: Run | None = None, completions: Mapping[str, Any] | None = None
) -> argparse.ArgumentParser:
    """The parser of ``tfdp`` and its verbs.

    Parameters
    ----------
    run : callable, optional
        What to do without a verb.
    completions : mapping, optional
        By metavar, how a shell completes an argument, in the form of shtab.
    """
    parser = Parser(
        completions=completions,
        prog="tfdp",
        description="Score the images of an instance segmentation data set from its annotations alone,\n"
        "and keep those that are most worth training on.",
        epilog=EPILOG,
    )
    parser.add_argument("--version", action="store_true", help="print versions and leave")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(verb=None, parser=parser, run=run, quiet=False, verbose=0)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB")
    for verb in VERBS:
        verb.add(verbs)
    return parser
