"""The instances that have been recorded, and what a baseline says of them."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._image_ids import ImageIds
from tfdp_fast.baselines._pixels import PixelBatch
from tfdp_fast.baselines._segments import grown
from tfdp_fast.baselines.scoring import id_column, image_scores
from tfdp_fast.errors import DataError, OptionError
from tfdp_fast.scores import Scores
from tfdp_fast.tables import Ids

__all__ = ["InstanceValues", "Instances", "digests_of"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class InstanceValues:
    """What a baseline says of instances.

    Attributes
    ----------
    method : str
        As in `METHODS`.
    instance_ids : int64 or text [N]
        Ascending.
    values : float64 [N]

    Examples
    --------
    >>> from tfdp_fast.baselines import InstanceValues
    >>> found = InstanceValues("el2n", np.array([4, 9]), np.array([0.25, 0.5]))
    >>> found.image_scores({4: "a", 9: "a"}).images.score
    array([0.75])
    """

    method: str
    instance_ids: Ids
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.values)

    def image_scores(
        self, image_ids: Mapping[Any, Any] | ImageIds, images: Scores | ImageIds | None = None
    ) -> Scores:
        """Sum them over images.

        Parameters
        ----------
        image_ids : mapping, or int or str [N]
            The image of each instance: by its id, or in the order of `instance_ids`.
        images : Scores, or int or str [I], optional
            See `tfdp_fast.baselines.image_scores`.

        Returns
        -------
        Scores
            Images only.

        Raises
        ------
        OptionError
            If the image of an instance is not known.
        """
        if isinstance(image_ids, Mapping):
            try:
                image_ids = [image_ids[instance_id] for instance_id in self.instance_ids.tolist()]
            except KeyError as error:
                raise OptionError(f"it is not said which image instance {error.args[0]!r} is in") from None
        return image_scores(self.values, image_ids, images)


class Instances:
    """Instances by row, in the order in which they came: what does not change from epoch to epoch."""

    def __init__(self) -> None:
        self._row_of: dict[int | str, int] = {}
        self._pixels = np.zeros((0, 2), np.int64)
        self._digests = np.zeros(0, np.int64)

    def __len__(self) -> int:
        return len(self._row_of)

    @property
    def pixels(self) -> Ints:
        """How many pixels each has in its box and in its mask, int64 [R, 2]."""
        return self._pixels[: len(self)]

    @property
    def digests(self) -> Ints:
        """Of the targets, int64 [R]."""
        return self._digests[: len(self)]

    @property
    def ids(self) -> list[int | str]:
        """By row."""
        return list(self._row_of)

    def in_order(self) -> tuple[Ids, Ints]:
        """The ids, ascending, and their rows."""
        ids = id_column(self.ids)
        order = np.argsort(ids, kind="stable")
        return ids[order], order

    def rows(self, ids: list[int | str]) -> Ints:
        """Their rows, -1 for an instance that is not known."""
        return np.array([self._row_of.get(i, -1) for i in ids], np.int64)

    def check(self, ids: list[int | str], pixels: Ints, digests: Ints) -> None:
        """Raise unless ids are all of one kind, and instances that are known are as they were."""
        id_column([*ids, *list(self._row_of)[:1]])
        rows = self.rows(ids)
        known = np.flatnonzero(rows >= 0)
        other = (self._pixels[rows[known]] != pixels[known]).any(axis=1)
        other |= self._digests[rows[known]] != digests[known]
        if other.any():
            j = int(known[other][0])
            before, now = self._pixels[rows[j], 0], pixels[j, 0]
            reason = f"has {now} pixels, and had {before} before" if before != now else "has other targets"
            raise DataError(f"instance {ids[j]!r}", None, reason)

    def add(self, ids: list[int | str], pixels: Ints, digests: Ints) -> Ints:
        """Their rows; instances that are not known get new ones."""
        rows = np.array([self._row_of.setdefault(i, len(self._row_of)) for i in ids], np.int64)
        self._pixels, self._digests = grown(self._pixels, len(self)), grown(self._digests, len(self))
        self._pixels[rows], self._digests[rows] = pixels, digests
        return rows


def digests_of(batch: PixelBatch) -> Ints:
    """A digest of the targets of each instance."""
    targets = batch.targets
    digests = b"".join(
        hashlib.blake2b(targets[begin:end].data, digest_size=8).digest()
        for begin, end in itertools.pairwise(batch.offsets.tolist())
    )
    return np.frombuffer(digests, "<i8").astype(np.int64)
