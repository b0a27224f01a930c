"""Random orders that are the same everywhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def shuffled(n: int, seed: int, *stream: int) -> NDArray[np.int64]:
    """A uniformly random order of n things, int64 [n].

    Each of them draws 64 bits from PCG64, and they are sorted by what they drew. NumPy guarantees that a seed
    gives the same bits from PCG64 on every machine and in every version; it does not guarantee that of the
    permutations of its own.

    Parameters
    ----------
    n : int
        How many things there are.
    seed : int
        At least 0.
    *stream : int
        Which of the seed's independent streams to draw from.

    Examples
    --------
    >>> shuffled(5, 0), shuffled(5, 0, 7)
    (array([3, 2, 1, 0, 4]), array([1, 3, 0, 2, 4]))
    """
    bits = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=stream)).random_raw(n)
    return np.argsort(np.asarray(bits, np.uint64), kind="stable")
