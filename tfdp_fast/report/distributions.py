"""Distributions: quartiles, mean, inequality, and a histogram whose bins suit the values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bins", "Distribution", "Histogram", "Scale", "bins_for", "distribution_of", "exact_sum"]

Scale: TypeAlias = Literal["linear", "log"]
"""What bins are equally wide on."""

MOST_BINS = 40
DECADES = (50, 20, 10, 5, 2, 1)
"""How many bins a decade may have on a logarithmic scale."""
SPREAD = 10
"""Values of which the largest is that many times the smallest are shown on a logarithmic scale."""


@dataclass(frozen=True, eq=False)
class Bins:
    """B bins for values above 0.

    Attributes
    ----------
    scale : {"linear", "log"}
        What the bins are equally wide on.
    edges : float64 [B + 1]
        Bin b holds ``edges[b] <= value < edges[b + 1]``.
    """

    scale: Scale
    edges: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Histogram(Bins):
    """How many values there are in each of B bins.

    Attributes
    ----------
    counts : int64 [B]
        The values in each.
    """

    counts: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Distribution:
    """How n values of at least 0 are distributed; what there is not of no value is None.

    Attributes
    ----------
    n : int
        How many there are.
    zeros : int
        How many of them are 0: these are in no bin of the histogram.
    total, mean : float, float or None
        Their sum, exact and rounded once, and their mean.
    min, lower, median, upper, max : float or None
        The least, the quartiles (between two values on a straight line), the greatest.
    gini : float or None
        Gini coefficient: 0 if all are equal, towards 1 if few have all of it. None if all are 0.
    histogram : Histogram
        Of the positive values.
    """

    n: int
    zeros: int
    total: float
    mean: float | None
    min: float | None
    lower: float | None
    median: float | None
    upper: float | None
    max: float | None
    gini: float | None
    histogram: Histogram


def distribution_of(values: NDArray[Any], bins: Bins | None = None) -> Distribution:
    """How values are distributed.

    Parameters
    ----------
    values : float64 or int64 [n]
        Finite and at least 0; in any order, on which nothing depends.
    bins : Bins, optional
        Of the histogram; those that suit these values by default.

    Examples
    --------
    >>> found = distribution_of(np.array([1, 3, 1, 0, 2, 1]))
    >>> found.n, found.zeros, found.mean, found.median, found.upper
    (6, 1, 1.3333333333333333, 1.0, 1.75)
    >>> found.histogram.edges, found.histogram.counts
    (array([1., 2., 3., 4.]), array([3, 1, 1]))
    """
    bins = bins_for(values) if bins is None else bins
    ordered = np.sort(values).astype(np.float64)
    n = len(ordered)
    positive = ordered[np.searchsorted(ordered, 0.0, "right") :]
    total = exact_sum(ordered)
    lower, median, upper = np.quantile(ordered, (0.25, 0.5, 0.75)).tolist() if n else (None,) * 3
    return Distribution(
        n=n,
        zeros=n - len(positive),
        total=total,
        mean=total / n if n else None,
        min=float(ordered[0]) if n else None,
        lower=lower,
        median=median,
        upper=upper,
        max=float(ordered[-1]) if n else None,
        gini=_gini(ordered, total) if total else None,
        histogram=Histogram(bins.scale, bins.edges, np.diff(np.searchsorted(positive, bins.edges))),
    )


def exact_sum(values: NDArray[np.float64]) -> float:
    """The sum of float64 [n], rounded once."""
    from tfdp_fast.kernels.sums import sum_groups

    return float(sum_groups(values, np.arange(len(values)), np.array([0, len(values)]))[0])


def _gini(ordered: NDArray[np.float64], total: float) -> float:
    n = len(ordered)
    weights = np.arange(1 - n, n, 2) / n
    return max(0.0, exact_sum(weights * ordered) / total)


def bins_for(*columns: NDArray[Any]) -> Bins:
    """Bins that suit the values above 0 of some columns together.

    Parameters
    ----------
    *columns : float64 or int64
        Finite values. If all are whole numbers, so are the edges. Else, if the greatest value is ten times
        the least or more, the bins are equally wide on a logarithmic scale.

    Returns
    -------
    Bins
        At most about 40, and none if there are no values above 0.

    Examples
    --------
    >>> bins_for(np.array([0.5, 2.0]), np.array([0.0, 5.5])).scale
    'log'
    >>> bins_for(np.array([2, 2, 4])).edges
    array([2., 3., 4., 5.])
    """
    positive = [column[column > 0] for column in columns]
    positive = [column for column in positive if len(column)]
    if not positive:
        return Bins("linear", np.zeros(1))
    least = min(float(column.min()) for column in positive)
    most = max(float(column.max()) for column in positive)
    whole = all(column.dtype.kind in "iu" for column in columns)
    if not whole and most >= SPREAD * least:
        return Bins("log", _log_edges(least, most))
    return Bins("linear", _linear_edges(least, most, whole=whole))


def _linear_edges(least: float, most: float, *, whole: bool) -> NDArray[np.float64]:
    step = (most - least) / MOST_BINS
    step = 1.0 if whole and step <= 1 else _round_step(step or most / MOST_BINS)
    first, last = math.floor(least / step), math.floor(most / step) + 1
    return _around([step * i for i in range(first, last + 1)], least, most)


def _round_step(least: float) -> float:
    """1, 2 or 5 times a power of ten, and at least that much."""
    power = math.floor(math.log10(least))
    for exponent in (power, power + 1):
        for factor in (1, 2, 5):
            if (step := factor * 10.0**exponent) >= least:
                return step
    raise AssertionError(least)


def _log_edges(least: float, most: float) -> NDArray[np.float64]:
    for per_decade in DECADES:
        first, last = (math.floor(math.log10(value) * per_decade) for value in (least, most))
        if last - first < MOST_BINS:
            break
    return _around([10.0 ** (i / per_decade) for i in range(first, last + 2)], least, most)


def _around(edges: list[float], least: float, most: float) -> NDArray[np.float64]:
    """Edges that hold all values, and have no bin too many, although quotients and powers are rounded."""
    while edges[0] > least:
        edges.insert(0, 2 * edges[0] - edges[1])
    while edges[-1] <= most:
        edges.append(2 * edges[-1] - edges[-2])
    while edges[1] <= least:
        del edges[0]
    while edges[-2] > most:
        del edges[-1]
    return np.array(edges)
