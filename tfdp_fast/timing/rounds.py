"""Times of several jobs, taken in rounds: each job once, then each again."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

BUDGET = 100.0
"""Seconds that the rounds of a group of jobs may take; the first is always finished."""

Stopwatch = dict[str, float]
"""Seconds by the name of what took them."""


@dataclass(frozen=True)
class Times:
    """Times of the same thing, in rounds.

    Attributes
    ----------
    rounds : tuple of float
        Seconds, in order.

    Examples
    --------
    >>> times = Times((3.0, 1.0, 2.0))
    >>> times.seconds, times.low, times.high
    (2.0, 1.0, 3.0)
    """

    rounds: tuple[float, ...]

    @property
    def seconds(self) -> float:
        """The median."""
        return statistics.median(self.rounds)

    @property
    def low(self) -> float:
        """The shortest."""
        return min(self.rounds)

    @property
    def high(self) -> float:
        """The longest."""
        return max(self.rounds)


@contextmanager
def lap(watch: Stopwatch, what: str) -> Iterator[None]:
    """Add the time that the block takes."""
    begin = time.perf_counter()
    yield
    watch[what] = watch.get(what, 0.0) + time.perf_counter() - begin


def run_rounds(
    jobs: Mapping[str, Callable[[], Stopwatch]], rounds: int, budget: float = BUDGET
) -> dict[str, dict[str, Times]]:
    """Run jobs alternately, because the speed of a machine changes from one minute to the next.

    Python's cyclic garbage collector is on, as in any process that does not say otherwise, and runs between
    the jobs.

    Parameters
    ----------
    jobs : mapping of str to callable
        Each returns the seconds of its parts.
    rounds : int
        How many rounds at most. There are fewer if the next one would end after the budget.
    budget : float
        Seconds.

    Returns
    -------
    dict of dict of Times
        By job, then by part.

    Examples
    --------
    >>> times = run_rounds({"nothing": lambda: {"all": 0.5}}, rounds=3)
    >>> times["nothing"]["all"].rounds
    (0.5, 0.5, 0.5)
    """
    found: dict[str, list[Stopwatch]] = {name: [] for name in jobs}
    was_on = gc.isenabled()
    gc.enable()
    try:
        begin = time.perf_counter()
        for number in range(1, rounds + 1):
            for name, job in jobs.items():
                gc.collect()
                found[name].append(job())
            if (time.perf_counter() - begin) * (number + 1) / number > budget:
                break
    finally:
        if not was_on:
            gc.disable()
    return {
        name: {part: Times(tuple(watch[part] for watch in watches)) for part in watches[0]}
        for name, watches in found.items()
    }
