"""YOLO data sets that cannot be used, or not all of them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from tfdp_fast.errors import DataError
from tfdp_fast.formats.dataset import Problem
from tfdp_fast.formats.opening import open_dataset
from yolo_support import BAD_LINES, TRIANGLE, measured, write_description, write_image, write_text


def refusal(source: Path, **options: Any) -> str:
    """What the error says that stops a run, one line."""
    with pytest.raises(DataError) as caught:
        measured(source, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def described(root: Path, *label: str, **content: Any) -> Path:
    """A data set of one image with these lines."""
    write_image(root / "images" / "a.png")
    write_text(root / "labels" / "a.txt", *label)
    return write_description(root, train="images", **{"nc": 2, **content})


@pytest.mark.parametrize(("line", "reason"), BAD_LINES.items())
def test_lines(line: str, reason: str, tmp_path: Path) -> None:
    source = described(tmp_path, TRIANGLE, "", line, TRIANGLE.replace("0 ", "1 ", 1))
    label = str(tmp_path / "labels" / "a.txt")
    assert refusal(source) == f"{label}: line 3: {reason}"
    for threads in (1, 2, 7):
        dataset, counts = measured(source, threads=threads, on_error="skip")
        assert dataset.problems == [Problem("line 3", reason, 1, label)]
        assert (len(counts), dataset.records, dataset.rows.tolist()) == (2, 3, [0, 2])


@pytest.mark.parametrize(
    "line",
    [
        "0.0 0 0 0 1 1 1",
        "1e0 0 0 0 1 1 1",
        "0 -0.2 0 0.6 0 0.6 0.5",  # what Ultralytics looks at is the centre and the sides of the box
        "0 0.5 0 1.4 0 0.6 0.5",
        "0\t0 0  0 1 1 1\r",
        "﻿0 0 0 0 1 1 1",
    ],
)
def test_lines_that_are_good(line: str, tmp_path: Path) -> None:
    source = described(tmp_path, line)
    assert len(measured(source)[1]) == 1


def test_a_line_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    source = described(tmp_path, TRIANGLE, TRIANGLE + "0", f"1{TRIANGLE[1:]}", TRIANGLE + "1", f" {TRIANGLE}")
    dataset, counts = measured(source)
    assert (len(counts), dataset.rows.tolist(), dataset.ignored, dataset.records) == (3, [0, 2, 3], 2, 5)


def test_keypoints(tmp_path: Path) -> None:
    box_and_points = "0 0.5 0.5 0.2 0.2 0.4 0.4 0.6 0.6 0.5 0.5"
    source = described(tmp_path, TRIANGLE, box_and_points, kpt_shape=[3, 2])
    assert refusal(source).endswith("line 2: is a box with keypoints (kpt_shape), not a polygon")


# --- images and labels --------------------------------------------------------------------------------------


def test_images(tmp_path: Path) -> None:
    images = tmp_path / "images"
    write_image(images / "good.png")
    write_text(images / "text.png", "no image")
    Image.new("L", (3, 3)).save(images / "cut.png")
    (images / "cut.png").write_bytes((images / "cut.png").read_bytes()[:20])
    (images / "empty.jpg").touch()
    (images / "link.jpg").symlink_to("nowhere.jpg")
    (images / "label.png").write_bytes((images / "good.png").read_bytes())
    (tmp_path / "labels" / "label.txt").mkdir(parents=True)
    (images / "dangling.png").write_bytes((images / "good.png").read_bytes())
    (tmp_path / "labels" / "dangling.txt").symlink_to("nowhere.txt")
    source = write_description(tmp_path, train="images", nc=1)
    dataset, _ = measured(source, on_error="skip")
    assert dataset.image_ids.tolist() == ["images/good.png"]
    found = [(problem.record, problem.reason, problem.file) for problem in dataset.problems]
    labels = tmp_path / "labels"
    cut = found[0]
    assert cut[0] == "image images/cut.png"
    assert found[1:] == [
        ("image images/dangling.png", "cannot be read: No such file or directory", f"{labels}/dangling.txt"),
        ("image images/empty.jpg", "is no image that Pillow can read", f"{images}/empty.jpg"),
        ("image images/label.png", "cannot be read: Is a directory", f"{labels}/label.txt"),
        ("image images/link.jpg", "does not exist", f"{images}/link.jpg"),
        ("image images/text.png", "is no image that Pillow can read", f"{images}/text.png"),
    ]
    assert refusal(source).startswith(f"{images}/cut.png: image images/cut.png: ")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_an_image_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = described(tmp_path, TRIANGLE)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert refusal(source).endswith("is larger than PIL.Image.MAX_IMAGE_PIXELS allows")
    assert len(measured(source, image_size=(32, 64))[1]) == 1


def test_labels_without_image(tmp_path: Path) -> None:
    write_image(tmp_path / "images" / "train" / "a.png")
    for name in ("a.txt", "b.txt", "deep/c.txt", "classes.txt", "a.json", "._a.txt"):
        write_text(tmp_path / "labels" / "train" / name, TRIANGLE)
    write_text(tmp_path / "labels" / "val" / "d.txt", TRIANGLE)
    expected = ["b.txt", "deep/c.txt"]
    for train in ("images/train", ["images/train"]):
        dataset, counts = measured(write_description(tmp_path, train=train, nc=1), on_error="skip")
        assert [problem.record for problem in dataset.problems] == [
            f"label labels/train/{name}" for name in expected
        ]
        assert (len(counts), dataset.records) == (1, 1)
    everything = write_description(tmp_path, train=".", nc=1)
    dataset, _ = measured(everything, on_error="skip")
    assert [problem.file for problem in dataset.problems] == [
        *(f"{tmp_path}/labels/train/{name}" for name in expected),
        f"{tmp_path}/labels/val/d.txt",
    ]
    assert refusal(everything) == (
        f"{tmp_path}/labels/train/b.txt: label labels/train/b.txt: there is no image to it"
    )


def test_lists(tmp_path: Path) -> None:
    write_image(tmp_path / "images" / "a.png")
    lines = ["./images/a.png", "./images/a.gif", f"{tmp_path}/images/a.png", "./images/none.png", "nonsense"]
    write_text(tmp_path / "train.txt", *lines)
    source = write_description(tmp_path, train="train.txt", nc=1)
    dataset, _ = measured(source, on_error="skip")
    reason = "is no image that Ultralytics reads, by its suffix"
    assert [(problem.record, problem.reason) for problem in dataset.problems] == [
        ("image images/a.gif", reason),
        (f"image {Path('nonsense').absolute()}", reason),
        ("image images/a.png", "is listed 2 times"),
        ("image images/none.png", "does not exist"),
    ]
    assert dataset.image_ids.tolist() == ["images/a.png"]
    assert refusal(source) == f"{tmp_path}/train.txt: image images/a.gif: {reason}"


def test_problems_are_in_order_and_have_rows(tmp_path: Path) -> None:
    for i in range(200):
        write_image(tmp_path / "images" / f"{i:03}.png")
        write_text(tmp_path / "labels" / f"{i:03}.txt", TRIANGLE, "0 1 2" if i % 90 == 70 else TRIANGLE + "1")
    write_text(tmp_path / "labels" / "stray.txt")
    source = write_description(tmp_path, train="images", nc=1)
    for threads in (1, 2, 7):
        dataset, _ = measured(source, threads=threads, on_error="skip")
        assert [problem.row for problem in dataset.problems] == [141, 321, 400]
        assert np.array_equal(dataset.rows, np.setdiff1d(np.arange(400), [141, 321]))
        assert refusal(source, threads=threads).startswith(f"{tmp_path}/labels/070.txt: line 2: ")


# --- data.yaml ----------------------------------------------------------------------------------------------


DESCRIPTIONS = {
    "": "is not a YAML mapping",
    "- a": "is not a YAML mapping",
    "a: [": "is not YAML: while parsing a flow node expected the node content, but found '<stream end>'",
    "[" * 9999: "is not YAML: maximum recursion depth exceeded",
    "train: images": "has neither names nor nc",
    "{train: images, nc: 0}": "nc must be a whole number of at least 1, not 0",
    "{train: images, nc: two}": "nc must be a whole number of at least 1, not 'two'",
    "{train: images, nc: 2, names: [a]}": "nc is 2, but there are 1 names",
    "{train: images, names: {0: a, 2: b}}": "names must be those of the classes 0, 1, 2 and so on",
    "{train: images, names: {a: 0}}": "names must be a list, or a mapping from whole numbers",
    "{train: images, names: a}": "names must be a list, or a mapping from whole numbers",
    "{train: images, names: []}": "names must be those of the classes 0, 1, 2 and so on",
    "{train: images, nc: 1, kpt_shape: 17}": "kpt_shape must be two whole numbers, not 17",
    "{train: images, nc: 1, path: 3}": "path must be text, not 3",
    "{train: images, nc: 1, path: x}": "its path 'x' is no folder, neither beside it nor in the",
    '{train: images, nc: 1, path: "\\0"}': "path must be text",
    "{val: images, nc: 1, test: images}": "has no split 'train'; there are: val, test",
    "{train: , nc: 1}": "has no split 'train'; there are: none",
    "{train: None, nc: 1}": "has no split 'train'; there are: none",
    "{train: 3, nc: 1}": "train must be a path or a list of paths",
    "{train: [images, 3], nc: 1}": "train must be a path or a list of paths",
    '{train: "\\0", nc: 1}': "train must be a path or a list of paths",
    "{train: none, nc: 1}": "train is not there: ",
    "{train: empty, nc: 1}": "train has no images",
}


@pytest.mark.parametrize(("text", "reason"), DESCRIPTIONS.items(), ids=range(len(DESCRIPTIONS)))
def test_descriptions(text: str, reason: str, tmp_path: Path) -> None:
    write_image(tmp_path / "images" / "a.png")
    (tmp_path / "empty").mkdir()
    source = tmp_path / "data.yaml"
    source.write_text(text)
    assert refusal(source).startswith(f"{source}: {reason}")


def test_a_split_that_is_not_there(tmp_path: Path) -> None:
    source = described(tmp_path, val="images")
    assert refusal(source, split="names") == f"{source}: has no split 'names'; there are: train, val"


def test_names_as_yaml_has_them(tmp_path: Path) -> None:
    source = described(tmp_path, nc=3, names={"1": True, 0: 7, 2: "kočka"})
    assert measured(source)[0].category_names == ["7", "True", "kočka"]
    assert measured(described(tmp_path, nc=2))[0].category_names == ["class_0", "class_1"]


def test_folders(tmp_path: Path) -> None:
    assert refusal(tmp_path / "data.yaml") == (
        f"{tmp_path}/data.yaml: cannot be read: No such file or directory"
    )
    assert refusal(tmp_path, format="yolo") == (
        f"{tmp_path}: holds no data.yaml, and not one file *.yaml either: none"
    )
    write_image(tmp_path / "images" / "a.png")
    other = write_description(tmp_path, "other.yaml", train="images", nc=1)
    assert open_dataset(tmp_path).source == str(other)
    write_description(tmp_path, "more.yml", train="images", nc=1)
    assert refusal(tmp_path).endswith("not one file *.yaml either: more.yml, other.yaml")
    usual = write_description(tmp_path, train="images", nc=1)
    assert open_dataset(tmp_path).source == str(usual)


def test_a_loop_of_links(tmp_path: Path) -> None:
    source = described(tmp_path)
    (tmp_path / "images" / "loop").symlink_to(tmp_path / "images")
    assert refusal(source).endswith("loop: is a symbolic link to a folder above it")


# --- anything at all ----------------------------------------------------------------------------------------


@given(st.binary(max_size=80))
@example(b"\xef\xbb\xbf0 0 0 0 1 1 1")
@example(b"0 1e999 0 -1e999 1 1 1")
@example(b"0 1_0 0 0 1 1 1")
def test_any_label(label: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = described(Path(folder))
        (Path(folder) / "labels" / "a.txt").write_bytes(label)
        dataset, counts = measured(source, on_error="skip")
        lines = [line for line in label.removeprefix(b"\xef\xbb\xbf").splitlines() if line.split()]
        assert len(counts) + len(dataset.problems) + dataset.ignored == dataset.records == len(lines)


@given(st.binary(max_size=60))
@example(b"\xff\xfe")
@example(b"a: !!python/object:os.system x")
@example(b"? {a: 1} : b")
def test_any_description(text: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "data.yaml")
        source.write_bytes(text)
        assert refusal(source).startswith(str(source))
