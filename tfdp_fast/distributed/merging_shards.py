"""What the shards of a run have in common: their classes, exact totals, and whether they go together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from tfdp_fast.distributed.counts_about import CountsAbout
from tfdp_fast.distributed.images import RunTotals
from tfdp_fast.errors import DataError
from tfdp_fast.scores import Variant, scale_invariant
from tfdp_fast.totals import ClassTotals

__all__ = ["Merged", "RunClass", "merge_shards"]


@dataclass(frozen=True)
class RunClass:
    """A class of a run.

    Attributes
    ----------
    id : int or str
        Its id.
    name : str
        Its name; its id as text, where no shard names it.
    instances : int
        How many are scored.
    total : float
        T_c (Eq. 13), the exact sum, rounded once.
    """

    id: int | str
    name: str
    instances: int
    total: float


@dataclass(frozen=True, eq=False)
class Merged:
    """All shards together.

    Attributes
    ----------
    classes : list of RunClass
        In the order in which shards list them; ascending, where no shard names any.
    totals : ClassTotals
        The exact totals of these.
    run_totals : RunTotals
        The same, as pass 2 takes them.
    images, annotations, instances, degenerate, crowd, ignored, problems : int
        How many there are; see `CountsAbout`.
    """

    classes: list[RunClass]
    totals: ClassTotals
    run_totals: RunTotals
    images: int
    annotations: int
    instances: int
    degenerate: int
    crowd: int
    ignored: int
    problems: int


def merge_shards(abouts: Sequence[CountsAbout], variant: Variant) -> Merged:
    """Put together what the footers of all counts files say. The order of the shards matters to no total.

    Raises
    ------
    DataError
        If ids are numbers in one shard and text in another; if a class has two names.
    """
    names = _names(abouts)
    _check_kinds(abouts)
    totals = ClassTotals("si_scs" if scale_invariant(variant) else "scs", names)
    for about in abouts:
        totals.merge(about.totals(totals.shape))
    exact = dict(zip(totals.category_ids, totals.totals.tolist(), strict=True))
    instances = dict(zip(totals.category_ids, totals.instances.tolist(), strict=True))
    sums = sorted(
        (str(category_id), row.tobytes().hex()) for category_id, row in zip(names, totals.limbs, strict=True)
    )
    digest = hashlib.sha256(json.dumps([variant, totals.shape, sums]).encode()).hexdigest()
    return Merged(
        [RunClass(i, name or str(i), instances[i], exact[i]) for i, name in names.items()],
        totals,
        RunTotals.of(totals, variant, digest),
        sum(about.images for about in abouts),
        sum(about.annotations for about in abouts),
        sum(about.instances for about in abouts),
        sum(about.degenerate for about in abouts),
        sum(about.crowd for about in abouts),
        sum(about.ignored for about in abouts),
        sum(len(about.problems) for about in abouts),
    )


def _names(abouts: Sequence[CountsAbout]) -> dict[int | str, str | None]:
    """The names of all classes by their ids."""
    found: dict[int | str, str | None] = {}
    named_by: dict[int | str, str] = {}
    for about in abouts:
        source = str(about.shard["name"])
        for one in about.classes:
            before = found.setdefault(one.id, one.name)
            if one.name is None or one.name == before:
                named_by.setdefault(one.id, source)
            elif before is None:
                found[one.id], named_by[one.id] = one.name, source
            else:
                raise DataError(
                    source,
                    f"category {one.id}",
                    f"is {one.name!r} here, and {before!r} in {named_by[one.id]}",
                )
    if len({isinstance(category_id, str) for category_id in found}) > 1:
        raise DataError("shards", None, "ids of categories are partly numbers and partly text")
    if all(name is None for name in found.values()):
        found = dict.fromkeys(sorted(found, key=lambda i: (isinstance(i, str), i)))
    return found


def _check_kinds(abouts: Sequence[CountsAbout]) -> None:
    """Raise DataError unless the ids of images are numbers everywhere, or text everywhere."""
    first: CountsAbout | None = None
    for about in abouts:
        if about.lowest is None:
            continue
        if first is None:
            first = about
        elif isinstance(about.lowest, str) != isinstance(first.lowest, str):
            raise DataError(
                str(about.shard["name"]),
                None,
                f"ids of images are {_kind(about)} here, and {_kind(first)} in {first.shard['name']}",
            )


def _kind(about: CountsAbout) -> str:
    return "text" if isinstance(about.lowest, str) else "numbers"
