"""Areas and outer contours of a data set that has been measured, against pycocotools and OpenCV."""

from __future__ import annotations

import csv
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from arrow_support import LAYOUTS as TABLES
from arrow_support import PLACES, instances
from cityscapes_support import make_cityscapes, polygons, street
from documents_support import LAYOUTS as DOCUMENTS
from documents_support import as_tars, general, made, text
from record_support import FORMS, Coco, dense, in_image_order, made_coco
from tfdp_fast._core import FillConvention, SegmentationBatch
from tfdp_fast._tracing import areas
from tfdp_fast.errors import DataError, OptionError
from tfdp_fast.formats import records
from tfdp_fast.formats._cityscapes_polygons import draw_polygons
from tfdp_fast.formats.cityscapes import CLASSES
from tfdp_fast.formats.dataset import Dataset, Traced
from tfdp_fast.formats.opening import open_dataset
from voc_support import IMAGES, boxes, make_voc, save_map
from yolo_support import polygons_of, shares, write_yolo

Mask = NDArray[np.uint8]
CONVENTIONS = [FillConvention.COCO, FillConvention.OPENCV]
COCO = FillConvention.COCO


def opened(source: Any, convention: FillConvention = COCO, **options: Any) -> Dataset:
    """A data set that has been measured."""
    data = open_dataset(source, **options)
    data.measure(convention, threads=2, progress=None)
    return data


def traced(data: Dataset, *images: int, threads: int = 1) -> Traced:
    return data.trace(np.array(images, np.int64), COCO, threads=threads)


def check(data: Dataset, masks: list[Mask], opencv: Any, convention: FillConvention = COCO) -> None:
    """These are its masks, in order, whichever images are looked at."""
    contours = [opencv.contours(mask) for mask in masks]
    n = len(data.image_ids)
    for threads in (1, 2, 7):
        found = data.areas(convention, threads=threads)
        assert found.dtype == np.int64
        assert found.tolist() == [int(np.count_nonzero(mask)) for mask in masks]
        for images in (np.arange(n), np.arange(n)[::-2], np.array([n - 1, 0, n - 1]), np.arange(0)):
            some = data.trace(images, convention, threads=threads)
            expected = np.flatnonzero(np.isin(data.image_index, images)).tolist()
            assert some.positions.tolist() == expected
            assert [[c.tolist() for c in of_mask] for of_mask in some.contours] == [
                [c.tolist() for c in contours[i]] for i in expected
            ]
            assert some.primary.tolist() == [primary(contours[i]) for i in expected]
            assert {c.dtype for of_mask in some.contours for c in of_mask} <= {np.dtype(np.int32)}


def primary(contours: list[NDArray[np.int32]]) -> int:
    sizes = [cv2.contourArea(contour) for contour in contours]
    return sizes.index(max(sizes)) if sizes else -1


def masks_of(coco: Coco) -> list[Mask]:
    images = {image["id"]: image for image in coco["images"]}
    return [dense([a], images[a["image_id"]])[0] for a in in_image_order(coco)["annotations"]]


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


def filled(polygons: list[list[float]], height: int, width: int, convention: FillConvention) -> Mask:
    mask: Mask = np.zeros((height, width), np.uint8)
    if convention == COCO:
        for polygon in polygons:
            mask |= coco_mask.decode(coco_mask.frPyObjects([polygon], height, width))[:, :, 0]
    else:
        for polygon in polygons:
            cv2.fillPoly(mask, [np.array(polygon).astype(np.int32).reshape(-1, 2)], [1])
    return mask


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


def with_a_bad_mask(coco: Coco) -> Coco:
    """The first annotation of all, and the last, cannot be used."""
    annotations = in_image_order(coco)["annotations"]
    for i in (0, -1):
        annotations[i] = {**annotations[i], "segmentation": [[1, 2, 3]]}
    return {**coco, "annotations": annotations}


def size_of(coco: Coco, annotation: Any) -> list[int]:
    image = next(image for image in coco["images"] if image["id"] == annotation["image_id"])
    return [image["height"], image["width"]]


def test_masks_that_failed_have_no_pixel_in_columns_that_keep_them(opencv: Any) -> None:
    coco = with_a_bad_mask(made_coco())
    data = opened(coco, on_error="skip")
    for annotation in (coco["annotations"][0], coco["annotations"][-1]):
        annotation["segmentation"] = {
            "size": (size := size_of(coco, annotation)),
            "counts": [size[0] * size[1]],
        }
    check(data, masks_of(coco), opencv)
    every = traced(data, *range(len(data.image_ids)))
    assert (every.contours[0], every.primary[0]) == ([], -1)


def test_masks_that_failed_are_not_among_others(monkeypatch: pytest.MonkeyPatch, opencv: Any) -> None:
    coco = with_a_bad_mask(made_coco())
    source = list(FORMS["general"](coco))
    coco["annotations"] = coco["annotations"][1:-1]
    for images in (1, 4, 64):
        monkeypatch.setattr(records, "PIECE_IMAGES", images)
        data = opened(source, on_error="skip")
        assert len(data.problems) == 2
        check(data, masks_of(coco), opencv)
        assert len(data.problems) == 2


@pytest.mark.parametrize("counts", [[1, 2, 3], [300, 300, 1], [0, 600, 0, 1], [0, 4294967295]], ids=str)
def test_runs_that_do_not_fill_the_mask_count_nothing(counts: list[int]) -> None:
    sizes = np.array([[20, 30]] * 3, np.int32)
    good = {"size": [20, 30], "counts": [5, 10, 585]}
    bad = {"size": [20, 30], "counts": counts}
    assert areas(SegmentationBatch.from_objects([good, bad, good], sizes), COCO).tolist() == [10, 0, 10]


def test_runs_of_length_zero_and_no_runs() -> None:
    runs = [[0, 0, 5, 3, 0, 2], [10], [0, 10], []]
    masks = [{"size": [2, 5] if counts else [0, 5], "counts": counts} for counts in runs]
    sizes = np.array([mask["size"] for mask in masks], np.int32)
    assert areas(SegmentationBatch.from_objects(masks, sizes), COCO).tolist() == [5, 0, 10, 0]


def test_polygons_in_an_image_of_too_many_pixels() -> None:
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[1, 1, 5, 1, 5, 5, 1, 5]]}
    image = {"id": 1, "height": 2**16, "width": 2**16, "file_name": "a"}
    data = opened({"images": [image], "categories": [{"id": 1, "name": "a"}], "annotations": [annotation]})
    with pytest.raises(OptionError, match=r"2\*\*32 pixels or more"):
        data.areas(COCO, threads=1)
    assert traced(data, 0).contours[0][0].tolist() == [[1, 1], [1, 4], [4, 4], [4, 1]]


def test_only_pieces_that_are_wanted_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "PIECE_IMAGES", 4)
    source = [{**record, "image_id": i} for i, record in enumerate(FORMS["general"](made_coco(20)))]
    data: Any = opened(source)
    pieces: list[int] = []
    lock = threading.Lock()
    read = data.read

    def noted(piece: Any, convention: FillConvention, *, again: bool) -> Any:
        chunk = read(piece, convention, again=again)
        with lock:
            pieces.append(int(chunk.image_ids[0]))
        assert again
        return chunk

    monkeypatch.setattr(data, "read", noted)
    for images, expected in {
        (): [],
        (0,): [],  # no annotation
        (1,): [0],
        (3,): [0],
        (5,): [4],
        (7, 9): [4, 8],
        (19, 3, 3): [0, 16],
        (19,): [16],
        tuple(range(20)): [0, 4, 8, 12, 16],
    }.items():
        pieces.clear()
        assert set(data.image_index[traced(data, *images, threads=2).positions].tolist()) <= set(images)
        assert sorted(pieces) == expected


def test_images_of_several_pieces(monkeypatch: pytest.MonkeyPatch, opencv: Any) -> None:
    """With a row per instance, those of an image may be anywhere."""
    monkeypatch.setattr("tfdp_fast.formats._arrow_dataset.INSTANCE_ROWS", 3)
    coco = made_coco(13)
    table = instances(coco)
    order = np.random.default_rng(0).permutation(len(table))
    masks = masks_of(coco)
    check(opened(table.take(pa.array(order))), [masks[i] for i in order.tolist()], opencv)


@pytest.mark.parametrize("images", [[9], [-1], [0, 2**40], [0.5], [True]], ids=str)
@pytest.mark.parametrize("form", ["coco", "general"])
def test_images_that_there_are_not(form: str, images: list[Any]) -> None:
    coco = made_coco(9)
    data = opened(coco if form == "coco" else list(FORMS[form](coco)))
    with pytest.raises(
        OptionError, match=r"^images (must be from 0 to 8|are positions, whole numbers, got )"
    ):
        data.trace(np.array(images), COCO, threads=1)


def test_before_measuring() -> None:
    data = open_dataset(list(FORMS["general"](made_coco())))
    with pytest.raises(OptionError, match="call measure first"):
        data.areas(COCO, threads=1)
    with pytest.raises(OptionError, match="call measure first"):
        traced(data, 0)


def test_after_measuring_failed() -> None:
    source = list(FORMS["general"](made_coco()))
    data = opened(source)
    source[3]["annotations"][0]["segmentation"] = [[1, 2, 3]]
    with pytest.raises(DataError):
        data.measure(COCO, threads=1, progress=None)
    with pytest.raises(OptionError, match="call measure first"):
        data.areas(COCO, threads=1)


def looked_at(data: Dataset) -> list[Callable[[], object]]:
    every = range(len(data.image_ids))
    return [
        lambda: data.areas(COCO, threads=1),
        lambda: data.areas(COCO, threads=2),
        lambda: traced(data, *every),
    ]


@pytest.mark.parametrize("source", ["iterator", "reader"])
def test_what_can_be_read_once(source: str) -> None:
    coco = made_coco()
    once = iter(FORMS["general"](coco)) if source == "iterator" else instances(coco).to_reader()
    data = opened(once)
    for look in looked_at(data):
        with pytest.raises(DataError, match="it can be read once"):
            look()


@pytest.mark.parametrize("threads", [1, 2])
def test_a_pipe(threads: int) -> None:
    out, into = os.pipe()
    os.write(into, b"".join(text(general(i)) + b"\n" for i in range(3)))
    os.close(into)
    try:
        data = opened(f"/dev/fd/{out}", format="jsonl")
        with pytest.raises(DataError, match="is no file that could be read twice"):
            data.areas(COCO, threads=threads)
    finally:
        os.close(out)


def more(annotations: list[Any]) -> None:
    annotations.append(annotations[0])


def fewer(annotations: list[Any]) -> None:
    annotations.pop()


def bad(annotations: list[Any]) -> None:
    annotations[0] = {**annotations[0], "segmentation": [[1, 2, 3]]}


@pytest.mark.parametrize("change", [more, fewer, bad])
@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_records_that_change(change: Any, on_error: Any) -> None:
    source = list(FORMS["general"](made_coco()))
    data = opened(source, on_error=on_error)
    change(source[3]["annotations"])
    for look in looked_at(data):
        with pytest.raises(DataError, match="has changed since it was read"):
            look()


def test_fewer_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "PIECE_IMAGES", 2)
    source = list(FORMS["general"](made_coco(9)))
    data = opened(source)
    del source[4:]
    for look in looked_at(data):
        with pytest.raises(DataError, match="has changed since it was read"):
            look()
    assert len(traced(data, 1, 3).positions) == 4  # nothing is read beyond these


def test_files_that_change(tmp_path: Path) -> None:
    voc = make_voc(tmp_path / "voc", IMAGES)
    yolo = write_yolo(tmp_path / "yolo", made_coco())
    street_a = make_cityscapes(tmp_path / "street", {"aachen/a": street(0), "aachen/b": street(1)})
    tars = as_tars(tmp_path / "tars", made()[0])
    table = PLACES["parquet"](instances(made_coco()), tmp_path)
    lines = tmp_path / "a.jsonl"
    lines.write_bytes(text(general(1)) + b"\n")
    coco = tmp_path / "a.json"
    coco.write_text(json.dumps(made_coco()))
    sources = [voc, yolo, street_a, tars, table, lines, coco]
    all_of_them = [opened(source) for source in sources]
    save_map(voc / "SegmentationObject/2007_000032.png", boxes((2, 9, 3, 20)))
    label = next((tmp_path / "yolo/labels/train").glob("*.txt"))
    label.write_text("0 0.1 0.1 0.5 0.1 0.5 0.5\n" * 1 + label.read_text())
    next((street_a / "gtFine/train/aachen").glob("a*instanceIds.png")).unlink()
    for path in (tars / "sa_9.tar", table, lines, coco):
        path.write_bytes(path.read_bytes() + b" ")
    for data in all_of_them:
        for look in looked_at(data):
            with pytest.raises(DataError, match="changed"):
                look()
