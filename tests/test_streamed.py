"""Data sets that are read piece by piece: what is joined, in which order, and what is refused."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import numpy as np
import pytest

import tfdp_fast as tfdp
from tfdp_fast._core import FillConvention
from tfdp_fast.errors import DataError
from tfdp_fast.formats._chunk_builder import ChunkBuilder
from tfdp_fast.formats._streamed import Chunk, FileRead, StreamedDataset
from tfdp_fast.formats.dataset import ImageProblem, Problem, Progress
from tfdp_fast.status import Status

THREADS = [1, 2, 7]


@dataclass
class Piece:
    """An image as a test wants it."""

    image_id: Any
    categories: list[Any] = field(default_factory=list)
    annotation_ids: list[Any] | None = None
    bad: list[int] = field(default_factory=list)
    ignored: int = 0
    crowd: bool = False
    unfit: bool = False
    raises: Exception | None = None


class Made(StreamedDataset[Piece]):
    """A data set that is made of pieces; a category's mask is a square of as many pixels, and 3 more."""

    format = "made"

    def __init__(self, pieces: Iterable[Piece], **options: Any) -> None:
        super().__init__("made.x", options.pop("on_error", "raise"), **options)
        self._pieces = pieces
        self.threads: set[int] = set()
        self.made_on: set[int] = set()

    def pieces(self) -> Iterator[Piece]:
        for piece in self._pieces:
            self.made_on.add(threading.get_ident())
            yield piece

    def read(self, piece: Piece, convention: FillConvention, *, again: bool) -> Chunk:
        self.threads.add(threading.get_ident())
        # The first pieces are the slowest, so that others overtake them.
        time.sleep(0.002 if isinstance(piece.image_id, int) and piece.image_id < 3 else 0)
        if piece.raises is not None:
            raise piece.raises
        chunk = self.chunk(piece, convention, again)
        if again or not self.hashing:
            return chunk
        text = str(piece.image_id).encode()
        file = FileRead(f"{piece.image_id}.txt", len(text), hashlib.sha256(text).hexdigest())
        return dataclasses.replace(chunk, files=[file])

    def chunk(self, piece: Piece, convention: FillConvention, again: bool) -> Chunk:
        builder = ChunkBuilder()
        if piece.unfit:
            builder.add_problem(f"image {piece.image_id}", "is unfit", file="f", is_annotation=False)
            return builder.measured(convention, with_masks=again)
        builder.add_image(piece.image_id, 20, 30, f"{piece.image_id}.jpg")
        for i, category_id in enumerate(piece.categories):
            side = 3 + int(category_id)
            builder.add_annotation(
                [[0, 0, 1]] if i in piece.bad else [[0, 0, side, 0, side, side, 0, side]],
                category_id,
                annotation_id=None if piece.annotation_ids is None else piece.annotation_ids[i],
                crowd=piece.crowd,
                record=f"image {piece.image_id}: annotation {i}",
            )
        for _ in range(piece.ignored):
            builder.add_ignored()
        return builder.measured(convention, with_masks=again)

    def check_destination(self, destination: Any) -> NoReturn:
        raise NotImplementedError

    def write_into(self, *_: Any) -> NoReturn:
        raise NotImplementedError


def pieces(n: int = 40) -> list[Piece]:
    return [Piece(i, [1 + i % 3] * (i % 4), ignored=i % 2, crowd=i % 5 == 4) for i in range(n)]


def measured(data: Made, threads: int = 1) -> np.ndarray[Any, Any]:
    counts, statuses = data.measure(FillConvention.COCO, threads=threads, progress=None)
    assert not statuses.any()
    return counts


def no_thread_is_left() -> bool:
    return not any(thread.name.startswith("tfdp") for thread in threading.enumerate())


# --- joining ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", THREADS)
def test_everything_is_in_the_order_of_the_pieces(threads: int) -> None:
    made = pieces()
    data = Made(made)
    counts = measured(data, threads)
    of_annotations = [piece for piece in made for _ in piece.categories]
    rows: list[tuple[int, int]] = []
    for piece in made:
        begin = rows[-1][1] if rows else 0
        rows.append((begin, begin + len(piece.categories) + piece.ignored))
    assert data.image_ids.tolist() == list(range(40))
    assert data.image_sizes.tolist() == [[20, 30]] * 40
    assert list(data.file_names) == [f"{i}.jpg" for i in range(40)]
    assert data.image_ids[data.image_index].tolist() == [piece.image_id for piece in of_annotations]
    categories = [c for piece in made for c in piece.categories]
    assert data.category_ids[data.category_index].tolist() == categories
    assert data.crowd.tolist() == [piece.crowd for piece in of_annotations]
    sides = np.array(categories) + 3
    assert counts[:, 2].tolist() == (2 * (sides - 1) ** 2).tolist()
    expected_rows = [
        begin + i for piece, (begin, _) in zip(made, rows, strict=True) for i in range(len(piece.categories))
    ]
    assert data.rows.tolist() == expected_rows
    assert data.annotation_ids.tolist() == expected_rows
    assert (data.records, data.ignored) == (rows[-1][1], 20)


def test_pieces_are_made_here_and_read_elsewhere() -> None:
    here = threading.get_ident()
    for threads in THREADS:
        data = Made(pieces())
        measured(data, threads)
        assert data.made_on == {here}
        assert (data.threads == {here}) == (threads == 1)
        assert len(data.threads) <= threads
    assert no_thread_is_left()


def test_pieces_are_made_as_they_are_needed() -> None:
    made: list[int] = []

    def endless() -> Iterator[Piece]:
        i = 0
        while True:
            made.append(i)
            yield Piece(i, [1], bad=[0] if i == 3 else [])
            i += 1

    for threads in THREADS:
        made.clear()
        with pytest.raises(DataError, match="image 3: annotation 0"):
            measured(Made(endless()), threads)
        assert len(made) <= 4 + 4 * threads


def test_measuring_again_gives_the_same() -> None:
    data = Made(pieces(), on_error="skip")
    first = measured(data, 2)
    columns = {name: getattr(data, name) for name in ("image_ids", "rows", "records", "ignored", "problems")}
    assert np.array_equal(measured(data, 1), first)
    for name, column in columns.items():
        assert np.array_equal(getattr(data, name), column)


@pytest.mark.parametrize("threads", THREADS)
def test_nothing_at_all(threads: int) -> None:
    for made in ([], [Piece(1, unfit=True)]):
        data = Made(made, on_error="skip")
        assert measured(data, threads).shape == (0, 3)
        assert data.image_sizes.shape == (0, 2)
        for column in (data.image_ids, data.category_ids, data.annotation_ids, data.rows, data.image_index):
            assert column.shape == (0,)
            assert column.dtype == np.dtype(np.int64)
        assert data.crowd.shape == (0,)
    scores = tfdp.score(Made([]))
    assert len(scores.images) == 0


# --- ids ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", THREADS)
def test_an_image_that_is_there_twice(threads: int) -> None:
    with pytest.raises(DataError, match=r"^made\.x: image 7: its id is given twice$"):
        measured(Made([*pieces(20), Piece(9), Piece(7)][::-1]), threads)


def test_the_first_image_that_is_there_twice() -> None:
    with pytest.raises(DataError, match="image 9: its id is given twice"):
        measured(Made([Piece(9), Piece(3), Piece(3), Piece(9)]))


@pytest.mark.parametrize(
    ("made", "what"),
    [
        ([Piece(1), Piece("a")], "images"),
        ([Piece("a", [1]), Piece("b", ["1"])], "categories"),
        ([Piece(1, [1, "1"])], "categories"),
        ([Piece(1, [1], ["a"]), Piece(2, [1], [5])], "annotations"),
        ([Piece(1, [1, 1], ["a", 5])], "annotations"),
    ],
)
def test_ids_of_two_kinds(made: list[Piece], what: str) -> None:
    for threads in THREADS:
        with pytest.raises(DataError) as caught:
            measured(Made(made), threads)
        assert str(caught.value) == f"made.x: ids of {what} are partly numbers and partly text"


def test_ids_that_are_text() -> None:
    data = Made([Piece("b", ["1", "2"], ["x", "yy"]), Piece("a" * 40, ["2"], ["z"])])
    measured(data)
    assert data.image_ids.tolist() == ["b", "a" * 40]
    assert data.annotation_ids.tolist() == ["x", "yy", "z"]
    assert data.category_ids.tolist() == ["1", "2"]
    assert data.category_names == ["1", "2"]


@pytest.mark.parametrize(
    ("made", "ids"),
    [
        ([Piece(1, [1, 2], [70, 80]), Piece(2), Piece(3, [1], [90])], [70, 80, 90]),
        ([Piece(1, [1, 2], [70, 80]), Piece(2, [1])], [0, 1, 2]),
        ([Piece(1, [1, 2], [70, None]), Piece(2, [1], [90])], [0, 1, 2]),
        ([Piece(1, [1, 2], ["a", None]), Piece(2, [1], [90])], [0, 1, 2]),
    ],
)
def test_annotations_are_numbered_unless_all_of_them_have_ids(made: list[Piece], ids: list[int]) -> None:
    data = Made(made)
    measured(data)
    assert data.annotation_ids.tolist() == ids


# --- categories ---------------------------------------------------------------------------------------------


def test_categories_that_are_known_keep_their_order() -> None:
    data = Made([Piece(1, [3, 1]), Piece(2, [3])], categories=[(3, "cat"), (2, "dog"), (1, "cow")])
    measured(data)
    assert data.category_ids.tolist() == [3, 2, 1]
    assert data.category_names == ["cat", "dog", "cow"]
    assert data.category_index.tolist() == [0, 2, 0]
    scores = tfdp.score(data)
    assert scores.classes is not None
    assert scores.classes.instances.tolist() == [2, 0, 1]
    none = Made([Piece(1)], categories=[])
    measured(none)
    assert (none.category_ids.tolist(), none.category_names) == ([], [])


def test_categories_that_are_not_known_ascend() -> None:
    data = Made([Piece(1, [9, 2]), Piece(2, [5])])
    measured(data, 2)
    assert data.category_ids.tolist() == [2, 5, 9]
    assert data.category_names == ["2", "5", "9"]
    assert data.category_index.tolist() == [2, 0, 1]


def test_a_category_that_is_none_of_those_known() -> None:
    known: list[tuple[int | str, str]] = [(1, "cat"), (3, "dog")]
    for category_id in (0, 2, 4):
        with pytest.raises(DataError, match=f"^made.x: category {category_id} is none of the 2 classes"):
            measured(Made([Piece(1, [1, category_id])], categories=known))
    with pytest.raises(DataError, match="category 1 is none of the 2 classes"):
        measured(Made([Piece(1, ["1"])], categories=known))


# --- problems -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", THREADS)
def test_rows_of_problems(threads: int) -> None:
    made = [
        Piece(0, [1, 2, 1], bad=[1], ignored=1),
        Piece(1, unfit=True),
        Piece(2, [1, 1], bad=[0, 1]),
        Piece(3, [2]),
    ]
    odd = Status.COORDINATES_ODD.reason
    data = Made(made, on_error="skip")
    counts = measured(data, threads)
    assert data.problems == [
        Problem("image 0: annotation 1", odd, 1),
        ImageProblem("image 1", "is unfit", 4, "f"),
        Problem("image 2: annotation 0", odd, 4),
        Problem("image 2: annotation 1", odd, 5),
    ]
    assert [type(problem) for problem in data.problems] == [Problem, ImageProblem, Problem, Problem]
    assert data.image_ids.tolist() == [0, 2, 3]
    assert data.rows.tolist() == [0, 2, 6]
    assert data.image_index.tolist() == [0, 0, 2]
    assert (data.records, data.ignored, len(counts)) == (7, 1, 3)
    with pytest.raises(DataError, match=rf"^made\.x: image 0: annotation 1: {odd}$"):
        measured(Made(made), threads)
    with pytest.raises(DataError, match=r"^f: image 1: is unfit$"):
        measured(Made(made[1:]), threads)


@pytest.mark.parametrize("threads", THREADS)
def test_what_reading_raises_comes_in_its_turn(threads: int) -> None:
    def made() -> Iterator[Piece]:
        yield from pieces(5)
        yield Piece(5, [1], bad=[0])
        yield Piece(6, raises=DataError("x", None, "later"))
        raise RuntimeError("latest")

    with pytest.raises(DataError, match="image 5: annotation 0"):
        measured(Made(made()), threads)
    with pytest.raises(DataError, match="x: later"):
        measured(Made(made(), on_error="skip"), threads)
    with pytest.raises(RuntimeError, match="latest"):
        measured(Made(replace(piece, raises=None, bad=[]) for piece in made()), threads)
    assert no_thread_is_left()


def test_scores_without_what_is_set_aside() -> None:
    made = pieces()
    bad, fit = list(made), list(made)
    for i in range(3, len(made), 7):
        bad[i] = replace(made[i], bad=list(range(len(made[i].categories))))
        fit[i] = replace(made[i], categories=[])
    expected = tfdp.score(Made(fit))
    for threads in THREADS:
        found = tfdp.score(Made(bad, on_error="skip"), threads=threads)
        assert found.images.score.tolist() == expected.images.score.tolist()
        assert [problem.row for problem in found.problems] == sorted(
            problem.row for problem in found.problems
        )


# --- progress and fingerprint -------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", THREADS)
def test_progress(threads: int) -> None:
    seen: list[Progress] = []
    data = Made([*pieces(9), Piece(9, unfit=True)], on_error="skip")
    data.all_images = 10
    data.measure(FillConvention.COCO, threads=threads, progress=seen.append)
    totals = np.cumsum([i % 4 for i in range(9)]).tolist()
    expected = [Progress(i + 1, total, 10) for i, total in enumerate(totals)]
    assert seen == [*expected, expected[-1]]


def test_what_progress_raises_stops() -> None:
    def stop(progress: Progress) -> None:
        if progress.images == 3:
            raise KeyboardInterrupt

    for threads in THREADS:
        data = Made(pieces(1000))
        with pytest.raises(KeyboardInterrupt):
            data.measure(FillConvention.COCO, threads=threads, progress=stop)
        assert no_thread_is_left()


@pytest.mark.parametrize("threads", THREADS)
def test_the_fingerprint_of_several_files(threads: int) -> None:
    data = Made(pieces(12), fingerprint=True)
    for _ in range(2):
        measured(data, threads)
        found = data.fingerprint()
        assert found is not None
        lines = "".join(f"{hashlib.sha256(b'%d' % i).hexdigest()}  {i}.txt\n" for i in range(12))
        assert found.sha256 == hashlib.sha256(lines.encode()).hexdigest()
        assert (found.files, found.size) == (12, 14)
    data = Made(pieces(1))
    measured(data, threads)
    assert data.fingerprint() is None


# --- images of chunks before --------------------------------------------------------------------------------


class Joined(Made):
    """Every piece is of the image with its id modulo 3, which is there only once."""

    def pieces(self) -> Iterator[Piece]:
        self.seen: list[int] = []
        yield from super().pieces()

    def taken(self, chunk: Chunk) -> Chunk:
        (image_id,) = chunk.image_ids.tolist()
        before = len(self.seen)
        if image_id % 3 not in self.seen:
            self.seen.append(image_id % 3)
        new = slice(0, len(self.seen) - before)
        return replace(
            chunk,
            image_ids=chunk.image_ids[new] % 3,
            image_sizes=chunk.image_sizes[new],
            file_names=chunk.file_names[new],
            image_index=chunk.image_index + self.seen.index(image_id % 3) - before,
        )


@pytest.mark.parametrize("threads", THREADS)
def test_chunks_may_refer_to_images_before(threads: int) -> None:
    seen: list[Progress] = []
    data = Joined([Piece(i, [1 + i % 2]) for i in (4, 3, 7, 0, 5, 1)])
    data.measure(FillConvention.COCO, threads=threads, progress=seen.append)
    assert data.image_ids.tolist() == [1, 0, 2]
    assert data.image_ids[data.image_index].tolist() == [1, 0, 1, 0, 2, 1]
    assert [progress.images for progress in seen] == [1, 2, 2, 2, 3, 3]
