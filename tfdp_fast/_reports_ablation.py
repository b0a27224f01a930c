"""What the command line says of an ablation."""

from __future__ import annotations

from typing import Any

from tfdp_fast._console import Listing, Report, Row
from tfdp_fast._reports import problem_data, problem_rows
from tfdp_fast._reports_preset import preset_data, preset_rows
from tfdp_fast._reports_select import CANDIDATES
from tfdp_fast._text import number
from tfdp_fast.ablating import VARIANTS, Ablation

SHOWN = 16
"""How many digits of a hash people see."""

SHOWN_IN_TABLE = 12
"""As many as four columns of a terminal have room for."""


def ablation_report(source: str, found: Ablation) -> Report:
    """Which subsets the four variants give, and how far they agree."""
    scores, subset = found.scores["tfdp"], found.steps[0].subsets["tfdp"]
    steps = [
        {
            "rate": step.rate,
            "k": step.k,
            "reckoning": step.subsets["tfdp"].reckoning,
            "sha256": {variant: step.subsets[variant].sha256 for variant in VARIANTS},
            "overlaps": [{"variants": list(pair), "share": share} for pair, share in step.overlaps.items()],
        }
        for step in found.steps
    ]
    correlations = found.spearman
    data: dict[str, Any] = {
        "source": source,
        "polygons": scores.polygons,
        **preset_data(scores.preset),
        "images": {
            "total": len(scores.images),
            "candidates": subset.candidates,
            "candidates_are": subset.of,
        },
        "steps": steps,
        "spearman": [{"variants": list(pair), "value": value} for pair, value in correlations.items()],
        "problems": problem_data(scores.problems),
    }
    rows: list[Row] = [
        ("source", source),
        ("polygons as", str(scores.polygons)),
        *preset_rows(scores.preset),
        ("images", number(len(scores.images))),
        ("candidates", f"{number(subset.candidates)} {CANDIDATES[subset.of]}"),
        *problem_rows(scores.problems, None),
    ]
    listings = [_subsets(steps), _overlaps(steps), _correlations(found)]
    return Report(f"Ablation on {source}", data, rows, listings)


def _subsets(steps: list[dict[str, Any]]) -> Listing:
    header = ("pruned", "kept", *VARIANTS)
    table, whole = (
        [
            (_rate(step), number(step["k"]), *(step["sha256"][variant][:digits] for variant in VARIANTS))
            for step in steps
        ]
        for digits in (SHOWN_IN_TABLE, SHOWN)
    )
    lines = Listing.labelled("Subsets", header, whole, "subsets at").lines
    return Listing("Subsets", header, table, lines)


def _overlaps(steps: list[dict[str, Any]]) -> Listing:
    header = ("pruned", *("-".join(overlap["variants"]) for overlap in steps[0]["overlaps"]))
    rows = [(_rate(step), *(f"{overlap['share']:.1%}" for overlap in step["overlaps"])) for step in steps]
    title = "Overlaps: share of the images kept that both variants keep"
    return Listing.labelled(title, header, rows, "overlaps at")


def _correlations(found: Ablation) -> Listing:
    header = ("variant", *VARIANTS)
    known = {frozenset(pair): _correlation(value) for pair, value in found.spearman.items()}
    rows = [(a, *("" if a == b else known[frozenset((a, b))] for b in VARIANTS)) for a in VARIANTS]
    return Listing.labelled("Rank correlation (Spearman)", header, rows, "rank correlation of")


def _rate(step: dict[str, Any]) -> str:
    return f"{100 * step['rate']:g} %"


def _correlation(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"
