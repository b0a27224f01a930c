"""``tfdp ablation``."""

from __future__ import annotations

import argparse
from typing import Any

from tfdp_fast._arguments import add_input, add_of, add_scoring, add_verb, rate_to_drop
from tfdp_fast._verbs.common import OK, WITH_PROBLEMS, opening, show, source_of

EPILOG = """\
The variants: scs is neither scale-invariant nor class-balanced, si and cb are one of these, tfdp is both.
The annotations are measured once. A subset is shown by the beginning of the SHA-256 of its image ids,
ascending, joined with commas.

examples:
  tfdp ablation instances_train.json                            at 20 to 90 % pruned
  tfdp ablation instances_train.json --rate 0.3 --rate 0.5      at these
  tfdp ablation voc2012_train.json --preset official --json     as the paper's authors count
"""


def add(verbs: Any) -> None:
    """Add the verb and its arguments."""
    parser = add_verb(verbs, "ablation", "compare the subsets of the method's four variants", run, EPILOG)
    add_input(parser)
    parser.add_argument(
        "--rate",
        dest="rates",
        type=rate_to_drop,
        action="append",
        metavar="SHARE",
        help="share of the images to DROP, once for each (default: 0.2, 0.3, ... 0.9)",
    )
    add_of(parser)
    add_scoring(parser, every=True)


def run(arguments: argparse.Namespace) -> int:
    """Do it, and return the exit code."""
    from tfdp_fast._console import progress_bar
    from tfdp_fast._reports_ablation import ablation_report
    from tfdp_fast.ablating import RATES, ablation

    with progress_bar(enabled=not (arguments.quiet or arguments.json)) as progress:
        found = ablation(
            source_of(arguments),
            rates=arguments.rates or RATES,
            of=arguments.of,
            polygons=arguments.polygons,
            preset=arguments.preset,
            on_error=arguments.on_error,
            threads=arguments.threads,
            progress=progress,
            **opening(arguments),
        )
    show(ablation_report(arguments.input, found), arguments)
    return WITH_PROBLEMS if found.scores["tfdp"].problems else OK
