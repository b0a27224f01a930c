"""Areas and outer contours of a data set that has been measured, against pycocotools and OpenCV."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest
from pycocotools import mask as coco_mask

from arrow_support import LAYOUTS as TABLES
from arrow_support import PLACES
from cityscapes_support import make_cityscapes, polygons, street
from documents_support import LAYOUTS as DOCUMENTS
from documents_support import made
from record_support import FORMS, dense, in_image_order, made_coco
from tfdp_fast._core import FillConvention
from tfdp_fast.formats import records
from tfdp_fast.formats._chunk_masks import FEW_LABELS, LabelMapMasks
from tfdp_fast.formats._cityscapes_polygons import draw_polygons
from tfdp_fast.formats.cityscapes import CLASSES
from tracing_support import COCO, CONVENTIONS, Mask, check, filled, masks_of, opened, size_of
from voc_support import IMAGES, boxes, make_voc
from yolo_support import polygons_of, shares, write_yolo


@pytest.mark.parametrize("source", [dict, "bytes", "file"])
def test_coco(source: Any, tmp_path: Path, opencv: Any) -> None:
    coco = in_image_order(made_coco(13))
    stored = json.dumps(coco).encode()
    (tmp_path / "a.json").write_bytes(stored)
    given = {dict: coco, "bytes": stored, "file": tmp_path / "a.json"}[source]
    data = opened(given)
    assert data.crowd.any()
    check(data, masks_of(coco), opencv)


@pytest.mark.parametrize("form", FORMS)
def test_records(form: str, monkeypatch: pytest.MonkeyPatch, opencv: Any) -> None:
    coco = made_coco(13)
    for images in (1, 2, 5, 64):
        monkeypatch.setattr(records, "PIECE_IMAGES", images)
        source = FORMS[form](coco)
        check(opened(source if form == "CocoDetection" else list(source)), masks_of(coco), opencv)


def test_records_of_every_kind(opencv: Any) -> None:
    """Arrays in any order of memory, RLE and nothing, in one image."""
    rng = np.random.default_rng(3)
    masks: list[Mask] = [(rng.random((9, 14)) < 0.4).astype(np.uint8) for _ in range(5)]
    forms = [
        masks[0].astype(np.bool_),
        np.asfortranarray(masks[1]),
        np.repeat(masks[2], 2, axis=1)[:, ::2] * 200,
        coco_mask.encode(np.asfortranarray(masks[3])),
        [np.argwhere(np.ones((1, 1)))[0]] * 0,
    ]
    masks[4][:] = 0
    annotations = [{"segmentation": mask, "category_id": 1} for mask in forms]
    image = {"image_id": 1, "height": 9, "width": 14, "annotations": annotations}
    check(opened([image]), masks, opencv)


@pytest.mark.parametrize("place", [place for place in PLACES if place != "reader"])
@pytest.mark.parametrize("table", TABLES)
def test_arrow(table: str, place: str, tmp_path: Path, opencv: Any) -> None:
    coco = made_coco(13)
    data = opened(PLACES[place](TABLES[table](coco), tmp_path), format="arrow", fingerprint=True)
    before = data.fingerprint()
    with_any = {a["image_id"] for a in coco["annotations"]}
    assert len(data.image_ids) in {len(coco["images"]), len(with_any)}
    check(data, masks_of(coco), opencv)
    assert data.fingerprint() == before


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_arrow_polygons(convention: FillConvention, opencv: Any) -> None:
    polygons = [[[1.0, 1, 8, 1, 8, 8]], None, [[0.5, 0.5, 3, 1, 3, 9], [9, 9, 12, 9, 12, 12, 9, 12.0]]]
    table = pa.table(
        {
            "image_id": [1, 2, 2],
            "category_id": [1, 1, 1],
            "height": [20] * 3,
            "width": [30] * 3,
            "segmentation": pa.array(polygons, pa.list_(pa.list_(pa.float64()))),
        }
    )
    masks = [filled(polygon or [], 20, 30, convention) for polygon in polygons]
    check(opened(table, convention), masks, opencv, convention)


@pytest.mark.parametrize("layout", DOCUMENTS)
def test_documents(layout: Any, tmp_path: Path, opencv: Any) -> None:
    documents, masks = made(23)
    source = layout(tmp_path / "made", documents)
    data = opened(source, fingerprint=True)
    before = data.fingerprint()
    check(data, masks, opencv)
    assert data.fingerprint() == before
    keep = np.ones(len(data.image_ids), np.bool_)
    assert data.write_subset(tmp_path / "names.txt", keep, np.empty(0, np.int64)) == len(masks)


def stored(polygon: list[float], image: Any) -> list[float]:
    """What YOLO keeps of a polygon: the last digits may differ, for coordinates are shares of the sides."""
    sides = image["width"], image["height"]
    return [value * sides[i % 2] for i, value in enumerate(shares(polygon, image))]


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_yolo(convention: FillConvention, tmp_path: Path, opencv: Any) -> None:
    coco = made_coco(70)  # more than a piece
    for annotation in coco["annotations"]:
        height, width = size_of(coco, annotation)
        for polygon in polygons_of(annotation):
            polygon[:] = np.clip(np.reshape(polygon, (-1, 2)), 0, (width, height)).ravel().tolist()
    root = write_yolo(tmp_path, coco).parent
    names = sorted(image["file_name"] for image in coco["images"])
    images = {image["file_name"]: image for image in coco["images"]}
    masks = [
        filled([stored(polygon, images[name])], images[name]["height"], images[name]["width"], convention)
        for name in names
        for annotation in coco["annotations"]
        if annotation["image_id"] == images[name]["id"]
        for polygon in polygons_of(annotation)
    ]
    data = opened(root / "data.yaml", convention, fingerprint=True)
    before = data.fingerprint()
    check(data, masks, opencv, convention)
    assert data.fingerprint() == before
    keep = np.ones(len(names), np.bool_)
    assert data.write_subset(tmp_path / "list.txt", keep, np.empty(0, np.int64)) == len(masks)


@pytest.mark.parametrize("difficult", ["include", "exclude"])
def test_voc(difficult: Any, tmp_path: Path, opencv: Any) -> None:
    ours = {f"{i}_{name}": image for i in range(5) for name, image in IMAGES.items()}
    data = opened(make_voc(tmp_path, ours), difficult=difficult, fingerprint=True)
    before = data.fingerprint()
    masks = [
        (label_map == value).astype(np.uint8)
        for label_map, objects in ours.values()
        for value, voc_object in enumerate(objects, 1)
        if difficult == "include" or isinstance(voc_object, str)
    ]
    check(data, masks, opencv)
    assert data.fingerprint() == before


def test_voc_under_a_preset(tmp_path: Path, opencv: Any) -> None:
    """Images that do not count are passed over the second time as well."""
    unpaired = boxes((2, 9, 3, 20)), ["person", "person"]
    ours = {f"{i}_{name}": image for i in range(5) for name, image in {**IMAGES, "x": unpaired}.items()}
    data = opened(make_voc(tmp_path, ours), preset="official")
    assert data.dropped == {"unpaired": 5}
    masks = [
        (label_map == value).astype(np.uint8)
        for label_map, objects in ours.values()
        for value in range(1, len(objects) + 1)
        if objects != unpaired[1]
    ]
    check(data, masks, opencv)


def test_cityscapes(tmp_path: Path, opencv: Any) -> None:
    drawn = polygons(1, ["car", "person", "cargroup", "road", "train"])
    images: dict[str, Any] = {
        "aachen/a": street(0),
        "aachen/b": drawn,
        "ulm/c": street(1),
        "ulm/d": street(2),
    }
    masks: list[Mask] = []
    for image in images.values():
        label_map = draw_polygons("", json.dumps(image).encode()) if isinstance(image, dict) else image
        masks += [
            (label_map == label).astype(np.uint8)
            for label in np.unique(label_map).tolist()
            if (label // 1000 if label >= 1000 else label) in CLASSES
        ]
    data = opened(make_cityscapes(tmp_path, images))
    assert data.crowd.any()
    check(data, masks, opencv)


@pytest.mark.parametrize("labels", [0, 1, FEW_LABELS, FEW_LABELS + 1, 200])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
def test_label_maps_of_few_and_many_labels(labels: int, dtype: Any, opencv: Any) -> None:
    rng = np.random.default_rng(labels)
    label_map = rng.integers(0, labels + 1, (30, 40)).astype(dtype)
    present = np.unique(label_map)[1:].astype(np.int64)
    masks = LabelMapMasks([(label_map, present), (label_map, present[:0]), (label_map, present[::2])])
    expected = [(label_map == label).astype(np.uint8) for label in [*present, *present[::2]]]
    assert masks.areas().tolist() == [int(mask.sum()) for mask in expected]
    found = masks.contours(np.arange(len(expected)))
    for contours, mask in zip(found.points, expected, strict=True):
        assert [c.tolist() for c in contours] == [c.tolist() for c in opencv.contours(mask)]


REAL = [
    ("coco_val2014_100", COCO, "_coco"),
    ("coco_val2014_100", FillConvention.OPENCV, "_opencv"),
    ("lvis_val_100", COCO, "_coco"),
    ("lvis_val_100", FillConvention.OPENCV, "_opencv"),
    ("voc2012_train", COCO, ""),
]


@pytest.mark.parametrize(("name", "convention", "suffix"), REAL)
def test_real_annotations(name: str, convention: FillConvention, suffix: str, shared_data: Path) -> None:
    with (shared_data / f"{name}_contours.csv").open() as file:
        rows = list(csv.DictReader(file))
    data = opened(shared_data / f"{name}.json", convention)
    for threads in (1, 2, 7):
        found = data.areas(convention, threads=threads)
        assert found.tolist() == [int(row[f"pixels{suffix}"]) for row in rows]
        every = data.trace(np.arange(len(data.image_ids)), convention, threads=threads)
        assert every.positions.tolist() == list(range(len(rows)))
        assert list(map(len, every.contours)) == [int(row[f"n_outer_contours{suffix}"]) for row in rows]
    column = f"area{suffix}" if suffix else "area_largest"
    largest = [
        cv2.contourArea(of_mask[i]) if i >= 0 else 0.0
        for of_mask, i in zip(every.contours, every.primary.tolist(), strict=True)
    ]
    assert largest == [float(row[column]) for row in rows]


@pytest.mark.parametrize("name", ["coco_val2014_100", "lvis_val_100"])
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_real_contours(name: str, convention: FillConvention, shared_data: Path, opencv: Any) -> None:
    coco = json.loads((shared_data / f"{name}.json").read_bytes())
    images = {image["id"]: image for image in coco["images"]}
    masks = []
    for annotation in coco["annotations"]:
        image, found = images[annotation["image_id"]], annotation["segmentation"]
        is_list = isinstance(found, list)
        masks.append(
            filled(found, image["height"], image["width"], convention)
            if is_list
            else dense([annotation], image)[0]
        )
    check(opened(shared_data / f"{name}.json", convention), masks, opencv, convention)
