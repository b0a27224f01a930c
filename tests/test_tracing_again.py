"""Masks are looked at a second time: what is read, what failed, and sources that are others by then."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from arrow_support import PLACES, instances
from cityscapes_support import make_cityscapes, street
from documents_support import as_tars, general, made, text
from record_support import FORMS, Coco, in_image_order, made_coco
from tfdp_fast._core import FillConvention, SegmentationBatch
from tfdp_fast._tracing import areas
from tfdp_fast.errors import DataError, OptionError
from tfdp_fast.formats import records
from tfdp_fast.formats.dataset import Dataset
from tfdp_fast.formats.opening import open_dataset
from tracing_support import COCO, check, masks_of, opened, size_of, traced
from voc_support import IMAGES, boxes, make_voc, save_map
from yolo_support import write_yolo


def with_a_bad_mask(coco: Coco) -> Coco:
    """The first annotation of all, and the last, cannot be used."""
    annotations = in_image_order(coco)["annotations"]
    for i in (0, -1):
        annotations[i] = {**annotations[i], "segmentation": [[1, 2, 3]]}
    return {**coco, "annotations": annotations}


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
