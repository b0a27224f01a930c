"""What every data set looks like once it has been read: columns, and segmentations on demand."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._core import SegmentationBatch
from tfdp_fast.tables import Ids

OnError: TypeAlias = Literal["raise", "skip"]
"""What to do with an annotation that cannot be used: raise, or set it aside."""


@dataclass(frozen=True)
class Problem:
    """A record that cannot be used.

    Attributes
    ----------
    record : str
        Which one, for example ``"annotation 17"``.
    reason : str
        Why.
    row : int
        Its position in the source's list of annotations, from 0.
    """

    record: str
    reason: str
    row: int


class Dataset(abc.ABC):
    """A data set whose records have been read and checked, all but the segmentations themselves.

    There are I images, C categories, and A annotations that count as such: neither marked ``ignore`` nor set
    aside as a problem. Annotations are in the order of the source.
    """

    source: str
    """The path, or what stands for it in messages."""
    image_ids: Ids
    """[I], in data-set order."""
    image_sizes: NDArray[np.int32]
    """[I, 2]: height, width in pixels."""
    file_names: list[str | None]
    """[I]: the images' file names, where the source has them."""
    category_ids: Ids
    """[C]."""
    category_names: list[str]
    """[C]."""
    annotation_ids: Ids
    """[A]."""
    rows: NDArray[np.int64]
    """[A]: the position of the record in the source's list of annotations."""
    image_index: NDArray[np.int64]
    """[A]: position in `image_ids`."""
    category_index: NDArray[np.int64]
    """[A]: position in `category_ids`."""
    crowd: NDArray[np.bool_]
    """[A]: crowd regions belong to their image but take no part in scores."""
    records: int
    """How many annotation records the source has, of whatever kind."""
    ignored: int
    """How many annotations are marked ``ignore``."""
    problems: list[Problem]
    """Records that were set aside while reading."""

    @abc.abstractmethod
    def segmentations(self, positions: NDArray[np.int64]) -> SegmentationBatch:
        """Read the segmentations of the annotations at some positions, 0 <= position < A.

        Safe to call from several threads at once.
        """

    @abc.abstractmethod
    def check_destination(self, destination: Any) -> None:
        """Raise OutputError if `write_subset` would: the source itself, or a folder that does not exist."""

    @abc.abstractmethod
    def write_subset(self, destination: Any, keep: NDArray[np.bool_], drop_rows: NDArray[np.int64]) -> int:
        """Write the images with ``keep[i]`` and their annotations, whole or not at all.

        Parameters
        ----------
        destination : path or binary file
            Where to.
        keep : bool [I]
            Which images stay.
        drop_rows : int64 [n]
            Rows of annotations that are left out although their image stays: those set aside as problems.

        Returns
        -------
        int
            How many annotation records were written.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
