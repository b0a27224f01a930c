"""Inputs and run folders on an object store, by its own protocol."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tfdp_fast as tfdp
from documents_support import LAYOUTS, Layout, as_tars, made
from tfdp_fast.distributed import staging, storage
from tfdp_fast.distributed.inputs import expand, identity
from tfdp_fast.distributed.staging import staged
from tfdp_fast.distributed.storage import Storage, filesystem_of
from tfdp_fast.errors import DataError, OptionError, OutputError

pytest.importorskip("moto")
s3_support = pytest.importorskip("s3_support")

SPECIAL = ["a b", "a=b", "a%20b", "ü", "a#b", "a?b", "a+b", "a'b", "a&b", "[x]*", "100%"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with s3_support.serving(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture
def store(server: Any) -> Any:
    """The server, with nothing in its bucket."""
    server.empty()
    return server


# --- inputs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
def test_inputs_are_those_of_the_same_folder_here(tmp_path: Path, store: Any, layout: Layout) -> None:
    path = layout(tmp_path / "a set", made(25)[0])
    address = f"s3://bucket/{path.name}"
    if path.is_dir():
        store.put_folder(path.name, path)
    else:
        store.put(path.name, path.read_bytes())
    here, there = expand([str(path)]), expand([address])
    assert [one.path.removeprefix(address) for one in there] == [
        one.path.removeprefix(str(path)) for one in here
    ]
    for one, other in zip(there, here, strict=True):
        assert (one.size, one.is_folder) == (other.size, other.is_folder)
        assert identity(one.path)[0] == identity(other.path)[0]
        with staged(one.path) as local:
            images = tfdp.score(local).images
        expected = tfdp.score(other.path).images
        assert (images.id.tolist(), images.score.tolist()) == (expected.id.tolist(), expected.score.tolist())


def test_a_folder_of_many_is_listed_once(store: Any) -> None:
    """More than a page of it; nothing is asked for each file."""
    for number in range(250):
        store.put(f"many/sa_{number}.tar", b"x" * number)
    for source in ("s3://bucket/many/*.tar", "s3://bucket/many/"):
        with store.logged() as requests:
            found = expand([source])
        assert len(found) == 250
        assert {one.size for one in found} == set(range(250))
        assert all(one.modified > 10**18 for one in found)
        pages = [request for request in requests if "max-keys=100&" in request["address"]]
        assert len(pages) == 3
        assert len(requests) < 10
    assert [one.path for one in found[:3]] == [f"s3://bucket/many/sa_{number}.tar" for number in range(3)]
    names = [one.path for one in expand(["s3://bucket/many/sa_10?.tar"])]
    assert names == [f"s3://bucket/many/sa_10{number}.tar" for number in range(10)]


def test_wildcards_below_each_other(store: Any) -> None:
    for key in ("a/x/1.json", "a/x/.2.json", "a/y/1.json", "b/1.json", "a/x/z/1.json", ".h/1.json"):
        store.put(f"w/{key}", b"{}")
    assert [one.path for one in expand(["s3://bucket/w/*/*/*.json"])] == [
        "s3://bucket/w/a/x/1.json",
        "s3://bucket/w/a/y/1.json",
    ]
    assert [one.path.removeprefix("s3://bucket/w/") for one in expand(["s3://bucket/w/**/1.json"])] == [
        "a/x/1.json",
        "a/x/z/1.json",
        "a/y/1.json",
        "b/1.json",
    ]


@pytest.mark.parametrize("name", SPECIAL)
def test_names_stand_as_they_are(store: Any, name: str) -> None:
    address = store.put(f"{name}/{name}.json", b"{}")
    assert [one.path for one in expand([address])] == [address]
    assert [one.path for one in expand(["s3://bucket/*/*.json"])] == [address]
    with staged(address) as local:
        assert (Path(local).name, Path(local).read_bytes()) == (f"{name}.json", b"{}")
    files = Storage(f"s3://bucket/{name}")
    files.write_bytes(f"{name}/{name}", name.encode())
    assert store.get(f"{name}/{name}/{name}") == name.encode() == files.read_bytes(f"{name}/{name}")
    assert (files.files(name), files.size(f"{name}/{name}")) == (
        {name: len(name.encode())},
        len(name.encode()),
    )


def test_objects_that_stand_for_folders_are_none_of_their_files(tmp_path: Path, store: Any) -> None:
    """What consoles make as a folder is an empty object with a slash at the end."""
    store.put("set/", b"")
    store.put_folder("set", as_tars(tmp_path / "set", made(5)[0]))
    assert len(expand(["s3://bucket/set/"])) == len(expand(["s3://bucket/set/*"])) == 3
    assert list(Storage("s3://bucket/set").files("")) == ["sa_10.tar", "sa_2.tar", "sa_9.tar"]


def test_options_go_with_the_address(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of one's own, without the environment."""
    for key in ("o/1.tar", "o/2.tar", "o/x?y.json"):
        store.put(key, b"{}")
    host = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    options = f"?endpoint_override={host}&scheme=http"
    found = expand([f"s3://bucket/o/?.tar{options}"])
    assert [one.path for one in found] == [f"s3://bucket/o/{n}.tar{options}" for n in (1, 2)]
    with staged(found[0].path) as local:
        assert Path(local).name == "1.tar"
    run = Storage(f"s3://bucket/run/{options}")
    run.write_bytes("a", b"1")
    assert store.names("run") == ["run/a"]
    assert run.path_of("a") == f"s3://bucket/run/a{options}"
    with pytest.raises(OptionError, match="Unexpected query parameter"):
        expand(["s3://bucket/o/1.tar?no_such_option=1"])


def test_nothing_there(store: Any) -> None:
    for source in ("s3://bucket/no.json", "s3://nowhere/no.json", "s3://bucket/no/no.json"):
        with pytest.raises(DataError, match=f"^{source}: cannot be read: No such file or directory$"):
            expand([source])
    for source in ("s3://bucket/no/*.json", "s3://nowhere/*.json"):
        with pytest.raises(DataError) as caught:
            expand([source])
        assert str(caught.value).startswith(source.rpartition("/")[0])
        assert "\n" not in str(caught.value)
    with store.refusing("/bucket/refused"), pytest.raises(DataError, match="ACCESS_DENIED") as caught:
        expand(["s3://bucket/refused/a.json"])
    assert "\n" not in str(caught.value)


def test_tars_are_read_once_in_few_requests(
    tmp_path: Path, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "BLOCK", 1 << 20)
    shard = as_tars(tmp_path / "set", made(30)[0]) / "sa_2.tar"
    padded = tmp_path / "sa_3.tar"
    padded.write_bytes(shard.read_bytes() + bytes(3 << 20))
    address = store.put("sa_3.tar", padded.read_bytes())
    with store.logged() as requests, staged(address) as local:
        assert Path(local).stat().st_size == padded.stat().st_size
    gets = [
        request
        for request in requests
        if request["method"] == "GET" and "list-type" not in request["address"]
    ]
    assert [request["bytes"] for request in gets] == [1 << 20]


def test_an_object_that_is_replaced_while_it_is_read(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "BLOCK", 1000)
    address = store.put("a.json", b"x" * 2500)
    fetch = staging._Fetched._fetch

    def replaced(self: Any, at: int) -> bytes:
        if at:
            store.put("a.json", b"y" * 2400)
        return fetch(self, at)

    monkeypatch.setattr(staging._Fetched, "_fetch", replaced)
    with (
        pytest.raises(DataError, match=r"^s3://bucket/a.json: has changed while it was read"),
        staged(address),
    ):
        pass


# --- tables by ranges ---------------------------------------------------------------------------------------


def test_of_a_table_only_what_is_needed_is_fetched(store: Any) -> None:
    rows = 20_000
    rng = np.random.default_rng(0)
    table = pa.table({"a": np.arange(rows), "b": [rng.bytes(100) for _ in range(rows)]})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=rows // 4)
    content = sink.getvalue().to_pybytes()
    address = store.put("t.parquet", content)
    with store.logged() as requests:
        filesystem, path = filesystem_of(address)
        with filesystem.open_input_file(path) as file:
            part = pq.ParquetFile(file, pre_buffer=True).read_row_group(2, columns=["a"])
    assert part.column("a").to_pylist() == list(range(rows // 2, rows * 3 // 4))
    assert sum(request["bytes"] for request in requests if request["method"] == "GET") < len(content) / 10


# --- run folders --------------------------------------------------------------------------------------------


def test_files_appear_whole_or_not_at_all(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Storage("s3://bucket/run")
    assert (run.files("counts"), run.exists("counts"), run.exists("counts/a")) == ({}, False, False)
    with pytest.raises(ZeroDivisionError), run.create("counts/a") as file:
        file.write(b"x" * (12 << 20) + bytes(1 // file.tell()))
    assert store.names() == []
    run.write_bytes("counts/a", b"1")
    run.write_bytes("counts/b", b"")
    assert run.files("counts") == {"a": 1, "b": 0}
    with store.logged() as requests:
        monkeypatch.setattr(storage, "_IN_MEMORY", 1000)
        run.write_bytes("counts/a", bytes(range(256)) * (25 << 12))
    assert store.get("run/counts/a") == bytes(range(256)) * (25 << 12)
    assert sum("partNumber" in request["address"] for request in requests) > 1


@pytest.mark.parametrize("refused", ["partNumber=1", "partNumber=2", "uploads", "uploadId"])
def test_an_upload_that_fails_leaves_what_there_was(store: Any, refused: str) -> None:
    run = Storage("s3://bucket/run")
    run.write_bytes("a", b"before")
    with store.refusing(refused), pytest.raises(OutputError) as caught:
        run.write_bytes("a", bytes(25 << 20))
    assert str(caught.value).startswith("s3://bucket/run/a: ")
    assert "\n" not in str(caught.value)
    assert store.get("run/a") == b"before"
    run.write_bytes("a", b"after")
    assert store.get("run/a") == b"after"


@pytest.mark.usefixtures("store")
def test_files_are_removed() -> None:
    run = Storage("s3://bucket/run")
    run.write_bytes("counts/a", b"1")
    run.delete("counts/a")
    run.delete("counts/a")
    assert (run.files("counts"), run.files(""), run.exists("counts/a")) == ({}, {}, False)


def test_no_room_to_gather(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(tempfile.SpooledTemporaryFile):  # type: ignore[type-arg]
        def write(self, _: Any) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", Full)
    with pytest.raises(OutputError, match="No space left on device"):
        Storage("s3://bucket/run").write_bytes("a", b"1")
    assert store.names() == []


CHILD = """
from tfdp_fast.distributed.storage import Storage
storage = Storage("s3://bucket/run")
storage.write_bytes("b", storage.read_bytes("a") + b", and the child")
"""


def test_other_processes_see_the_same_server(store: Any) -> None:
    Storage("s3://bucket/run").write_bytes("a", b"the parent")
    subprocess.run([sys.executable, "-c", CHILD], check=True)
    assert store.get("run/b") == b"the parent, and the child"
