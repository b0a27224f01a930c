"""The data set that the package makes itself."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

import tfdp_fast as tfdp
from tfdp_fast.demo import CLASSES, is_demo, make_demo


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    make_demo(tmp_path / "a", images=8)
    make_demo(tmp_path / "b", images=8)
    make_demo(tmp_path / "c", images=8, seed=1)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a") != contents(tmp_path / "c")


def test_a_demo_is_told_from_a_data_set(tmp_path: Path) -> None:
    assert not is_demo(tmp_path)
    path = make_demo(tmp_path, images=1)
    assert is_demo(tmp_path)
    path.write_text(json.dumps({"info": {"description": "mine"}, "images": []}))
    assert not is_demo(tmp_path)


def test_pycocotools_reads_it_and_agrees_with_the_pictures(tmp_path: Path) -> None:
    path = make_demo(tmp_path, images=30)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(path)
    background = np.array([245, 243, 238])
    for image in coco.dataset["images"]:
        picture = np.asarray(Image.open(tmp_path / "images" / image["file_name"]))
        assert picture.shape == (image["height"], image["width"], 3)
        drawn = (picture != background).any(axis=2)
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=image["id"], iscrowd=False))
        # Whatever is drawn belongs to some mask, but for the rim by which the two differ.
        masks = [coco.annToMask(annotation) for annotation in annotations]
        covered = np.logical_or.reduce(masks) if masks else np.zeros_like(drawn)
        assert (drawn & ~covered).mean() < 0.02


def test_it_has_one_of_everything(tmp_path: Path) -> None:
    path = make_demo(tmp_path)
    data = json.loads(path.read_text())
    scores = tfdp.score(path)
    assert len(scores.images) == 60
    assert (scores.images.annotations == 0).sum() == 1
    assert (scores.images.instances == 0).sum() == 2
    assert scores.crowd == 5
    assert scores.instances is not None
    assert (scores.instances.area2 == 0).sum() >= 1
    assert {type(a["segmentation"]) for a in data["annotations"]} == {dict, list}
    assert scores.classes is not None
    assert (scores.classes.instances > 0).all()
    assert scores.images.score.sum() == pytest.approx(len(CLASSES), abs=1e-12)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(tfdp.OutputError, match="file"):
        make_demo(tmp_path / "file")
