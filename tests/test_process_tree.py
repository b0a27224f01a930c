"""Processes that benchmarks watch: memory of all of them, the kill, and what a run leaves in its log."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("psutil")
if not sys.platform.startswith("linux"):
    pytest.skip("proportional sets are Linux's", allow_module_level=True)

import psutil

from instance_tables import write_tables
from process_tree import run_tree
from run_figures import measured

MB = 10**6
WITH_CHILDREN = """
import subprocess, sys, time
code = "import time; block = bytearray(b'x') * 60_000_000; time.sleep(1)"
children = [subprocess.Popen([sys.executable, "-c", code], start_new_session=True) for _ in range(2)]
print(*[child.wait() for child in children])
"""


def test_memory_of_all() -> None:
    tree = run_tree("-c", WITH_CHILDREN)
    assert tree.output == "0 0\n"
    assert tree.processes == 3
    assert tree.peak > 120 * MB
    assert len(tree.own_peaks) == 3
    assert tree.own_peaks[0] < 60 * MB < min(tree.own_peaks[1:])
    assert tree.seconds >= 1


def test_kill(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    code = f"import pathlib, time; pathlib.Path({str(mark)!r}).touch(); time.sleep(60)"
    tree = run_tree("-c", code, kill_when=mark.exists)
    assert mark.exists()
    assert tree.seconds < 60


def test_those_below_have_to_notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = tmp_path / "mark"
    child = f"import pathlib, time; pathlib.Path({str(mark)!r}).touch(); time.sleep(60)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    wait = psutil.wait_procs
    left: list[psutil.Process] = []

    def shortly(processes: list[psutil.Process], timeout: float) -> object:
        assert timeout == 10
        left.extend(processes)
        return wait(processes, 0.1)

    monkeypatch.setattr(psutil, "wait_procs", shortly)
    try:
        with pytest.raises(RuntimeError, match="1 processes outlive"):
            run_tree("-c", code, kill_when=mark.exists)
    finally:
        for process in left:
            process.kill()


def test_failures() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        run_tree("-c", "raise SystemExit(3)")
    with pytest.raises(subprocess.CalledProcessError):  # it was to be killed
        run_tree("-c", "", kill_when=lambda: False)


def test_figures_of_a_run(tmp_path: Path) -> None:
    made = write_tables(tmp_path / "tables", 1200, 400, masks_of_size=3, shapes_from=None)
    figures = measured([str(path) for path in made.paths], tmp_path / "run")
    assert (figures.instances, figures.images, figures.shards) == (1200, made.images, 3)
    assert figures.read == made.bytes
    counts = (tmp_path / "run" / "counts").iterdir()
    assert figures.counts == sum(path.stat().st_size for path in counts)
    parts = (figures.start, figures.pass1, figures.merge, figures.pass2, figures.choose, figures.end)
    assert min(parts) >= 0
    assert 0 < figures.tasks1 <= figures.pass1 * figures.cores
    assert 0 < figures.tasks2 <= figures.pass2 * figures.cores
    assert figures.peak < figures.driver + figures.cores * figures.worker
    assert figures.driver > 0
    assert figures.worker > 0
