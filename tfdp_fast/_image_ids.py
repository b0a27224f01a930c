"""Ids from whatever holds them, and which image is at which position of a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tfdp_fast.errors import OptionError

ImageIds: TypeAlias = Iterable[int | str] | NDArray[Any]


def plain_ids(ids: ImageIds) -> list[int | str]:
    """Ids as Python objects: NumPy's and torch's own numbers do not all compare with these."""
    values = ids.tolist() if hasattr(ids, "tolist") else ids
    return [image_id.item() if isinstance(image_id, np.generic) else image_id for image_id in values]


def positions_of(dataset: Any, ids: ImageIds | None) -> dict[int | str, int]:
    """The position of each image id in a data set that has them as ``ids``, unless they are given."""
    if ids is None:
        ids = getattr(dataset, "ids", None)
    if ids is None:
        raise OptionError("the data set has no attribute ids: pass ids=, the image id of each position")
    plain = plain_ids(ids)
    if len(plain) != len(dataset):
        raise OptionError(f"the data set has {len(dataset)} positions, and {len(plain)} ids")
    if len(set(plain)) < len(plain):
        raise OptionError(f"image id {first_repeated(plain)!r} is at two positions of the data set")
    return {image_id: position for position, image_id in enumerate(plain)}


def first_repeated(ids: list[int | str]) -> int | str:
    """The first id that comes more than once; there is one."""
    return next(image_id for image_id, number in Counter(ids).items() if number > 1)
