"""The compiled core: its stub says what is there, and wrong arrays are refused, never read."""

from __future__ import annotations

import ast
import enum
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import tfdp_fast
from tfdp_fast import _core
from tfdp_fast._core import FillConvention, SegmentationBatch, SegmentationKind
from tfdp_fast.status import Status

STUB = ast.parse((Path(tfdp_fast.__file__).parent / "_core.pyi").read_text("utf-8"))
FUNCTIONS = {node.name: node for node in STUB.body if isinstance(node, ast.FunctionDef)}
CLASSES = {node.name: node for node in STUB.body if isinstance(node, ast.ClassDef)}
ATTRIBUTES = {
    node.target.id: ast.unparse(node.annotation)
    for node in STUB.body
    if isinstance(node, ast.AnnAssign)
    and isinstance(node.target, ast.Name)
    and ast.unparse(node.annotation) != "TypeAlias"
}
DTYPES = {
    "_UInt8": np.uint8,
    "_UInt32": np.uint32,
    "_Int32": np.int32,
    "_Int64": np.int64,
    "_Float64": np.float64,
}

TEXT = b'[null, [[1, 1, 4, 1, 4, 4]], {"size": [6, 5], "counts": "n0"}]'
PIECES = msgspec.json.decode(TEXT, type=list[msgspec.Raw])
SIZES = np.array([[6, 5]], np.int32)
RLE: dict[str, Any] = {"counts": np.array([7, 3, 20], np.uint32), "offsets": np.array([0, 3]), "sizes": SIZES}
POLYGONS: dict[str, Any] = {
    "coordinates": np.array([1.0, 1, 4, 1, 4, 4]),
    "polygon_offsets": np.array([0, 6]),
    "instance_offsets": np.array([0, 1]),
    "sizes": SIZES,
    "convention": FillConvention.COCO,
}
BATCH: dict[str, Any] = {
    "batch": SegmentationBatch.from_image([[[1, 1, 4, 1, 4, 4]], {"counts": "73d0"}, {"counts": "n0"}], 6, 5),
    "convention": FillConvention.COCO,
    "decoded": np.array([7, 3, 20, 30], np.uint32),
    "decoded_offsets": np.array([0, 3, 4]),
    "decoded_statuses": np.zeros(2, np.uint8),
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "spans_of": {"pieces": PIECES, "text": TEXT},
    "texts_at": {"text": TEXT, "spans": np.array([[1, 5], [7, 9]])},
    "join_spans": {"text": TEXT, "spans": np.array([[1, 5], [7, 9]]), "separator": b", "},
    "read_files": {"paths": [b"/dev/null"]},
    "read_label_lines": {"texts": [b"0 0 0 0 1 1 1\n"]},
    "start_writeback": {"file": 0, "begin": 0, "end": 0},
    "measure_batch": BATCH,
    "measure_dense": {"masks": np.ones((1, 6, 5), np.uint8)},
    "measure_labels": {"label_map": np.eye(4, dtype=np.int16), "background": 0},
    "trace_rle": RLE,
    "trace_polygons": POLYGONS,
    "encode_rle": RLE,
    "measure_rle": RLE,
    "encode_polygons": POLYGONS,
}


def public(names: list[str]) -> set[str]:
    return {name for name in names if not name.startswith("_")}


def parameters(function: ast.FunctionDef) -> list[str]:
    return [argument.arg for argument in function.args.args if argument.arg != "self"]


def call(name: str, **changed: Any) -> Any:
    return getattr(_core, name)(**{**ARGUMENTS[name], **changed})


# --- the stub -----------------------------------------------------------------------------------------------


def test_the_stub_lists_what_is_there() -> None:
    there = public(dir(_core)) | {"__version__"}
    assert there == FUNCTIONS.keys() | CLASSES.keys() | ATTRIBUTES.keys()
    for name, annotation in ATTRIBUTES.items():
        assert type(getattr(_core, name)).__name__ == annotation
    assert _core.max_side == 2**29


@pytest.mark.parametrize("name", CLASSES)
def test_the_stub_lists_what_classes_have(name: str) -> None:
    real, stub = getattr(_core, name), CLASSES[name]
    if issubclass(real, enum.Enum):
        members = {
            ast.unparse(n.targets[0]): ast.literal_eval(n.value)
            for n in stub.body
            if isinstance(n, ast.Assign)
        }
        assert {member.name: member.value for member in real} == members
        assert [ast.unparse(base) for base in stub.bases] == [f"enum.{real.__mro__[1].__name__}"]
    else:
        functions = [node for node in stub.body if isinstance(node, ast.FunctionDef)]
        assert public(dir(real)) == public([function.name for function in functions])
        for function in functions:
            decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
            member = real.__dict__[function.name]
            if isinstance(member, property):
                assert decorators == ["property"]
            else:
                assert decorators == (["staticmethod"] if isinstance(member, staticmethod) else [])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_take_and_return_what_the_stub_says(name: str) -> None:
    stub = FUNCTIONS[name]
    assert list(ARGUMENTS[name]) == parameters(stub)
    signature = re.match(r"\w+\((.*?)\) ->", str(getattr(_core, name).__doc__))
    assert signature is not None
    assert re.findall(r"(\w+): ", signature[1]) == parameters(stub)
    result = call(name)
    assert stub.returns is not None
    returns = ast.unparse(stub.returns)
    types = re.findall(r"_\w+", returns)
    if not types:
        assert type(result).__name__ == returns.partition("[")[0].replace("None", "NoneType")
        assert getattr(_core, name)(*ARGUMENTS[name].values()) == result
        return
    assert returns.startswith("tuple[") == isinstance(result, tuple)
    results = result if isinstance(result, tuple) else (result,)
    assert [array.dtype for array in results] == [np.dtype(DTYPES[alias]) for alias in types]
    positional = getattr(_core, name)(*ARGUMENTS[name].values())
    for array, again in zip(
        results, positional if isinstance(positional, tuple) else (positional,), strict=True
    ):
        assert np.array_equal(array, again)


def test_batches_take_and_return_what_the_stub_says() -> None:
    spans, sizes = _core.spans_of(PIECES, TEXT), np.repeat(SIZES, 3, axis=0)
    segmentations: list[Any] = [None, [[1, 1, 4, 1, 4, 4]], {"size": [6, 5], "counts": "n0"}]
    arguments: dict[str, dict[str, Any]] = {
        "from_objects": {"segmentations": segmentations, "sizes": sizes},
        "from_image": {"segmentations": segmentations, "height": 6, "width": 5},
        "from_json": {"text": TEXT, "spans": spans, "sizes": sizes},
    }
    functions = {
        node.name: node for node in CLASSES["SegmentationBatch"].body if isinstance(node, ast.FunctionDef)
    }
    for name, keywords in arguments.items():
        assert list(keywords) == parameters(functions[name])
        batch = getattr(SegmentationBatch, name)(**keywords)
        assert type(batch) is SegmentationBatch
        for column, stub in functions.items():
            if not column.startswith("from_"):
                assert stub.returns is not None
                array = getattr(batch, column)
                assert array.dtype == DTYPES[ast.unparse(stub.returns)]
                assert array.flags.writeable == (column == "text_pixels")  # the others are views
        assert batch.kinds.tolist() == [0, 1, 2]
        assert batch.statuses.tolist() == [0, 0, 0]
        assert batch.sizes.tolist() == [[6, 5]] * 3
        assert batch.coordinates.tolist() == [1, 1, 4, 1, 4, 4]
        assert batch.text.tobytes() == b"n0"
        assert batch.text_pixels.tolist() == [30]
    with pytest.raises(TypeError):
        SegmentationBatch()


def test_batches_of_columns_take_what_the_stub_says() -> None:
    unknown = np.full((1, 2), -1, np.int32)
    arguments: dict[str, dict[str, Any]] = {
        "from_text": {"text": b"73d0n0", "spans": np.array([[4, 6]]), "own": unknown, "sizes": SIZES},
        "from_polygons": {name: POLYGONS[name] for name in list(POLYGONS)[:4]},
    }
    functions = {
        node.name: node for node in CLASSES["SegmentationBatch"].body if isinstance(node, ast.FunctionDef)
    }
    for name, keywords in arguments.items():
        assert list(keywords) == parameters(functions[name])
    batch = SegmentationBatch.from_text(**arguments["from_text"])
    assert (batch.kinds.tolist(), batch.text.tobytes()) == ([SegmentationKind.COMPRESSED_RLE], b"n0")
    batch = SegmentationBatch.from_polygons(**arguments["from_polygons"])
    assert (batch.kinds.tolist(), batch.coordinates.tolist()) == (
        [SegmentationKind.POLYGONS],
        [1, 1, 4, 1, 4, 4],
    )
    assert batch.polygon_offsets.tolist() == [0, 6]
    assert batch.instance_offsets.tolist() == [0, 1]


def test_batches_of_columns_have_the_statuses_of_objects() -> None:
    own = np.array([[6, 5], [-1, -1], [5, 6], [-1, -1]], np.int32)
    sizes = np.array([[6, 5], [6, 5], [6, 5], [-1, -1]], np.int32)
    spans = np.array([[0, 2], [2, 4], [0, 2], [0, 2]])
    batch = SegmentationBatch.from_text(b"n0n0", spans, own, sizes)
    assert batch.statuses.tolist() == [0, 0, Status.SIZE_MISMATCH, Status.SIZE_MISSING]
    assert batch.text.tobytes() == b"n0n0"
    assert batch.text_offsets.tolist() == [0, 2, 4]
    coordinates = np.arange(10.0)
    batch = SegmentationBatch.from_polygons(
        coordinates, np.array([0, 4, 4, 10]), np.array([0, 2, 2, 3]), np.repeat(SIZES, 3, axis=0)
    )
    objects = SegmentationBatch.from_objects(
        [[coordinates[:4], []], [], [coordinates[4:]]], np.repeat(SIZES, 3, axis=0)
    )
    for column in ("kinds", "statuses", "sizes", "coordinates", "polygon_offsets", "instance_offsets"):
        assert np.array_equal(getattr(batch, column), getattr(objects, column))


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("from_text", {"spans": np.array([[0, 7]])}),
        ("from_text", {"spans": np.array([[2, 1]])}),
        ("from_text", {"own": SIZES[:0]}),
        ("from_text", {"sizes": SIZES[:0]}),
        ("from_polygons", {"polygon_offsets": np.array([0, 7])}),
        ("from_polygons", {"instance_offsets": np.array([0, 2])}),
        ("from_polygons", {"sizes": SIZES[:0]}),
    ],
)
def test_columns_that_do_not_fit_are_refused(name: str, changed: dict[str, Any]) -> None:
    arguments: dict[str, dict[str, Any]] = {
        "from_text": {"text": b"73d0n0", "spans": np.array([[4, 6]]), "own": SIZES, "sizes": SIZES},
        "from_polygons": {name: POLYGONS[name] for name in list(POLYGONS)[:4]},
    }
    with pytest.raises(ValueError, match=r"spans|span|sizes|offsets"):
        getattr(SegmentationBatch, name)(**{**arguments[name], **changed})


def test_columns_outlive_their_batch() -> None:
    coordinates = SegmentationBatch.from_objects([[[1.0, 2, 3, 4] * 1000]], SIZES).coordinates
    assert coordinates.tolist() == [1, 2, 3, 4] * 1000


def test_the_core_measures() -> None:
    counts, statuses = call("measure_batch")
    assert (counts.tolist(), statuses.tolist()) == ([[2, 1, 1], [4, 0, 0], [0, 0, 0]], [0, 0, 0])
    counts, statuses = call("measure_batch", decoded_statuses=np.array([2, 0], np.uint8))
    assert (counts.tolist(), statuses.tolist()) == ([[2, 1, 1], [0, 0, 0], [0, 0, 0]], [0, 2, 0])
    counts, offsets, statuses = call("encode_rle")
    assert (counts.tolist(), offsets.tolist(), statuses.tolist()) == ([7, 3, 20], [0, 3], [0])
    points, contours, masks, statuses = call("trace_rle")
    assert (points.tolist(), contours.tolist(), masks.tolist()) == ([[1, 1], [1, 3]], [0, 2], [0, 1])
    assert call("spans_of").tolist() == [[1, 5], [7, 27], [29, 61]]


# --- wrong arrays -------------------------------------------------------------------------------------------

RLE_FUNCTIONS = ["trace_rle", "encode_rle", "measure_rle"]
POLYGON_FUNCTIONS = ["trace_polygons", "encode_polygons"]
ARRAYS = [
    (function, argument)
    for function in [*RLE_FUNCTIONS, *POLYGON_FUNCTIONS, "measure_batch", "measure_dense"]
    for argument, value in ARGUMENTS[function].items()
    if isinstance(value, np.ndarray)
]


@pytest.mark.parametrize(("function", "argument"), ARRAYS)
def test_other_dtypes_are_refused_not_converted(function: str, argument: str) -> None:
    right = ARGUMENTS[function][argument]
    for dtype in (
        "u1",
        "i1",
        "u2",
        "i4",
        "u4",
        "i8",
        "u8",
        "f4",
        "f8",
        "?",
        ">i8",
        ">u4",
        ">i4",
        ">f8",
        "c16",
        object,
    ):
        if np.dtype(dtype) != right.dtype:
            with pytest.raises(TypeError, match="incompatible function arguments"):
                call(function, **{argument: right.astype(dtype)})
    for other in (None, right.tolist(), "text", 5):
        with pytest.raises(TypeError, match="incompatible function arguments"):
            call(function, **{argument: other})


@pytest.mark.parametrize(("function", "argument"), ARRAYS)
def test_arrays_with_gaps_are_refused(function: str, argument: str) -> None:
    right = ARGUMENTS[function][argument]
    with_gaps = np.repeat(right, 2, axis=-1)[..., ::2]
    assert np.array_equal(with_gaps, right)
    with pytest.raises((TypeError, ValueError)):
        call(function, **{argument: with_gaps})


BAD_OFFSETS = [
    [],
    [0],
    [3],
    [0, 2],
    [0, 4],
    [1, 3],
    [-1, 3],
    [0, 4, 3],
    [0, -1, 3],
    [0, 3, 2, 3],
    [0, 2**62, 3],
    [0, -(2**63), 3],
    [0, 2**63 - 1],
    [[0, 3]],
]


@pytest.mark.parametrize("function", RLE_FUNCTIONS)
@pytest.mark.parametrize("offsets", BAD_OFFSETS)
def test_bad_offsets_of_counts(offsets: list[Any], function: str) -> None:
    array = np.array(offsets, np.int64)
    with pytest.raises(ValueError, match="offsets must"):
        call(function, offsets=array, sizes=np.repeat(SIZES, max(array.size - 1, 0), axis=0))


@pytest.mark.parametrize("function", POLYGON_FUNCTIONS)
@pytest.mark.parametrize("offsets", BAD_OFFSETS)
def test_bad_offsets_of_polygons(offsets: list[Any], function: str) -> None:
    array = np.array(offsets, np.int64)
    n = max(array.size - 1, 0)
    with pytest.raises(ValueError, match="polygon_offsets must"):
        call(function, polygon_offsets=2 * np.clip(array, -(2**61), 2**61), instance_offsets=np.array([0, n]))
    three = {"polygon_offsets": np.array([0, 2, 4, 6])}  # three polygons
    with pytest.raises(ValueError, match="instance_offsets must"):
        call(function, **three, instance_offsets=array, sizes=np.repeat(SIZES, n, axis=0))


@pytest.mark.parametrize("offsets", BAD_OFFSETS)
def test_bad_offsets_of_what_was_decoded(offsets: list[Any]) -> None:
    array = np.array(offsets, np.int64)
    with pytest.raises(ValueError, match="decoded_offsets must"):
        call("measure_batch", decoded=np.zeros(3, np.uint32), decoded_offsets=array)


@pytest.mark.parametrize(
    "changed",
    [
        {"decoded_statuses": np.zeros(1, np.uint8)},
        {"decoded_statuses": np.zeros(3, np.uint8)},
        {"decoded_statuses": np.zeros((1, 2), np.uint8)},
        {"decoded_offsets": np.array([0, 4])},
        {"decoded_offsets": np.array([0, 1, 2, 4])},
    ],
)
def test_what_was_decoded_is_what_the_batch_holds(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="the batch has 2 compressed RLE, and not as many are decoded"):
        call("measure_batch", **changed)


@pytest.mark.parametrize("function", [*RLE_FUNCTIONS, *POLYGON_FUNCTIONS])
@pytest.mark.parametrize("shape", [(0, 2), (2, 2), (1, 1), (1, 3), (2,), (1, 2, 1), ()])
def test_bad_shapes_of_sizes(shape: tuple[int, ...], function: str) -> None:
    with pytest.raises(ValueError, match=r"sizes must have shape \[1, 2\]"):
        call(function, sizes=np.ones(shape, np.int32))
    with pytest.raises(ValueError, match=r"sizes must have shape \[1, 2\]"):
        SegmentationBatch.from_objects([None], np.ones(shape, np.int32))


@pytest.mark.parametrize("function", [*RLE_FUNCTIONS, *POLYGON_FUNCTIONS])
@pytest.mark.parametrize("size", [(-1, -1), (-6, -5), (2**29 + 1, 1), (1, 2**31 - 1), (-(2**31), 1)])
def test_sizes_out_of_range_have_a_status(size: tuple[int, int], function: str) -> None:
    result = call(function, sizes=np.array([size], np.int32))
    assert result[-1].tolist() == [Status.SIZE_OUT_OF_RANGE]
    assert not result[0].any()


@pytest.mark.parametrize("function", RLE_FUNCTIONS)
@pytest.mark.parametrize("counts", [[0, 0, 29], [2**32 - 1] * 3, [2**32 - 1, 31, 0], [7, 3, 21], [0, 0, 0]])
def test_counts_that_do_not_fill_the_mask_have_a_status(counts: list[int], function: str) -> None:
    result = call(function, counts=np.array(counts, np.uint32))
    assert result[-1].tolist() == [Status.RUNS_DO_NOT_FILL_MASK]


@pytest.mark.parametrize("function", POLYGON_FUNCTIONS)
@pytest.mark.parametrize(
    ("coordinates", "status"),
    [
        ([1, 1, 4, 1, 4], Status.COORDINATES_ODD),
        ([1, 1, 4, 1, 4, np.nan], Status.COORDINATE_NOT_FINITE),
        ([1, 1, 4, 1, 4, np.inf], Status.COORDINATE_NOT_FINITE),
        ([1, 1, 4, 1, 4, 2.0**28 + 1], Status.COORDINATE_OUT_OF_RANGE),
        ([1, 1, 4, 1, 4, -1e300], Status.COORDINATE_OUT_OF_RANGE),
    ],
)
@pytest.mark.parametrize("convention", list(FillConvention))
def test_bad_coordinates_have_a_status(
    coordinates: list[float], status: Status, convention: FillConvention, function: str
) -> None:
    array = np.array(coordinates, np.float64)
    result = call(
        function, coordinates=array, polygon_offsets=np.array([0, len(array)]), convention=convention
    )
    assert result[-1].tolist() == [status]


@pytest.mark.parametrize("function", POLYGON_FUNCTIONS)
@pytest.mark.parametrize("convention", [0, 1, "coco", None, _core.SegmentationKind.POLYGONS])
def test_conventions_are_of_their_type(convention: Any, function: str) -> None:
    with pytest.raises(TypeError, match="incompatible function arguments"):
        call(function, convention=convention)


@pytest.mark.parametrize("function", [*RLE_FUNCTIONS, *POLYGON_FUNCTIONS])
def test_empty_batches(function: str) -> None:
    none = np.array([0])
    nothing = {"sizes": np.empty((0, 2), np.int32)}
    if function in RLE_FUNCTIONS:
        result = call(function, counts=np.empty(0, np.uint32), offsets=none, **nothing)
    else:
        result = call(
            function, coordinates=np.empty(0), polygon_offsets=none, instance_offsets=none, **nothing
        )
    assert result[-1].shape == (0,)
    assert result[0].size == 0


@pytest.mark.parametrize("shape", [(), (5,), (6, 5), (1, 1, 6, 5)])
def test_dense_masks_have_three_dimensions(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"masks must have shape \[N, H, W\]"):
        call("measure_dense", masks=np.ones(shape, np.uint8))


@pytest.mark.parametrize(
    "shape", [(0, 6, 5), (2, 0, 5), (2, 6, 0), (0, 0, 0), (2, 1, 1), (2, 1, 5), (2, 6, 1)]
)
def test_dense_masks_with_hardly_a_pixel(shape: tuple[int, int, int]) -> None:
    for masks in (np.ones(shape, np.uint8), np.asfortranarray(np.ones(shape, np.uint8))):
        counts = call("measure_dense", masks=masks)
        steps = 2 * max(shape[1] + shape[2] - 2, 0) if shape[1] * shape[2] else 0
        assert counts.tolist() == [[steps, 0, 0]] * shape[0]


@pytest.mark.parametrize("shape", [(), (5,), (1, 6, 5)])
def test_label_maps_have_two_dimensions(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="label_map must have two dimensions"):
        call("measure_labels", label_map=np.ones(shape, np.int64))


@pytest.mark.parametrize(
    "dtype", ["?", "f4", "f8", "c16", "u8", ">i4", ">u8", "U1", "S1", "M8[s]", "m8[s]", object]
)
def test_label_maps_of_other_types(dtype: Any) -> None:
    with pytest.raises(TypeError, match="label_map must hold integers that fit into int64"):
        call("measure_labels", label_map=np.zeros((3, 4), dtype))


BAD_SPANS = [[-1, 3], [4, 3], [0, len(TEXT) + 1], [2**62, 2**62], [-(2**63), 2**63 - 1], [len(TEXT) + 1] * 2]


@pytest.mark.parametrize("span", BAD_SPANS)
def test_spans_beyond_the_text(span: list[int]) -> None:
    with pytest.raises(ValueError, match="span 1 is not within the text"):
        SegmentationBatch.from_json(TEXT, np.array([[0, 4], span]), np.repeat(SIZES, 2, axis=0))


@pytest.mark.parametrize("shape", [(2,), (1, 3), (1, 2, 1)])
def test_bad_shapes_of_spans(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"spans must have shape \[N, 2\]"):
        SegmentationBatch.from_json(TEXT, np.zeros(shape, np.int64), SIZES)


@pytest.mark.parametrize(
    "refused",
    [
        lambda: SegmentationBatch.from_json("text", np.zeros((1, 2), np.int64), SIZES),  # type: ignore[arg-type]
        lambda: SegmentationBatch.from_json(TEXT, np.zeros((1, 2), np.int32), SIZES),
        lambda: SegmentationBatch.from_json(TEXT, np.zeros((1, 2), np.int64), SIZES.astype(np.int64)),
        lambda: SegmentationBatch.from_objects((None,), SIZES),  # type: ignore[arg-type]
        lambda: SegmentationBatch.from_objects([None], SIZES.astype(np.int64)),
        lambda: _core.spans_of(PIECES, "text"),  # type: ignore[arg-type]
        lambda: _core.spans_of([5], TEXT),
    ],
)
def test_other_types_are_refused(refused: Callable[[], Any]) -> None:
    with pytest.raises((TypeError, BufferError)):
        refused()


def test_pieces_of_another_text() -> None:
    view = memoryview(bytearray(TEXT))
    assert _core.spans_of([view[3:5], view[:0], view[len(view) :]], view).tolist() == [
        [3, 5],
        [0, 0],
        [62, 62],
    ]
    for text in (view[4:], view[:4], bytearray(TEXT)):
        with pytest.raises(ValueError, match="a piece does not lie in the text"):
            _core.spans_of([view[3:5]], text)
