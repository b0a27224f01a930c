"""What every data set is to those who score it: columns, boundary counts, and a way to write a part of it."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._core import FillConvention
from tfdp_fast._output import Outputs
from tfdp_fast._tracing import Contours
from tfdp_fast.errors import DataError, OptionError
from tfdp_fast.presets import PresetName
from tfdp_fast.status import Status
from tfdp_fast.tables import Ids

OnError: TypeAlias = Literal["raise", "skip"]
"""What to do with an annotation that cannot be used: raise, or set it aside."""

Names: TypeAlias = "list[str | None] | NDArray[np.str_]"
"""File names, None where there is none; as text where there may be millions."""


Difficult: TypeAlias = Literal["include", "exclude"]
"""Whether objects of Pascal VOC that are marked ``difficult`` count."""

ImageSize: TypeAlias = "tuple[int, int] | Mapping[str, tuple[int, int]]"
"""Height and width of all images, or of each by its file name."""


@dataclass(frozen=True)
class OpenOptions:
    """How a data set is to be opened; see `open_dataset`.

    Attributes
    ----------
    on_error, fingerprint, preset
        For every format.
    split, difficult, image_size
        For some.
    """

    on_error: OnError = "raise"
    fingerprint: bool = False
    split: str | None = None
    difficult: Difficult = "include"
    image_size: ImageSize | None = None
    preset: PresetName | None = None


@dataclass(frozen=True)
class Problem:
    """A record that cannot be used.

    Attributes
    ----------
    record : str
        Which one, for example ``"annotation 17"`` or ``"image 2007_000032"``.
    reason : str
        Why.
    row : int
        Its position in the source's list of annotations, from 0.
    file : str or None
        The file that it is in, where the data set is made of several.
    """

    record: str
    reason: str
    row: int
    file: str | None = None

    def error(self, source: str) -> DataError:
        """The error that stops a run because of it."""
        return DataError(self.file or source, self.record, self.reason)


class ImageProblem(Problem):
    """An image, or a file, that cannot be used; its row is the number of annotations before it."""


@dataclass(frozen=True)
class Progress:
    """How far a data set has been read and measured.

    Attributes
    ----------
    images, annotations : int
        How many of them have been seen.
    all_images, all_annotations : int or None
        How many there are, where that is known beforehand.
    """

    images: int
    annotations: int
    all_images: int | None = None
    all_annotations: int | None = None


OnProgress: TypeAlias = Callable[[Progress], object]


@dataclass(frozen=True)
class Fingerprint:
    """What the annotation files of a data set held when they were read.

    Attributes
    ----------
    files : int
        How many there are.
    size : int
        Their size in bytes, together.
    sha256 : str
        Of one file, what ``sha256sum`` prints; of several, the SHA-256 of the lines that ``sha256sum`` prints
        of them, in data-set order, with paths relative to the data set.
    """

    files: int
    size: int
    sha256: str


@dataclass(frozen=True, eq=False)
class Traced:
    """The outer contours of some annotations.

    Attributes
    ----------
    positions : int64 [n]
        Which annotations, 0 <= position < A, ascending.
    contours : list of list of int32 [m, 2]
        Of each its contours, x and y of their points, in the order of `tfdp_fast.trace`; none of an
        annotation without a pixel, or one whose mask could not be used.
    primary : int64 [n]
        Which contour is the primary one: that of the largest area, the first of equals. -1 where there is
        none.
    """

    positions: NDArray[np.int64]
    contours: list[list[NDArray[np.int32]]]
    primary: NDArray[np.int64]

    @classmethod
    def of(cls, positions: NDArray[np.int64], parts: Iterable[Contours]) -> Traced:
        """From the contours of the annotations at these positions, part by part."""
        parts = list(parts)
        return cls(
            positions,
            [contours for part in parts for contours in part.points],
            np.concatenate([np.empty(0, np.int64), *(part.primary for part in parts)]),
        )


class Dataset(abc.ABC):
    """A data set of images with instance masks.

    There are I images, C categories, and A annotations that count as such: neither marked ``ignore`` nor set
    aside as a problem while they were read. Annotations are in the order of the source. Where records and
    masks are in the same place, as in a label map, both are read by `measure`, and the columns are there only
    after it.
    """

    format: str
    """The name of the format, for example ``"coco"``."""
    source: str
    """The path, or what stands for it in messages."""
    on_error: OnError
    """What happens to annotations that cannot be used."""
    options: OpenOptions = OpenOptions()
    """What it was opened with."""
    is_file: bool
    """Whether `source` is the path of a file or a folder."""
    image_ids: Ids
    """[I], in data-set order."""
    image_sizes: NDArray[np.int32]
    """[I, 2]: height, width in pixels."""
    file_names: Names
    """[I]: the images' file names, None where the source has none."""
    image_folder: Path | None = None
    """The folder that `file_names` are relative to, where the data set says it."""
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
    skipped: Mapping[str, int] = MappingProxyType({})
    """How many annotations do not count under a preset, by a key of `presets.SKIPPED`; not among the A."""
    dropped: Mapping[str, int] = MappingProxyType({})
    """How many images do not count under a preset, by a key of `presets.DROPPED`; not among the I."""
    continues: bool = False
    """Whether an image may have more annotations in another data set, as in a table with a row for each."""
    annotated: NDArray[np.bool_] | None = None
    """[I]: under a preset, the images that have any annotation of a class, one that does not count included;
    None if all of these are among the A."""

    @abc.abstractmethod
    def measure(
        self, convention: FillConvention, *, threads: int, progress: OnProgress | None
    ) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Read what has not been read yet, and measure every annotation.

        Parameters
        ----------
        convention : FillConvention
            How polygons become masks.
        threads : int
            Threads to use; the result does not depend on it.
        progress : callable or None
            Called with a `Progress` now and then.

        Returns
        -------
        counts : int64 [A, 3]
            Straight steps, diagonal steps and twice the area of each primary contour; 0 for failures.
        statuses : uint8 [A]
            A `Status` each. Others than OK occur only with ``on_error="skip"``.

        Raises
        ------
        DataError
            If something cannot be used, and ``on_error="raise"``; with several faults, for the first in
            data-set order.
        """

    @abc.abstractmethod
    def areas(self, convention: FillConvention, *, threads: int) -> NDArray[np.int64]:
        """How many pixels the mask of each annotation has: all parts of it, without its holes.

        To be called after `measure`, with the same convention. Where masks are not kept, they are read a
        second time.

        Parameters
        ----------
        convention : FillConvention
            How polygons become masks.
        threads : int
            Threads to use; the result does not depend on it.

        Returns
        -------
        int64 [A]
            0 for annotations whose mask could not be used.

        Raises
        ------
        OptionError
            If the data set has not been measured, where it is known only by that; or if a polygon is in an
            image of 2**32 pixels or more.
        DataError
            If the source cannot be read a second time: it is an iterator or a pipe, or it has changed.

        Examples
        --------
        >>> from tfdp_fast._core import FillConvention
        >>> from tfdp_fast.formats.opening import open_dataset
        >>> square = [[1, 1, 5, 1, 5, 5, 1, 5]]
        >>> image = {"image_id": 7, "height": 9, "width": 9}
        >>> image["annotations"] = [{"segmentation": square, "category_id": 1}]
        >>> data = open_dataset([image])
        >>> _ = data.measure(FillConvention.COCO, threads=1, progress=None)
        >>> data.areas(FillConvention.COCO, threads=1)
        array([16])
        """

    @abc.abstractmethod
    def trace(self, images: NDArray[np.int64], convention: FillConvention, *, threads: int) -> Traced:
        """Trace the outer contours of the annotations of some images, crowd regions included.

        To be called after `measure`, with the same convention. Where masks are not kept, those parts of the
        source are read a second time that these images are in.

        Parameters
        ----------
        images : int64
            Positions in `image_ids`, in any order. An image that is named twice counts once.
        convention : FillConvention
            How polygons become masks.
        threads : int
            Threads to use; the result does not depend on it.

        Raises
        ------
        OptionError
            If there is no such image, or the data set has not been measured.
        DataError
            As for `areas`.

        Examples
        --------
        >>> import numpy as np
        >>> from tfdp_fast._core import FillConvention
        >>> from tfdp_fast.formats.opening import open_dataset
        >>> mask = np.zeros((6, 6), bool)
        >>> mask[1:3, 1:4] = mask[5, 5] = True
        >>> data = open_dataset([{"masks": mask[None], "labels": [1]}])
        >>> _ = data.measure(FillConvention.COCO, threads=1, progress=None)
        >>> traced = data.trace(np.array([0]), FillConvention.COCO, threads=1)
        >>> [contour.tolist() for contour in traced.contours[0]], traced.primary
        ([[[5, 5]], [[1, 1], [1, 2], [3, 2], [3, 1]]], array([1]))
        """

    def positions_in(self, images: NDArray[np.int64]) -> NDArray[np.int64]:
        """The positions of the annotations of some images, ascending, int64 [n].

        Parameters
        ----------
        images : int64
            Positions in `image_ids`, in any order. An image that is named twice counts once.

        Raises
        ------
        OptionError
            If one is no such position.
        """
        images = np.asarray(images)
        if images.size and images.dtype.kind not in "iu":
            raise OptionError(f"images are positions, whole numbers, got {images.dtype}")
        if images.size and not (images.min() >= 0 and images.max() < len(self.image_ids)):
            raise OptionError(f"images must be from 0 to {len(self.image_ids) - 1}")
        wanted = np.zeros(len(self.image_ids), np.bool_)
        wanted[images.astype(np.int64)] = True
        return np.flatnonzero(wanted[self.image_index])

    @abc.abstractmethod
    def fingerprint(self) -> Fingerprint | None:
        """What the annotation files held; known after `measure`.

        None where there are no files, or none was asked for when the data set was opened.
        """

    @abc.abstractmethod
    def check_destination(self, destination: Any) -> None:
        """Raise what `write_subset` would raise at once.

        OutputError for the source itself, or a folder that does not exist; OptionError for what the format
        cannot write to.
        """

    @abc.abstractmethod
    def write_into(
        self, outputs: Outputs, destination: Any, keep: NDArray[np.bool_], drop_rows: NDArray[np.int64]
    ) -> int:
        """Write a subset as one of several outputs that appear together; see `write_subset`."""

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
            Where the subset is a list of images, these stay in their files.

        Returns
        -------
        int
            How many annotation records are in the subset.

        Raises
        ------
        OutputError
            If it cannot be written.
        OptionError
            If a parameter is of the wrong shape.
        """
        with Outputs() as outputs:
            return self.write_into(outputs, destination, keep, drop_rows)

    def check_selection(self, keep: Any, drop_rows: Any) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """The arguments of `write_subset` as arrays; OptionError if they do not fit."""
        keep, drop_rows = np.asarray(keep), np.asarray(drop_rows, np.int64)
        if keep.dtype != np.bool_ or keep.shape != self.image_ids.shape:
            raise OptionError(
                f"keep must be bool [{len(self.image_ids)}], got {keep.dtype} {list(keep.shape)}"
            )
        if drop_rows.size and not (drop_rows.min() >= 0 and drop_rows.max() < self.records):
            raise OptionError(f"drop_rows must be from 0 to {self.records - 1}")
        return keep, drop_rows

    def problem_at(self, position: int, status: Status) -> Problem:
        """The problem with the mask of the annotation at a position."""
        record = f"annotation {self.annotation_ids[position]}"
        return Problem(record, status.reason, int(self.rows[position]))
