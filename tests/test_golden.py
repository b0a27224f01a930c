"""Real annotations: contours as OpenCV found them, and the scores and subsets of the paper's method."""

from __future__ import annotations

import contextlib
import copy
import csv
import hashlib
import io
import json
from functools import cache
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco
from pycocotools.coco import COCO

import tfdp_fast as tfdp
from golden_support import KEPT, SHA, VARIANTS
from tfdp_fast.scores import Variant

SUM: dict[Variant, float] = {"scs": 866.976156472092, "si": 7020.05024185803, "cb": 20, "tfdp": 20}
BEST: dict[Variant, list[tuple[str, float]]] = {
    "scs": [("2011_002135", 64.811144686), ("2007_001027", 58.905393427), ("2008_006140", 51.996482328)],
    "si": [("2011_002920", 65.509589279), ("2011_003066", 50.992356256), ("2011_002135", 47.321967342)],
    "cb": [("2008_006140", 0.71896067), ("2007_001027", 0.451114826), ("2011_002920", 0.40104969)],
    "tfdp": [("2011_002920", 0.209853078), ("2007_006673", 0.11551964), ("2007_009901", 0.099594849)],
}
LAST: dict[Variant, tuple[str, float]] = {
    "scs": ("2008_005953", 0.009426757),
    "si": ("2008_005874", 1.059191334),
    "cb": ("2011_002770", 5.0962e-05),
    "tfdp": ("2008_002248", 0.000781216),
}


@cache
def read_json(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return data


@cache
def read_csv(path: Path) -> dict[str, NDArray[np.float64]]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


@cache
def voc_scores(folder: Path, variant: Variant) -> tfdp.Scores:
    return tfdp.score(folder / "voc2012_train.json", variant)


def masks_and_sizes(data: dict[str, Any]) -> tuple[list[Any], NDArray[np.int64]]:
    size_of = {image["id"]: (image["height"], image["width"]) for image in data["images"]}
    annotations = data["annotations"]
    sizes = np.array([size_of[annotation["image_id"]] for annotation in annotations])
    return [annotation["segmentation"] for annotation in annotations], sizes


def pixels(rles: list[dict[str, Any]]) -> list[int]:
    return [int(coco.area(rle)) for rle in rles]


# --- VOC 2012: contours -------------------------------------------------------------------------------------


def test_voc_primary_contours(shared_data: Path) -> None:
    table = read_csv(shared_data / "voc2012_train_contours.csv")
    masks, sizes = masks_and_sizes(read_json(shared_data / "voc2012_train.json"))
    counts = tfdp.measure(masks, sizes)
    assert len(counts) == 3504
    np.testing.assert_array_equal(counts.area, table["area_largest"])
    np.testing.assert_allclose(counts.perimeter, table["perimeter_largest"], rtol=1e-7, atol=0)
    assert pixels(masks) == pixels(tfdp.to_rle(masks, sizes)) == table["pixels"].tolist()
    without_area = table["annotation_id"][counts.area2 == 0]
    assert without_area.tolist() == [1381, 1384, 1568, 3028, 3107, 3108]


def test_voc_all_contours(shared_data: Path) -> None:
    table = read_csv(shared_data / "voc2012_train_contours.csv")
    data = read_json(shared_data / "voc2012_train.json")
    masks, sizes = masks_and_sizes(data)
    counts = tfdp.measure(masks, sizes)
    contours = [tfdp.trace(mask) for mask in masks]
    assert [len(c) for c in contours] == table["n_outer_contours"].astype(int).tolist()
    areas = [[cv2.contourArea(points) for points in c] for c in contours]
    perimeters = [[cv2.arcLength(points, closed=True) for points in c] for c in contours]
    assert [a[0] for a in areas] == table["area_first"].tolist()
    assert [max(a) for a in areas] == counts.area.tolist()
    # the same points in the same order give the same bits
    assert [p[0] for p in perimeters] == table["perimeter_first"].tolist()
    primary = [p[int(np.argmax(a))] for a, p in zip(areas, perimeters, strict=True)]
    assert primary == table["perimeter_largest"].tolist()
    # the authors' file comes from the first contour
    for annotation, area, perimeter in zip(data["annotations"], areas, perimeters, strict=True):
        assert annotation["area"] == area[0]
        assert annotation["ratio"] == (perimeter[0] / area[0] if area[0] else 0)


def test_voc_contours_are_those_of_opencv(shared_data: Path, opencv: Any) -> None:
    """Point by point, on every fifth mask."""
    masks, _ = masks_and_sizes(read_json(shared_data / "voc2012_train.json"))
    for mask in masks[::5]:
        ours, theirs = tfdp.trace(mask), opencv.contours(coco.decode(mask))
        assert len(ours) == len(theirs)
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize(
    ("annotation", "area", "perimeter", "scs", "si_scs"),
    [
        (0, 3721.0, 799.9310196638107, 0.21497743070782335, 3.699284826648012),
        (2, 324.0, 135.5979790687561, None, 2.12508242613108),
        (100, 31230.5, 1029.5605251789093, None, 1.6434537324843648),
    ],
)
def test_voc_single_values(
    annotation: int, area: float, perimeter: float, scs: float | None, si_scs: float, shared_data: Path
) -> None:
    record = read_json(shared_data / "voc2012_train.json")["annotations"][annotation]
    assert record["id"] == annotation
    counts = tfdp.measure(record["segmentation"])
    assert counts.area.item() == area
    assert counts.perimeter.item() == pytest.approx(perimeter, rel=1e-7, abs=0)
    assert counts.si_scs().item() == pytest.approx(si_scs, rel=1e-7, abs=0)
    if scs is not None:
        assert counts.scs().item() == pytest.approx(scs, rel=1e-7, abs=0)


# --- VOC 2012: scores and subsets ---------------------------------------------------------------------------


@pytest.mark.parametrize("variant", VARIANTS)
def test_voc_scores(variant: Variant, shared_data: Path) -> None:
    scores = voc_scores(shared_data, variant)
    images = scores.images
    assert (len(images), scores.crowd, scores.ignored, scores.problems) == (1463, 0, 0, [])
    assert (scores.variant, scores.polygons) == (variant, "coco")
    tolerance = 1e-12 if SUM[variant] == 20 else 1e-8
    assert images.score.sum() == pytest.approx(SUM[variant], rel=tolerance, abs=0)
    ranked = np.argsort(-images.score, kind="stable")
    names = [Path(name).stem for name in images.file_name[ranked]]
    best = list(zip(names, images.score[ranked].tolist(), strict=True))
    for (name, score), (expected_name, expected) in zip(best, BEST[variant], strict=False):
        assert name == expected_name
        assert score == pytest.approx(expected, rel=1e-8, abs=1e-9)  # printed with nine decimals
    name, score = best[-1]
    assert name == LAST[variant][0]
    assert score == pytest.approx(LAST[variant][1], rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("variant", VARIANTS)
def test_voc_subsets(variant: Variant, shared_data: Path) -> None:
    scores = voc_scores(shared_data, variant)
    for (k, rate), sha in zip(KEPT.items(), SHA[variant], strict=True):
        for subset in (
            tfdp.select(scores, k=k),
            tfdp.select(scores, rate=rate),
            tfdp.select(scores, keep=1 - rate),
        ):
            assert (subset.k, subset.candidates) == (k, 1463)
            assert subset.sha256[:16] == sha
        ids = ",".join(map(str, sorted(subset.image_ids.tolist())))
        assert hashlib.sha256(ids.encode()).hexdigest()[:16] == sha


def test_voc_class_totals(shared_data: Path) -> None:
    classes = voc_scores(shared_data, "tfdp").classes
    assert classes is not None
    assert len(classes) == 20
    assert classes.instances.sum() == 3504
    totals = dict(zip(classes.name.tolist(), classes.total.tolist(), strict=True))
    expected = {
        "person": 1679.467766,
        "chair": 802.370044,
        "bicycle": 356.523342,
        "tvmonitor": 134.437465,
        "train": 146.554353,
    }
    for name, total in expected.items():
        assert totals[name] == pytest.approx(total, rel=1e-8, abs=1e-6)


# --- COCO and LVIS: polygons --------------------------------------------------------------------------------


@pytest.mark.parametrize("convention", ["coco", "opencv"])
@pytest.mark.parametrize(("name", "n", "crowd"), [("coco_val2014_100", 839, 9), ("lvis_val_100", 977, 0)])
def test_polygons(
    name: str, n: int, crowd: int, convention: Literal["coco", "opencv"], shared_data: Path
) -> None:
    table = read_csv(shared_data / f"{name}_contours.csv")
    data = read_json(shared_data / f"{name}.json")
    masks, sizes = masks_and_sizes(data)
    order = {annotation["id"]: row for row, annotation in enumerate(data["annotations"])}
    rows = [order[int(i)] for i in table["annotation_id"]]
    masks, sizes = [masks[row] for row in rows], sizes[rows]
    counts = tfdp.measure(masks, sizes, polygons=convention)
    assert len(counts) == n
    np.testing.assert_array_equal(counts.area, table[f"area_{convention}"])
    np.testing.assert_allclose(counts.perimeter, table[f"perimeter_{convention}"], rtol=1e-7, atol=0)
    rles = tfdp.to_rle(masks, sizes, polygons=convention)
    assert pixels(rles) == table[f"pixels_{convention}"].tolist()
    assert tfdp.measure(rles) == counts
    contours = [
        len(tfdp.trace(mask, size, polygons=convention)) for mask, size in zip(masks, sizes, strict=True)
    ]
    assert contours == table[f"n_outer_contours_{convention}"].tolist()

    scores = tfdp.score(shared_data / f"{name}.json", polygons=convention)
    instances = scores.instances
    assert instances is not None
    assert (scores.crowd, len(instances), scores.polygons) == (crowd, n - crowd, convention)
    scored = table["iscrowd"] == 0
    position = {int(i): p for p, i in enumerate(table["annotation_id"][scored])}
    by_table = counts[scored][np.array([position[i] for i in instances.id.tolist()])]
    np.testing.assert_array_equal(instances.area2, by_table.area2)
    np.testing.assert_array_equal(instances.straight, by_table.straight)
    np.testing.assert_array_equal(instances.diagonal, by_table.diagonal)


@pytest.mark.parametrize("name", ["coco_val2014_100", "lvis_val_100"])
def test_rle_is_that_of_pycocotools(name: str, shared_data: Path) -> None:
    data = read_json(shared_data / f"{name}.json")
    masks, sizes = masks_and_sizes(data)
    ours = tfdp.to_rle(masks, sizes)
    for mask, (height, width), rle in zip(masks, sizes.tolist(), ours, strict=True):
        theirs = coco.frPyObjects(mask, height, width)
        merged = coco.merge(theirs) if isinstance(theirs, list) else theirs
        assert rle == {"size": [height, width], "counts": merged["counts"].decode()}


# --- sources ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["voc2012_train", "coco_val2014_100", "lvis_val_100"])
def test_a_file_a_dict_and_a_coco_object_score_the_same(name: str, shared_data: Path) -> None:
    path = shared_data / f"{name}.json"
    with contextlib.redirect_stdout(io.StringIO()):
        loaded = COCO(str(path))
    before = copy.deepcopy(loaded.dataset)
    expected = tfdp.score(path)
    for source in (str(path), path.read_bytes(), read_json(path), loaded):
        scores = tfdp.score(source)
        for table in ("images", "instances", "classes"):
            columns, theirs = getattr(scores, table).columns(), getattr(expected, table).columns()
            assert columns.keys() == theirs.keys()
            for column, values in columns.items():
                assert values.dtype == theirs[column].dtype
                assert values.tolist() == theirs[column].tolist(), (table, column)
        assert (scores.crowd, scores.ignored) == (expected.crowd, expected.ignored)
    assert loaded.dataset == before


@pytest.mark.parametrize("name", ["coco_val2014_100", "lvis_val_100"])
def test_scores_sum_to_the_number_of_classes(name: str, shared_data: Path) -> None:
    scores = tfdp.score(shared_data / f"{name}.json")
    assert scores.classes is not None
    classes = np.count_nonzero(scores.classes.total > 0)
    assert scores.images.score.sum() == pytest.approx(classes, abs=1e-9)
