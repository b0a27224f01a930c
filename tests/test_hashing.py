"""Hashes of what is read."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tfdp_fast.formats._hashing import FileHash, ListHash
from tfdp_fast.formats.dataset import Fingerprint


def test_a_file() -> None:
    with FileHash([b"ab", memoryview(b"c")]) as hashed:
        pass
    assert hashed.fingerprint == Fingerprint(1, 3, hashlib.sha256(b"abc").hexdigest())


def test_what_reading_raises_is_raised() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"ab"
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output error"), FileHash(pieces()):
        pass
    with pytest.raises(KeyError), FileHash(pieces()):  # the first error, not the second
        raise KeyError


def test_it_stops_when_the_reader_fails() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"a"

    with pytest.raises(KeyError), FileHash(endless()):
        raise KeyError


def test_several_files_are_hashed_as_sha256sum_lists_them(tmp_path: Path) -> None:
    names = ["b.json", "a ü.json"]
    found = ListHash()
    for name in names:
        (tmp_path / name).write_text(name)
        content = name.encode()
        found.add(name, len(content), hashlib.sha256(content).hexdigest())
    listed = subprocess.run(["sha256sum", *names], cwd=tmp_path, capture_output=True, check=True).stdout
    assert found.fingerprint == Fingerprint(2, 15, hashlib.sha256(listed).hexdigest())
