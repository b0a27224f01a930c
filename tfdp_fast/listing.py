"""Images that are to be kept, as somebody lists them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfdp_fast._numbers import is_number
from tfdp_fast._sides import Side, match, side_of, side_of_ids
from tfdp_fast.errors import DataError, OptionError
from tfdp_fast.recording import ListRecord
from tfdp_fast.scores import Scores
from tfdp_fast.selection import Subset, hash_of_ids
from tfdp_fast.tables import Ids

__all__ = ["ImageList"]


@dataclass(frozen=True, eq=False)
class ImageList:
    """Images that are to be kept, whoever has chosen them.

    Attributes
    ----------
    side : Side
        Their ids, and file names where they are known.
    record : ListRecord
        What is recorded of them.
    """

    side: Side
    record: ListRecord

    @classmethod
    def of(cls, given: Any) -> ImageList:
        """From a path, a `Subset` or ids.

        Raises
        ------
        DataError
            If there are none, if one is there twice, or if a file cannot be read or holds scores.
        OptionError
            If ids are neither all whole numbers nor all text.
        """
        if isinstance(given, (str, os.PathLike)):
            side = side_of(given)
        else:
            ids = given.ranking if isinstance(given, Subset) else _checked(given)
            side = side_of_ids("<ids>", ids, [None] * len(ids))
        if side.scores is not None:
            raise DataError(side.name, None, "is a file of scores: tfdp select chooses images by them")
        if not len(side):
            raise DataError(side.name, None, "lists no images")
        name = Path(os.fsdecode(given)).name if isinstance(given, (str, os.PathLike)) else None
        return cls(side, ListRecord(name, len(side), hash_of_ids(side.ids)))

    def subset(self, scores: Scores, source: str) -> Subset:
        """These images of a data set, which is called by its source in messages.

        Images are told by their ids; where not a single id is on both sides, by their file names, or else by
        these without folders and suffix.

        Raises
        ------
        DataError
            If one of them is not in the data set.
        """
        images = scores.images
        listed, there, by = match(self.side, Side(source, images.id, images.file_name))
        missing = np.flatnonzero(~np.isin(listed, there))
        if len(missing):
            others = f", and neither are {len(missing) - 1:,} more" if len(missing) > 1 else ""
            first = f"image {self.side.ids[missing[0]]}"
            raise DataError(self.side.name, first, f"is not in {source}{others}")
        order = np.argsort(there)
        chosen = order[np.searchsorted(there, listed, sorter=order)]
        mask = np.zeros(len(images), np.bool_)
        mask[chosen] = True
        ids = images.id
        reckoning = f"as {self.record.name or self.side.name} lists them, told by {by}"
        return Subset(ids[mask], ids[chosen], ids[~mask], mask, len(images), "all", reckoning, None)


def _checked(given: Any) -> Ids:
    found = given if isinstance(given, np.ndarray) else list(given) if isinstance(given, Iterable) else given
    if isinstance(found, list) and all(is_number(i, int, np.integer) for i in found):
        found = np.array(found, np.int64)
    elif isinstance(found, list) and all(isinstance(i, str) for i in found):
        found = np.array(found, np.str_)
    if not isinstance(found, np.ndarray) or found.ndim != 1 or found.dtype.kind not in "iuU":
        raise OptionError("ids is a path, a Subset, or image ids that are all whole numbers or all text")
    return found if found.dtype.kind == "U" else found.astype(np.int64)
