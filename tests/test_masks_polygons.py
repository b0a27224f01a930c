"""Polygons in both conventions, against pycocotools and cv2.fillPoly; images too large for pixels."""

from __future__ import annotations

import itertools
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pycocotools import _mask as coco_mask
from pycocotools import mask as coco

import tfdp_fast as tfdp

Mask = NDArray[np.uint8]
Polygon = list[tuple[float, float]]


def flat(polygon: Polygon) -> list[float]:
    return [coordinate for point in polygon for coordinate in point]


def filled_by_pycocotools(polygons: list[Polygon], height: int, width: int) -> Mask:
    # not frPyObjects, to which four numbers are a box
    rles = coco_mask.frPoly([flat(polygon) for polygon in polygons], height, width)
    return np.asarray(coco.decode(coco.merge(rles)), np.uint8)


def filled_by_opencv(polygons: list[Polygon], height: int, width: int) -> Mask:
    mask = np.zeros((height, width), np.uint8)
    for polygon in polygons:
        cv2.fillPoly(mask, [np.array(polygon, np.float64).astype(np.int32)], [1])
    return mask


FILLED = {"coco": filled_by_pycocotools, "opencv": filled_by_opencv}
conventions = pytest.mark.parametrize("convention", ["coco", "opencv"])
Convention = Literal["coco", "opencv"]


def forms_of(polygons: list[Polygon]) -> dict[str, Any]:
    lists = [flat(polygon) for polygon in polygons]
    arrays = [np.array(polygon, np.float64) for polygon in polygons]
    forms: dict[str, Any] = {
        "lists": lists,
        "tuples": tuple(map(tuple, lists)),
        "NumPy's numbers": [[np.float64(coordinate) for coordinate in polygon] for polygon in lists],
        "flat arrays": [array.ravel() for array in arrays],
        "arrays of points": arrays,
        "Fortran order": [np.asfortranarray(array) for array in arrays],
        "backwards in memory": [array[::-1].copy()[::-1] for array in arrays],
        "every other": [np.repeat(array.ravel(), 2)[::2] for array in arrays],
        "big-endian": [array.astype(">f8") for array in arrays],
        "mixed": [
            array if i % 2 else polygon for i, (array, polygon) in enumerate(zip(arrays, lists, strict=True))
        ],
    }
    if all(coordinate.is_integer() for polygon in lists for coordinate in map(float, polygon)):
        forms["ints"] = [[int(coordinate) for coordinate in polygon] for polygon in lists]
        forms["int32"] = [array.astype(np.int32) for array in arrays]
    return forms


coordinates = st.one_of(
    st.integers(-8, 35).map(float),
    st.integers(-80, 350).map(lambda tenths: tenths / 10),  # pycocotools rounds to fifths
    st.floats(-10, 40),
    st.sampled_from([-1e5, -1000.5, -1.0, -0.5, -0.0, -1e-9, 0.999999, 1e3, 1e5]),
)
few = st.integers(0, 4).map(float)  # points that coincide, lines that overlap
a_polygon = st.one_of(
    st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=12),
    st.lists(st.tuples(few, few), min_size=1, max_size=8),
)
sides = st.one_of(st.integers(1, 3), st.integers(1, 32))


@conventions
@settings(max_examples=400)
@given(polygons=st.lists(a_polygon, min_size=1, max_size=3), height=sides, width=sides)
@example(polygons=[[(10.0, 10.0), (20.0, 10.0), (20.0, 20.0), (10.0, 20.0)]], height=32, width=32)
@example(polygons=[[(3.0, 4.0)]], height=8, width=8)
@example(polygons=[[(1.0, 1.0), (6.0, 4.0)]], height=8, width=8)
@example(polygons=[[(0.0, 0.0), (7.0, 7.0), (7.0, 0.0), (0.0, 7.0)]], height=8, width=8)
def test_polygons(
    convention: Convention, polygons: list[Polygon], height: int, width: int, opencv: Any
) -> None:
    mask = FILLED[convention](polygons, height, width)
    encoded = coco.encode(np.asfortranarray(mask))["counts"].decode()
    lists = [flat(polygon) for polygon in polygons]
    assert tfdp.to_rle([lists], (height, width), polygons=convention) == [
        {"size": [height, width], "counts": encoded}
    ]
    assert list(tfdp.measure([lists], (height, width), polygons=convention)) == [opencv.counts(mask)]
    contours = tfdp.trace(lists, (height, width), polygons=convention)
    assert [c.tolist() for c in contours] == [c.tolist() for c in opencv.contours(mask)]


@conventions
@given(polygons=st.lists(a_polygon, min_size=1, max_size=3))
def test_every_form_of_a_polygon(convention: Convention, polygons: list[Polygon], opencv: Any) -> None:
    mask = FILLED[convention](polygons, 24, 30)
    forms = forms_of(polygons)
    counts = tfdp.measure(list(forms.values()), (24, 30), polygons=convention)
    assert dict(zip(forms, counts, strict=True)) == dict.fromkeys(forms, opencv.counts(mask))
    encoded = tfdp.to_rle(list(forms.values()), (24, 30), polygons=convention)
    expected = {"size": [24, 30], "counts": coco.encode(np.asfortranarray(mask))["counts"].decode()}
    assert dict(zip(forms, encoded, strict=True)) == dict.fromkeys(forms, expected)


@conventions
@given(
    corners=st.integers(3, 60),
    height=st.integers(20, 200),
    width=st.integers(20, 200),
    seed=st.integers(0, 2**32 - 1),
)
def test_outlines_as_annotators_draw_them(
    convention: Convention, corners: int, height: int, width: int, seed: int, opencv: Any
) -> None:
    """Round the middle, with two decimals, in places beyond the edges."""
    rng = np.random.default_rng(seed)
    angle = np.sort(rng.random(corners)) * 2 * np.pi
    radius = rng.random(corners) * max(height, width) * 0.6
    xy = np.stack([width / 2 + radius * np.cos(angle), height / 2 + radius * np.sin(angle)], axis=1).round(2)
    polygon: Polygon = [(x, y) for x, y in xy.tolist()]
    mask = FILLED[convention]([polygon], height, width)
    assert list(tfdp.measure([[xy]], (height, width), polygons=convention)) == [opencv.counts(mask)]
    (rle,) = tfdp.to_rle([[xy]], (height, width), polygons=convention)
    assert rle["counts"] == coco.encode(np.asfortranarray(mask))["counts"].decode()


@conventions
def test_every_little_triangle(convention: Convention, opencv: Any) -> None:
    """All triangles on a grid that is larger than the image."""
    grid = list(itertools.product(range(-1, 5), repeat=2))
    triangles = [[a, b, c] for a, b, c in itertools.product([(0, 0), (2, 1), (4, -1)], grid, grid)]
    masks = [FILLED[convention]([[(float(x), float(y)) for x, y in t]], 4, 4) for t in triangles]
    counts = tfdp.measure([[np.array(t)] for t in triangles], (4, 4), polygons=convention)
    assert list(counts) == [opencv.counts(mask) for mask in masks]


@pytest.mark.parametrize(
    ("convention", "pixels", "area", "perimeter"), [("coco", 100, 81, 36), ("opencv", 121, 100, 40)]
)
def test_the_square_of_the_paper(convention: Convention, pixels: int, area: int, perimeter: int) -> None:
    square = [[10, 10, 20, 10, 20, 20, 10, 20]]
    counts = tfdp.measure([square], (40, 40), polygons=convention)
    assert (counts.area.tolist(), counts.perimeter.tolist()) == ([area], [perimeter])
    (rle,) = tfdp.to_rle([square], (40, 40), polygons=convention)
    assert coco.area(rle) == pixels


def test_coco_is_the_default() -> None:
    square = [[10, 10, 20, 10, 20, 20, 10, 20]]
    assert tfdp.measure([square], (40, 40)).area.item() == 81
    assert tfdp.to_rle([square], (40, 40)) == tfdp.to_rle([square], (40, 40), polygons="coco")
    assert tfdp.trace(square, (40, 40))[0].tolist() == [[10, 10], [10, 19], [19, 19], [19, 10]]


@pytest.mark.parametrize("factor", [2, 10, 1000])
def test_a_larger_square_has_the_same_score(factor: int) -> None:
    square = np.array([10, 10, 20, 10, 20, 20, 10, 20])
    counts = tfdp.measure([[square], [square * factor]], (40 * factor, 40 * factor), polygons="opencv")
    assert counts.area.tolist() == [100, 100 * factor**2]
    assert counts.si_scs().tolist() == pytest.approx([1.1283791670955126] * 2, rel=1e-15)


@conventions
def test_a_polygon_without_points_is_empty(convention: Convention) -> None:
    empty = {"size": [5, 6], "counts": coco.encode(np.zeros((5, 6), np.uint8, order="F"))["counts"].decode()}
    nothing = np.empty((0, 2))
    empty_ones: list[Any] = [[[]], [[], []], [nothing], [nothing.ravel()]]
    for polygons in empty_ones:
        assert list(tfdp.measure([polygons], (5, 6), polygons=convention)) == [(0, 0, 0)]
        assert tfdp.to_rle([polygons], (5, 6), polygons=convention) == [empty]
        assert tfdp.trace(polygons, (5, 6), polygons=convention) == []
    square = [1, 1, 4, 1, 4, 4, 1, 4]
    alone, among = tfdp.to_rle([[square], [[], square, nothing]], (5, 6), polygons=convention)
    assert alone == among


@conventions
@pytest.mark.parametrize("size", [(0, 0), (0, 7), (7, 0)])
def test_an_image_without_pixels(convention: Convention, size: tuple[int, int]) -> None:
    square = [[0, 0, 9, 0, 9, 9, 0, 9]]
    assert list(tfdp.measure([square], size, polygons=convention)) == [(0, 0, 0)]
    assert tfdp.trace(square, size, polygons=convention) == []


@conventions
@pytest.mark.parametrize("far", [2.0**28, 1e6])
def test_far_outside(convention: Convention, far: float) -> None:
    """Coordinates up to the limit: all of the image, or nothing of it."""
    around = [[-far, -far, far, -far, far, far, -far, far]]
    beyond = [[far, far, far - 9, far, far, far - 9]]
    below = [[-far, far, far, far, 0.0, far - 9]]
    counts = tfdp.measure([around, beyond, below], (30, 20), polygons=convention)
    assert list(counts) == [(96, 0, 2 * 29 * 19), (0, 0, 0), (0, 0, 0)]


# --- images that nobody would want to see as pixels ---------------------------------------------------------

SIDE = 20_000


@conventions
def test_large_polygons(convention: Convention) -> None:
    size = (SIDE, SIDE)
    end = SIDE if convention == "coco" else SIDE - 1
    everything = [[0, 0, end, 0, end, end, 0, end]]
    diamond = [[10_000, 100, 19_900, 10_000, 10_000, 19_900, 100, 10_000]]
    counts = tfdp.measure([everything, diamond], size, polygons=convention)
    of_everything, of_diamond = counts
    assert of_everything == (4 * (SIDE - 1), 0, 2 * (SIDE - 1) ** 2)
    if convention == "opencv":
        assert of_diamond == (0, 4 * 9900, 2 * 2 * 9900**2)
    else:
        merged = coco.merge(coco_mask.frPoly(diamond, *size))
        assert tfdp.to_rle([diamond], size) == [{"size": [*size], "counts": merged["counts"].decode()}]
        assert counts[1:] == tfdp.measure([merged])


def test_the_largest_image() -> None:
    side = 2**29
    square = [[1, 1, 5, 1, 5, 5, 1, 5]]
    assert list(tfdp.measure([square], (side, side))) == [(12, 0, 18)]
    assert list(tfdp.measure([[[0, 0, 3, 0]]], (1, side), polygons="opencv")) == [(6, 0, 0)]
    assert tfdp.trace({"size": [1, side], "counts": [side - 1, 1]})[0].tolist() == [[side - 1, 0]]


PEAK = """
    from pathlib import Path
    import tfdp_fast as tfdp

    def peak():
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    side = 20_000
    size = (side, side)
    square = [[1, 1, 4, 1, 4, 4, 1, 4]]
    tfdp.measure(tfdp.to_rle([square], (9, 9)))  # everything is imported, every kernel is loaded
    tfdp.trace(square, (9, 9))
    before = peak()
    full = {"size": size, "counts": [0, side * side]}
    middle = side * 10_000 + 10_000
    sparse = {"size": size, "counts": [5, 1, middle - 6, 3, side * side - middle - 3]}
    polygon = [[10, 10, 19_990, 10, 19_990, 19_990, 10, 19_990]]
    straight = 4 * (side - 1)
    masks = [full, sparse, polygon, *tfdp.to_rle([full, sparse])]
    expected = [(straight, 0, 2 * (side - 1) ** 2), (4, 0, 0), (4 * 19_979, 0, 2 * 19_979**2)]
    assert list(tfdp.measure(masks, size)) == [*expected, *expected[:2]], list(tfdp.measure(masks, size))
    for mask in masks:
        tfdp.trace(mask, size)
    tfdp.measure([polygon], size, polygons="opencv")
    print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc")
def test_large_images_need_little_memory() -> None:
    """One image is 400 MB of pixels."""
    script = textwrap.dedent(PEAK)
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert float(run.stdout) < 20  # MB
