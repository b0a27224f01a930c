"""Remote inputs as local files: whole, or not at all, and nothing is left behind."""

from __future__ import annotations

import io
import os
import random
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfdp_fast as tfdp
from documents_support import (
    SQUARE,
    as_files,
    general,
    made,
    text,
    write_tar,
)
from inputs_support import empty_memory, fsspec, put, temporary_folder, touched
from tfdp_fast.distributed import staging
from tfdp_fast.distributed.staging import staged
from tfdp_fast.errors import DataError, OutputError
from tfdp_fast.formats._documents import LARGEST
from tfdp_fast.formats._tar import BLOCK, TarError, TarReader


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Any:
    return empty_memory(monkeypatch)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return temporary_folder(tmp_path, monkeypatch)


def read(path: str | Path) -> tuple[list[tuple[str, int, bytes | None]], str | None]:
    """What a reader of documents has of a tar: names, places and documents; and what is wrong with it."""
    found: list[tuple[str, int, bytes | None]] = []
    try:
        with TarReader(path) as reader:
            for member in reader.members():
                document = member.name.rpartition("/")[2].partition(".")[2] == "json"
                fit = document and member.refusal is None and member.size <= LARGEST
                found.append((member.name, member.begin, reader.content(member) if fit else None))
    except TarError as error:
        return found, f"{error.member}: {error.reason}"
    return found, None


def big_tar(path: Path, images: int = 40, image: int = 300_000) -> Path:
    rng = random.Random(0)
    members = []
    for number in range(images):
        members.append((f"sa_{number}.jpg", rng.randbytes(image)))
        members.append((f"sa_{number}.json", text(general(number, [SQUARE] * 30))))
    return write_tar(path, members)


@pytest.mark.parametrize("block", [700, 1 << 16, 16 << 20])
def test_tars_are_staged_without_their_images(
    tmp_path: Path, memory: Any, temporary: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(staging, "BLOCK", block)
    path = big_tar(tmp_path / "sa_0.tar")
    with staged(put(memory, path, "far")) as local:
        assert read(local) == read(path)
        assert Path(local).name == path.name
        about = Path(local).stat()
        assert about.st_size == path.stat().st_size
        assert about.st_blocks * 512 < path.stat().st_size / 10
        here, there = tfdp.score(path), tfdp.score(local)
        assert here.images.score.tolist() == there.images.score.tolist()
        with tarfile.open(local) as tar:
            assert [member.name for member in tar] == [name for name, _, _ in read(path)[0]]
    assert not list(temporary.iterdir())


def test_blocks_that_hold_nothing_of_use_are_not_fetched(
    tmp_path: Path, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "BLOCK", 20_000)
    fetched: list[int] = []
    fetch = staging._Fetched._fetch

    def counted(self: Any, at: int) -> bytes:
        block = fetch(self, at)
        fetched.append(len(block))
        return block

    monkeypatch.setattr(staging._Fetched, "_fetch", counted)
    path = big_tar(tmp_path / "sa_0.tar")
    with staged(put(memory, path, "far")):
        assert sum(fetched) < path.stat().st_size / 4


@settings(max_examples=40)
@given(
    data=st.data(), dialect=st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
)
def test_damaged_tars_are_as_damaged_when_they_are_staged(data: st.DataObject, dialect: int) -> None:
    """Cut anywhere, with bytes changed, with members of every kind: the reader finds the same."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=dialect) as tar:
        for kind in data.draw(st.lists(st.sampled_from(["json", "jpg", "seg.json", "long", "link"]))):
            folder = "d" * 150 if kind == "long" else "d"
            suffix = "json" if kind in {"long", "link"} else kind
            member = tarfile.TarInfo(f"{folder}/{len(file.getvalue())}.{suffix}")
            content = data.draw(st.binary(max_size=1500))
            if kind == "link":
                member.type, member.linkname = tarfile.SYMTYPE, "x.json"
            else:
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    damaged = bytearray(file.getvalue())
    if data.draw(st.booleans()):
        del damaged[data.draw(st.integers(0, len(damaged))) :]
    for at in data.draw(st.lists(st.integers(0, max(0, len(damaged) - 1)), max_size=3)):
        if at < len(damaged):
            damaged[at] = data.draw(st.integers(0, 255))
    memory = fsspec.filesystem("memory")
    memory.pipe("/x/a.tar", bytes(damaged))
    with tempfile.TemporaryDirectory() as here, staged("memory://x/a.tar") as local:
        original = Path(here, "a.tar")
        original.write_bytes(damaged)
        if bytes(damaged[:2]) != b"\x1f\x8b":
            assert read(local) == read(original)


def test_documents_that_nobody_reads_are_not_fetched(tmp_path: Path, memory: Any) -> None:
    """A header that promises more than a document has is refused by its reader, here and there."""
    member = tarfile.TarInfo("sa_1.json")
    member.size = LARGEST + 1
    path = tmp_path / "a.tar"
    path.write_bytes(member.tobuf() + bytes(4 * BLOCK))
    with staged(put(memory, path, "far")) as local:
        assert read(local) == read(path)


@pytest.mark.parametrize(
    "name", ["a.tar.gz", "a.tgz", "a.tar", "a.json", "a.jsonl", "a.arrow", "no suffix", "é ü"]
)
@pytest.mark.parametrize("size", [0, 1, 5000])
def test_other_files_are_staged_as_they_are(
    memory: Any, monkeypatch: pytest.MonkeyPatch, temporary: Path, name: str, size: int
) -> None:
    monkeypatch.setattr(staging, "BLOCK", 999)
    content = b"\x1f\x8b" + random.Random(0).randbytes(size) if size else b""
    memory.pipe(f"/far/{name}", content)
    with staged(f"memory://far/{name}") as local:
        assert (Path(local).name, Path(local).read_bytes()) == (name, content)
    assert not list(temporary.iterdir())


def test_of_folders_the_documents_are_staged(
    tmp_path: Path, memory: Any, monkeypatch: pytest.MonkeyPatch, temporary: Path
) -> None:
    folder = as_files(tmp_path / "sa_7", made(30)[0])
    touched(folder, "notes.json")
    with staged(put(memory, folder, "far/sa_7")) as local:
        expected = {path.name: path.read_bytes() for path in folder.glob("sa_*.json")}
        assert Path(local).name == "sa_7"
        assert {path.name: path.read_bytes() for path in Path(local).iterdir()} == expected
    monkeypatch.setattr(staging, "LARGEST", 100)
    memory.pipe("/far/sa_7/sa_5000.json", b"x" * 101)
    with staged("memory://far/sa_7") as local:
        large = Path(local, "sa_5000.json").stat()
        assert (large.st_size, large.st_blocks) == (101, 0)
    assert not list(temporary.iterdir())


def test_what_is_here_is_there_already(tmp_path: Path) -> None:
    for path in (f"{tmp_path}/a.tar", f"file://{tmp_path}/a.tar"):
        with staged(path) as local:
            assert local == f"{tmp_path}/a.tar"


def test_nothing_is_left_whatever_happens(memory: Any, temporary: Path) -> None:
    memory.pipe("/x/a.json", b"{}")
    with pytest.raises(ZeroDivisionError), staged("memory://x/a.json"):
        raise ZeroDivisionError
    with (
        pytest.raises(DataError, match=r"^memory://x/b.json: cannot be read: No such"),
        staged("memory://x/b.json"),
    ):
        pass
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("now", [b"x" * 4000, b"x" * 6000, None])
@pytest.mark.parametrize("name", ["a.json", "a.tar", "sa_1/sa_1.json"])
def test_what_changes_while_it_is_read_is_an_error(
    memory: Any, monkeypatch: pytest.MonkeyPatch, temporary: Path, now: bytes | None, name: str
) -> None:
    monkeypatch.setattr(staging, "BLOCK", 1024)
    member = tarfile.TarInfo("sa_1.json")
    member.size = 4000
    memory.pipe(f"/x/{name}", member.tobuf() + b"x" * (4000 + 96 + 1024))
    fetch = staging._Fetched._fetch

    def changed(self: Any, at: int) -> bytes:
        if at and now is None:
            memory.rm(f"/x/{name}")
            monkeypatch.setattr(staging._Fetched, "_fetch", fetch)
        elif at:
            memory.pipe(f"/x/{name}", now)
        self._file = None
        return fetch(self, at)

    monkeypatch.setattr(staging._Fetched, "_fetch", changed)
    with pytest.raises(DataError) as caught, staged(f"memory://x/{name.partition('/')[0]}"):
        pass
    message = str(caught.value)
    assert message.startswith("memory://x/")
    assert "has changed while it was read" in message or (now is None and "cannot be read: " in message)
    assert not list(temporary.iterdir())


def test_no_room(memory: Any, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.pipe("/x/a.json", b"{}")

    def full(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(staging._Fetched, "read", full)
        with (
            pytest.raises(OutputError, match=r"/a.json: cannot be written: No space left on device$"),
            staged("memory://x/a.json"),
        ):
            pass
    assert not list(temporary.iterdir())
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / "not there"))
    with (
        pytest.raises(OutputError, match=r"not there: cannot be written: No such"),
        staged("memory://x/a.json"),
    ):
        pass


LEFT = """
import os, signal, sys, tempfile
import fsspec
from tfdp_fast.distributed.staging import staged
fsspec.filesystem("memory").pipe("/x/a.json", b"{}")
with staged("memory://x/a.json") as path:
    print(path, flush=True)
    sys.stdin.read(1)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_killed_processes_leave_is_removed_by_the_next(memory: Any, temporary: Path) -> None:
    memory.pipe("/x/b.json", b"{}")
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen([sys.executable, "-c", LEFT], text=True, env=environment, **pipes) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        assert temporary in left.parents
        with staged("memory://x/b.json"):
            assert left.exists()  # while it is in use
        process.communicate("x")
        assert left.exists()
        staging._sweep.cache_clear()
        with staged("memory://x/b.json"):
            assert not left.parent.exists()
    assert not list(temporary.iterdir())
