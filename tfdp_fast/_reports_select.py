"""What the command line says of a selection."""

from __future__ import annotations

import dataclasses
from typing import Any

from tfdp_fast._console import Report, Row, share
from tfdp_fast._text import number
from tfdp_fast.scores import Scores
from tfdp_fast.selection import Subset
from tfdp_fast.strategies import Strategy

CANDIDATES = {
    "scored": "with a scored instance",
    "annotated": "with an annotation",
    "all": "(all)",
    "official": "that the preset keeps",
}


def select_report(
    source: str, output: str | None, drop_output: str | None, scores: Scores, subset: Subset
) -> Report:
    """How many images were chosen, and how."""
    data: dict[str, Any] = {
        "source": source,
        "output": output,
        "drop_output": drop_output,
        **strategy_data(subset.strategy),
        "images": {
            "total": len(scores.images),
            "candidates": subset.candidates,
            "candidates_are": subset.of,
            "kept": subset.k,
            "dropped": subset.candidates - subset.k,
        },
        **reckoning_data(subset),
        "rate": subset.rate,
        "keep": 1 - subset.rate,
        "sha256": subset.sha256,
    }
    rows: list[Row] = [
        ("source", source),
        *([("output", output)] if output else []),
        *([("dropped, listed in", drop_output)] if drop_output else []),
        *strategy_rows(subset.strategy),
        ("images", number(len(scores.images))),
        *kept_rows(subset),
        ("subset", subset.sha256[:16]),
    ]
    return Report(f"Selected from {source}", data, rows)


def kept_rows(subset: Subset) -> list[Row]:
    """For people: of how many candidates how many were kept, and why so many."""
    return [
        ("candidates", f"{number(subset.candidates)} {CANDIDATES[subset.of]}"),
        ("kept", f"{share(subset.k, subset.candidates)} of the candidates"),
        ("dropped", f"{share(subset.candidates - subset.k, subset.candidates)} of the candidates"),
        *([("k", f"{number(subset.k)}: {subset.reckoning}")] if subset.reckoning else []),
    ]


def reckoning_data(subset: Subset) -> dict[str, Any]:
    """For machines: why so many were kept, if it is not just a share."""
    return {"reckoning": subset.reckoning} if subset.reckoning else {}


def strategy_data(strategy: Strategy | None) -> dict[str, Any]:
    """For machines: how images were chosen, or nothing if they were listed."""
    return {} if strategy is None else {"strategy": dataclasses.asdict(strategy)}


def strategy_rows(strategy: Strategy | None) -> list[Row]:
    """For people.

    Examples
    --------
    >>> strategy_rows(Strategy("ccs", order="lowest")) + strategy_rows(Strategy("random"))
    [('strategy', 'ccs, lowest first, seed 0, beta 0.1, strata 50'), ('strategy', 'random, seed 0')]
    """
    if strategy is None:
        return []
    options = {name: getattr(strategy, name) for name in ("seed", "beta", "strata")}
    said = [f"{name} {value}" for name, value in options.items() if value is not None]
    order = [] if strategy.order is None else [f"{strategy.order} first"]
    return [("strategy", ", ".join([strategy.name, *order, *said]))]
