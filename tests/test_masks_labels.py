"""Label maps: every instance of a map at once, against each of its instances alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

import tfdp_fast as tfdp
from tfdp_fast import OptionError

Labels = NDArray[Any]
SIGNED: list[Any] = [np.int8, np.int16, np.int32, np.int64]
UNSIGNED: list[Any] = [np.uint8, np.uint16, np.uint32, np.uint64]


def one_by_one(label_map: Labels, background: int, opencv: Any) -> dict[int, tuple[int, int, int]]:
    labels = sorted(set(label_map.ravel().tolist()) - {background})
    return {label: opencv.counts((label_map == label).astype(np.uint8)) for label in labels}


def all_at_once(label_map: Labels, **options: int) -> dict[int, tuple[int, int, int]]:
    labels, counts = tfdp.measure_labels(label_map, **options)
    assert labels.dtype == counts.straight.dtype == np.int64
    assert labels.tolist() == sorted(set(labels.tolist()))
    return dict(zip(labels.tolist(), counts, strict=True))


def patches(height: int, width: int, seed: int) -> NDArray[np.int64]:
    """Rectangles over each other, with a few pixels changed; small labels and large ones."""
    rng = np.random.default_rng(seed)
    names = rng.choice([0, 1, 2, 3, 7, 100, 126], 12)
    label_map = np.zeros((height, width), np.int64)
    for name in names.tolist():
        top, bottom = sorted(rng.integers(0, height + 1, 2).tolist())
        left, right = sorted(rng.integers(0, width + 1, 2).tolist())
        label_map[top:bottom, left:right] = name
    changed = rng.random(label_map.shape) < 0.03
    label_map[changed] = rng.choice(names, changed.sum())
    return label_map


sides = st.one_of(st.integers(0, 3), st.integers(0, 30))
structured = st.builds(patches, sides, sides, st.integers(0, 2**32 - 1))
little = hnp.arrays(
    np.int64, hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=6), elements=st.integers(0, 3)
)
a_map = st.one_of(little, structured)


def has_pixels(label_map: Labels) -> bool:
    return label_map.size > 0


@settings(max_examples=300)
@given(label_map=a_map.filter(has_pixels), background=st.sampled_from([0, 1, 7, -1, 99]))
@example(label_map=np.zeros((1, 1), np.int64), background=0)
def test_labels(label_map: Labels, background: int, opencv: Any) -> None:
    expected = one_by_one(label_map, background, opencv)
    assert all_at_once(label_map, background=background) == expected
    if background == 0:
        assert all_at_once(label_map) == expected
    masks = [label_map == label for label in expected]
    assert list(tfdp.measure(masks)) == list(expected.values())


@given(label_map=structured.filter(has_pixels), background=st.sampled_from([0, 1]))
def test_every_form_of_a_map(label_map: Labels, background: int, opencv: Any) -> None:
    height, width = label_map.shape
    expected = one_by_one(label_map, background, opencv)
    sparse = np.full((2 * height, 3 * width), 5)
    sparse[::2, ::3] = label_map
    forms: dict[str, Any] = {
        "Fortran order": np.asfortranarray(label_map),
        "window": np.pad(label_map, 3, constant_values=5)[3 : 3 + height, 3 : 3 + width],
        "every other": sparse[::2, ::3],
        "backwards": np.ascontiguousarray(label_map[::-1, ::-1])[::-1, ::-1],
        "list": label_map.tolist(),
    }
    for dtype in SIGNED + UNSIGNED:
        forms[dtype.__name__] = label_map.astype(dtype)
    results = {name: all_at_once(form, background=background) for name, form in forms.items()}
    assert results == dict.fromkeys(forms, expected)


@pytest.mark.parametrize("dtype", [">i2", ">i4", ">i8", ">u2", ">u4", ">u8"])
def test_big_endian_maps(dtype: str, opencv: Any) -> None:
    label_map = patches(25, 30, 0)
    assert all_at_once(label_map.astype(dtype)) == one_by_one(label_map, 0, opencv)


@pytest.mark.parametrize("dtype", SIGNED)
def test_negative_labels(dtype: Any, opencv: Any) -> None:
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    label_map = np.zeros((9, 12), dtype)
    label_map[1:4, 1:4], label_map[5:8, 2:9], label_map[0:2, 6:9], label_map[2:4, 6:12] = -1, low, high, -7
    for background in (0, -1, low, high, 3):
        expected = one_by_one(label_map, background, opencv)
        assert all_at_once(label_map, background=background) == expected
        assert list(expected) == sorted(expected)


@pytest.mark.parametrize("dtype", UNSIGNED)
def test_large_labels(dtype: Any, opencv: Any) -> None:
    high = min(np.iinfo(dtype).max, np.iinfo(np.int64).max)
    label_map = np.zeros((9, 12), dtype)
    label_map[1:4, 1:4], label_map[5:8, 2:9] = high, high - 1
    assert all_at_once(label_map) == one_by_one(label_map, 0, opencv)
    assert all_at_once(label_map, background=high) == one_by_one(label_map, high, opencv)


def test_a_background_beyond_the_map() -> None:
    """No pixel of a uint8 map is -1 or 256: every pixel belongs to an instance."""
    label_map = np.array([[0, 0, 255], [0, 0, 255]], np.uint8)
    for background in (-1, 256, 2**63 - 1, -(2**63)):
        assert all_at_once(label_map, background=background) == {0: (4, 0, 2), 255: (2, 0, 0)}


@pytest.mark.parametrize("shape", [(0, 0), (0, 1), (0, 2), (0, 7), (1, 0), (7, 0)])
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.uint64, ">i4"])
def test_maps_without_pixels(shape: tuple[int, int], dtype: Any) -> None:
    assert all_at_once(np.zeros(shape, dtype)) == {}
    assert all_at_once(np.zeros(shape, dtype), background=-1) == {}


def test_many_labels(opencv: Any) -> None:
    """A label for each pixel, and for each 2 x 2 pixels, in no order."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(40 * 40).reshape(40, 40)
    assert all_at_once(labels, background=-1) == dict.fromkeys(range(1600), (0, 0, 0))
    blocks = np.kron(labels, np.ones((2, 2), np.int64))
    assert all_at_once(blocks, background=-1) == dict.fromkeys(range(1600), (4, 0, 2))
    assert all_at_once(blocks % 13) == one_by_one(blocks % 13, 0, opencv)


@pytest.mark.parametrize(
    "label_map",
    [
        np.zeros((3, 4), np.bool_),
        np.zeros((3, 4)),
        np.zeros((3, 4), object),
        np.zeros((3, 4), "U1"),
        np.zeros((3, 4), "m8[s]"),
        np.zeros(4, np.int64),
        np.zeros((1, 3, 4), np.int64),
        np.int64(3),
        np.full((3, 4), 2**63, np.uint64),
        np.full((3, 4), 2**64 - 1, ">u8"),
    ],
    ids=lambda array: f"{array.dtype}{list(array.shape)}",
)
def test_maps_that_are_none(label_map: Labels) -> None:
    with pytest.raises(OptionError, match="label"):
        tfdp.measure_labels(label_map)


@pytest.mark.parametrize("background", [2**63, -(2**63) - 1, 0.5, "0", None])
def test_backgrounds_that_are_none(background: Any) -> None:
    with pytest.raises(OptionError, match="background"):
        tfdp.measure_labels(np.zeros((3, 4), np.int64), background=background)


def test_the_map_is_not_changed() -> None:
    label_map = patches(20, 20, 0)
    label_map.setflags(write=False)
    before = label_map.copy()
    tfdp.measure_labels(label_map)
    assert np.array_equal(label_map, before)
