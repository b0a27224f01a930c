"""Which images to keep, of any number: scores come in parts, and memory does not grow with them.

Every candidate has a key of 64 bits, and those of the least keys are kept; of equal keys, those that come
first in data-set order. A strategy says what the keys are: of scores their bits, put into an order, or what
was drawn at random. So the subset is the one that `tfdp_fast.select` chooses with all scores in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._shuffle import Draws
from tfdp_fast.errors import DataError, OptionError
from tfdp_fast.strategies import Strategy

__all__ = ["Cut", "Keeper", "Parts", "cut_at"]

Scores: TypeAlias = NDArray[np.float64]
Keys: TypeAlias = NDArray[np.uint64]

Parts: TypeAlias = Callable[[], Iterable[Scores]]
"""Gives the candidates' scores, float64 [n] a part, in data-set order, as often as it is called."""

GATHERED = 1 << 20
"""So many keys are held at the most: 8 MB, and as much again to sort them."""

_BLOCK = 1 << 15  # keys that are looked at together: they stay in the cache
_BITS = 16  # of a key that a pass over all scores decides
_TOP = 2**64 - 1
_SIGN = np.int64(-(2**63))


@dataclass(frozen=True)
class Cut:
    """Where the candidates that are kept end.

    Attributes
    ----------
    strategy : Strategy
        How they are chosen: ``"top"`` or ``"random"``.
    k : int
        How many are kept.
    candidates : int
        Of how many.
    key : int
        The greatest key that is kept, of 64 bits.
    ties : int
        How many candidates of this key are kept, the first ones; 0 only if none are kept at all.
    """

    strategy: Strategy
    k: int
    candidates: int
    key: int
    ties: int

    @property
    def score(self) -> float | None:
        """The last score that is kept; None if none is, or if they are kept at random."""
        if self.strategy.name != "top" or not self.k:
            return None
        key = np.array(self.key, np.uint64).view(np.int64)
        value = float(np.where(key < 0, key ^ _SIGN, ~key).view(np.float64))
        return 0.0 - value if self.strategy.order == "highest" else value


def cut_at(parts: Parts, k: int, strategy: Strategy) -> Cut:
    """Find which candidates are the best k.

    The scores are read twice as a rule, once more for each 65,536-fold of a million candidates, and at most
    five times.

    Parameters
    ----------
    parts : callable
        Gives the scores of the candidates, part by part, in data-set order; called once for each reading.
    k : int
        How many to keep, 0 <= k <= the number of candidates.
    strategy : Strategy
        ``"top"`` or ``"random"``.

    Returns
    -------
    Cut
        See `Keeper` for what to do with it.

    Raises
    ------
    OptionError
        If there are fewer than k candidates, or the strategy is one that needs all scores at once.
    DataError
        If a score is not a number, or if not every reading gives the same scores.

    Examples
    --------
    >>> parts = [np.array([1.0, 3.0, 2.0]), np.array([3.0, 1.0, 3.0])]
    >>> cut = cut_at(lambda: parts, 2, Strategy("top"))
    >>> cut.score, cut.ties
    (3.0, 2)
    >>> keeper = Keeper(cut)
    >>> [keeper.keep(scores).tolist() for scores in parts]
    [[False, True, False], [True, False, False]]
    """
    low, high, left = 0, _TOP, k
    n = inside = None
    while True:
        survey = _survey(parts, strategy, low, high)
        if n is None:
            n = survey.candidates
            if not 0 <= k <= n:
                raise OptionError(f"{k} images cannot be kept: there are {n}")
            if k == 0:
                return Cut(strategy, k, n, key=0, ties=0)
        elif (n, inside) != (survey.candidates, int(survey.counts.sum())):
            raise _changed()
        up_to = np.cumsum(survey.counts)
        bucket = int(np.searchsorted(up_to, left))
        inside = int(survey.counts[bucket])
        left -= int(up_to[bucket]) - inside
        begin = low + (bucket << survey.shift)
        high = min(begin + (1 << survey.shift) - 1, survey.highest)
        low = max(begin, survey.lowest)
        if low == high:
            return Cut(strategy, k, n, key=low, ties=left)
        if inside <= GATHERED:
            keys = _gather(parts, strategy, low, high, inside)
            keys.partition(left - 1)
            key = keys[left - 1]
            return Cut(strategy, k, n, key=int(key), ties=left - int(np.count_nonzero(keys < key)))


class Keeper:
    """Says of candidates, part by part, which are kept.

    Attributes
    ----------
    left : int
        How many of those that are to be kept have not come yet: 0 at the end, or the scores are not those
        that the cut was made for.

    Parameters
    ----------
    cut : Cut
        Where they end.
    """

    def __init__(self, cut: Cut) -> None:
        self.left = cut.k
        self._key = np.uint64(cut.key)
        self._ties = cut.ties
        self._keys = _Keys(cut.strategy)

    def keep(self, scores: Scores) -> NDArray[np.bool_]:
        """Say which are kept of the next candidates.

        Parameters
        ----------
        scores : float64 [n]
            Of the candidates that follow those of the last call.

        Returns
        -------
        bool [n]

        Raises
        ------
        DataError
            If a score is not a number.
        """
        kept = np.empty(len(scores), np.bool_)
        end = 0
        for keys in self._keys.of(scores):
            begin, end = end, end + len(keys)
            np.less(keys, self._key, out=kept[begin:end])
            ties = np.flatnonzero(keys == self._key)[: self._ties]
            kept[begin + ties] = True
            self._ties -= len(ties)
        self.left -= int(np.count_nonzero(kept))
        return kept


class _Keys:
    """The keys of candidates, from part to part."""

    def __init__(self, strategy: Strategy) -> None:
        if strategy.name not in {"top", "random"}:
            raise OptionError(
                f"strategy {strategy.name!r} needs all scores in memory: take 'top' or 'random'"
            )
        self._highest = strategy.order == "highest"
        self._draws = None if strategy.seed is None else Draws(strategy.seed)
        self.seen = 0

    def of(self, scores: Scores) -> Iterator[Keys]:
        """The keys of the next part, a block at a time."""
        for begin in range(0, len(scores), _BLOCK):
            values = scores[begin : begin + _BLOCK]
            if (wrong := np.isnan(values)).any():
                record = f"candidate {self.seen + int(wrong.argmax())}"
                raise DataError("scores", record, "its score is not a number")
            self.seen += len(values)
            yield self._of_scores(values) if self._draws is None else self._draws.take(len(values))

    def _of_scores(self, values: Scores) -> Keys:
        # Taken from or added to 0.0, a zero has no sign. Bits of positive numbers are in order; those of
        # negative ones are in the opposite order, and below.
        bits = (0.0 - values if self._highest else values + 0.0).view(np.int64)
        keys: Keys = (bits ^ ((bits >> 63) | _SIGN)).view(np.uint64)
        return keys


@dataclass(frozen=True)
class _Survey:
    """How many keys there are from `low` on, a bucket of 2**shift after the other."""

    candidates: int
    counts: NDArray[np.int64]
    shift: int
    lowest: int
    highest: int


def _survey(parts: Parts, strategy: Strategy, low: int, high: int) -> _Survey:
    shift = max(0, (high - low).bit_length() - _BITS)
    counts = np.zeros(1 << _BITS, np.int64)
    lowest, highest = high, low
    source = _Keys(strategy)
    for scores in parts():
        for keys in source.of(scores):
            inside = _between(keys, low, high)
            if len(inside):
                buckets = (inside - np.uint64(low)) >> np.uint64(shift)
                np.add.at(counts, buckets.view(np.int64), 1)
                lowest, highest = min(lowest, int(inside.min())), max(highest, int(inside.max()))
    return _Survey(source.seen, counts, shift, lowest, highest)


def _gather(parts: Parts, strategy: Strategy, low: int, high: int, n: int) -> Keys:
    """The n keys that are in a range."""
    gathered = np.empty(n, np.uint64)
    end = 0
    source = _Keys(strategy)
    for scores in parts():
        for keys in source.of(scores):
            inside = _between(keys, low, high)
            begin, end = end, end + len(inside)
            if end > n:
                raise _changed()
            gathered[begin:end] = inside
    if end < n:
        raise _changed()
    return gathered


def _between(keys: Keys, low: int, high: int) -> Keys:
    if low == 0 and high == _TOP:
        return keys
    inside: Keys = keys[(keys >= np.uint64(low)) & (keys <= np.uint64(high))]
    return inside


def _changed() -> DataError:
    return DataError("scores", None, "they have changed since they were read before")
