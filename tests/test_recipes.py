"""The recipes do what they say, with the real packages."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recipe_support
import tfdp_fast as tfdp
from tfdp_fast.cli import main
from tfdp_fast.demo import make_demo
from yolo_support import label_line, polygons_of, write_description

RECIPES = Path(__file__).resolve().parents[1] / "docs" / "recipes"
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# What other packages warn of is their own affair.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder that recipes run in: what `tfdp demo` leaves."""
    make_demo(tmp_path / "tfdp-demo")
    monkeypatch.chdir(tmp_path)


def run(name: str) -> dict[str, Any]:
    """Run the blocks of a page, one after the other; the names that they leave."""
    names: dict[str, Any] = {}
    for language, block in BLOCK.findall((RECIPES / f"{name}.md").read_text("utf-8")):
        if language == "python":
            exec(block, names)
            continue
        for line in block.splitlines():
            program, *arguments = shlex.split(line)
            assert program == "tfdp"
            main(arguments)
    return names


def half(counts: Callable[[dict[str, Any]], bool] = lambda _: True) -> tuple[list[int], dict[int, int]]:
    """The ids of the images that are kept at a rate of 0.5, in order, and how many annotations each has."""
    data = json.loads(Path("tfdp-demo/annotations.json").read_bytes())
    ids = tfdp.select(tfdp.score("tfdp-demo/annotations.json"), rate=0.5).image_ids.tolist()
    of_image = [annotation["image_id"] for annotation in data["annotations"] if counts(annotation)]
    return ids, {image_id: of_image.count(image_id) for image_id in ids}


def test_mmdetection(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe_support.mmdet(monkeypatch)
    names = run("mmdetection")
    ids, with_area = half(lambda annotation: annotation["area"] > 0 and min(annotation["bbox"][2:]) >= 1)
    for data in (names["train"], names["same"]):
        found = [data.get_data_info(i) for i in range(len(data))]
        assert [info["img_id"] for info in found] == ids
        assert [len(info["instances"]) for info in found] == list(with_area.values())
        assert all(Path(info["img_path"]).is_file() for info in found)
    assert names["train"].cat_ids == names["whole"].cat_ids
    assert len(names["whole"]) < 60  # some are filtered out, so positions are not those of the file


def test_detectron2() -> None:
    recipe_support.package("detectron2", "is not installed, and cannot be from PyPI")
    ids, annotations = half()
    records = run("detectron2")["train"]
    assert [record["image_id"] for record in records] == ids
    assert [len(record["annotations"]) for record in records] == list(annotations.values())


def test_ultralytics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe_support.ultralytics(tmp_path, monkeypatch)
    demo_as_yolo()
    names = run("ultralytics")
    kept = tfdp.select(tfdp.score("data.yaml", polygons="opencv"), rate=0.5).image_ids.tolist()
    root = Path.cwd()
    assert [str(Path(name).relative_to(root)) for name in names["train"].im_files] == kept
    assert names["data"]["names"] == {0: "disc", 1: "blob", 2: "star", 3: "gear", 4: "bar"}
    assert names["data"]["val"] == str(root / "images" / "val")


def demo_as_yolo() -> None:
    """The polygons of the demo as a YOLO data set; the validation split is one of its images."""
    data = json.loads(Path("tfdp-demo/annotations.json").read_bytes())
    Path("images/val").mkdir(parents=True)
    shutil.move("tfdp-demo/images", "images/train")
    shutil.copy("images/train/0001.png", "images/val")
    Path("labels/train").mkdir(parents=True)
    for image in data["images"]:
        lines = (
            label_line(annotation["category_id"] - 1, polygon, image)
            for annotation in data["annotations"]
            if annotation["image_id"] == image["id"]
            for polygon in polygons_of(annotation)
        )
        Path("labels/train", image["file_name"]).with_suffix(".txt").write_text("".join(lines))
    names = [category["name"] for category in data["categories"]]
    write_description(Path(), train="images/train", val="images/val", names=names)


def test_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe_support.torchvision(monkeypatch)
    names = run("torchvision")
    ids, annotations = half()
    train, same = names["train"], names["same"]
    assert train.ids == sorted(ids) == [same.dataset.ids[i] for i in same.indices]
    assert [len(target) for _, target in train] == [annotations[image_id] for image_id in train.ids]
    for (image, target), (other_image, other_target) in zip(train, same, strict=True):
        assert target == other_target
        assert np.array_equal(image, other_image)


def test_huggingface() -> None:
    recipe_support.package("datasets")
    names = run("huggingface")
    ids, annotations = half()
    assert names["subset"].image_ids.tolist() == ids
    for rows in (names["half"], names["same"]):
        assert rows["image_id"][:] == ids
        assert [len(of_image) for of_image in rows["annotations"]] == list(annotations.values())


def test_every_recipe_is_tested_and_listed() -> None:
    pages = {path.stem for path in RECIPES.glob("*.md")} - {"README"}
    assert {f"test_{page}" for page in pages - {"tables"}} <= set(globals())  # those: test_arrow_engines.py
    index = (RECIPES / "README.md").read_text("utf-8")
    assert set(re.findall(r"^\| \[[^]]+\]\((\w+)\.md\)", index, re.MULTILINE)) == pages
