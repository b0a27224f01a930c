"""What `prune` writes is what other packages read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco

import recipe_support
import tfdp_fast as tfdp
from coco_support import pycocotools_reads
from tfdp_fast.demo import make_demo
from yolo_support import BAD_LINES, TRIANGLE, lines_in, measured, write_description, write_image, write_text

GOOD_LINES = ["0 -0.2 0 0.6 0 0.6 0.5", f"{TRIANGLE} 0.1 0.1", "1.0 0 0 1.005 0 1 1"]
ONE_POINT = "0 0.5 0.5"  # no error for Ultralytics

# What other packages warn of is their own affair.
pytestmark = pytest.mark.filterwarnings("ignore")


# --- COCO ---------------------------------------------------------------------------------------------------


@pytest.fixture
def pruned(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """The folder of the demo with ``half.json`` in it, and what has to be in that."""
    source = make_demo(tmp_path / "demo")
    subset = tfdp.prune(source, source.parent / "half.json", rate=0.5).subset
    data = json.loads(source.read_bytes())
    kept = set(subset.image_ids.tolist())
    data["images"] = [image for image in data["images"] if image["id"] in kept]
    data["annotations"] = [a for a in data["annotations"] if a["image_id"] in kept]
    return source.parent, data


def test_pycocotools(pruned: Any) -> None:
    folder, data = pruned
    read = pycocotools_reads(folder / "half.json")
    assert read.dataset == data
    assert list(read.imgs.values()) == data["images"]
    assert read.loadAnns(read.getAnnIds()) == data["annotations"]
    assert read.loadCats(read.getCatIds()) == data["categories"]


def test_supervision_with_coco(pruned: Any) -> None:
    sv = recipe_support.package("supervision")
    folder, data = pruned
    read = sv.DetectionDataset.from_coco(str(folder / "images"), str(folder / "half.json"), force_masks=True)
    assert read.classes == [category["name"] for category in data["categories"]]
    names = {image["id"]: image["file_name"] for image in data["images"]}
    assert [Path(path).name for path in read.image_paths] == list(names.values())
    for image_id, name in names.items():
        found = read.annotations[str(folder / "images" / name)]
        expected = [a for a in data["annotations"] if a["image_id"] == image_id]
        assert found.class_id.tolist() == [a["category_id"] - 1 for a in expected]
        for annotation, mask in zip(expected, found.mask, strict=True):
            if isinstance(annotation["segmentation"], dict):  # polygons are filled otherwise
                assert np.array_equal(mask, coco.decode(annotation["segmentation"]))


# --- YOLO ---------------------------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A YOLO data set of 12 images, one of them without a label."""
    folder = tmp_path / "data set é"
    rng = np.random.default_rng(3)
    for i in range(12):
        write_image(folder / "images" / "train" / f"{i}.jpg", 48, 64)
        lines = [f"{i % 2} {' '.join(map(repr, rng.random(2 * n).tolist()))}" for n in (3, 5, 9)]
        if i != 7:
            write_text(folder / "labels" / "train" / f"{i}.txt", *lines)
    write_image(folder / "images" / "val" / "a.jpg")
    write_description(folder, train="images/train", val="images/val", names=["a", "b"])
    return folder


def ultralytics_reads(source: Path, split: str = "train", check: bool = True) -> Any:
    """Ultralytics' own check of a ``data.yaml``, and its data set for segmentation."""
    from ultralytics.data.dataset import YOLODataset  # type: ignore[import-not-found, unused-ignore]
    from ultralytics.data.utils import check_det_dataset  # type: ignore[import-not-found, unused-ignore]

    data = check_det_dataset(str(source), autodownload=False)
    return YOLODataset(img_path=data[split], data=data, task="segment") if check else data


@pytest.mark.parametrize("where", ["", "subsets", "../elsewhere"])
def test_ultralytics(where: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe_support.ultralytics(tmp_path / "settings", monkeypatch)
    folder = root / where
    folder.mkdir(exist_ok=True)
    subset = tfdp.prune(root, folder / "half.yaml", keep=0.5).subset
    assert len(subset) == 6
    monkeypatch.chdir("/")
    read = ultralytics_reads(folder / "half.yaml")
    names = subset.image_ids.tolist()
    assert [Path(path).resolve() for path in read.im_files] == [root / name for name in names]
    assert [len(label["segments"]) for label in read.labels] == [3] * 6
    found = [
        (c.item(), s) for label in read.labels for c, s in zip(label["cls"], label["segments"], strict=True)
    ]
    kept = {Path(name).stem for name in names}
    lines = [line for path, line in lines_in(root / "labels") if path.stem in kept]
    for (number, segment), (expected, *coordinates) in zip(found, lines, strict=True):
        assert number == expected
        assert np.array_equal(segment.ravel(), np.array(coordinates, np.float32))
    assert ultralytics_reads(folder / "half.yaml", check=False)["val"] == str(root / "images" / "val")


def test_ultralytics_finds_the_same_images(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe_support.ultralytics(tmp_path / "settings", monkeypatch)
    for name in ("a.PNG", "b c.jpeg", "deep/é.webp", ".hidden.jpg", ".hidden/a.jpg", "no.gif"):
        write_image(root / "images" / "more" / name)
    write_text(root / "lists" / "list.txt", "./../images/train/3.jpg", f"{root}/images/train/11.jpg")
    for train in ("images", ["images/more", "lists/list.txt"], "lists/list.txt", "../images/train"):
        source = write_description(root, train=train, val="images/val", names=["a", "b"])
        expected = [Path(path).resolve() for path in ultralytics_reads(source).im_files]
        assert [root / name for name in measured(source)[0].image_ids.tolist()] == expected


def test_ultralytics_finds_the_same_sizes(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    recipe_support.ultralytics(tmp_path / "settings", monkeypatch)
    for orientation in (1, 3, 6, 8):
        exif = Image.Exif()
        exif[274] = orientation
        for suffix in ("jpg", "png"):
            write_image(root / "images" / "train" / f"{orientation}.{suffix}", 20, 30, exif=exif)
    read = ultralytics_reads(root / "data.yaml")
    expected = [list(label["shape"]) for label in read.labels]
    assert measured(root / "data.yaml")[0].image_sizes.tolist() == expected


@pytest.mark.parametrize("line", [*BAD_LINES, *GOOD_LINES])
def test_ultralytics_refuses_the_same_lines(
    line: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe_support.ultralytics(tmp_path / "settings", monkeypatch)
    label = root / "labels" / "train" / "0.txt"
    write_text(label, TRIANGLE, line)
    is_bad = line in BAD_LINES
    assert len(measured(root, on_error="skip")[0].problems) == is_bad
    read = ultralytics_reads(root / "data.yaml")
    is_dropped = str(root / "images" / "train" / "0.jpg") not in read.im_files
    assert is_dropped == (is_bad and line != ONE_POINT)


def test_ultralytics_drops_the_same_lines(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe_support.ultralytics(tmp_path / "settings", monkeypatch)
    lines = [TRIANGLE, TRIANGLE + "000", TRIANGLE + "000001", f"1{TRIANGLE[1:]}", TRIANGLE + "1", TRIANGLE]
    write_text(root / "labels" / "train" / "0.txt", *lines)
    dataset, _ = measured(root)
    [label] = [x for x in ultralytics_reads(root / "data.yaml").labels if x["im_file"].endswith("/0.jpg")]
    assert np.count_nonzero(dataset.image_index == 0) == len(label["segments"]) == 6 - dataset.ignored


def test_supervision_with_yolo(root: Path) -> None:
    sv = recipe_support.package("supervision")
    tfdp.prune(root, root / "half.yaml", keep=0.5)
    read = sv.DetectionDataset.from_yolo(
        str(root / "images" / "train"),
        str(root / "labels" / "train"),
        str(root / "half.yaml"),
        force_masks=True,
    )
    assert read.classes == ["a", "b"]
    scored = tfdp.score(root).images
    found = {f"images/train/{Path(path).name}": len(labels) for path, labels in read.annotations.items()}
    assert found == dict(zip(scored.id.tolist(), scored.annotations.tolist(), strict=True))
