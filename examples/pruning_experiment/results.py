"""What the results say: means, spreads, and differences from Random."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Measure", "Results", "Spread", "class_iou", "instance_iou", "instances"]

Measure = Callable[[dict[str, Any]], float]
"""What is taken from a run."""

STUDENT = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
"""Student's t by degrees of freedom: the middle 95 % lie within plus and minus it."""


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation over seeds (with n - 1), and the values [n] themselves."""

    values: NDArray[np.float64]

    @property
    def mean(self) -> float:
        """Their mean."""
        return float(self.values.mean())

    @property
    def deviation(self) -> float:
        """Their standard deviation."""
        return float(self.values.std(ddof=1))

    @property
    def half_interval(self) -> float:
        """Half the 95 % interval of the mean."""
        n = len(self.values)
        return STUDENT[n - 1] * self.deviation / math.sqrt(n)

    @property
    def is_clear(self) -> bool:
        """Does the 95 % interval of the mean leave out 0?"""
        return abs(self.mean) > self.half_interval


class Results:
    """The runs of a results file."""

    def __init__(self, results: dict[str, Any]) -> None:
        self.seeds: list[int] = results["settings"]["seeds"]
        self.rates: list[float] = results["settings"]["rates"]
        self._runs = {(run["method"], run["rate"], run["seed"]): run for run in results["runs"]}
        self.methods = [
            name for name in dict.fromkeys(run["method"] for run in results["runs"]) if name != "all"
        ]

    def over_seeds(self, measure: Measure, method: str, rate: float = 0.0) -> Spread:
        """A measure of a method at a rate; of the method ``"all"`` there is only rate 0."""
        return Spread(np.array([measure(self._runs[method, rate, seed]) for seed in self.seeds]))

    def over_classes(self, what: str, method: str, rate: float = 0.0) -> dict[str, float]:
        """What a run says of each class, as the mean over the seeds."""
        runs = [self._runs[method, rate, seed][what] for seed in self.seeds]
        return {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}

    def against_random(self, measure: Measure, method: str, rate: float) -> Spread:
        """The differences of a method from Random of the same seed."""
        ours, random = (self.over_seeds(measure, name, rate).values for name in (method, "random"))
        return Spread(ours - random)


def instance_iou(run: dict[str, Any]) -> float:
    """Mean over the test instances, in points of 100."""
    return 100 * float(run["iou"])


def class_iou(run: dict[str, Any]) -> float:
    """Mean over the means of the classes, in points of 100."""
    return 100 * float(np.mean(list(run["iou_of_class"].values())))


def instances(run: dict[str, Any]) -> float:
    """How many instances it was trained on."""
    return float(sum(run["instances"].values()))
