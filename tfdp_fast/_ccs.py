"""Coverage-centric coreset selection: the same number of images from each range of scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._shuffle import shuffled
from tfdp_fast.errors import OptionError


def draw_from_strata(scores: NDArray[np.float64], k: int, strata: int, seed: int) -> NDArray[np.bool_]:
    """Draw k images from strata of equal width, as evenly as these allow.

    Parameters
    ----------
    scores : float64 [n]
        Of the images, in data-set order.
    k : int
        How many to draw; all of them, if there are fewer.
    strata : int
        How many strata there are.
    seed : int
        Each stratum draws from a stream of its own, so that one does not depend on another.

    Returns
    -------
    bool [n]
        Which are drawn.
    """
    drawn = np.zeros(len(scores), np.bool_)
    stratum = strata_of(scores, strata)
    members = np.argsort(stratum.astype(np.min_scalar_type(strata)), kind="stable")  # small ones sort faster
    counts = np.bincount(stratum, minlength=strata)
    ends = np.cumsum(counts)
    budgets = allocate(counts, k)
    for number in np.flatnonzero(budgets).tolist():
        count, end = counts[number], ends[number]
        order = shuffled(count, seed, number)
        drawn[members[end - count : end][order[: budgets[number]]]] = True
    return drawn


def strata_of(scores: NDArray[np.float64], strata: int) -> NDArray[np.int64]:
    """The stratum of each score, int64 [n], from 0.

    Strata are half-open, of equal width, from the minimum to 1.0001 times the maximum. Where that is not
    above the maximum, because it is not positive, they end at the maximum, which belongs to the last of them.

    Examples
    --------
    >>> strata_of(np.array([0.0, 0.5, 1.0]), 2), strata_of(np.array([-2.0, -1.5, -1.0]), 2)
    (array([0, 0, 1]), array([0, 1, 1]))
    """
    if not len(scores):
        return np.zeros(0, np.int64)
    low, high = float(scores.min()), float(scores.max())
    step = ((high * 1.0001 if high > 0 else high) - low) / strata
    if not np.isfinite(step):
        raise OptionError(f"scores from {low:g} to {high:g} are too far apart for strata")
    bounds = low + np.arange(strata) * step
    return np.searchsorted(bounds, scores, side="right").astype(np.int64) - 1


def allocate(counts: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """How many images each stratum gives, int64 [strata]: together k, or all that there are.

    From the smallest stratum to the largest (of equal ones the first comes first), each gives an equal part
    of what is still wanted, or all that it has.

    Examples
    --------
    >>> allocate(np.array([40, 0, 2, 30, 1]), 10)
    array([4, 0, 2, 3, 1])
    """
    budgets = np.zeros(len(counts), np.int64)
    for visited, number in enumerate(np.argsort(counts, kind="stable").tolist()):
        budgets[number] = min(int(counts[number]), k // (len(counts) - visited))
        k -= int(budgets[number])
    return budgets
