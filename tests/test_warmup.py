"""Compiling all kernels ahead of their first use, as a function and as ``tfdp warmup``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import tfdp_fast as tfdp
from cli_support import process
from tfdp_fast import cli
from tfdp_fast.kernels import _policy
from tfdp_fast.kernels._cache import KernelCache
from tfdp_fast.reference import KERNELS

COMPILED = sum(row.signatures for row in KERNELS)


def test_all_kernels_are_compiled_then_found(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    n = COMPILED
    first = process("warmup", cwd=tmp_path, NUMBA_CACHE_DIR=str(cache))
    assert (first.returncode, first.stderr) == (0, b"")
    assert first.stdout.decode().splitlines()[:3] == [f"kernels: {n}", f"compiled: {n}", f"kept in: {cache}"]
    assert len(list(cache.iterdir())) == n
    again = process("warmup", "--json", cwd=tmp_path, NUMBA_CACHE_DIR=str(cache))
    assert (again.returncode, again.stderr) == (0, b"")
    report = json.loads(again.stdout)
    assert report.pop("seconds") > 0
    assert report == {"kernels": n, "compiled": 0, "kept": n, "folders": [str(cache)], "refusals": []}


def test_where_nothing_can_be_kept(tmp_path: Path, coco_dict: Any) -> None:
    """``tfdp warmup`` fails and says why; the other verbs do their work and say it only if asked."""
    (tmp_path / "file").touch()
    nowhere = str(tmp_path / "file" / "cache")
    done = process("warmup", cwd=tmp_path, NUMBA_CACHE_DIR=nowhere)
    why = f"{COMPILED} of {COMPILED} kernels cannot be kept: {nowhere}: Not a directory"
    assert (done.returncode, done.stdout, done.stderr) == (2, b"", f"tfdp: error: {why}\n".encode())
    (tmp_path / "data.json").write_text(json.dumps(coco_dict()))
    done = process("score", "data.json", "-v", cwd=tmp_path, NUMBA_CACHE_DIR=nowhere)
    assert (done.returncode, done.stdout.splitlines()[2]) == (0, b"images: 3")
    [line] = [line for line in done.stderr.decode().splitlines() if "kernels" in line]
    assert line.endswith(f"kernels are compiled for this process only: {nowhere}: Not a directory")


def test_without_a_compiler(tmp_path: Path) -> None:
    done = process("warmup", cwd=tmp_path, NUMBA_DISABLE_JIT="1")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"tfdp: error: nothing is compiled while NUMBA_DISABLE_JIT is set\n"


def test_the_function_says_what_it_did(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = tfdp.warmup()
    assert done.kernels == COMPILED
    assert done.kept <= done.kernels
    kept, lost = KernelCache(len), KernelCache(len)
    kept.cache_path, lost.compiled = Path("/kept/len.kernel"), True
    lost.refusals = ["/first: Read-only file system", "/second: No space left on device"]
    monkeypatch.setattr(_policy, "caches", {"a": kept, "b": lost, "c": lost})
    done = tfdp.warmup()
    assert done.seconds > 0
    assert done == tfdp.Warmup(3, 2, 1, (Path("/kept"),), tuple(lost.refusals), done.seconds)
    assert cli.main(["warmup"]) == 2
    assert capsys.readouterr().err == (
        "tfdp: error: 2 of 3 kernels cannot be kept: "
        "/first: Read-only file system; /second: No space left on device\n"
    )
