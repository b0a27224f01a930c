"""What paths and wildcards stand for, and what sources are now."""

from __future__ import annotations

import glob
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import fs

import tfdp_fast as tfdp
from documents_support import (
    LAYOUTS,
    Layout,
    as_files,
    as_folders,
    as_tars,
    as_webdataset,
    general,
    lines,
    made,
    text,
)
from inputs_support import empty_memory, fsspec, names_of, put, touched
from tfdp_fast.distributed.inputs import Input, expand, identities, identity
from tfdp_fast.distributed.listings import matches
from tfdp_fast.distributed.staging import staged
from tfdp_fast.distributed.storage import Storage, filesystem_of, joined
from tfdp_fast.errors import DataError, OptionError, TfdpError


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Any:
    return empty_memory(monkeypatch)


def refused(error: type[TfdpError], *sources: str, **options: Any) -> str:
    with pytest.raises(error) as caught:
        expand(sources, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- folders ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
def test_inputs_are_read_in_the_order_of_the_data_set(tmp_path: Path, memory: Any, layout: Layout) -> None:
    path = layout(tmp_path / "set", made(25)[0])
    inputs = expand([str(path)])
    assert (len(inputs) > 1) == (layout not in LAYOUTS[:1] and path.is_dir())
    ids = [image for one in inputs for image in tfdp.score(one.path).images.id.tolist()]
    assert ids == tfdp.score(path).images.id.tolist()
    address = put(memory, path, "far/set")
    assert [one.path.removeprefix(address) for one in expand([address])] == [
        one.path.removeprefix(str(path)) for one in inputs
    ]
    far = []
    for one in expand([address]):
        with staged(one.path) as local:
            far += tfdp.score(local).images.id.tolist()
    assert far == ids


def test_sizes_and_times_are_those_of_the_files(tmp_path: Path) -> None:
    folder = as_tars(tmp_path / "set", made(5)[0])
    for one in expand([str(folder)]):
        about = Path(one.path).stat()
        assert (one.size, one.modified) == (about.st_size, about.st_mtime_ns) == identity(one.path)


def table(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"image_id": number, "height": 9, "width": 9, "segmentation": [[0.0, 0, 5, 0, 5, 5]]}]
    pq.write_table(pa.Table.from_pylist(rows), path)


def test_tables_are_taken_folder_by_folder(tmp_path: Path, memory: Any) -> None:
    folder = tmp_path / "tables"
    for number, name in enumerate(
        ["b.parquet", "a/z.parquet", "a.parquet", "a/b/c.parquet", "c=1/x.parquet"]
    ):
        table(folder / name, number)
    touched(folder, "a/_metadata.parquet", ".hidden.parquet", "notes.txt")
    expected = ["a/b/c.parquet", "a/z.parquet", "a.parquet", "b.parquet", "c=1/x.parquet"]
    assert names_of(expand([str(folder)]), folder) == expected
    address = put(memory, folder, "tables")
    assert names_of(expand([address]), address) == expected


def test_tables_by_hugging_face_are_taken_in_the_order_of_their_list(tmp_path: Path, memory: Any) -> None:
    folder = touched(tmp_path / "set", "b.arrow", "a.arrow", "c.arrow")
    (folder / "state.json").write_text('{"_data_files": [{"filename": "b.arrow"}, {"filename": "a.arrow"}]}')
    assert names_of(expand([str(folder)]), folder) == ["b.arrow", "a.arrow"]
    address = put(memory, folder, "set")
    assert names_of(expand([address]), address) == ["b.arrow", "a.arrow"]
    memory.pipe("/set/state.json", b"{}")
    assert refused(DataError, address) == (
        "memory://set/state.json: is no list of files by datasets.Dataset.save_to_disk"
    )


def test_folders_of_lines_and_of_coco(tmp_path: Path, memory: Any) -> None:
    folder = touched(tmp_path / "lines", "b.jsonl", "a.ndjson.gz", "a.jpg")
    assert names_of(expand([str(folder)]), folder) == ["a.ndjson.gz", "b.jsonl"]
    address = put(memory, folder, "lines")
    assert names_of(expand([address]), address) == ["a.ndjson.gz", "b.jsonl"]
    chunks = touched(tmp_path / "chunks", "2.json", "10.json.gz", "x.txt")
    assert names_of(expand([str(chunks)], "coco"), chunks) == ["10.json.gz", "2.json"]
    assert "is no data set that is known" in refused(DataError, str(chunks))
    assert refused(DataError, str(folder), format="coco") == f"{folder}: holds no *.json"
    assert refused(DataError, address, format="webdataset") == f"{address}: holds no *.tar"
    assert refused(DataError, str(folder), format="arrow").endswith(
        ": holds no *.parquet, *.arrow or *.feather"
    )


def test_other_folders_stay_one(tmp_path: Path, memory: Any) -> None:
    documents = as_files(tmp_path / "sa_1", made(3)[0])
    yolo = touched(tmp_path / "yolo", "data.yaml", "labels/train/1.txt")
    assert expand([str(documents), str(yolo)]) == [
        Input(str(documents), 0, 0, True),
        Input(str(yolo), 0, 0, True),
    ]
    assert refused(DataError, put(memory, yolo, "yolo")) == (
        "memory://yolo: yolo is read from a folder of this machine only: copy it here"
    )


def test_two_layouts_in_one_folder(tmp_path: Path, memory: Any) -> None:
    folder = touched(tmp_path / "set", "sa_1.json", "sa_2.tar")
    for path in (str(folder), put(memory, folder, "set")):
        assert refused(DataError, path) == f"{path}: holds sa_<n>.json and sa_<n>.tar: which?"
    touched(folder, "data.yaml", "x.parquet")
    for path in (str(folder), put(memory, folder, "set")):
        assert refused(DataError, path).startswith(f"{path}: looks like yolo and sa1b and arrow: say which")


# --- wildcards ----------------------------------------------------------------------------------------------

PARTS = ["a", "b", "ab", ".a", "[a]", "a*", "é", "a b"]
PATTERNS = ["*", "?", "a*", "[ab]", "[!a]*", "[^a]*", "*b", ".*", "a", "[a]", "[[]a]", "**"]


@settings(max_examples=60)
@given(
    paths=st.lists(st.lists(st.sampled_from(PARTS), min_size=1, max_size=3), max_size=12),
    pattern=st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3),
)
def test_wildcards_are_those_of_the_library(paths: list[list[str]], pattern: list[str]) -> None:
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for names in sorted(paths):
            path = folder.joinpath(*names)
            if not path.exists() and all(not above.is_file() for above in path.parents):
                touched(folder, "/".join(names))
        if not any(set(part) & set("*?[") for part in pattern):
            return
        wild = "/".join(pattern)
        expected = glob.glob(  # noqa: PTH207
            f"{made}/{wild.replace('[^', '[!')}", recursive=True
        )
        found = {path.rstrip("/") for path in expected}
        if "**" in pattern:
            found = {path for path in expected if not path.endswith("/")}  # "a/", where "a" may be a file
            found = {path for path in found if os.path.isfile(path)}  # noqa: PTH113
        assert [path for path, _ in matches(f"{made}/{wild}")] == sorted(found)
        put(memory, folder, "far")
        there = sorted(f"memory://far{path.removeprefix(made)}" for path in found)
        if paths:
            assert [path for path, _ in matches(f"memory://far/{wild}")] == there


def test_wildcards_by_relative_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touched(tmp_path, "x/2.tar", "x/10.tar", "x/1.txt", "y/1.tar")
    monkeypatch.chdir(tmp_path)
    assert names_of(expand(["*/*.tar"]), tmp_path) == ["x/10.tar", "x/2.tar", "y/1.tar"]
    assert names_of(expand(["**/1*.tar"]), tmp_path) == ["x/10.tar", "y/1.tar"]
    monkeypatch.chdir(tmp_path / "y")
    assert names_of(expand(["../x/?.tar", f"file://{tmp_path}/y/1.tar"]), tmp_path) == ["x/2.tar", "y/1.tar"]


def test_folders_by_wildcards_become_what_is_in_them(tmp_path: Path) -> None:
    for name in ("part-b", "part-a"):
        as_tars(tmp_path / name, made(5)[0])
    found = names_of(expand([f"{tmp_path}/part-*"]), tmp_path)
    assert found == [f"part-{part}/sa_{n}.tar" for part in "ab" for n in (2, 9, 10)]


def test_what_is_there_is_no_wildcard(tmp_path: Path, memory: Any) -> None:
    folder = touched(tmp_path, "a[1].json", "a1.json", "q?.json", "x[2]/z.jsonl")
    for name in ("a[1].json", "q?.json"):
        assert names_of(expand([f"{folder}/{name}"]), folder) == [name]
    assert names_of(expand([f"{folder}/x[[]2]/*"]), folder) == ["x[2]/z.jsonl"]
    address = put(memory, folder, "far")
    assert names_of(expand([f"{address}/a[1].json"]), address) == ["a[1].json"]
    assert names_of(expand([f"{address}/a[2-9].json", f"{address}/a?.json"][1:]), address) == ["a1.json"]


@pytest.mark.parametrize("root", ["here", "far"])
def test_nothing_by_that_name(tmp_path: Path, memory: Any, root: str) -> None:
    folder = str(tmp_path) if root == "here" else put(memory, touched(tmp_path, "x.json"), "far")
    assert refused(DataError, f"{folder}/*.tar") == f"{folder}/*.tar: stands for no file and no folder"
    for name in ("a.json", "a/b.json", "x.json/y"):
        message = f"{folder}/{name}: cannot be read: No such file or directory"
        assert refused(DataError, f"{folder}/{name}") == message
    with pytest.raises(DataError, match="No such file or directory"):
        identity(f"{folder}/a.json")


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_names_that_nothing_has(name: str) -> None:
    assert refused(OptionError, name) == f"{name!r} is not the name of a file or a folder"


def test_a_scheme_that_nobody_knows() -> None:
    assert "nothing://x" in refused(OptionError, "nothing://x/*.tar")


def test_names_that_are_no_utf8(tmp_path: Path) -> None:
    touched(tmp_path, "\udcff/\udcfe.json")
    assert names_of(expand([f"{tmp_path}/*/*.json"]), tmp_path) == ["\udcff/\udcfe.json"]
    assert names_of(expand([f"{tmp_path}/\udcff/\udcfe.json"]), tmp_path) == ["\udcff/\udcfe.json"]


# --- twice --------------------------------------------------------------------------------------------------


def test_given_twice(tmp_path: Path, memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = as_tars(tmp_path / "set", made(5)[0])
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    for other in ("set/sa_2.tar", "./set/./sa_2.tar", "link/sa_2.tar", "set/../set/sa_2.tar", "set/*_2.tar"):
        assert refused(OptionError, str(folder), other).endswith("/sa_2.tar is given twice")
    assert refused(OptionError, "set/", f"file://{folder}").endswith("/sa_2.tar is given twice")
    address = put(memory, folder, "set")
    assert refused(OptionError, f"{address}/", f"{address}/sa_9.tar") == f"{address}/sa_9.tar is given twice"


def test_given_within_another_one(tmp_path: Path) -> None:
    folder = as_files(tmp_path / "set", {1: text(general(1)), 2: text(general(2))})
    message = f"{folder}/sa_1.json is given twice: {folder} holds it"
    assert refused(OptionError, str(folder), f"{folder}/sa_1.json") == message
    assert refused(OptionError, f"{folder}/sa_1.json", str(folder)) == message


def test_two_names_of_one_file_are_two_inputs(tmp_path: Path) -> None:
    """As in caches that keep equal files once."""
    touched(tmp_path, "blob")
    for name in ("a.json", "b.json"):
        (tmp_path / name).symlink_to("blob")
    assert names_of(expand([f"{tmp_path}/*.json"]), tmp_path) == ["a.json", "b.json"]


# --- what sources are now -----------------------------------------------------------------------------------


def test_folders_are_what_their_documents_are(tmp_path: Path, memory: Any) -> None:
    documents = {number: b"x" * number for number in (3, 10, 11, 40)}
    folder = as_files(tmp_path / "set", documents)
    times = {number: 10**18 + number * 1000 for number in documents}
    for number, at in times.items():
        os.utime(folder / f"sa_{number}.json", ns=(at, at))
    assert identity(str(folder)) == (64, times[40])
    touched(folder, "sa_1.jpg", "notes/1.txt")
    assert identity(str(folder)) == (64, times[40])
    ranges = [(0, 3), (3, 11), (11, 12), (20, 50), (60, 70)]
    expected = [(0, 0), (13, times[10]), (11, times[11]), (40, times[40]), (0, 0)]
    assert identities(str(folder), ranges) == expected
    assert [identity(str(folder), *one) for one in ranges] == expected
    assert identity(put(memory, folder, "set"))[0] == 64


def test_other_folders_are_what_is_in_them_and_below(tmp_path: Path) -> None:
    folder = touched(tmp_path / "yolo", "data.yaml", "labels/1.txt", "labels/x/2.txt")
    size, modified = identity(str(folder))
    assert size == sum(path.stat().st_size for path in folder.rglob("*.*"))
    assert modified == max(path.stat().st_mtime_ns for path in folder.rglob("*.*"))
    os.utime(folder / "labels" / "x" / "2.txt", ns=(0, modified + 7))
    assert identity(str(folder)) == (size, modified + 7)


def test_what_was_listed_elsewhere_is_not_believed_for_ever(memory: Any) -> None:
    memory.pipe("/x/a.json", b"1")
    assert identity("memory://x/a.json")[0] == 1
    memory.pipe("/x/a.json", b"22")
    assert identity("memory://x/a.json")[0] == 2
    assert len(expand(["memory://x/*.json"])) == 1
    memory.pipe("/x/b.json", b"22")
    assert len(expand(["memory://x/*.json"])) == 2


# --- file systems -------------------------------------------------------------------------------------------


def test_file_systems_by_their_schemes() -> None:
    """gs:// and hf:// cannot be reached here: what they lead to is all that is seen."""
    filesystem, path = filesystem_of("gs://anonymous@bucket/a b/c%20#?.tar")
    assert (type(filesystem), path) == (fs.GcsFileSystem, "bucket/a b/c%20#?.tar")

    names = ["b.parquet", "a.parquet"]

    class Stub(fsspec.spec.AbstractFileSystem):  # type: ignore[misc]
        """It believes what it has listed once, as that of Hugging Face does."""

        protocol = "hf"
        listed: list[str] | None = None

        def ls(self, path: str, detail: bool = True, **_: Any) -> list[dict[str, Any]]:
            assert detail
            self.listed = self.listed or list(names)
            found = self.listed if path == "datasets/who/what/data" else []
            return [{"name": f"{path}/{name}", "size": 7, "type": "file"} for name in found]

        def invalidate_cache(self, path: str | None = None) -> None:
            assert path is None
            self.listed = None

    fsspec.register_implementation("hf", Stub, clobber=True)
    try:
        assert isinstance(filesystem_of("hf://datasets/who/what")[0].handler.fs, Stub)
        found = expand(["hf://datasets/who/what/data/*.parquet"])
        assert [(one.path.rpartition("/")[2], one.size) for one in found] == [
            ("a.parquet", 7),
            ("b.parquet", 7),
        ]
        assert {one.path.rpartition("/")[0] for one in found} == {"hf://datasets/who/what/data"}
        names.append("c.parquet")
        assert len(expand(["hf://datasets/who/what/data/*.parquet"])) == 3
    finally:
        sys.modules["fsspec.registry"]._registry.pop("hf", None)


@pytest.mark.parametrize(
    ("location", "name", "expected"),
    [
        ("a", "b", "a/b"),
        ("/", "b", "/b"),
        ("", "b", "b"),
        ("a?x=1", "b", "a?x=1/b"),
        ("s3://a", "b", "s3://a/b"),
        ("s3://a/?region=x", "b", "s3://a/b?region=x"),
        ("s3://a/sa_?", "b", "s3://a/sa_?/b"),
        ("memory://a?x=1", "b", "memory://a?x=1/b"),
    ],
)
def test_locations_are_joined(location: str, name: str, expected: str) -> None:
    assert joined(location, name) == expected


@pytest.mark.usefixtures("memory")
def test_a_folder_in_memory_as_storage() -> None:
    storage = Storage("memory://run")
    assert (storage.files("counts"), storage.exists("a")) == ({}, False)
    storage.write_bytes("counts/a b#?%.txt", b"1")
    assert storage.files("counts") == {"a b#?%.txt": 1}
    with pytest.raises(ZeroDivisionError), storage.create("counts/half") as file:
        file.write(bytes(1 // (file.tell())))
    assert storage.files("counts") == {"a b#?%.txt": 1}
    storage.delete("counts/a b#?%.txt")
    storage.delete("counts/a b#?%.txt")
    assert storage.files("counts") == {}


def test_folders_and_webdatasets_by_hand(tmp_path: Path) -> None:
    """The orders themselves, not by the reader."""
    folders = as_folders(tmp_path / "folders", made(9)[0])
    assert names_of(expand([str(folders)]), folders) == ["sa_2", "sa_9", "sa_10"]
    shards = as_webdataset(tmp_path / "shards", made(9)[0])
    (shards / "10.tar").write_bytes(b"")
    (shards / "2.tar").write_bytes(b"")
    assert names_of(expand([str(shards)]), shards)[:2] == ["10.tar", "2.tar"]
    packed = tmp_path / "a.jsonl"
    packed.write_bytes(lines(general(1)))
    assert names_of(expand([str(packed)]), tmp_path) == ["a.jsonl"]
