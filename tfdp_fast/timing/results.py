"""What a comparison with the paper's times has found, as rows that say where each time is from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from tfdp_fast.timing.agreement import Agreement
from tfdp_fast.timing.paper import DataSetName
from tfdp_fast.timing.rounds import Times

Kind: TypeAlias = Literal["measured", "extrapolated", "quoted", "not measured"]
"""Measured here; measured here on a part, and multiplied up; reported by the paper; or nothing."""


@dataclass(frozen=True)
class Row:
    """A time, or why there is none.

    Attributes
    ----------
    group : str
        What it belongs to: a heading.
    what : str
        What took it.
    kind : str
        Where it is from.
    seconds : float or None
        The median of the rounds, or what is quoted; None if it was not measured.
    low, high : float or None
        The shortest and the longest round, of what was measured.
    rounds : int
        How many; 0 for what is quoted.
    note : str
        On what it was measured, or where it is quoted from.
    """

    group: str
    what: str
    kind: Kind
    seconds: float | None
    low: float | None = None
    high: float | None = None
    rounds: int = 0
    note: str = ""

    @classmethod
    def measured(cls, group: str, what: str, times: Times, note: str = "") -> Row:
        """What was measured here."""
        count = len(times.rounds)
        return cls(group, what, "measured", times.seconds, times.low, times.high, count, note)

    @classmethod
    def missing(cls, group: str, what: str, reason: str) -> Row:
        """What was not measured, and why."""
        return cls(group, what, "not measured", None, note=reason)


@dataclass(frozen=True)
class Ratio:
    """A time over another, which is ours but for the speed-up that the paper itself states.

    Attributes
    ----------
    what : str
        Whose time.
    kind : str
        Where that time is from.
    over : str
        Over whose time.
    value : float or None
        How many times as long it is; None if it was not measured, or the paper's data set is of another size.
    same_machine : bool
        Whether both were measured in one place. If not, the ratio is one of machines as well.
    """

    what: str
    kind: Kind
    over: str
    value: float | None
    same_machine: bool


@dataclass(frozen=True)
class DataSetTiming:
    """A data set and its times.

    Attributes
    ----------
    name, title : str
        Which of the paper's it is, or stands for.
    origin : str
        ``"real"``, or how it was made.
    scale : float
        Its size as a share of the paper's.
    images, instances, bytes, files : int
        How much of it there is. Instances are those that are scored.
    made_in : float or None
        Seconds that it took to make it.
    rows : list of Row
    ratios : list of Ratio
    agreement : Agreement or None
        Of our answers and those of the authors' route; None if that did not run.
    """

    name: DataSetName
    title: str
    origin: str
    scale: float
    images: int
    instances: int
    bytes: int
    files: int
    made_in: float | None
    rows: list[Row]
    ratios: list[Ratio]
    agreement: Agreement | None

    @property
    def losses(self) -> list[str]:
        """Where somebody else takes less time than we do, and where the answers differ."""
        found = [
            f"{self.title}: {ratio.what} ({ratio.kind}) takes {ratio.value:.2g} × the time of {ratio.over}"
            for ratio in self.ratios
            if ratio.value is not None and ratio.value < 1
        ]
        if self.agreement is not None and not self.agreement.same:
            found.append(f"{self.title}: {self.agreement.in_words()}")
        return found


@dataclass(frozen=True)
class PaperTiming:
    """All of it.

    Attributes
    ----------
    machine : mapping
        What it was measured on, and with which versions.
    threads, rounds : int
        Threads where it says all threads, and rounds at most.
    scale : float
        Of the data that was made.
    pixels : list of Row
        Seconds for a million pixels, by method.
    data_sets : list of DataSetTiming
    seconds : float
        How long all of it took.
    """

    machine: Mapping[str, Any]
    threads: int
    rounds: int
    scale: float
    pixels: list[Row]
    data_sets: list[DataSetTiming] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def losses(self) -> list[str]:
        """Those of all data sets."""
        return [loss for data_set in self.data_sets for loss in data_set.losses]

    @property
    def same(self) -> bool:
        """Whether the authors' route came to the same answers wherever it ran."""
        return all(one.agreement is None or one.agreement.same for one in self.data_sets)
