"""Which format a path, or an object, is recognised as, and what is refused."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import tfdp_fast as tfdp
from tfdp_fast import _arguments
from tfdp_fast.errors import DataError, OptionError
from tfdp_fast.formats import opening
from tfdp_fast.formats.dataset import OpenOptions

FOLDERS = {
    "voc": ["SegmentationObject/", "Annotations/", "JPEGImages/", "ImageSets/Segmentation/train.txt"],
    "cityscapes": ["gtFine/train/ulm/ulm_000000_000019_gtFine_instanceIds.png", "leftImg8bit/"],
    "cityscapes of cities": ["aachen/a_gtFine_polygons.json", "ulm/u_gtFine_polygons.json"],
    "cityscapes of labels": ["ulm/ulm_000000_000019_gtFine_instanceIds.png"],
    "yolo": ["data.yaml", "labels/train/1.txt", "images/train/1.jpg"],
    "yolo by another name": ["coco8-seg.yml"],
    "sa1b": ["sa_1.json", "sa_1.jpg", "sa_2.json"],
    "sa1b in shards": ["sa_000000.tar", "sa_000001.tar"],
    "sa1b in packed shards": ["sa_000000.tar.gz", "sa_000001.tgz"],
    "webdataset": ["train-0000.tar", "train-0001.tar"],
    "webdataset packed": ["train-0000.tar.gz"],
    "arrow": ["a.parquet", "b.parquet"],
    "arrow of datasets": ["data-00000-of-00001.arrow", "state.json", "dataset_info.json"],
    "arrow as feather": ["x.feather", "README.md"],
}
FILES = {
    "voc": ["ImageSets/Segmentation/val.txt"],
    "sa1b": ["sa_7.json", "sa_000001.tar", "sa_1.tar.gz", "sa_1.tgz"],
    "webdataset": ["x.tar", "x.tar.gz", "x.tgz", "sa_x.tar"],
    "yolo": ["data.yaml", "my data.yml"],
    "jsonl": ["x.jsonl", "x.ndjson", "x.jsonl.gz"],
    "arrow": ["x.parquet", "x.arrow", "x.feather"],
    "coco": ["instances.json", "x.json.gz", "x", "x.txt", "sa_.json", "ImageSets/val.txt", "voc.PNG"],
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any, OpenOptions]]:
    """What would have been opened: format, source, options."""
    calls: list[tuple[str, Any, OpenOptions]] = []
    modules: dict[str, dict[str, Any]] = {}

    def opener(name: str) -> Callable[[Any, OpenOptions], Any]:
        def opened(source: Any, options: OpenOptions) -> SimpleNamespace:
            calls.append((name, source, options))
            return SimpleNamespace()

        return opened

    for name, known in opening.FORMATS.items():
        module, function = known.opener.split(":")
        modules.setdefault(module, {})[function] = opener(name)
    for module, functions in modules.items():
        monkeypatch.setitem(sys.modules, f"tfdp_fast.formats.{module}", SimpleNamespace(**functions))
    return calls


def made(folder: Path, names: list[str]) -> Path:
    for name in names:
        path = folder / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.touch()
    return folder


# --- recognition --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", FOLDERS)
def test_folders(tmp_path: Path, asked: list[Any], what: str) -> None:
    folder = made(tmp_path / "some folder", FOLDERS[what])
    tfdp.open_dataset(folder)
    tfdp.open_dataset(f"{folder}/")
    assert [name for name, _, _ in asked] == [what.partition(" ")[0]] * 2


def test_a_folder_with_the_name_of_cityscapes(tmp_path: Path, asked: list[Any]) -> None:
    tfdp.open_dataset(made(tmp_path / "gtFine", ["train/"]))
    assert asked[0][0] == "cityscapes"


def test_a_folder_by_a_relative_name(
    tmp_path: Path, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path / "gtFine", ["train/"])
    monkeypatch.chdir(made(tmp_path / "ImageSets" / "Segmentation", ["train.txt"]))
    tfdp.open_dataset("train.txt")
    monkeypatch.chdir(tmp_path / "gtFine")
    tfdp.open_dataset(".")
    assert [name for name, _, _ in asked] == ["voc", "cityscapes"]


@pytest.mark.parametrize(("name", "path"), [(name, path) for name, paths in FILES.items() for path in paths])
def test_files(tmp_path: Path, asked: list[Any], name: str, path: str) -> None:
    made(tmp_path, [path])
    tfdp.open_dataset(tmp_path / path)
    tfdp.open_dataset(str(tmp_path / "not there" / path))
    assert [found for found, _, _ in asked] == [name] * 2


@pytest.mark.parametrize("name", ["\udcff é.parquet", "\udcff\udcfe.json"])
def test_names_that_are_no_utf8(tmp_path: Path, asked: list[Any], name: str) -> None:
    tfdp.open_dataset(made(tmp_path, [name]) / name)
    folder = made(tmp_path / "\udcff", ["data.yaml", "\udcfe"])
    tfdp.open_dataset(os.fspath(folder))
    assert [found for found, _, _ in asked] == ["arrow" if "parquet" in name else "coco", "yolo"]


def test_the_format_said_outright(tmp_path: Path, asked: list[Any]) -> None:
    for name in opening.FORMATS:
        tfdp.open_dataset(tmp_path / "anything", format=name)
    assert [found for found, _, _ in asked] == list(opening.FORMATS)


def test_options_are_passed_on(tmp_path: Path, asked: list[Any]) -> None:
    given: dict[str, Any] = {"split": "val", "on_error": "skip", "fingerprint": True}
    tfdp.open_dataset(tmp_path, format="voc", difficult="exclude", **given)
    tfdp.open_dataset(tmp_path, format="yolo", image_size=(480, 640), **given)
    assert [options for _, _, options in asked] == [
        OpenOptions("skip", True, "val", "exclude", None),
        OpenOptions("skip", True, "val", "include", (480, 640)),
    ]


class Bare:
    """Something with one attribute."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class Rows(Bare):
    """The same, to be gone through."""

    def __iter__(self) -> Iterator[int]:
        return iter([])


def generator() -> Iterator[int]:
    yield 1


OBJECTS: list[tuple[Any, str]] = [
    ({}, "coco"),
    ({"images": [], "annotations": [], "categories": []}, "coco"),
    ({"annotations": [], "categories": []}, "coco"),
    (b"{}", "coco"),
    (bytearray(b"{}"), "coco"),
    (memoryview(b"{}"), "coco"),
    (Bare(dataset={}), "coco"),
    ({"masks": []}, "records"),
    ({"annotations": []}, "records"),
    (Bare(xyxy=[], mask=None, class_id=None), "records"),
    ([], "records"),
    (generator(), "records"),
    (np.zeros(3), "records"),
    (type("Positions", (), {"__getitem__": lambda *_: None})(), "records"),
    (Rows(with_format=None, features=None, format={"type": "custom"}), "records"),
    (pa.table({"a": [1]}), "arrow"),
    (pa.table({"a": [1]}).to_reader(), "arrow"),
    (pa.table({"a": [1]}).to_batches()[0], "arrow"),
    (Bare(to_batches=None), "arrow"),
    (Bare(__arrow_c_stream__=None), "arrow"),
    (Bare(with_format=None, features={}), "arrow"),
    (Bare(with_format=None, features={}, format={"type": "numpy"}), "arrow"),
]


@pytest.mark.parametrize(("source", "name"), OBJECTS, ids=[f"{type(o).__name__} {n}" for o, n in OBJECTS])
def test_objects(asked: list[Any], source: Any, name: str) -> None:
    tfdp.open_dataset(source)
    assert [(found, given) for found, given, _ in asked] == [(name, source)]


def test_a_data_set_that_is_open(coco_dict: Callable[..., dict[str, Any]]) -> None:
    data = tfdp.open_dataset(coco_dict())
    assert tfdp.open_dataset(data) is data
    assert tfdp.open_dataset(data, on_error="raise", fingerprint=True) is data
    for late in ({"format": "coco"}, {"split": "val"}, {"image_size": (1, 1)}, {"difficult": "exclude"}):
        with pytest.raises(OptionError, match=r"the data set is open already: format, .* come too late"):
            tfdp.open_dataset(data, **late)
    with pytest.raises(OptionError, match="on_error='skip' comes too late"):
        tfdp.open_dataset(data, on_error="skip")


# --- what is refused ----------------------------------------------------------------------------------------


def test_nothing_known(tmp_path: Path) -> None:
    for folder in (
        tmp_path / "empty",
        made(tmp_path / "x", ["a.txt", "images/1.jpg", "sa_x", "y.json", "z.jsonl"]),
    ):
        folder.mkdir(exist_ok=True)
        with pytest.raises(DataError) as caught:
            tfdp.open_dataset(folder)
        message = str(caught.value)
        assert message.startswith(f"{folder}: is no data set that is known; looked in it for ")
        assert "\n" not in message
        for name, known in opening.FORMATS.items():
            assert (f"{known.looks_for} ({name})" in message) == (name not in {"coco", "jsonl", "records"})


@pytest.mark.parametrize(
    ("names", "formats"),
    [
        (["x.parquet", "x.jsonl", "x.tar"], "webdataset and arrow"),
        (["data.yaml", "sa_1.json"], "yolo and sa1b"),
        (["SegmentationObject/", "gtFine/", "x.tar"], "voc and cityscapes and webdataset"),
    ],
)
def test_two_formats_in_one_folder(tmp_path: Path, names: list[str], formats: str) -> None:
    with pytest.raises(DataError) as caught:
        tfdp.open_dataset(made(tmp_path, names))
    assert str(caught.value) == f"{tmp_path}: looks like {formats}: say which, with format"


@pytest.mark.parametrize("name", opening.FORMATS)
@pytest.mark.parametrize(
    ("option", "value"), [("split", "val"), ("difficult", "exclude"), ("image_size", (4, 5))]
)
def test_options_that_make_no_sense(
    tmp_path: Path, asked: list[Any], name: str, option: str, value: Any
) -> None:
    given: dict[str, Any] = {option: value}
    if option in opening.FORMATS[name].takes:
        tfdp.open_dataset(tmp_path, format=name, **given)
        assert getattr(asked[0][2], option) == value
    else:
        with pytest.raises(OptionError, match=f"^{option} makes no sense for the format {name}$"):
            tfdp.open_dataset(tmp_path, format=name, **given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"format": "pascal"}, "format must be one of voc, cityscapes, yolo, sa1b, webdataset, jsonl, arrow"),
        ({"format": "x", "on_error": "ignore"}, "on_error must be 'raise' or 'skip', got 'ignore'"),
        ({"difficult": True}, "difficult must be 'include' or 'exclude', got True"),
    ],
)
def test_options_that_are_not_known(tmp_path: Path, given: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        tfdp.open_dataset(tmp_path, **given)


def test_several_data_sets() -> None:
    table = pa.table({"a": [1]})
    with pytest.raises(DataError, match=r"^<dict>: holds several data sets: give one of 'train', 'test'$"):
        tfdp.open_dataset({"train": table, "test": table})


@pytest.mark.parametrize("source", [5, 1.5, None, object(), io])
def test_no_data_set_at_all(source: Any) -> None:
    with pytest.raises(DataError) as caught:
        tfdp.open_dataset(source)
    assert str(caught.value) == (
        f"<{type(source).__name__}>: is neither a path, bytes, a dict, a COCO, a table nor an iterable"
    )


def test_a_folder_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Any) -> Any:
        raise PermissionError(13, "Permission denied", os.fspath(path))

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(DataError) as caught:
        tfdp.open_dataset(tmp_path)
    assert str(caught.value) == f"{tmp_path}: cannot be read: Permission denied"


@pytest.mark.parametrize("name", ["a\0b", "\ud800.json"])
def test_names_that_no_file_has(name: str) -> None:
    with pytest.raises(DataError) as caught:
        tfdp.open_dataset(name)
    assert "cannot be read" in str(caught.value)


# --- the table ----------------------------------------------------------------------------------------------


def test_the_command_line_knows_the_same_formats() -> None:
    assert sorted(_arguments.FORMATS) == sorted(opening.FORMATS.keys() - {"records"})
    assert (*_arguments.DIFFICULT,) == ("include", "exclude")


@pytest.mark.parametrize("name", opening.FORMATS)
def test_every_format_is_there(name: str) -> None:
    module, function = opening.FORMATS[name].opener.split(":")
    found = importlib.import_module(f"tfdp_fast.formats.{module}")
    assert callable(getattr(found, function))
    assert function in found.__all__
