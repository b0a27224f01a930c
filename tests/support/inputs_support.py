"""What the tests of inputs share: folders here, and in the memory that fsspec takes for a file system."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tfdp_fast.distributed import staging
from tfdp_fast.distributed.inputs import Input

fsspec = pytest.importorskip("fsspec")


def empty_memory(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The file system of fsspec that is in memory, empty."""
    filesystem = fsspec.filesystem("memory")
    monkeypatch.setattr(type(filesystem), "store", {})
    monkeypatch.setattr(type(filesystem), "pseudo_dirs", [""])
    return filesystem


def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    staging._sweep.cache_clear()
    return folder


def put(memory: Any, source: Path, prefix: str) -> str:
    """Copy a file, or a folder with all below, to the memory; its address."""
    if source.is_file():
        memory.pipe(f"/{prefix}/{source.name}", source.read_bytes())
        return f"memory://{prefix}/{source.name}"
    for path in source.rglob("*"):
        if path.is_file():
            memory.pipe(f"/{prefix}/{path.relative_to(source)}", path.read_bytes())
    return f"memory://{prefix}"


def touched(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(name))
    return folder


def names_of(inputs: list[Input], above: str | Path) -> list[str]:
    return [one.path.removeprefix(f"{above}/") for one in inputs]
