"""VOC 2012 train in VOC's own folders gives what the same masks give in a COCO file."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco

import tfdp_fast as tfdp
from golden_support import KEPT, SHA, VARIANTS
from tfdp_fast._core import FillConvention
from tfdp_fast.formats.opening import open_dataset
from tfdp_fast.scores import Variant
from voc_support import Labels, Objects, boxes, make_voc

BORDER = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (11, 11))


def label_map_of(masks: list[Any], height: int, width: int) -> Labels:
    """The masks numbered from 1, which have no pixel in common, and void around them."""
    label_map = np.zeros((height, width), np.uint8)
    for value, mask in enumerate(masks, 1):
        pixels = coco.decode(mask) == 1
        assert not label_map[pixels].any()
        label_map[pixels] = value
    around = cv2.dilate((label_map > 0).astype(np.uint8), BORDER)
    label_map[(label_map == 0) & (around == 1)] = 255
    return label_map


@pytest.fixture(scope="module")
def voc(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """VOC 2012 train as a folder."""
    data = json.loads((shared_data / "voc2012_train.json").read_text())
    names = {category["id"]: category["name"] for category in data["categories"]}
    of_image: dict[int, list[dict[str, Any]]] = {image["id"]: [] for image in data["images"]}
    for annotation in data["annotations"]:
        of_image[annotation["image_id"]].append(annotation)
    images: dict[str, tuple[Labels, Objects]] = {}
    for image in data["images"]:
        annotations = of_image[image["id"]]
        masks = [annotation["segmentation"] for annotation in annotations]
        objects = [names[annotation["category_id"]] for annotation in annotations]
        label_map = label_map_of(masks, image["height"], image["width"])
        images[Path(image["file_name"]).stem] = label_map, objects
    return make_voc(tmp_path_factory.mktemp("golden") / "VOC2012", images)


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_tables(voc: Path, shared_data: Path, threads: int) -> None:
    found = tfdp.score(voc, threads=threads)
    expected = tfdp.score(shared_data / "voc2012_train.json")
    assert (len(found.images), found.problems, found.ignored, found.crowd) == (1463, [], 0, 0)
    assert [f"{i}.jpg" for i in found.images.id] == expected.images.file_name.tolist()
    assert found.images.file_name.tolist() == expected.images.file_name.tolist()
    for table, other in {"images": "id", "instances": "image_id", "classes": ""}.items():
        columns = getattr(expected, table).columns()
        for name, column in getattr(found, table).columns().items():
            if name != other:  # names here, numbers there
                assert column.tolist() == columns[name].tolist(), (table, name)


def test_areas_and_contours(voc: Path, shared_data: Path) -> None:
    with (shared_data / "voc2012_train_contours.csv").open() as file:
        rows = list(csv.DictReader(file))
    data = open_dataset(voc)
    data.measure(FillConvention.COCO, threads=2, progress=None)
    for threads in (1, 2, 7):
        areas = data.areas(FillConvention.COCO, threads=threads)
        assert areas.tolist() == [int(row["pixels"]) for row in rows]
    images = np.arange(5, len(data.image_ids), 3)
    some = data.trace(images, FillConvention.COCO, threads=2)
    assert some.positions.tolist() == np.flatnonzero(np.isin(data.image_index, images)).tolist()
    for position, contours, primary in zip(
        some.positions.tolist(), some.contours, some.primary.tolist(), strict=True
    ):
        assert len(contours) == int(rows[position]["n_outer_contours"])
        assert cv2.contourArea(contours[primary]) == float(rows[position]["area_largest"])


@pytest.mark.parametrize("variant", VARIANTS)
def test_subsets(voc: Path, variant: Variant) -> None:
    scores = tfdp.score(voc, variant)
    for (k, rate), sha in zip(KEPT.items(), SHA[variant], strict=True):
        subset = tfdp.select(scores, rate=rate)
        assert subset.k == k
        positions = ",".join(map(str, np.flatnonzero(subset.keep).tolist()))
        assert hashlib.sha256(positions.encode()).hexdigest()[:16] == sha


def test_a_subset_is_a_split(voc: Path) -> None:
    """The images that are kept have the scores of the whole, as far as classes do not come in."""
    whole = tfdp.score(voc, "si")
    pruned = tfdp.prune(voc, voc / "ImageSets/Segmentation/pruned.txt", rate=0.3, variant="si")
    again = tfdp.score(voc, "si", split="pruned")
    assert again.images.id.tolist() == whole.images.id[pruned.subset.keep].tolist()
    assert again.images.score.tolist() == whole.images.score[pruned.subset.keep].tolist()
    assert pruned.annotations_kept == again.images.annotations.sum()
    with pytest.raises(tfdp.DataError, match=r"the splits in it are: pruned, train$"):
        tfdp.score(voc, split="none")


def test_the_preset_of_the_authors(voc: Path, shared_data: Path, tmp_path: Path) -> None:
    """As from their JSON: images whose numbers differ are left out, the others are numbered."""
    unpaired = "2008_005245"
    make_voc(voc, {unpaired: (boxes((2, 9, 3, 20)), ["person", "chair"])}, split="unpaired")
    lists = voc / "ImageSets/Segmentation"
    names = (lists / "train.txt").read_text().split()
    (lists / "whole.txt").write_text("\n".join([*names[:700], unpaired, *names[700:]]))
    with pytest.raises(tfdp.DataError, match=r"Annotations/2008_005245\.xml: .* 1 instances and its XML 2"):
        tfdp.score(voc, split="whole")
    found = tfdp.score(voc, split="whole", preset="official")
    expected = tfdp.score(shared_data / "voc2012_train.json", preset="official")
    assert found.preset is not None
    assert (found.problems, found.preset.images, found.preset.data_set) == ([], 1463, "VOC")
    assert dict(found.preset.dropped) == {"unpaired": 1}
    for scores, name in ((found, "found.json"), (expected, "expected.json")):
        scores.save(tmp_path / name)
    assert (tmp_path / "found.json").read_bytes() == (tmp_path / "expected.json").read_bytes()
    for rate, sha in zip(KEPT.values(), SHA["tfdp"], strict=True):
        assert tfdp.select(found, rate=rate).sha256.startswith(sha)
    pruned = tfdp.prune(voc, tmp_path / "kept.txt", split="whole", preset="official", rate=0.3)
    kept = (tmp_path / "kept.txt").read_text().split()
    assert kept == [names[position] for position in pruned.subset.image_ids.tolist()]
    assert tfdp.repeat(tmp_path / "kept.txt.pruning.json").outcome == pruned.outcome
