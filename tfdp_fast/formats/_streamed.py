"""Data sets that are read and measured in one go, piece by piece: many files, label maps, streams."""

from __future__ import annotations

import abc
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._core import FillConvention
from tfdp_fast._threads import map_in_order
from tfdp_fast.errors import DataError, OptionError
from tfdp_fast.formats._chunk_masks import ChunkMasks
from tfdp_fast.formats._hashing import ListHash
from tfdp_fast.formats.dataset import (
    Dataset,
    Fingerprint,
    Names,
    OnError,
    OnProgress,
    Problem,
    Progress,
    Traced,
)
from tfdp_fast.status import Status
from tfdp_fast.tables import Ids

PieceT = TypeVar("PieceT")
R = TypeVar("R")

NO_IDS = np.empty(0, np.int64)


@dataclass(frozen=True)
class FileRead:
    """A file that was read: its path relative to the data set, its size in bytes, its SHA-256."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some images of a data set with all of their annotations, measured.

    There are n images and a annotations that can be used. Positions and rows count from the beginning of the
    chunk.

    Attributes
    ----------
    image_ids : int64 or text [n]
        Image ids. These and others may be objects where there are both numbers and text: an error in the end.
    image_sizes : int32 [n, 2]
        Height and width.
    file_names : list of str or None, or text [n]
        The images' file names.
    image_index : int64 [a]
        Position of an annotation's image. Negative ones count back from the beginning of the chunk: images of
        the chunks before.
    category_ids : int64 or text [a]
        Category ids; of those that the data set knows, if it knows them beforehand.
    crowd : bool [a]
        Which are crowd regions.
    counts : int64 [a, 3]
        Straight steps, diagonal steps, twice the area.
    rows : int64 [a]
        The positions of the annotations among all records of the chunk.
    records : int
        How many annotation records there are, of whatever kind.
    annotation_ids : int64 or text [a], optional
        Where the source has them; else annotations are numbered by their row.
    ignored : int
        How many of the records do not count.
    problems : list of Problem
        What cannot be used, in order.
    files : list of FileRead
        What was read, if a fingerprint was asked for.
    masks : ChunkMasks or None
        Those of the annotations, if it was read again.
    """

    image_ids: Ids
    image_sizes: NDArray[np.int32]
    file_names: Names
    image_index: NDArray[np.int64]
    category_ids: Ids
    crowd: NDArray[np.bool_]
    counts: NDArray[np.int64]
    rows: NDArray[np.int64]
    records: int
    annotation_ids: Ids | None = None
    ignored: int = 0
    problems: list[Problem] = field(default_factory=list)
    files: list[FileRead] = field(default_factory=list)
    masks: ChunkMasks | None = None

    @classmethod
    def empty(cls, problems: Iterable[Problem] = (), files: Iterable[FileRead] = ()) -> Chunk:
        """No image at all; something that cannot be used, as a rule."""
        return cls(
            NO_IDS,
            np.empty((0, 2), np.int32),
            [],
            NO_IDS,
            NO_IDS,
            np.empty(0, np.bool_),
            np.empty((0, 3), np.int64),
            NO_IDS,
            0,
            problems=list(problems),
            files=list(files),
        )


class StreamedDataset(Dataset, Generic[PieceT]):
    """Read piece by piece, on several threads, in a fixed order.

    Parameters
    ----------
    source : str
        The path, or what stands for it.
    on_error : {"raise", "skip"}
        What happens to what cannot be used.
    categories : list of (id, name), optional
        The classes in their order, where they are known beforehand. Else they are those that occur, in
        ascending order, and are named by their ids.
    fingerprint : bool
        Whether what is read is to be hashed.
    """

    all_images: int | None = None
    """How many images there are, where that is known before they are read."""

    def __init__(
        self,
        source: str,
        on_error: OnError,
        *,
        categories: list[tuple[int | str, str]] | None = None,
        fingerprint: bool = False,
    ) -> None:
        self.source = source
        self.on_error = on_error
        self.hashing = fingerprint
        self._categories = categories
        self._files = ListHash()
        self._used: NDArray[np.int64] | None = None  # of each piece that was measured, how many annotations

    @abc.abstractmethod
    def pieces(self) -> Iterable[PieceT]:
        """What is to be read, in order. Made on the calling thread, as it is needed."""

    @abc.abstractmethod
    def read(self, piece: PieceT, convention: FillConvention, *, again: bool) -> Chunk:
        """Read and measure a piece. Called on several threads at once.

        What cannot be used goes into the chunk's problems, whatever ``on_error`` says. When a piece is read
        `again`, its chunk has its masks, nothing is hashed, and nothing that is known is touched.
        """

    def taken(self, chunk: Chunk) -> Chunk:
        """What becomes of a chunk. Called in the order of the pieces, on the calling thread."""
        return chunk

    def check_unchanged(self) -> None:
        """Raise DataError if the source can be seen to be another one than that which was measured."""

    def measure(
        self, convention: FillConvention, *, threads: int, progress: OnProgress | None
    ) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Read and measure everything; see `Dataset.measure`. What fails is not among the annotations."""
        self._files = ListHash()
        chunks: list[Chunk] = []
        images = records = used = 0
        self._used = None
        self.problems, self.ignored = [], 0
        read = map_in_order(lambda piece: self.read(piece, convention, again=False), self.pieces(), threads)
        with closing(read):
            for chunk in read:
                if chunk.problems and self.on_error == "raise":
                    raise chunk.problems[0].error(self.source)
                self.problems += [replace(problem, row=records + problem.row) for problem in chunk.problems]
                for file in chunk.files:
                    self._files.add(file.name, file.size, file.sha256)
                taken = self.taken(chunk)
                chunks.append(
                    replace(
                        taken,
                        rows=chunk.rows + records,
                        image_index=taken.image_index + images,
                        problems=[],
                        files=[],
                    )
                )
                self.ignored += chunk.ignored
                images += len(taken.image_ids)
                records += chunk.records
                used += len(chunk.rows)
                if progress is not None:
                    progress(Progress(images, used, self.all_images))
        self.records = records
        counts = self._join(chunks)
        self._used = np.array([len(chunk.rows) for chunk in chunks], np.int64)
        return counts, np.full(used, Status.OK, np.uint8)

    def areas(self, convention: FillConvention, *, threads: int) -> NDArray[np.int64]:
        """Read everything a second time; see `Dataset.areas`."""
        self._check_measured()
        every = np.arange(len(self.rows))
        found = self._read_again(every, convention, threads, lambda masks, _: masks.areas())
        with closing(found):
            return np.concatenate([NO_IDS, *found])

    def trace(self, images: NDArray[np.int64], convention: FillConvention, *, threads: int) -> Traced:
        """Read the pieces that some images are in a second time; see `Dataset.trace`."""
        self._check_measured()
        positions = self.positions_in(images)
        found = self._read_again(positions, convention, threads, lambda masks, which: masks.contours(which))
        with closing(found):
            return Traced.of(positions, found)

    def _check_measured(self) -> None:
        if self._used is None:
            raise OptionError("masks are looked at after a data set has been measured: call measure first")

    def _read_again(
        self,
        positions: NDArray[np.int64],
        convention: FillConvention,
        threads: int,
        look: Callable[[ChunkMasks, NDArray[np.int64]], R],
    ) -> Generator[R, None, None]:
        """Look at the masks of each piece that some annotations are in, and at which of its own they are."""
        used = self._used
        assert used is not None
        ends = np.cumsum(used)
        # The annotations of a piece follow each other.
        wanted = np.split(positions, np.searchsorted(positions, ends))[:-1]
        changed = DataError(self.source, None, "has changed since it was read")

        def pieces() -> Iterator[tuple[int, PieceT]]:
            """Those that are wanted; none after the last of them is taken."""
            left = [number for number, some in enumerate(wanted) if len(some)]
            left.reverse()
            for number, piece in enumerate(self.pieces() if left else ()):
                if number == left[-1]:
                    yield number, piece
                    left.pop()
                    if not left:
                        return
            if left:
                raise changed

        def task(item: tuple[int, PieceT]) -> R:
            number, piece = item
            chunk = self.read(piece, convention, again=True)
            if len(chunk.rows) != used[number] or chunk.masks is None:
                raise changed
            return look(chunk.masks, wanted[number] - (ends[number] - used[number]))

        self.check_unchanged()
        with closing(map_in_order(task, pieces(), threads)) as found:
            yield from found
        self.check_unchanged()

    def fingerprint(self) -> Fingerprint | None:
        """What the annotation files held; see `Dataset.fingerprint`."""
        return self._files.fingerprint if self.hashing else None

    def _join(self, chunks: list[Chunk]) -> NDArray[np.int64]:
        """Columns out of chunks; the boundary counts are returned."""
        self.image_ids = self._ids("images", [chunk.image_ids for chunk in chunks])
        if not (self.image_ids[1:] > self.image_ids[:-1]).all():
            _, first, times = np.unique(self.image_ids, return_index=True, return_counts=True)
            if (times > 1).any():
                twice = self.image_ids[first[times > 1].min()]
                raise DataError(self.source, f"image {twice}", "its id is given twice")
        self.image_sizes = np.concatenate([np.empty((0, 2), np.int32), *(c.image_sizes for c in chunks)])
        if chunks and all(isinstance(chunk.file_names, np.ndarray) for chunk in chunks):
            self.file_names = np.concatenate([chunk.file_names for chunk in chunks])
        else:
            self.file_names = [name for chunk in chunks for name in chunk.file_names]
        self.rows = np.concatenate([NO_IDS, *(chunk.rows for chunk in chunks)])
        self.image_index = np.concatenate([NO_IDS, *(chunk.image_index for chunk in chunks)])
        self.crowd = np.concatenate([np.empty(0, np.bool_), *(chunk.crowd for chunk in chunks)])
        numbered = any(chunk.annotation_ids is None and len(chunk.rows) for chunk in chunks)
        self.annotation_ids = (
            self.rows
            if numbered
            else self._ids("annotations", [c.annotation_ids for c in chunks if c.annotation_ids is not None])
        )
        self._index_categories(self._ids("categories", [chunk.category_ids for chunk in chunks]))
        return np.concatenate([np.empty((0, 3), np.int64), *(chunk.counts for chunk in chunks)])

    def _index_categories(self, found: Ids) -> None:
        if self._categories is None:
            self.category_ids, self.category_index = _classes_in(found)
            self.category_names = list(map(str, self.category_ids.tolist()))
            return
        self.category_ids = np.array([category_id for category_id, _ in self._categories] or NO_IDS)
        self.category_names = [name for _, name in self._categories]
        index = {category_id: i for i, category_id in enumerate(self.category_ids.tolist())}
        occurring, inverse = _classes_in(found)
        for category_id in occurring.tolist():
            if category_id not in index:
                raise DataError(
                    self.source,
                    None,
                    f"category {category_id} is none of the {len(index)} classes of the data set",
                )
        places = np.array([index[category_id] for category_id in occurring.tolist()], np.int64)
        self.category_index = places[inverse]

    def _ids(self, what: str, parts: list[Ids]) -> Ids:
        """Ids of several chunks; all of one kind, for NumPy would turn numbers into text."""
        parts = [part for part in parts if len(part)]
        kinds = {part.dtype.kind for part in parts}
        if len(kinds) > 1 or "O" in kinds:
            raise DataError(self.source, None, f"ids of {what} are partly numbers and partly text")
        return np.concatenate(parts) if parts else NO_IDS


def _classes_in(found: Ids) -> tuple[Ids, NDArray[np.int64]]:
    """What ``np.unique(found, return_inverse=True)`` returns, without sorting the ids of all annotations.

    Examples
    --------
    >>> _classes_in(np.array([7, 5, 7])), _classes_in(np.array(["b", "a"]))
    ((array([5, 7]), array([1, 0, 1])), (array(['a', 'b'], dtype='<U1'), array([1, 0])))
    """
    if found.dtype.kind == "U":
        texts = found.tolist()
        classes = np.array(sorted(set(texts)) or [], found.dtype)
        place = {text: i for i, text in enumerate(classes.tolist())}
        return classes, np.fromiter(map(place.__getitem__, texts), np.int64, len(texts))
    if len(found):
        low, high = int(found.min()), int(found.max())
        if high - low < max(len(found), 1 << 16):
            occurs = np.zeros(high - low + 1, np.bool_)
            occurs[found - low] = True
            return np.flatnonzero(occurs) + low, (np.cumsum(occurs) - 1)[found - low]
    classes, index = np.unique(found, return_inverse=True)
    return classes, index
