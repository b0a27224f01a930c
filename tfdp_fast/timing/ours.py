"""Our own way, step by step in this process, and as the command line in one of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from tfdp_fast.errors import DataError
from tfdp_fast.formats._files import read_each
from tfdp_fast.formats._png import decode_label_map
from tfdp_fast.formats.opening import open_dataset
from tfdp_fast.masks import Polygons
from tfdp_fast.measuring import MeasuredDataset, measure_dataset
from tfdp_fast.scores import Scores
from tfdp_fast.selection import Subset, select
from tfdp_fast.timing.rounds import Stopwatch, lap
from tfdp_fast.timing.steps import ALL, BALANCE, LOAD, MASKS, SELECT

POLYGONS: Polygons = "opencv"
"""As the authors fill them, so that all answers can be compared."""
RATE = Fraction(3, 10)
"""The share of the images that is dropped: the time does not depend on it."""

_COMMAND = "import sys; from tfdp_fast.cli import run; sys.exit(run())"
_TOGETHER = 64
_PIECE = 1 << 20


class OurSteps:
    """Opens, measures, scores and selects; the last answer is kept.

    Parameters
    ----------
    path : Path
        The data set.
    threads : int
        Threads to use.

    Attributes
    ----------
    measured : MeasuredDataset
    scores : Scores
    subset : Subset
    """

    measured: MeasuredDataset
    scores: Scores
    subset: Subset

    def __init__(self, path: Path, threads: int) -> None:
        self.path = path
        self.threads = threads

    def __call__(self) -> Stopwatch:
        """Do it once; the seconds of each step, and of all of them."""
        watch: Stopwatch = {}
        with lap(watch, LOAD):
            dataset = open_dataset(self.path)
        with lap(watch, MASKS):
            self.measured = measure_dataset(dataset, polygons=POLYGONS, threads=self.threads, progress=None)
        with lap(watch, BALANCE):
            self.scores = self.measured.scores("tfdp")
        with lap(watch, SELECT):
            self.subset = select(self.scores, rate=RATE)
        return watch | {ALL: sum(watch.values())}


class OurProcess:
    """``tfdp prune`` from the start of the process until it has ended and the subset is on the disk.

    Parameters
    ----------
    path : Path
        The data set.
    output : Path
        Where the subset goes.
    threads : int
        Threads to use.

    Attributes
    ----------
    report : dict
        What the last one said with ``--json``.
    """

    report: dict[str, Any]

    def __init__(self, path: Path, output: Path, threads: int) -> None:
        options = ["--rate", f"{float(RATE)}", "--polygons", POLYGONS, "--threads", str(threads), "--json"]
        self._arguments = ["prune", str(path), "-o", str(output), *options]

    def __call__(self) -> Stopwatch:
        """Do it once; the seconds of all of it."""
        begin = time.perf_counter()
        output = run_python("-c", _COMMAND, *self._arguments)
        seconds = time.perf_counter() - begin
        self.report = json.loads(output)
        return {ALL: seconds}


def run_python(*arguments: str) -> bytes:
    """What a Python process writes to its standard output; DataError with its last words if it fails."""
    done = subprocess.run([sys.executable, *arguments], check=False, capture_output=True)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise DataError("the process", None, f"ended with exit code {done.returncode}: {lines[-1]}")
    return done.stdout


def read_alone(paths: Sequence[str]) -> Stopwatch:
    """Read the bytes of files, and do nothing with them."""
    watch: Stopwatch = {}
    with lap(watch, ALL):
        if len(paths) == 1:
            with Path(paths[0]).open("rb", buffering=0) as file:
                while file.read(_PIECE):
                    pass
        for i in range(0, len(paths) if len(paths) > 1 else 0, _TOGETHER):
            read_each(paths[i : i + _TOGETHER])
    return watch


def decode_alone(paths: Sequence[str]) -> Stopwatch:
    """Read and decode label maps, and do nothing with them."""
    watch: Stopwatch = {}
    with lap(watch, ALL):
        for path in paths:
            decode_label_map(path, Path(path).read_bytes(), bits=16)
    return watch
