"""Many small files, read at once."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tfdp_fast import DataError
from tfdp_fast.formats._files import read_each, read_whole


def test_what_files_hold(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = []
    for size in (0, 1, 2, 4095, 4096, 4097, 8192, 1_000_003):
        (tmp_path / f"{size} é").write_bytes(rng.bytes(size))
        names.append(str(tmp_path / f"{size} é"))
    strange = str(tmp_path / os.fsdecode(b"\xe9"))
    Path(strange).write_bytes(b"strange")
    names += [strange, "/dev/null", names[3]]
    assert read_each(names) == [Path(name).read_bytes() for name in names]
    assert read_each([]) == []


def test_a_file_that_does_not_say_how_large_it_is() -> None:
    path = "/proc/self/smaps"
    if not Path(path).exists():
        pytest.skip("no /proc")
    (content,) = read_each([path])
    assert isinstance(content, bytes)
    assert len(content) > 8192 > Path(path).stat().st_size
    assert content.startswith(Path(path).read_bytes()[:12])


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "good").write_bytes(b"good")
    names = [str(tmp_path / name) for name in ("none", "loop", "good", ".", "good/x", "n" * 300)]
    found = read_each(names)
    assert found[2] == b"good"
    for name, error in zip(names, found, strict=True):
        if not name.endswith("/good"):
            with pytest.raises(DataError) as caught:
                read_whole(name)
            assert str(error) == str(caught.value)
    (error,) = read_each([str(tmp_path / "good\0x")])
    assert isinstance(error, DataError)
    assert error.reason == "cannot be read: Invalid argument"
