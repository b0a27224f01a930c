"""What the command line says of an ablation."""

from __future__ import annotations

from typing import Any

from tfdp_fast._console import Listing, Report, Row, number
from tfdp_fast._reports import problem_data, problem_rows
from tfdp_fast._reports_preset import preset_data, preset_rows
from tfdp_fast._reports_select import CANDIDATES
from tfdp_fast.ablation import VARIANTS, Ablation

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
    return Report(f"Ablation on {source}", data, rows, listings, plain=_lines(steps, found))


def _subsets(steps: list[dict[str, Any]]) -> Listing:
    rows = [
        (_rate(step), number(step["k"]), *(step["sha256"][variant][:SHOWN_IN_TABLE] for variant in VARIANTS))
        for step in steps
    ]
    return Listing("Subsets", ("pruned", "kept", *VARIANTS), rows)


def _overlaps(steps: list[dict[str, Any]]) -> Listing:
    pairs = [", ".join(overlap["variants"]) for overlap in steps[0]["overlaps"]]
    rows = [(_rate(step), *(_share(overlap) for overlap in step["overlaps"])) for step in steps]
    return Listing("Overlaps: share of the images kept that both variants keep", ("pruned", *pairs), rows)


def _correlations(found: Ablation) -> Listing:
    both_ways = {key: value for (a, b), value in found.spearman.items() for key in ((a, b), (b, a))}
    rows = [(a, *("" if a == b else _correlation(both_ways[a, b]) for b in VARIANTS)) for a in VARIANTS]
    return Listing("Rank correlation (Spearman)", ("", *VARIANTS), rows)


def _lines(steps: list[dict[str, Any]], found: Ablation) -> list[Row]:
    """The same as in the tables, a line for each rate."""
    subsets = [
        (
            f"subsets, {_rate(step)} pruned",
            f"{number(step['k'])} kept, "
            + ", ".join(f"{variant} {step['sha256'][variant][:SHOWN]}" for variant in VARIANTS),
        )
        for step in steps
    ]
    overlaps = [
        (
            f"overlaps, {_rate(step)} pruned",
            ", ".join(f"{'-'.join(overlap['variants'])} {_share(overlap)}" for overlap in step["overlaps"]),
        )
        for step in steps
    ]
    said = (f"{a}-{b} {_correlation(value)}" for (a, b), value in found.spearman.items())
    return [*subsets, *overlaps, ("rank correlations", ", ".join(said))]


def _rate(step: dict[str, Any]) -> str:
    return f"{100 * step['rate']:g} %"


def _share(overlap: dict[str, Any]) -> str:
    return f"{overlap['share']:.1%}"


def _correlation(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"
