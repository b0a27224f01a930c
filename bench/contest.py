"""Ours against rivals: rounds interleaved, answers kept, and a record of it for the report.

pytest-benchmark runs one function to the end before it begins the next. On a machine whose speed changes in
between, a ratio of two such medians means little. So a benchmark here is of ours alone, and the rivals run,
and are timed, in the `setup` before our rounds: a pass is each rival once, then ours. A ratio is taken within
each pass, and reported as the median over the passes, with the lowest and the highest.

What `report.py` needs is left in the benchmark's ``extra_info``.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pytest_benchmark.fixture import BenchmarkFixture

OURS = "tfdp-fast"


@dataclass(frozen=True)
class Contender:
    """Somebody who does the job.

    Attributes
    ----------
    name : str
        What the report calls it.
    run : callable
        Does the job once and returns the answer.
    seconds : callable, optional
        Of the answer and of the seconds that `run` took: what counts. For a process that times itself, or
        if the contender does a part of the work.
    repeat : int
        How often it runs in each pass. Quick jobs run several times, so that caches are warm for everybody.
    """

    name: str
    run: Callable[[], Any]
    seconds: Callable[[Any, float], float] = lambda _, elapsed: elapsed
    repeat: int = 1


@dataclass
class _Entry:
    contender: Contender
    times: list[float] = field(default_factory=list)
    answer: Any = None

    def go(self) -> Any:
        begin = time.perf_counter()
        self.answer = self.contender.run()
        elapsed = time.perf_counter() - begin
        self.times.append(self.contender.seconds(self.answer, elapsed))
        return self.answer

    def of_passes(self) -> list[float]:
        """The median of each pass."""
        each = self.contender.repeat
        return [statistics.median(self.times[i : i + each]) for i in range(0, len(self.times), each)]


@dataclass(frozen=True)
class Measured:
    """What the report says of one contender; the ratios are its times over ours, by passes."""

    name: str
    seconds: float
    low: float
    high: float
    rounds: int
    ratio: float = 1
    ratio_low: float = 1
    ratio_high: float = 1


def contest(
    benchmark: BenchmarkFixture,
    what: str,
    ours: Callable[[], Any] | Contender,
    rivals: Sequence[Contender] = (),
    *,
    work: Mapping[str, int],
    passes: int = 5,
    repeat: int = 1,
    warm: bool = True,
    at_least: float | None = None,
    note: str = "",
) -> tuple[Any, dict[str, Any]]:
    """Run everybody alternately and record how long it took.

    Parameters
    ----------
    what : str
        The job; the benchmark's group.
    ours, rivals
        Who does it.
    work : mapping of str to int
        How much it is. The first entry is the unit in which times are reported.
    passes : int
        How often everybody runs; in each pass, ours `repeat` times unless `ours` says it.
    warm : bool
        Let everybody run once before.
    at_least : float, optional
        How many times as long as ours the first rival shall take.
    note : str
        Why it is as it is, if that is known; one sentence for the report.

    Returns
    -------
    answer, answers
        Ours, and those of the rivals by their names.
    """
    own = _Entry(ours if isinstance(ours, Contender) else Contender(OURS, ours, repeat=repeat))
    others = [_Entry(rival) for rival in rivals]

    def before_ours() -> None:
        if len(own.times) % own.contender.repeat == 0:
            for entry in others:
                for _ in range(entry.contender.repeat):
                    entry.go()

    if warm and benchmark.enabled:
        for entry in (*others, own):
            entry.go()
            entry.times.clear()
    benchmark.group = what
    pedantic: Any = benchmark.pedantic  # untyped
    answer = pedantic(own.go, setup=before_ours, rounds=passes * own.contender.repeat)
    if benchmark.enabled:
        entries = [_measured(own, own), *(_measured(entry, own) for entry in others)]
        benchmark.extra_info |= {
            "what": what,
            "work": dict(work),
            "entries": [asdict(entry) for entry in entries],
            "note": note,
        }
        if at_least is not None:
            claim(benchmark, what, entries[1].name, entries[1].ratio, at_least=at_least, unit="×")
    return answer, {entry.contender.name: entry.answer for entry in others}


def _measured(entry: _Entry, ours: _Entry) -> Measured:
    ratios = [theirs / own for theirs, own in zip(entry.of_passes(), ours.of_passes(), strict=True)]
    return Measured(
        entry.contender.name,
        statistics.median(entry.times),
        min(entry.times),
        max(entry.times),
        len(entry.times),
        statistics.median(ratios),
        min(ratios),
        max(ratios),
    )


def claim(
    benchmark: BenchmarkFixture,
    what: str,
    against: str,
    measured: float,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    unit: str,
) -> None:
    """Record a goal and what was measured; the report says whether it is met."""
    if benchmark.enabled:
        goal = {"what": what, "against": against, "measured": measured, "unit": unit}
        goal |= {"at_least": at_least} if at_least is not None else {"at_most": at_most}
        benchmark.extra_info.setdefault("goals", []).append(goal)


def table(benchmark: BenchmarkFixture, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Leave one more table for the report."""
    tables = benchmark.extra_info.setdefault("tables", [])
    tables.append({"columns": list(columns), "rows": [list(row) for row in rows]})
