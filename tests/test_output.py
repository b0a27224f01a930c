"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import stat
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tfdp_fast._output import Outputs, atomic_output, check_output, refuse_to_overwrite
from tfdp_fast.errors import OptionError, OutputError


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_appears_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    with atomic_output(target) as file:
        file.write(b"new")
        assert not target.exists()
        (temporary,) = names(tmp_path)
        assert temporary.startswith(".tfdp-")
        assert temporary.endswith(".tmp")
    assert target.read_bytes() == b"new"
    assert names(tmp_path) == ["a.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failure_leaves_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "a.json"
    target.write_bytes(b"old")

    def fail() -> None:
        with atomic_output(target) as file:
            file.write(b"new")
            raise error

    with pytest.raises(error):
        fail()
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["a.json"]


def on_a_small_disk(code: str, folder: Path) -> str:
    """Run code in a process whose files cannot grow beyond 1000 bytes; what it raises."""
    lines = f"""
import resource
from pathlib import Path
from tfdp_fast._output import Outputs, atomic_output
from tfdp_fast.errors import OutputError
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
folder = Path({str(folder)!r})
try:
{textwrap.indent(textwrap.dedent(code), "    ")}
except OutputError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, check=True, text=True)
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.mark.parametrize("size", [2000, 1 << 20])  # buffered until the end, or not
def test_full_disk_is_an_output_error(size: int, tmp_path: Path) -> None:
    code = f"with atomic_output(folder / 'a.json') as file: file.write(bytes({size}))"
    assert on_a_small_disk(code, tmp_path) == f"{tmp_path / 'a.json'}: File too large"
    assert names(tmp_path) == []


def test_outputs_appear_together_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    code = """
        with Outputs() as outputs:
            outputs.open(folder / "a").write(b"new")
            outputs.open(folder / "b").write(bytes({size}))
            (outputs.folder(folder / "c") / "d").write_bytes(b"new")
        """
    assert on_a_small_disk(code.format(size=2000), tmp_path) == f"{tmp_path / 'b'}: File too large"
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"
    assert on_a_small_disk(code.format(size=3), tmp_path) == ""
    assert names(tmp_path) == ["a", "b", "c"]
    assert [(tmp_path / name).read_bytes() for name in ("a", "b", "c/d")] == [b"new", bytes(3), b"new"]


def test_a_folder_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_bytes(b"old")
    with Outputs() as outputs:
        (outputs.folder(tmp_path / "empty") / "new").touch()
        for taken in ("full", "full/file"):
            with pytest.raises(OutputError, match="is there already"):
                outputs.folder(tmp_path / taken)
        with pytest.raises(OutputError, match="does not exist"):
            outputs.folder(tmp_path / "no" / "folder")
    assert (tmp_path / "empty" / "new").exists()


def test_failed_fsync_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    target = tmp_path / "a.json"
    with pytest.raises(OutputError, match=r"a\.json: Input/output error"), atomic_output(target) as file:
        file.write(b"new")
    assert names(tmp_path) == []


@pytest.mark.usefixtures("umask")
def test_permissions_are_those_of_open(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    (tmp_path / "b.json").touch()
    with atomic_output(target):
        pass
    mode = target.stat().st_mode
    assert mode == (tmp_path / "b.json").stat().st_mode
    assert stat.S_IMODE(mode) == 0o640
    target.chmod(0o604)
    with atomic_output(target):
        pass
    assert stat.S_IMODE(target.stat().st_mode) == 0o604


def test_symbolic_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "there" / "a.json")
    for content in (b"1", b"2"):
        with atomic_output(link) as file:
            file.write(content)
        assert link.is_symlink()
        assert (tmp_path / "there" / "a.json").read_bytes() == content
    assert names(tmp_path / "there") == ["a.json"]


def test_devices_and_pipes_stay(tmp_path: Path) -> None:
    with atomic_output("/dev/null") as file:
        file.write(b"gone")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)  # noqa: PTH116
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    with atomic_output(pipe) as file:
        file.write(b"through")
    reader.join()
    assert got == [b"through"]
    assert names(tmp_path) == ["pipe"]


@pytest.mark.parametrize("enter", [lambda path: atomic_output(path).__enter__(), check_output])
def test_places_that_cannot_be_written(tmp_path: Path, enter: Any) -> None:
    (tmp_path / "file").touch()
    for path, reason in [
        (tmp_path / "no" / "a.json", f"the folder {tmp_path / 'no'} does not exist"),
        (tmp_path, "is a folder"),
        (tmp_path / "file" / "a.json", "Not a directory"),
    ]:
        with pytest.raises(OutputError) as caught:
            enter(path)
        assert str(caught.value) == f"{path}: {reason}"
    with pytest.raises(OutputError, match="is not the name of a file"):
        enter("")
    with pytest.raises(OutputError, match=r"does not exist|not the name of a file"):
        enter(f"{tmp_path}/new/")
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("destination", [io.StringIO(), 5, None, b"path"])
def test_what_is_no_destination(destination: Any) -> None:
    with pytest.raises(OptionError, match="neither a path nor a binary file"):
        check_output(destination)
    with pytest.raises(OptionError, match="neither a path nor a binary file"), atomic_output(destination):
        pass


class Dribble(io.RawIOBase):
    """A raw file that takes three bytes at a time."""

    def __init__(self) -> None:
        self.taken = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.taken += bytes(data[:3])
        return min(3, len(data))


def test_file_objects_are_left_open() -> None:
    memory = io.BytesIO()
    with atomic_output(memory) as file:
        file.write(b"12345")
    assert memory.getvalue() == b"12345"
    raw = Dribble()
    with atomic_output(raw) as file:
        file.writelines([b"1234", memoryview(b"5678")])
    assert raw.taken == b"12345678"
    assert not raw.closed


def test_error_of_a_file_object_stays_as_it_is() -> None:
    with pytest.raises(BrokenPipeError), atomic_output(io.BytesIO()):
        raise BrokenPipeError


def test_refuses_the_source_by_any_name(tmp_path: Path) -> None:
    source = tmp_path / "a.json"
    source.write_bytes(b"{}")
    about = source.stat()
    link, hard = tmp_path / "link", tmp_path / "hard"
    link.symlink_to(source)
    hard.hardlink_to(source)
    for same in (source, str(source), link, hard):
        with pytest.raises(OutputError, match="is the file that is being read"):
            refuse_to_overwrite(same, about)
    with source.open("r+b") as file, pytest.raises(OutputError, match="is the file that is being read"):
        refuse_to_overwrite(file, about)
    (tmp_path / "b.json").touch()
    for other in (tmp_path / "b.json", tmp_path / "c.json", io.BytesIO()):
        refuse_to_overwrite(other, about)


def test_a_large_file_goes_to_the_disk_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[tuple[int, int]] = []
    monkeypatch.setattr("tfdp_fast._output._EagerFile._STEP", 100)
    monkeypatch.setattr("tfdp_fast._core.start_writeback", lambda _, begin, end: begun.append((begin, end)))
    blocks = [bytes([i]) * (60 * io.DEFAULT_BUFFER_SIZE) for i in range(3)]
    with atomic_output(tmp_path / "a") as file:
        file.writelines(blocks)
    assert (tmp_path / "a").read_bytes() == b"".join(blocks)
    ends = [len(b"".join(blocks[: i + 1])) for i in range(3)]
    assert begun == list(zip([0, *ends[:-1]], ends, strict=True))
