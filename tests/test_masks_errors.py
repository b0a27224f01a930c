"""What `measure`, `trace` and `to_rle` refuse, and in which words."""

from __future__ import annotations

import pickle
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

import tfdp_fast as tfdp
from tfdp_fast import MaskError, OptionError, Status
from tfdp_fast import masks as masks_module
from tfdp_fast._core import SegmentationBatch

TRIANGLE = [[1, 1, 8, 1, 8, 8]]
NAN, INF = float("nan"), float("inf")
S = Status


class Odd:
    """No number, whatever it is asked for."""

    def __float__(self) -> float:
        raise RuntimeError("no float")

    def __index__(self) -> int:
        raise RuntimeError("no index")


def rle(counts: Any, size: Any = (4, 5)) -> dict[str, Any]:
    return {"size": size, "counts": counts}


BAD: list[tuple[Status, Any]] = [
    (S.RUNS_DO_NOT_FILL_MASK, rle([])),
    (S.RUNS_DO_NOT_FILL_MASK, rle([19])),
    (S.RUNS_DO_NOT_FILL_MASK, rle([10, 9])),
    (S.RUNS_DO_NOT_FILL_MASK, rle(np.array([10, 20]))),
    (S.RUNS_DO_NOT_FILL_MASK, rle("")),
    (S.RUNS_DO_NOT_FILL_MASK, rle(b"0")),
    (S.RUNS_DO_NOT_FILL_MASK, rle("55")),
    (S.RLE_TRUNCATED, rle("P")),
    (S.RLE_TRUNCATED, rle(b"5o")),
    (S.RLE_BAD_CHARACTER, rle("5 5")),
    (S.RLE_BAD_CHARACTER, rle("5/")),
    (S.RLE_BAD_CHARACTER, rle("p0")),
    (S.RLE_BAD_CHARACTER, rle("5\0")),
    (S.RLE_BAD_CHARACTER, rle("é0")),
    (S.RLE_BAD_CHARACTER, rle("\U0001f4a90")),
    (S.RLE_BAD_CHARACTER, rle("\ud8000")),
    (S.RLE_BAD_CHARACTER, rle(b"\xff0")),
    (S.RLE_COUNT_OUT_OF_RANGE, rle([-1, 21])),
    (S.RLE_COUNT_OUT_OF_RANGE, rle([2**32])),
    (S.RLE_COUNT_OUT_OF_RANGE, rle([2**63])),
    (S.RLE_COUNT_OUT_OF_RANGE, rle([-(10**40)])),
    (S.RLE_COUNT_OUT_OF_RANGE, rle(np.array([20, -1]))),
    (S.RLE_COUNT_OUT_OF_RANGE, rle("O")),
    (S.RLE_COUNT_OUT_OF_RANGE, rle("d1")),
    (S.COORDINATE_NOT_FINITE, [[1, 1, 8, NAN, 8, 8]]),
    (S.COORDINATE_NOT_FINITE, [[1, 1, 8, 1, 8, 8], [INF, 1]]),
    (S.COORDINATE_NOT_FINITE, [np.array([[1, -INF], [2, 3]])]),
    (S.COORDINATE_OUT_OF_RANGE, [[1, 1, 2**28 + 1, 1, 8, 8]]),
    (S.COORDINATE_OUT_OF_RANGE, [[1, 1, np.nextafter(-(2.0**28), -INF), 1, 8, 8]]),
    (S.COORDINATE_OUT_OF_RANGE, [[1, 1, 1e308, 1, 8, 8]]),
    (S.COORDINATE_OUT_OF_RANGE, [[1, 1, 10**400, 1, 8, 8]]),
    (S.COORDINATES_ODD, [[1]]),
    (S.COORDINATES_ODD, [[1, 1, 8, 1, 8]]),
    (S.COORDINATES_ODD, [[1, 1, 8, 1, 8, 8], [1, 1, 8]]),
    (S.COORDINATES_ODD, [np.arange(5.0)]),
    (S.SEGMENTATION_TYPE, [1, 1, 8, 1, 8, 8]),  # flat: a polygon where a list of them belongs
    (S.SEGMENTATION_TYPE, [[[1, 1], [8, 1], [8, 8]]]),
    (S.SEGMENTATION_TYPE, [[1, 1, None, 1, 8, 8]]),
    (S.SEGMENTATION_TYPE, [[1, 1, "8", 1, 8, 8]]),
    (S.SEGMENTATION_TYPE, [[1, 1, True, 1, 8, 8]]),
    (S.SEGMENTATION_TYPE, [[1, 1, 8j, 1, 8, 8]]),
    (S.SEGMENTATION_TYPE, [[1, 1, Odd(), 1, 8, 8]]),
    (S.SEGMENTATION_TYPE, [np.ones((2, 3))]),
    (S.SEGMENTATION_TYPE, [np.ones((2, 2), np.bool_)]),
    (S.SEGMENTATION_TYPE, [np.array([1, 2], object)]),
    (S.SEGMENTATION_TYPE, [np.array(["1", "2"])]),
    (S.SEGMENTATION_TYPE, ["11"]),
    (S.SEGMENTATION_TYPE, [{}]),
    (S.SEGMENTATION_TYPE, "5"),
    (S.SEGMENTATION_TYPE, b"5"),
    (S.SEGMENTATION_TYPE, 5),
    (S.SEGMENTATION_TYPE, NAN),
    (S.SEGMENTATION_TYPE, {1, 2}),
    (S.SEGMENTATION_TYPE, {}),
    (S.SEGMENTATION_TYPE, {"size": [4, 5]}),
    (S.SEGMENTATION_TYPE, rle([20], None)),
    (S.SEGMENTATION_TYPE, rle([20], 20)),
    (S.SEGMENTATION_TYPE, rle([20], "45")),
    (S.SEGMENTATION_TYPE, rle([20], [4, 5, 1])),
    (S.SEGMENTATION_TYPE, rle([20], [4.0, 5.0])),
    (S.SEGMENTATION_TYPE, rle([20], [4, Odd()])),
    (S.SEGMENTATION_TYPE, np.ones((4, 5))),
    (S.SEGMENTATION_TYPE, np.ones((4, 5), np.int64)),
    (S.SEGMENTATION_TYPE, np.ones((1, 4, 5), np.uint8)),
    (S.SEGMENTATION_TYPE, np.ones(20, np.uint8)),
    (S.SIZE_MISMATCH, rle([20], [5, 4])),
    (S.SIZE_MISMATCH, rle("d0", [2, 10])),
    (S.SIZE_MISMATCH, np.ones((5, 4), np.uint8)),
    (S.SIZE_OUT_OF_RANGE, rle([20], [-4, -5])),
    (S.SIZE_OUT_OF_RANGE, rle([20], [-1, -1])),
    (S.SIZE_OUT_OF_RANGE, rle([], [2**29 + 1, 0])),
    (S.SIZE_OUT_OF_RANGE, rle([], [0, 2**70])),
    (S.RLE_COUNTS_TYPE, rle(None)),
    (S.RLE_COUNTS_TYPE, rle(20)),
    (S.RLE_COUNTS_TYPE, rle([20.0])),
    (S.RLE_COUNTS_TYPE, rle(["20"])),
    (S.RLE_COUNTS_TYPE, rle([19, True])),
    (S.RLE_COUNTS_TYPE, rle([None])),
    (S.RLE_COUNTS_TYPE, rle([Odd()])),
    (S.RLE_COUNTS_TYPE, rle(np.array([20.0]))),
    (S.RLE_COUNTS_TYPE, rle(np.array([[10, 10]]))),
    (S.RLE_COUNTS_TYPE, rle({"20": 20})),
]
UNREACHABLE = {S.OK, S.JSON_MALFORMED, S.SIZE_MISSING}  # the last two have tests of their own


def test_the_table_has_every_status() -> None:
    assert {status for status, _ in BAD} == set(Status) - UNREACHABLE
    assert all(status.reason and "\n" not in status.reason for status in Status)
    assert len({status.reason for status in Status}) == len(Status)


@pytest.mark.parametrize(("status", "mask"), BAD, ids=lambda value: getattr(value, "name", ""))
def test_bad_masks(status: Status, mask: Any) -> None:
    good: list[Any] = [None, TRIANGLE, rle([3, 17]), np.ones((4, 5), np.bool_), rle("d0")]
    for convention in ("coco", "opencv"):
        for before in range(len(good)):
            batch = [*good[:before], mask, *good]
            with pytest.raises(MaskError) as caught:
                tfdp.measure(batch, (4, 5), polygons=convention)
            assert (caught.value.index, caught.value.status) == (before, status)
            assert str(caught.value) == f"mask {before}: {status.reason}"
        with pytest.raises(MaskError) as caught:
            tfdp.to_rle([*good, mask], (4, 5), polygons=convention)
        assert (caught.value.index, caught.value.status) == (len(good), status)
        with pytest.raises(MaskError) as caught:
            tfdp.trace(mask, (4, 5), polygons=convention)
        assert (caught.value.index, caught.value.status) == (0, status)


@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize("chunk", [1, 3, 4096])
def test_the_first_of_several(chunk: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masks_module, "CHUNK", chunk)
    bad = [mask for _, mask in BAD]
    good = [TRIANGLE, None] * 5
    for first in (0, 20, 60):
        with pytest.raises(MaskError) as caught:
            tfdp.measure([*good, *bad[first:], *good, *bad], (4, 5), threads=threads)
        assert (caught.value.index, caught.value.status) == (10, BAD[first][0])


def test_order_of_kinds_is_no_order_of_faults() -> None:
    """RLE is decoded after polygons; the first bad mask is still the first."""
    faults = [rle("P"), [[1]], rle([1]), "5"]
    expected = [S.RLE_TRUNCATED, S.COORDINATES_ODD, S.RUNS_DO_NOT_FILL_MASK, S.SEGMENTATION_TYPE]
    for shift in range(4):
        for call in (tfdp.measure, tfdp.to_rle):
            with pytest.raises(MaskError) as caught:
                call(faults[shift:] + faults[:shift], (4, 5))
            assert (caught.value.index, caught.value.status) == (0, expected[shift])


@pytest.mark.parametrize("mask", [TRIANGLE, [[]], {"counts": [20]}, {"counts": "d0"}])
def test_size_missing(mask: Any) -> None:
    sized = {"counts": "0", "size": [0, 0]}
    for call, good in ((tfdp.measure, None), (tfdp.measure, sized), (tfdp.to_rle, sized)):
        with pytest.raises(MaskError, match="mask 1: the size of the image is not known") as caught:
            call([good, mask])
        assert caught.value.status == S.SIZE_MISSING
    with pytest.raises(MaskError) as caught:
        tfdp.trace(mask)
    assert caught.value.status == S.SIZE_MISSING
    assert len(tfdp.measure([None, mask], (4, 5))) == 2


def test_json_malformed() -> None:
    text = b"[[1, 2, 3}"
    spans, sizes = np.array([[0, len(text)]]), np.array([[4, 5]], np.int32)
    batch = SegmentationBatch.from_json(text, spans, sizes)
    assert batch.statuses.tolist() == [S.JSON_MALFORMED]


def test_too_large_to_encode() -> None:
    """COCO's counts have 32 bits; to be measured and traced the image may be larger."""
    with pytest.raises(MaskError) as caught:
        tfdp.to_rle([None, TRIANGLE], np.array([[1, 1], [2**16, 2**16]]))
    assert caught.value.index == 1
    with pytest.raises(MaskError):
        tfdp.to_rle([TRIANGLE], (2**29, 2**29))
    assert tfdp.to_rle([TRIANGLE], (2**16 - 1, 2**16))[0]["size"] == [2**16 - 1, 2**16]
    assert tfdp.measure([TRIANGLE], (2**29, 2**29)) == tfdp.measure([TRIANGLE], (9, 9))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.int8, np.uint16, object, "U1"])
def test_dense_masks_of_other_types(dtype: Any) -> None:
    for shape in ((4, 5), (2, 4, 5), (0, 4, 5)):
        for call in (tfdp.measure, tfdp.to_rle):
            with pytest.raises(OptionError, match="a dense mask holds bool or uint8, got"):
                call(np.zeros(shape, dtype))


@pytest.mark.parametrize("shape", [(), (4,), (1, 1, 4, 5), (0,)])
def test_dense_masks_of_other_shapes(shape: tuple[int, ...]) -> None:
    for call in (tfdp.measure, tfdp.to_rle):
        with pytest.raises(OptionError, match=r"\[H, W\] or \[N, H, W\]"):
            call(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    "size", [(5, 4), (4, 6), [(4, 5), (5, 4)], [(4, 5)], np.array([[4, 5], [4, 5], [4, 5]]), (4.0, 5.0)]
)
def test_dense_masks_of_another_size(size: Any) -> None:
    for call in (tfdp.measure, tfdp.to_rle):
        with pytest.raises((OptionError, MaskError)):
            call(np.zeros((2, 4, 5), np.uint8), size)


SIZES = [
    5,
    (5,),
    (5, 4, 3),
    (5.0, 4.0),
    (True, True),
    "54",
    (None, None),
    (-1, 5),
    (5, -1),
    (-1, -1),
    (2**29 + 1, 1),
    (1, 2**40),
    (2**70, 1),
    np.array([2**63, 1], np.uint64),
    [(5, 4)],
    [(5, 4), (5, 4), (5, 4)],
    [[(5, 4), (5, 4)]],
    [(5, 4), (5,)],
    [(5, 4), None],
]


@pytest.mark.parametrize("size", SIZES, ids=repr)
def test_sizes_that_are_none(size: Any) -> None:
    for call in (tfdp.measure, tfdp.to_rle):
        with pytest.raises(OptionError, match=r"size|height"):
            call([TRIANGLE, TRIANGLE], size)
    if not isinstance(size, list) or len(size) > 1:
        with pytest.raises(OptionError, match=r"size|height"):
            tfdp.trace(TRIANGLE, size)


@pytest.mark.parametrize("polygons", ["x", "COCO", "", None, 1, ["coco"]])
def test_conventions_that_are_none(polygons: Any) -> None:
    for call in (tfdp.measure, tfdp.to_rle, tfdp.trace):
        with pytest.raises(OptionError, match="polygons must be 'coco' or 'opencv'"):
            call(TRIANGLE, (4, 5), polygons=polygons)


@pytest.mark.parametrize("threads", [0, -1, True, False, 2.0, "2", np.inf])
def test_threads_that_are_none(threads: Any) -> None:
    for masks in ([None], [], np.ones((4, 5), np.uint8)):
        with pytest.raises(OptionError, match="threads must be a whole number of at least 1"):
            tfdp.measure(masks, threads=threads)


def test_options_come_before_masks() -> None:
    with pytest.raises(OptionError, match="threads"):
        tfdp.measure(["bad"], (4, 5), threads=0)
    with pytest.raises(OptionError, match="polygons"):
        tfdp.measure(["bad"], (4, 5), polygons="x")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="size"):
        tfdp.measure(["bad"], (4, 5, 6))


def test_one_rle_alone() -> None:
    with pytest.raises(MaskError, match="mask 0: the runs do not sum"):
        tfdp.measure(rle([1]))


def test_mask_error_travels() -> None:
    with pytest.raises(MaskError) as caught:
        tfdp.measure([None, "5"], (4, 5))
    copy: Any = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is MaskError
    assert type(copy.status) is Status
    assert (copy.index, copy.status, str(copy)) == (1, S.SEGMENTATION_TYPE, str(caught.value))
    assert issubclass(MaskError, tfdp.TfdpError)
    assert issubclass(MaskError, ValueError)


@pytest.mark.parametrize("masks", [None, 5, "PPYo0", b"PPYo0"])
def test_batches_that_are_none(masks: Any) -> None:
    for call in (tfdp.measure, tfdp.to_rle):
        with pytest.raises(OptionError, match="masks must be a list of masks, an array or an RLE dict"):
            call(masks, (4, 5))


def test_masked_arrays_are_refused() -> None:
    masked = np.ma.masked_array(np.ones((4, 5), np.uint8), mask=np.eye(4, 5, dtype=bool))
    for call in (tfdp.measure, tfdp.to_rle):
        with pytest.raises(OptionError, match="masked array"):
            call(masked)


def test_an_rle_in_any_mapping_and_threads_of_any_integer() -> None:
    rle = {"size": [4, 5], "counts": [3, 2, 15]}
    assert tfdp.measure(MappingProxyType(rle)) == tfdp.measure([rle], threads=np.int64(2))
