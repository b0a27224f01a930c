"""What the shards of a run have in common: their classes, exact totals, and whether they go together."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np

from tfdp_fast.distributed.counts_about import CountsAbout, ShardClass
from tfdp_fast.distributed.images import RunTotals
from tfdp_fast.errors import DataError
from tfdp_fast.scores import Variant, scale_invariant
from tfdp_fast.totals import ClassTotals

__all__ = ["Merger", "RunClass", "ShardBounds"]


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


@dataclass(frozen=True)
class ShardBounds:
    """What is kept of a shard: which image ids it has.

    Attributes
    ----------
    name : str
        The shard.
    lowest, highest : int, str or None
        Its first and last image id in ascending order; None if it has no image.
    images : int
        How many it has.
    continues : bool
        Whether its images may have more annotations in other shards.
    """

    name: str
    lowest: int | str | None
    highest: int | str | None
    images: int
    continues: bool


class Merger:
    """Puts together what the footers of counts files say, one after the other, and keeps little of each.

    Give it the shards in data-set order. That order matters to no total, only to how classes are listed.

    Attributes
    ----------
    totals : ClassTotals
        The exact totals so far.
    shards : list of ShardBounds
        In the order in which they came.
    images, annotations, instances, degenerate, crowd, ignored, problems : int
        How many there are; see `CountsAbout`.

    Parameters
    ----------
    variant : {"tfdp", "si", "cb", "scs"}
        Which totals are wanted.

    Examples
    --------
    >>> merger = Merger("tfdp")
    >>> merger.classes(), merger.images
    ([], 0)
    """

    def __init__(self, variant: Variant) -> None:
        self._variant: Variant = variant
        self.totals = ClassTotals("si_scs" if scale_invariant(variant) else "scs")
        self.shards: list[ShardBounds] = []
        self.images = self.annotations = self.instances = 0
        self.degenerate = self.crowd = self.ignored = self.problems = 0
        self._names: dict[int | str, str | None] = {}
        self._named_by: dict[int | str, str] = {}

    def add(self, about: CountsAbout) -> None:
        """Take in a shard.

        Raises
        ------
        DataError
            If its ids are numbers and those of others are text; if a class has another name there.
        """
        source = str(about.shard["name"])
        self._check_kind(source, about)
        for one in about.classes:
            self._name(source, one)
        self.totals.merge(about.totals(self.totals.shape))
        self.shards.append(ShardBounds(source, about.lowest, about.highest, about.images, about.continues))
        self.images += about.images
        self.annotations += about.annotations
        self.instances += about.instances
        self.degenerate += about.degenerate
        self.crowd += about.crowd
        self.ignored += about.ignored
        self.problems += len(about.problems)

    def classes(self) -> list[RunClass]:
        """The classes, in the order in which shards list them; ascending, where no shard names any."""
        totals = self.totals
        exact = dict(zip(totals.category_ids, totals.totals.tolist(), strict=True))
        instances = dict(zip(totals.category_ids, totals.instances.tolist(), strict=True))
        ids = list(self._names)
        if all(name is None for name in self._names.values()):
            ids = np.sort(np.array(ids)).tolist()
        return [RunClass(i, self._names[i] or str(i), instances[i], exact[i]) for i in ids]

    def run_totals(self) -> RunTotals:
        """The totals, as pass 2 takes them."""
        named = zip(self.totals.category_ids, self.totals.limbs, strict=True)
        sums = sorted((str(category_id), row.tobytes().hex()) for category_id, row in named)
        digest = hashlib.sha256(json.dumps([self._variant, sums]).encode()).hexdigest()
        return RunTotals.of(self.totals, self._variant, digest)

    def _check_kind(self, source: str, about: CountsAbout) -> None:
        first = next((shard for shard in self.shards if shard.lowest is not None), None)
        if first is not None and about.lowest is not None:
            here, there = isinstance(about.lowest, str), isinstance(first.lowest, str)
            if here != there:
                kinds = ("text", "numbers") if here else ("numbers", "text")
                raise DataError(
                    source, None, f"ids of images are {kinds[0]} here, and {kinds[1]} in {first.name}"
                )

    def _name(self, source: str, one: ShardClass) -> None:
        if self._names and isinstance(one.id, str) != isinstance(next(iter(self._names)), str):
            raise DataError(
                source, f"category {one.id}", "ids of categories are partly numbers and partly text"
            )
        before = self._names.setdefault(one.id, one.name)
        if one.name is None or one.name == before:
            self._named_by.setdefault(one.id, source)
        elif before is None:
            self._names[one.id], self._named_by[one.id] = one.name, source
        else:
            raise DataError(
                source,
                f"category {one.id}",
                f"is {one.name!r} here, and {before!r} in {self._named_by[one.id]}",
            )
