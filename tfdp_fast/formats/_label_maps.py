"""Data sets of label maps: a picture for each image, in which each pixel holds the number of its instance."""

from __future__ import annotations

import abc
import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdp_fast import _core
from tfdp_fast._core import FillConvention
from tfdp_fast._output import Outputs, check_output
from tfdp_fast.errors import DataError, OptionError, OutputError
from tfdp_fast.formats._chunk_masks import LabelMapMasks
from tfdp_fast.formats._files import read_each
from tfdp_fast.formats._lists import write_lines
from tfdp_fast.formats._streamed import NO_IDS, Chunk, FileRead, StreamedDataset
from tfdp_fast.formats.dataset import ImageProblem, OpenOptions, Problem

_BACKGROUND = 0


@dataclass(frozen=True)
class AnnotationFile:
    """A file of an image, and what it holds, or why it cannot be read.

    Attributes
    ----------
    name : str
        Its path relative to the data set.
    path : str
        For messages.
    content : bytes or DataError
        What it holds.
    """

    name: str
    path: str
    content: bytes | DataError

    @property
    def data(self) -> bytes:
        """What it holds; DataError if it cannot be read."""
        if isinstance(self.content, DataError):
            raise self.content
        return self.content


@dataclass(frozen=True)
class MeasuredMap:
    """What is in a label map.

    Attributes
    ----------
    label_map : int [H, W] or None
        The map itself, if it is looked at once more.
    size : (int, int)
        Height and width.
    labels : int64 [K]
        The labels that occur, ascending.
    counts : int64 [K, 3]
        The boundary counts of each.
    """

    label_map: NDArray[np.integer[Any]] | None
    size: tuple[int, int]
    labels: NDArray[np.int64]
    counts: NDArray[np.int64]

    def only(self, which: Any) -> MeasuredMap:
        """With some of the labels only, by their positions or a mask."""
        return replace(self, labels=self.labels[which], counts=self.counts[which])


@dataclass(frozen=True)
class Annotations:
    """What an image has: a instances that can be used, among all of its records.

    Attributes
    ----------
    category_ids : list of int [a]
        The classes.
    crowd : list of bool [a]
        Which are crowd regions.
    found : MeasuredMap
        The a labels that they are, measured.
    rows : list of int [a]
        Positions among the records.
    records, ignored : int
        How many records there are, and how many of them do not count.
    problems : list of Problem
        Records that cannot be used; rows count from the beginning of the image.
    """

    category_ids: list[int]
    crowd: list[bool]
    found: MeasuredMap
    rows: list[int]
    records: int
    ignored: int = 0
    problems: list[Problem] = field(default_factory=list)


class LabelMapDataset(StreamedDataset[range]):
    """Images that are known by their names, with annotation files of their own; a subset is a list of names.

    Parameters
    ----------
    source : path
        What was opened.
    options : OpenOptions
        How.
    root : Path
        The folder that paths of annotation files are relative to.
    stems : list of str
        The images in order, as lists name them.
    categories : dict of int to str
        The classes.
    read_only : list of Path
        Folders of annotation files, where nothing may be written.
    """

    image_suffix: str
    """What follows the stem in the name of an image's file."""
    together: int
    """How many images are read as one piece: a task of the thread pool should take milliseconds."""

    def __init__(
        self,
        source: Any,
        options: OpenOptions,
        *,
        root: Path,
        stems: Sequence[str],
        categories: dict[int, str],
        read_only: Sequence[Path],
    ) -> None:
        super().__init__(
            os.fsdecode(source),
            options.on_error,
            categories=list(categories.items()),
            fingerprint=options.fingerprint,
        )
        self.all_images = len(stems)
        self._root = root
        self._stems = stems
        self._read_only = read_only
        self._records_of: dict[str, int] = {}

    @abc.abstractmethod
    def files_of(self, stem: str) -> Sequence[str]:
        """The annotation files of an image, relative to the data set."""

    @abc.abstractmethod
    def label_map(self, files: Sequence[AnnotationFile]) -> NDArray[np.integer[Any]]:
        """The label map of an image, its files having been read; DataError if it cannot be had."""

    @abc.abstractmethod
    def annotations(self, stem: str, files: Sequence[AnnotationFile], found: MeasuredMap) -> Annotations:
        """What the labels of an image stand for; DataError if it cannot be used."""

    def is_dropped(self, error: DataError) -> bool:  # noqa: ARG002
        """Whether an image that cannot be used is no fault, but one that does not count."""
        return False

    @staticmethod
    def image_id(stem: str) -> str:
        """The id of an image."""
        return stem

    def paths(self) -> list[str]:
        """The annotation files of all images, in order."""
        return [f"{self._root}/{name}" for stem in self._stems for name in self.files_of(stem)]

    def pieces(self) -> Iterable[range]:
        """Positions of images; at least one piece."""
        n = len(self._stems)
        return (range(i, min(i + self.together, n)) for i in range(0, max(n, 1), self.together))

    def read(
        self,
        piece: range,
        convention: FillConvention,  # noqa: ARG002 (no polygons here)
        *,
        again: bool,
    ) -> Chunk:
        """Read and measure some images."""
        stems: list[str] = []
        sizes: list[tuple[int, int]] = []
        parts: list[Annotations] = []
        rows: list[int] = []
        problems: list[Problem] = []
        records = 0
        files = self._read_files(self._stems[piece.start : piece.stop])
        # First all maps, then what they mean: the one hardly needs Python's lock, the other holds it, and
        # threads that change between the two for each image wait for one another.
        maps = {stem: self._measured(of_image, keep=again) for stem, of_image in files.items()}
        for stem, found in maps.items():
            try:
                if isinstance(found, DataError):
                    raise found
                part = self.annotations(stem, files[stem], found)
            except DataError as error:
                if self.is_dropped(error):
                    continue
                record = f"image {self.image_id(stem)}"
                problems.append(ImageProblem(record, error.reason, records, error.source))
                continue
            stems.append(stem)
            sizes.append(found.size)
            parts.append(part)
            rows += [records + row for row in part.rows]
            problems += [replace(problem, row=records + problem.row) for problem in part.problems]
            records += part.records
            if not again:
                self._records_of[stem] = part.records
        return Chunk(
            image_ids=np.array([self.image_id(stem) for stem in stems] or NO_IDS),
            image_sizes=np.array(sizes, np.int32).reshape(-1, 2),
            file_names=[stem + self.image_suffix for stem in stems],
            image_index=np.repeat(np.arange(len(parts)), [len(part.rows) for part in parts]),
            category_ids=np.array([i for part in parts for i in part.category_ids], np.int64),
            crowd=np.array([crowd for part in parts for crowd in part.crowd], np.bool_),
            counts=np.concatenate([np.empty((0, 3), np.int64), *(part.found.counts for part in parts)]),
            rows=np.array(rows, np.int64),
            records=records,
            ignored=sum(part.ignored for part in parts),
            problems=problems,
            files=[] if again else self._hashed(files.values()),
            masks=LabelMapMasks(
                [
                    (part.found.label_map, part.found.labels)
                    for part in parts
                    if part.found.label_map is not None
                ]
            )
            if again
            else None,
        )

    def _read_files(self, stems: Sequence[str]) -> dict[str, list[AnnotationFile]]:
        """The annotation files of some images."""
        names = [self.files_of(stem) for stem in stems]
        contents = iter(read_each([f"{self._root}/{name}" for of_image in names for name in of_image]))
        return {
            stem: [AnnotationFile(name, f"{self._root}/{name}", next(contents)) for name in of_image]
            for stem, of_image in zip(stems, names, strict=True)
        }

    def _measured(self, files: Sequence[AnnotationFile], *, keep: bool) -> MeasuredMap | DataError:
        """Measure all labels of an image, and keep the map with them or not."""
        try:
            label_map = self.label_map(files)
        except DataError as error:
            return error
        height, width = label_map.shape
        measured = _core.measure_labels(label_map, _BACKGROUND)
        return MeasuredMap(label_map if keep else None, (height, width), *measured)

    def _hashed(self, files: Iterable[Sequence[AnnotationFile]]) -> list[FileRead]:
        """The files that could be read, for the fingerprint."""
        every = (file for of_image in files for file in of_image) if self.hashing else ()
        return [hashed(file.name, file.content) for file in every if isinstance(file.content, bytes)]

    def check_destination(self, destination: Any) -> None:
        """Raise OutputError for a place among the annotation files, or a folder that does not exist."""
        check_output(destination)
        if isinstance(destination, (str, os.PathLike)):
            above = Path(destination).resolve().parents
            for folder in self._read_only:
                if folder.resolve() in above:
                    raise OutputError(f"{os.fspath(destination)}: is in {folder}, which is being read")

    def write_into(
        self, outputs: Outputs, destination: Any, keep: NDArray[np.bool_], drop_rows: NDArray[np.int64]
    ) -> int:
        """Write the list of the images with ``keep[i]``; their annotations stay where they are."""
        keep, _ = self.check_selection(keep, drop_rows)
        self.check_destination(destination)
        kept = [
            str(name).removesuffix(self.image_suffix)
            for name, stays in zip(self.file_names, keep.tolist(), strict=True)
            if stays
        ]
        write_lines(outputs, destination, kept)
        return sum(self._records_of[stem] for stem in kept)


def folder_of(source: Any, format: str) -> Path:
    """The path of a data set that is a folder of files."""
    if not isinstance(source, (str, os.PathLike)):
        raise OptionError(f"a data set of the format {format} is a path, got {type(source).__name__}")
    path = Path(os.fsdecode(source))
    if not path.exists():
        raise DataError(str(path), None, "cannot be read: No such file or directory")
    return path


def hashed(name: str, data: bytes) -> FileRead:
    """A file that has been read as a whole, by its name relative to the data set."""
    return FileRead(name, len(data), hashlib.sha256(data).hexdigest())
