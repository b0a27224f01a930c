"""Our times, those of the authors' way on this machine, and those that the paper reports, side by side."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tfdp_fast._numbers import is_number
from tfdp_fast._threads import resolve_threads
from tfdp_fast.errors import OptionError
from tfdp_fast.timing.baselines import time_pixels
from tfdp_fast.timing.data_set import Trial
from tfdp_fast.timing.machine import describe_machine
from tfdp_fast.timing.paper import REPORTED, DataSetName
from tfdp_fast.timing.results import DataSetTiming, PaperTiming, Row
from tfdp_fast.timing.sources import check_given, opened
from tfdp_fast.warming import warmup

__all__ = ["PIXELS_GROUP", "ROUNDS", "time_against_paper"]

_log = logging.getLogger(__name__)

ROUNDS = 5
PIXELS_GROUP = "a million pixels, one checkpoint"


def time_against_paper(
    given: Mapping[DataSetName, Path],
    *,
    scale: float = 1.0,
    threads: int | None = None,
    rounds: int = ROUNDS,
    on_stage: Callable[[str], None] = lambda _: None,
) -> PaperTiming:
    """Time everything that the paper's table 6 has, as far as it can be done from annotations alone.

    Parameters
    ----------
    given : mapping
        Paths of real data sets: COCO files for ``"voc"`` and ``"coco"``, a folder for ``"cityscapes"``. In
        place of those that are missing, data of the same size and form is made in a temporary folder, and
        removed.
    scale : float
        The size of what is made, 0 < scale <= 1. Real data is taken whole.
    threads : int, optional
        Threads where several are used; None for all processors.
    rounds : int
        How often everything is measured at most. Groups of jobs that take long are measured fewer times; see
        `run_rounds`.
    on_stage : callable
        Called with what comes next, in words.

    Raises
    ------
    DataError
        If a path is not that data set, or cannot be read.
    OptionError
        If an argument makes no sense.
    OutputError
        If there is no room for what has to be made.
    """
    begin = time.perf_counter()
    if not is_number(scale, int, float) or not 0 < scale <= 1:
        raise OptionError(f"scale is a share of the data sets' size, 0 < scale <= 1, got {scale!r}")
    if not is_number(rounds, int) or rounds < 1:
        raise OptionError(f"rounds must be a whole number of at least 1, got {rounds!r}")
    threads = resolve_threads(threads)
    for name, path in given.items():
        check_given(name, path)
    machine = describe_machine()

    def next_stage(words: str) -> None:
        _log.info("%s", words)
        on_stage(words)

    next_stage("scoring of pixels")
    warmup()
    pixels = time_pixels(rounds)
    data_sets: list[DataSetTiming] = []
    for name, reported in REPORTED.items():
        next_stage(f"{reported.title}: data")
        started = time.perf_counter()
        with opened(name, given.get(name), scale, threads) as (source, folder):
            made_in = None if source.real else time.perf_counter() - started
            trial = Trial(source, folder, threads, rounds, pixels)
            data_sets.append(dataclasses.replace(trial.run(next_stage), made_in=made_in))
    return PaperTiming(
        machine=machine,
        threads=threads,
        rounds=rounds,
        scale=scale,
        pixels=[Row.measured(PIXELS_GROUP, method, times) for method, times in pixels.items()],
        data_sets=data_sets,
        seconds=time.perf_counter() - begin,
    )
