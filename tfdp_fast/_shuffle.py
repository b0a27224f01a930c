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
    return np.argsort(Draws(seed, *stream).take(n), kind="stable")


class Draws:
    """What things draw, one after the other: 64 bits each.

    However many are taken at a time, they are the same.

    Parameters
    ----------
    seed : int
        At least 0.
    *stream : int
        Which of the seed's independent streams to draw from.

    Examples
    --------
    >>> draws = Draws(0)
    >>> np.argsort([*draws.take(2), *draws.take(3)])
    array([3, 2, 1, 0, 4])
    """

    def __init__(self, seed: int, *stream: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=stream))

    def take(self, n: int) -> NDArray[np.uint64]:
        """The next n, uint64 [n]."""
        return np.asarray(self._bits.random_raw(n), np.uint64)
