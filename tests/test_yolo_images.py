"""YOLO data sets: which images they have, where their labels are, how large they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from tfdp_fast.errors import OptionError
from tfdp_fast.formats.opening import open_dataset
from yolo_support import TRIANGLE, measured, write_description, write_image, write_text


def image_ids(source: Path, **options: Any) -> list[str]:
    dataset, _ = measured(source, **options)
    assert dataset.problems == []
    assert dataset.file_names == dataset.image_ids.tolist()
    return dataset.image_ids.tolist()  # type: ignore[no-any-return]


def images(root: Path, *names: str) -> None:
    for name in names:
        write_image(root / name)


def test_images_of_a_folder(tmp_path: Path) -> None:
    names = ["images/b.PNG", "images/a.jpeg", "images/a/z.jpg", "images/ä ö.webp", "images/c d/e.tif"]
    images(tmp_path, *names, "images/.hidden.png", "images/.thumbnails/a.png", "other/x.png")
    write_text(tmp_path / "images" / "notes.txt", "no image")
    write_text(tmp_path / "images" / "png", "a name without a suffix")
    source = write_description(tmp_path, train="images", nc=1)
    assert image_ids(source) == sorted(names)  # as Ultralytics sorts them: by the whole path
    assert open_dataset(source).image_folder == tmp_path


def test_images_of_folders_and_lists(tmp_path: Path) -> None:
    images(tmp_path, *(f"images/{part}/{i}.png" for part in "abc" for i in range(3)))
    write_text(tmp_path / "lists" / "some.txt", "./../images/b/2.png", "", f"{tmp_path}/images/b/0.png")
    source = write_description(tmp_path, train=["images/c", "lists/some.txt", "images/a"], nc=1)
    assert image_ids(source) == [
        *(f"images/a/{i}.png" for i in range(3)),
        "images/b/0.png",
        "images/b/2.png",
        *(f"images/c/{i}.png" for i in range(3)),
    ]


def test_lines_without_a_dot_are_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images(tmp_path / "here", "images/a.png")
    write_text(tmp_path / "here" / "labels" / "a.txt", TRIANGLE)
    (tmp_path / "train.txt").write_bytes(b"\xef\xbb\xbfimages/a.png\r\n")
    source = write_description(tmp_path, train="train.txt", nc=1)
    monkeypatch.chdir(tmp_path / "here")
    dataset, counts = measured(source)
    assert (dataset.image_ids.tolist(), len(counts)) == (["here/images/a.png"], 1)


def test_splits(tmp_path: Path) -> None:
    images(tmp_path, "t/a.png", "v/b.png", "x/c.png")
    source = write_description(tmp_path, train="t", validation="v", test="x", minival=None, nc=1)
    assert image_ids(source) == ["t/a.png"]
    assert image_ids(source, split="test") == ["x/c.png"]
    assert image_ids(source, split="val") == image_ids(source, split="validation") == ["v/b.png"]


def test_roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images(tmp_path, "data/images/a.png", "data/train/images/b.png")
    absolute = write_description(tmp_path, "1.yaml", path=f"{tmp_path}/data", train="images", nc=1)
    beside = write_description(tmp_path, "2.yml", path="data", train="images", nc=1)
    assert image_ids(absolute) == image_ids(beside) == ["images/a.png"]
    # What Roboflow exports: the leading ../ leads nowhere, and is left out.
    exported = write_description(tmp_path / "data", "3.yaml", train="../train/images", nc=1)
    assert image_ids(exported) == ["train/images/b.png"]
    elsewhere = write_description(tmp_path / "yamls", "4.yaml", path="data", train="images", nc=1)
    monkeypatch.chdir(tmp_path)
    assert image_ids(elsewhere) == ["images/a.png"]


def test_images_outside_of_the_root_have_whole_paths(tmp_path: Path) -> None:
    images(tmp_path, "far/images/a.png", "root/images/b.png")
    (tmp_path / "root" / "images" / "linked").symlink_to(tmp_path / "far")
    source = write_description(tmp_path / "root", train=["images", "../far/images"], nc=1)
    assert image_ids(source) == [
        f"{tmp_path}/far/images/a.png",
        "images/b.png",
        "images/linked/images/a.png",
    ]


def test_where_labels_are(tmp_path: Path) -> None:
    pairs = {
        "images/train/a.png": "labels/train/a.txt",
        "images/deep/images/b.c.png": "images/deep/labels/b.c.txt",
        "beside/d.png": "beside/d.txt",
    }
    images(tmp_path, *pairs)
    for label in pairs.values():
        write_text(tmp_path / label, TRIANGLE)
    dataset, _ = measured(write_description(tmp_path, train=".", nc=1))
    assert dataset.image_index.tolist() == [0, 1, 2]
    assert dataset.problems == []


def test_images_without_labels_are_background(tmp_path: Path) -> None:
    images(tmp_path, "images/a.png", "images/b.png", "images/c.png")
    write_text(tmp_path / "labels" / "b.txt", "", TRIANGLE, "  ")
    write_text(tmp_path / "labels" / "c.txt")
    dataset, _ = measured(write_description(tmp_path, train="images", nc=1))
    assert (len(dataset.image_ids), dataset.image_index.tolist(), dataset.records) == (3, [1], 1)


def test_names_that_are_no_utf8(tmp_path: Path) -> None:
    name = os.fsdecode(b"images/\xff.png")
    images(tmp_path, name)
    write_text(tmp_path / os.fsdecode(b"labels/\xff.txt"), TRIANGLE)
    dataset, counts = measured(write_description(tmp_path, train="images", nc=1))
    assert (dataset.image_ids.tolist(), len(counts)) == ([name], 1)


# --- sizes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_sizes_follow_the_exif_orientation(suffix: str, tmp_path: Path) -> None:
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[274] = orientation
        write_image(tmp_path / "images" / f"{orientation}.{suffix}", height=20, width=30, exif=exif)
    dataset, _ = measured(write_description(tmp_path, train="images", nc=1))
    assert dataset.image_sizes.tolist() == [[20, 30]] * 4 + [[30, 20]] * 4
    if suffix in {"jpg", "png"}:  # of the others it depends on OpenCV's version
        shapes = [cv2.imread(str(tmp_path / str(name))).shape[:2] for name in dataset.file_names]  # type: ignore[union-attr]
        assert dataset.image_sizes.tolist() == list(map(list, shapes))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_turns_nothing(tmp_path: Path) -> None:
    write_image(tmp_path / "images" / "a.jpg", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert measured(write_description(tmp_path, train="images", nc=1))[0].image_sizes.tolist() == [[32, 64]]


def test_sizes_that_are_given(tmp_path: Path) -> None:
    for name in "ab":
        write_text(tmp_path / "images" / f"{name}.png", "no image")
        write_text(tmp_path / "labels" / f"{name}.txt", TRIANGLE)
    source = write_description(tmp_path, train="images", nc=1)
    assert measured(source, image_size=(20, 30))[0].image_sizes.tolist() == [[20, 30]] * 2
    sizes = {"images/a.png": (3, 4), "images/b.png": np.array([5, 6])}
    assert measured(source, image_size=sizes)[0].image_sizes.tolist() == [[3, 4], [5, 6]]
    dataset, _ = measured(source, image_size={"images/a.png": (3, 4)}, on_error="skip")
    assert [(p.record, p.reason) for p in dataset.problems] == [
        ("image images/b.png", "is not in image_size")
    ]


@pytest.mark.parametrize("size", [(0, 3), (3,), 3, "ab", (3.5, 4), {"a": (1, -1)}, (1, 2**40)])
def test_sizes_that_make_no_sense(size: Any, tmp_path: Path) -> None:
    images(tmp_path, "images/a.png")
    with pytest.raises(OptionError, match="image_size must be a height and a width"):
        open_dataset(write_description(tmp_path, train="images", nc=1), image_size=size)
