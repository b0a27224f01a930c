"""Masks as pixels and as run lengths: measured, traced and encoded, against OpenCV and pycocotools."""

from __future__ import annotations

import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from pycocotools import mask as coco

import tfdp_fast as tfdp
from tfdp_fast import masks as masks_module

Mask = NDArray[np.uint8]

# --- masks that have something to them ----------------------------------------------------------------------


def noise(rng: np.random.Generator, height: int, width: int) -> Mask:
    mask: Mask = (rng.random((height, width)) < rng.random()).astype(np.uint8)
    return mask


def morphology(rng: np.random.Generator, height: int, width: int) -> Mask:
    if height * width == 0:
        return np.zeros((height, width), np.uint8)
    kernel = np.ones((3, 3), np.uint8)
    operation = [cv2.MORPH_OPEN, cv2.MORPH_CLOSE, cv2.MORPH_GRADIENT][rng.integers(3)]
    return np.asarray(cv2.morphologyEx(noise(rng, height, width), operation, kernel), np.uint8)


def rings(rng: np.random.Generator, height: int, width: int) -> Mask:
    """Rings in rings, some of them broken."""
    y, x = np.ogrid[:height, :width]
    depth = np.minimum(np.minimum(y, height - 1 - y), np.minimum(x, width - 1 - x))
    alternating = (depth // rng.integers(1, 3) + rng.integers(2)) % 2 == 0
    mask: Mask = (alternating ^ (rng.random(alternating.shape) < rng.choice([0, 0.02]))).astype(np.uint8)
    return mask


def bridges(rng: np.random.Generator, height: int, width: int) -> Mask:
    """Pieces that touch at corners only."""
    y, x = np.ogrid[:height, :width]
    step = rng.integers(1, 4)
    board = (y // step + x // step) % 2 == 0
    mask: Mask = (board & (rng.random(board.shape) < 0.95)).astype(np.uint8)
    return mask


def lines(rng: np.random.Generator, height: int, width: int) -> Mask:
    mask = np.zeros((height, width), np.uint8)
    for _ in range(rng.integers(1, 5) if mask.size else 0):
        ends = rng.integers(-2, max(height, width) + 2, 4).tolist()
        cv2.line(mask, ends[:2], ends[2:], [1])
    return mask


def pixels(rng: np.random.Generator, height: int, width: int) -> Mask:
    mask = np.zeros((height, width), np.uint8)
    if mask.size:
        mask.reshape(-1)[rng.integers(mask.size, size=rng.integers(1, 4))] = 1
    return mask


def blobs(rng: np.random.Generator, height: int, width: int) -> Mask:
    """Discs with discs cut out, running over the edges."""
    y, x = np.ogrid[:height, :width]
    mask = np.zeros((height, width), np.uint8)
    for value in (1, 1, 0, 1, 0):
        cy, cx, r = rng.random(3) * [height, width, max(height, width) / 2]
        mask[(y - cy) ** 2 + (x - cx) ** 2 <= r**2] = value
    return mask


def frame(_: np.random.Generator, height: int, width: int) -> Mask:
    """The four edges of the image, and nothing else."""
    mask = np.ones((height, width), np.uint8)
    mask[1:-1, 1:-1] = 0
    return mask


def full(_: np.random.Generator, height: int, width: int) -> Mask:
    return np.ones((height, width), np.uint8)


def empty(_: np.random.Generator, height: int, width: int) -> Mask:
    return np.zeros((height, width), np.uint8)


SHAPES = [noise, morphology, rings, bridges, lines, pixels, blobs, frame, full, empty]


def any_mask(shape: str, height: int, width: int, seed: int) -> Mask:
    return next(s for s in SHAPES if s.__name__ == shape)(np.random.default_rng(seed), height, width)


sides = st.one_of(st.sampled_from([0, 1, 2, 3]), st.integers(0, 30))
structured = st.builds(
    any_mask, st.sampled_from([shape.__name__ for shape in SHAPES]), sides, sides, st.integers(0, 2**32 - 1)
)
little = hnp.arrays(
    np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=7), elements=st.integers(0, 1)
)
a_mask = st.one_of(little, structured)


# --- the forms of a mask ------------------------------------------------------------------------------------


def dense_forms(mask: Mask) -> dict[str, Any]:
    height, width = mask.shape
    sparse = np.ones((2 * height, 3 * width), np.uint8)
    sparse[::2, ::3] = mask
    any_value = (np.arange(mask.size).reshape(mask.shape) % 255 + 1).astype(np.uint8)
    return {
        "C order": np.ascontiguousarray(mask),
        "Fortran order": np.asfortranarray(mask),
        "window": np.pad(mask, ((2, 3), (1, 4)), constant_values=1)[2 : 2 + height, 1 : 1 + width],
        "window of columns": np.asfortranarray(np.pad(mask, 2, constant_values=1))[
            2 : 2 + height, 2 : 2 + width
        ],
        "every other": sparse[::2, ::3],
        "backwards": np.ascontiguousarray(mask[::-1, ::-1])[::-1, ::-1],
        "upside down": np.ascontiguousarray(mask[::-1])[::-1],
        "bool": mask.astype(np.bool_),
        "bool, Fortran order": np.asfortranarray(mask.astype(np.bool_)),
        "255": mask * np.uint8(255),
        "128": mask * np.uint8(128),
        "any value": mask * any_value,
    }


def run_lengths(mask: Mask) -> list[int]:
    """COCO's counts, from their definition: runs down the columns, background first."""
    counts, last = [0], 0
    for value in mask.T.ravel().tolist():
        if value != last:
            counts.append(0)
            last = value
        counts[-1] += 1
    return counts


def rle_forms(mask: Mask) -> dict[str, Any]:
    size = list(mask.shape)
    encoded = coco.encode(np.asfortranarray(mask))["counts"]
    counts = run_lengths(mask)
    split = [part for count in counts for part in (count // 2, 0, count - count // 2)]
    return {
        "bytes": {"size": size, "counts": encoded},
        "text": {"size": tuple(size), "counts": encoded.decode()},
        "list": {"size": size, "counts": counts},
        "tuple": {"size": np.array(size), "counts": tuple(counts)},
        "uint32": {"size": np.array(size, np.int16), "counts": np.array(counts, np.uint32)},
        "int64": {"counts": np.array(counts), "size": [np.int64(side) for side in size], "more": None},
        "big-endian": {"size": size, "counts": np.array(counts, ">u2")},
        "list of NumPy integers": {"size": size, "counts": list(np.array(counts, np.uint16))},
        "runs of length 0": {"size": size, "counts": [*split, 0, 0]},
    }


def all_forms(mask: Mask) -> dict[str, Any]:
    return dense_forms(mask) | rle_forms(mask)


def one(counts: tfdp.BoundaryCounts) -> tuple[int, int, int]:
    (result,) = counts
    return result


def assert_same_contours(ours: list[NDArray[np.int32]], theirs: list[NDArray[np.int32]]) -> None:
    assert [contour.tolist() for contour in ours] == [contour.tolist() for contour in theirs]
    assert all(contour.dtype == np.int32 and contour.shape[1:] == (2,) for contour in ours)


# --- against OpenCV -----------------------------------------------------------------------------------------


@settings(max_examples=500)
@given(mask=a_mask)
def test_opencv_finds_the_same_boundary(mask: Mask, opencv: Any) -> None:
    counts = tfdp.measure(mask)
    assert one(counts) == opencv.counts(mask)
    assert_same_contours(tfdp.trace(mask), opencv.contours(mask))
    primary = opencv.primary(mask)
    if len(primary):
        assert counts.area.item() == cv2.contourArea(primary)
        assert counts.perimeter.item() == pytest.approx(cv2.arcLength(primary, closed=True), rel=1e-7, abs=0)
    else:
        assert one(counts) == (0, 0, 0)


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (1, 12), (12, 1), (2, 6)])
def test_every_mask_there_is(shape: tuple[int, int], opencv: Any) -> None:
    """All masks of a small shape, in one batch."""
    height, width = shape
    n = 2 ** (height * width)
    bits = np.arange(n)[:, None] >> np.arange(height * width) & 1
    stack = bits.astype(np.uint8).reshape(n, height, width)
    assert list(tfdp.measure(stack)) == [opencv.counts(mask) for mask in stack]
    for mask in stack[:: max(1, n // 2048)]:
        assert_same_contours(tfdp.trace(mask), opencv.contours(mask))


@given(mask=a_mask)
@example(mask=np.zeros((0, 5), np.uint8))
@example(mask=np.zeros((5, 0), np.uint8))
@example(mask=np.zeros((0, 0), np.uint8))
def test_every_form_of_a_mask(mask: Mask, opencv: Any) -> None:
    expected, contours = opencv.counts(mask), opencv.contours(mask)
    forms = all_forms(mask)
    assert dict(zip(forms, tfdp.measure(list(forms.values())), strict=True)) == dict.fromkeys(forms, expected)
    for name, form in forms.items():
        assert one(tfdp.measure(form)) == expected, name
        assert one(tfdp.measure([form], mask.shape)) == expected, name
        assert one(tfdp.measure((form,), np.array([mask.shape]))) == expected, name
        assert_same_contours(tfdp.trace(form), contours)
        assert_same_contours(tfdp.trace(form, mask.shape), contours)


@given(mask=structured, n=st.integers(0, 4))
def test_stacks(mask: Mask, n: int, opencv: Any) -> None:
    stack = np.stack([mask, 1 - mask, mask[::-1], mask[:, ::-1]])[:n]
    expected = [opencv.counts(m) for m in stack]
    last_axis = np.ascontiguousarray(np.moveaxis(stack, 0, -1))
    forms = {
        "C order": stack,
        "Fortran order": np.asfortranarray(stack),
        "each in Fortran order": np.ascontiguousarray(stack.transpose(0, 2, 1)).transpose(0, 2, 1),
        "masks last": np.moveaxis(last_axis, -1, 0),
        "backwards": np.ascontiguousarray(stack[::-1])[::-1],
        "every other": np.repeat(stack, 2, axis=0)[::2],
        "bool": stack.astype(np.bool_),
        "255": stack * np.uint8(255),
        "list": list(stack),
    }
    for name, form in forms.items():
        assert list(tfdp.measure(form)) == expected, name
        assert list(tfdp.measure(form, mask.shape)) == expected, name


def test_one_value_everywhere() -> None:
    assert one(tfdp.measure(np.broadcast_to(np.uint8(1), (5, 7)))) == (20, 0, 48)
    assert list(tfdp.measure(np.broadcast_to(np.ones((5, 7), np.bool_), (3, 5, 7)))) == 3 * [(20, 0, 48)]


def test_what_turns_into_an_array() -> None:
    class Tensor:
        def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
            return np.ones((2, 3, 4), np.bool_ if dtype is None else dtype, order="F" if copy else "C")

    assert list(tfdp.measure(Tensor())) == 2 * [(10, 0, 12)]  # type: ignore[arg-type]
    assert len(tfdp.to_rle(Tensor())) == 2  # type: ignore[arg-type]


# --- encoding -----------------------------------------------------------------------------------------------


def has_pixels(mask: Mask) -> bool:
    return mask.size > 0


@given(mask=a_mask.filter(has_pixels))
def test_encoding_is_that_of_pycocotools(mask: Mask, opencv: Any) -> None:
    encoded = coco.encode(np.asfortranarray(mask))
    expected = {"size": encoded["size"], "counts": encoded["counts"].decode()}
    forms = all_forms(mask)
    assert dict(zip(forms, tfdp.to_rle(list(forms.values())), strict=True)) == dict.fromkeys(forms, expected)
    for name, form in forms.items():
        assert tfdp.to_rle(form) == [expected], name
    (ours,) = tfdp.to_rle(mask)
    assert np.array_equal(coco.decode(ours), mask)
    assert tfdp.to_rle(ours) == [ours]
    assert one(tfdp.measure([ours])) == opencv.counts(mask)


@given(mask=structured.filter(has_pixels), n=st.integers(0, 3))
def test_encoding_of_stacks(mask: Mask, n: int) -> None:
    stack = np.stack([mask, 1 - mask, mask[::-1]])[:n]
    theirs = coco.encode(np.asfortranarray(stack.transpose(1, 2, 0))) if n else []
    expected = [{"size": list(mask.shape), "counts": rle["counts"].decode()} for rle in theirs]
    assert tfdp.to_rle(stack) == expected
    assert tfdp.to_rle(list(stack), mask.shape) == expected


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_encoding_of_an_image_without_pixels(shape: tuple[int, int]) -> None:
    mask = np.zeros(shape, np.uint8, order="F")
    expected = [{"size": list(shape), "counts": coco.encode(mask)["counts"].decode()}]
    for name, form in all_forms(mask).items():
        assert tfdp.to_rle([form]) == expected, name
    assert tfdp.to_rle([[[1, 1, 5, 1, 5, 5]]], shape) == expected


@pytest.mark.parametrize("nothing", [None, [], ()])
def test_encoding_of_nothing(nothing: Any) -> None:
    encoded = coco.encode(np.zeros((4, 3), np.uint8, order="F"))["counts"].decode()
    assert tfdp.to_rle([nothing], (4, 3)) == [{"size": [4, 3], "counts": encoded}]


@pytest.mark.parametrize("nothing", [None, [], ()])
def test_nothing_of_no_size_cannot_be_encoded(nothing: Any) -> None:
    with pytest.raises(tfdp.MaskError, match="mask 0: the size of the image is not known"):
        tfdp.to_rle([nothing])


# --- batches ------------------------------------------------------------------------------------------------


def mixed_batch() -> tuple[list[Any], NDArray[np.int64], list[tuple[int, int, int]]]:
    """Masks in all forms, polygons and nothing between them; their sizes; their counts."""
    items: list[Any] = []
    sizes: list[tuple[int, int]] = []
    expected: list[tuple[int, int, int]] = []
    rectangle = [[2, 1, 7, 1, 7, 5, 2, 5]]  # pycocotools: 5 columns, 4 rows
    for shape, seed in itertools.product(SHAPES, range(3)):
        mask = shape(np.random.default_rng(seed), 9 + seed, 11)
        counts = one(tfdp.measure(mask))
        batch = [
            *((form, counts) for form in all_forms(mask).values()),
            (None, (0, 0, 0)),
            (rectangle, (14, 0, 24)),
            ([], (0, 0, 0)),
        ]
        for item, numbers in batch:
            items.append(item)
            sizes.append((9 + seed, 11))
            expected.append(numbers)
    return items, np.array(sizes), expected


def test_mixed_list() -> None:
    items, sizes, expected = mixed_batch()
    assert list(tfdp.measure(items, sizes)) == expected
    assert list(tfdp.measure(items, sizes.astype(np.uint16))) == expected
    backwards = tfdp.measure(tuple(items[::-1]), sizes[::-1])
    assert list(backwards) == expected[::-1]
    rectangles = tfdp.measure(items[-2:-1] * 3, (11, 11))
    assert list(rectangles) == 3 * [(14, 0, 24)]


@pytest.mark.parametrize("threads", [1, 2, 7, None])
@pytest.mark.parametrize("chunk", [1, 2, 3, 50, 4096])
def test_threads_and_chunks_make_no_difference(
    threads: int | None, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    items, sizes, expected = mixed_batch()
    stack = np.stack([shape(np.random.default_rng(3), 9, 11) for shape in SHAPES * 2])
    measured_stack = list(tfdp.measure(stack))
    monkeypatch.setattr(masks_module, "CHUNK", chunk)
    counts = tfdp.measure(items, sizes, threads=threads)
    assert list(counts) == expected
    assert list(tfdp.measure(stack, threads=threads)) == measured_stack
    assert all(column.dtype == np.int64 for column in (counts.straight, counts.diagonal, counts.area2))


def test_many_masks_on_threads() -> None:
    """More than a chunk for each of several threads, at the size that chunks have."""
    rng = np.random.default_rng(0)
    stack = (rng.random((3000, 6, 6)) < 0.6).astype(np.uint8)
    rles = tfdp.to_rle(stack)
    expected = tfdp.measure(stack)
    for threads in (2, 7):
        assert tfdp.measure(stack, threads=threads) == expected
        assert tfdp.measure(rles, threads=threads) == expected


def test_many_callers_at_once() -> None:
    items, sizes, expected = mixed_batch()
    with ThreadPoolExecutor(4) as pool:
        results = list(
            pool.map(lambda threads: tfdp.measure(items, sizes, threads=threads), [1, 2, 1, 2] * 4)
        )
    assert [list(counts) for counts in results] == [expected] * 16


def test_no_masks_at_all() -> None:
    for counts in (tfdp.measure([]), tfdp.measure([], (3, 4)), tfdp.measure(np.empty((0, 3, 4), np.bool_))):
        assert counts.to_array().shape == (0, 3)
        assert counts.si_scs().shape == (0,)
    assert tfdp.to_rle([]) == []
    assert tfdp.to_rle(np.empty((0, 3, 4), np.uint8)) == []
    assert tfdp.trace(None) == []
    assert tfdp.trace([], (3, 4)) == []


def test_masks_are_not_changed() -> None:
    items, sizes, _ = mixed_batch()
    before = [item.copy() if isinstance(item, np.ndarray) else repr(item) for item in items]
    tfdp.measure(items, sizes)
    tfdp.to_rle(items, sizes)
    for item, old in zip(items, before, strict=True):
        assert np.array_equal(item, old) if isinstance(item, np.ndarray) else repr(item) == old


# --- facts of the paper -------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 10, 100, 1000])
def test_square(n: int) -> None:
    counts = tfdp.measure(np.pad(np.ones((n, n), np.uint8), 1))
    assert counts.area.item() == (n - 1) ** 2
    assert counts.perimeter.item() == 4 * (n - 1)
    assert counts.si_scs().item() == pytest.approx(1.1283791670955126, rel=1e-15)
    assert counts.scs().item() == pytest.approx(4 / (n - 1), rel=1e-15)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["#"], (0, 0, 0)),
        (["####"], (6, 0, 0)),
        (["#", "#", "#"], (4, 0, 0)),
        (["#..", ".#.", "..#"], (0, 4, 0)),
        ([".#.", "#.#", ".#."], (0, 4, 4)),
        (["##", "##"], (4, 0, 2)),
    ],
)
def test_thin_shapes(rows: list[str], expected: tuple[int, int, int]) -> None:
    counts = tfdp.measure(np.array([[character == "#" for character in row] for row in rows]))
    assert one(counts) == expected
    if expected[2] == 0:
        assert counts.scs().item() == counts.si_scs().item() == 0


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_scale_does_not_matter(factor: int) -> None:
    def flower(scale: int) -> Mask:
        y, x = np.mgrid[: 240 * scale, : 240 * scale] / scale - 120
        mask: Mask = (np.hypot(x, y) <= 70 + 25 * np.cos(5 * np.arctan2(y, x))).astype(np.uint8)
        return mask

    small, large = tfdp.measure(flower(1)), tfdp.measure(flower(factor))
    assert large.si_scs().item() == pytest.approx(small.si_scs().item(), rel=0.01)
    assert large.scs().item() == pytest.approx(small.scs().item() / factor, rel=0.02)


def test_a_disc_is_nearly_the_simplest_shape() -> None:
    y, x = np.mgrid[-200:201, -200:201]
    disc = tfdp.measure((np.hypot(x, y) <= 200).astype(np.uint8))
    assert 1 < disc.si_scs().item() < 2 / math.sqrt(math.pi)
