"""What the command line says of a comparison."""

from __future__ import annotations

import dataclasses

from tfdp_fast._console import Report, Row
from tfdp_fast._text import number
from tfdp_fast.comparing import Comparison, Overlap, Place
from tfdp_fast.tables import Ids

LISTED = 10
"""How many ids that only one side has are shown to people; ``--json`` has them all."""


def compare_report(found: Comparison) -> Report:
    """How two score files or subsets differ."""
    data = dataclasses.asdict(found) | {"only_a": found.only_a.tolist(), "only_b": found.only_b.tolist()}
    rows: list[Row] = [
        ("A", _side(found.a, found.kind_a, found.images_a, found.unscored_a)),
        ("B", _side(found.b, found.kind_b, found.images_b, found.unscored_b)),
        ("matched by", found.matched_by),
        ("in both", number(found.images_both)),
        ("only in A", _ids(found.only_a)),
        ("only in B", _ids(found.only_b)),
    ]
    if found.kind_a == found.kind_b == "scores":
        correlation = "undefined" if found.spearman is None else f"{found.spearman:.9g}"
        rows += [
            ("rank correlation", correlation),
            ("largest difference", f"{found.max_relative:.3g} relative, {found.max_absolute:.3g} absolute"),
        ]
    rows += [(_label(found, overlap), _overlap(overlap)) for overlap in found.overlaps]
    if found.kind_a == found.kind_b:
        rows += [("moved", _place(place)) for place in found.places]
    else:
        rows += [("astray", _astray(place, found.overlaps[0].k)) for place in found.places]
    rows.append(("result", "the same" if found.same else "different"))
    return Report(f"Compared {found.a} with {found.b}", data, rows)


def _side(name: str, kind: str, images: int, unscored: int) -> str:
    besides = f", and {number(unscored)} of score 0" if unscored else ""
    return f"{name}: {kind} of {number(images)} images{besides}"


def _ids(ids: Ids) -> str:
    shown = ", ".join(map(str, ids[:LISTED].tolist()))
    more = ", ..." if len(ids) > LISTED else ""
    return f"{number(len(ids))} ({shown}{more})" if len(ids) else "0"


def _label(found: Comparison, overlap: Overlap) -> str:
    if found.kind_a == found.kind_b == "subset":
        return "overlap"
    if overlap.rate is None:
        return f"best {number(overlap.k)}"
    return f"best {number(overlap.k)} ({100 * overlap.rate:g} % pruned)"


def _overlap(overlap: Overlap) -> str:
    return f"{number(overlap.both)} in both ({overlap.share:.2%}), Jaccard {overlap.jaccard:.4f}"


def _place(place: Place) -> str:
    return f"{_named(place)}: {', '.join(_ranks(place))}"


def _astray(place: Place, k: int) -> str:
    rank = place.rank_a or place.rank_b
    among = "not in the subset" if rank is not None and rank <= k else "in the subset"
    return f"{_named(place)}: {', '.join([*_ranks(place), among])}"


def _named(place: Place) -> str:
    return f"{place.id} ({place.file_name})" if place.file_name else str(place.id)


def _ranks(place: Place) -> list[str]:
    sides = ("A", place.rank_a, place.score_a), ("B", place.rank_b, place.score_b)
    return [f"rank {rank:,} in {side} (score {score:.6g})" for side, rank, score in sides if rank is not None]
