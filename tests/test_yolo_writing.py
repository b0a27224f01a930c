"""Subsets of YOLO data sets: lists, and ``data.yaml`` that name them."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import tfdp_fast as tfdp
from tfdp_fast.errors import OptionError, OutputError
from tfdp_fast.formats.dataset import Dataset
from yolo_support import TRIANGLE, measured, write_description, write_image, write_text

NO_ROWS = np.empty(0, np.int64)
KEPT = [f"images/train/{i}.png" for i in (1, 4, 5)]
KEEP = np.isin(np.arange(6), [1, 4, 5])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Six images with a polygon each, two of which have more lines, and a split of two."""
    folder = tmp_path / "data set é"
    for i in range(6):
        write_image(folder / "images" / "train" / f"{i}.png")
        more = [TRIANGLE, "0 1 2"] if i == 4 else []
        write_text(folder / "labels" / "train" / f"{i}.txt", TRIANGLE, *more)
    for name in "ab":
        write_image(folder / "images" / "val" / f"{name}.png")
    return folder


def opened(root: Path, **content: Any) -> Dataset:
    usual = {"train": "images/train", "val": "images/val", "names": {0: "a ü"}, "channels": 3}
    return measured(write_description(root, **(usual | content)), on_error="skip")[0]


def lines_of(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines()


def test_beside_the_source(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = opened(root, path=str(root), note="kept")
    assert dataset.write_subset(root / "half.yaml", KEEP, NO_ROWS) == 5
    text = (root / "half.yaml").read_text("utf-8")
    assert text.startswith("# 3 of 6 images of the split train")
    assert "`fraction`" in text.partition("\ntrain")[0]
    # No path: the root is where the file is.
    assert list(yaml.safe_load(text).items()) == [
        ("train", "half.txt"),
        ("val", "images/val"),
        ("names", {0: "a ü"}),
        ("channels", 3),
        ("note", "kept"),
    ]
    assert lines_of(root / "half.txt") == [f"./{name}" for name in KEPT]
    moved = tmp_path / "moved"
    shutil.move(root, moved)
    monkeypatch.chdir("/")
    subset, _ = measured(moved / "half.yaml", on_error="skip")
    assert subset.image_ids.tolist() == KEPT
    assert subset.records == 5
    assert measured(moved / "half.yaml", split="val")[0].image_ids.tolist() == [
        f"images/val/{name}.png" for name in "ab"
    ]


@pytest.mark.parametrize("where", ["elsewhere", "data set é/subsets/deep"])
def test_elsewhere(where: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = opened(root, val=["images/val"])
    folder = tmp_path / where
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    dataset.write_subset("half.yml", KEEP, NO_ROWS)
    content = yaml.safe_load((folder / "half.yml").read_text("utf-8"))
    assert list(content) == ["path", "train", "val", "names", "channels"]
    assert (content["path"], content["val"]) == (str(root), ["images/val"])
    monkeypatch.chdir("/")
    subset, _ = measured(folder / "half.yml", on_error="skip")
    assert subset.image_ids.tolist() == KEPT
    assert len(measured(folder / "half.yml", split="val")[0].image_ids) == 2
    lines = lines_of(folder / "half.txt")
    if where == "elsewhere":
        assert (content["train"], lines[0]) == (f"{folder}/half.txt", f"{root}/images/train/1.png")
    else:
        assert (content["train"], lines[0]) == ("subsets/deep/half.txt", "./../../images/train/1.png")


def test_a_list_alone(root: Path, tmp_path: Path) -> None:
    dataset = opened(root)
    dataset.write_subset(root / "half.txt", KEEP, NO_ROWS)
    assert lines_of(root / "half.txt") == [f"./{name}" for name in KEPT]
    dataset.write_subset(tmp_path / "half.txt", KEEP, NO_ROWS)
    memory = io.BytesIO()
    dataset.write_subset(memory, KEEP, NO_ROWS)
    whole = "".join(f"{root}/{name}\n" for name in KEPT)
    assert memory.getvalue().decode() == (tmp_path / "half.txt").read_text("utf-8") == whole


def test_other_splits(root: Path) -> None:
    dataset, _ = measured(
        write_description(root, train="images/train", validation="images/val", nc=1), split="val"
    )
    dataset.write_subset(root / "one.yaml", np.array([False, True]), NO_ROWS)
    assert yaml.safe_load((root / "one.yaml").read_bytes()) == {
        "train": "images/train",
        "validation": "one.txt",
        "nc": 1,
    }


def test_a_subset_of_a_subset(root: Path) -> None:
    opened(root).write_subset(root / "half.yaml", KEEP, NO_ROWS)
    half, _ = measured(root / "half.yaml", on_error="skip")
    half.write_subset(root / "less.yaml", np.array([False, True, True]), NO_ROWS)
    assert measured(root / "less.yaml", on_error="skip")[0].image_ids.tolist() == KEPT[1:]


def test_what_is_set_aside_stays_in_its_file(root: Path) -> None:
    (root / "images" / "train" / "2.png").write_text("no image")
    dataset = opened(root)
    rows = np.array([problem.row for problem in dataset.problems if problem.record.startswith("line")])
    keep = np.ones(5, np.bool_)  # one of the six is no image
    assert dataset.write_subset(root / "all.yaml", keep, rows) == 7 == dataset.records
    assert len(lines_of(root / "all.txt")) == 5


def test_names_outside_of_the_root(tmp_path: Path) -> None:
    write_image(tmp_path / "far" / "images" / "a.png")
    dataset, _ = measured(write_description(tmp_path / "root", train=f"{tmp_path}/far/images", nc=1))
    dataset.write_subset(tmp_path / "root" / "all.yaml", np.array([True]), NO_ROWS)
    assert lines_of(tmp_path / "root" / "all.txt") == [f"{tmp_path}/far/images/a.png"]
    assert measured(tmp_path / "root" / "all.yaml")[0].image_ids.tolist() == dataset.image_ids.tolist()


def test_names_that_are_no_utf8(tmp_path: Path) -> None:
    root = tmp_path / os.fsdecode(b"\xff")
    write_image(root / "images" / os.fsdecode(b"\xfe.png"))
    dataset, _ = measured(write_description(root, train="images", nc=1))
    dataset.write_subset(tmp_path / "all.yaml", np.array([True]), NO_ROWS)
    assert measured(tmp_path / "all.yaml")[0].image_ids.tolist() == dataset.image_ids.tolist()


@pytest.mark.parametrize("name", ["a\nb.png", "a\u2028b.png"])
def test_names_that_a_list_cannot_hold(name: str, tmp_path: Path) -> None:
    write_image(tmp_path / "images" / name)
    dataset, _ = measured(write_description(tmp_path, train="images", nc=1))
    with pytest.raises(OutputError, match="a list cannot hold a name with a line break"):
        dataset.write_subset(tmp_path / "all.yaml", np.array([True]), NO_ROWS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.yaml", "images"]


def test_what_is_not_overwritten(root: Path) -> None:
    write_text(root / "val.txt", "./images/val/a.png")
    dataset = opened(root, val="val.txt")
    (root / "link.yaml").symlink_to("data.yaml")
    before = (root / "data.yaml").read_bytes(), (root / "val.txt").read_bytes()
    refused = {
        "data.yaml": "is the file that is being read",
        "link.yaml": "is the file that is being read",
        "val.yaml": "val.txt: is the file that is being read",
        "val.txt": "is the file that is being read",
        "labels/train/0.txt": "is a label file of the data set",
        "labels/train/0.yaml": "0.txt: is a label file of the data set",
        "none/half.yaml": "does not exist",
        "images": "is a folder",
    }
    for name, reason in refused.items():
        with pytest.raises(OutputError, match=reason):
            dataset.check_destination(root / name)
        with pytest.raises(OutputError, match=reason):
            dataset.write_subset(root / name, KEEP, NO_ROWS)
    assert before == ((root / "data.yaml").read_bytes(), (root / "val.txt").read_bytes())
    dataset.check_destination(root / "half.yaml")
    assert not (root / "half.yaml").exists()


@pytest.mark.parametrize("name", ["half.json", "half.yaml.gz"])
def test_what_a_subset_cannot_be(name: str, root: Path) -> None:
    with pytest.raises(
        OptionError, match=r"a subset of YOLO is a list, \.txt, or a \.yaml with one, not \.(json|gz)"
    ):
        opened(root).check_destination(root / name)


def test_prune(root: Path) -> None:
    opened(root)
    pruned = tfdp.prune(root / "data.yaml", root / "half.yaml", rate=0.5, on_error="skip")
    kept = measured(root / "half.yaml", on_error="skip")[0].image_ids.tolist()
    assert kept == pruned.subset.image_ids.tolist()
    assert len(kept) == 3
    again = tfdp.score(root / "half.yaml", on_error="skip")
    assert again.images.id.tolist() == kept
