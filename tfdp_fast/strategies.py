"""How images are chosen: the best, at random, from strata of scores, or class by class."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._by_class import spread_over_classes
from tfdp_fast._ccs import draw_from_strata
from tfdp_fast._numbers import is_number
from tfdp_fast._shuffle import shuffled
from tfdp_fast.errors import OptionError
from tfdp_fast.scores import Scores

__all__ = ["Order", "Strategy", "StrategyName", "choose"]

StrategyName: TypeAlias = Literal["top", "random", "ccs", "stratified-by-class"]
"""What `select` does; docs/selection.md has the algorithms."""

Order: TypeAlias = Literal["highest", "lowest"]
"""Which scores are the best; of AUM the lowest."""

DEFAULTS: dict[StrategyName, dict[str, Any]] = {
    "top": {"order": "highest"},
    "random": {"seed": 0},
    "ccs": {"order": "highest", "seed": 0, "beta": None, "strata": 50},
    "stratified-by-class": {"order": "highest"},
}
"""The options that a strategy has. That of beta depends on the order."""

HARDEST = 0.1
"""The share of the images that CCS drops first, over AUM."""

MOST_STRATA = 1_000_000


@dataclass(frozen=True)
class Strategy:
    """How images are chosen. Options that are not given take their defaults; others must not be given.

    Attributes
    ----------
    name : {"top", "random", "ccs", "stratified-by-class"}
        The strategy.
    order : {"highest", "lowest"}, optional
        Which scores are the best; all but ``"random"``.
    seed : int, optional
        ``"random"`` and ``"ccs"``: which of the possible subsets it is.
    beta : float, optional
        ``"ccs"``: the share of the images, the best ones, that is dropped before strata are made.
    strata : int, optional
        ``"ccs"``: how many there are.

    Examples
    --------
    >>> Strategy("random")
    Strategy(name='random', order=None, seed=0, beta=None, strata=None)
    >>> Strategy("ccs", order="lowest").beta
    0.1
    """

    name: StrategyName = "top"
    order: Order | None = None
    seed: int | None = None
    beta: float | None = None
    strata: int | None = None

    def __post_init__(self) -> None:
        """Check the options, and fill in those that are not given."""
        if self.name not in DEFAULTS:
            names = ", ".join(map(repr, DEFAULTS))
            raise OptionError(f"strategy must be one of {names}, got {self.name!r}")
        defaults = DEFAULTS[self.name]
        for option in ("order", "seed", "beta", "strata"):
            value = getattr(self, option)
            if value is None:
                object.__setattr__(self, option, defaults.get(option))
            elif option not in defaults:
                raise OptionError(f"strategy {self.name!r} has no {option}, got {option}={value!r}")
        if self.name == "ccs" and self.beta is None:
            object.__setattr__(self, "beta", HARDEST if self.order == "lowest" else 0.0)
        self._check()

    def _check(self) -> None:
        if self.order not in {None, *get_args(Order)}:
            raise OptionError(f"order must be 'highest' or 'lowest', got {self.order!r}")
        for option, low, high in (("seed", 0, 2**64 - 1), ("strata", 1, MOST_STRATA)):
            value = getattr(self, option)
            if value is None:
                continue
            if not is_number(value, int, np.integer) or not low <= value <= high:
                raise OptionError(f"{option} must be a whole number from {low} to {high}, got {value!r}")
            object.__setattr__(self, option, int(value))
        if self.beta is not None:
            if not is_number(self.beta, int, float, Fraction, np.floating) or not 0 <= self.beta < 1:
                raise OptionError(f"beta is the share to drop first, 0 <= beta < 1, got {self.beta!r}")
            object.__setattr__(self, "beta", float(self.beta))

    def dropped_first(self, n: int) -> int:
        """How many of n candidates are out of the question: beta as a decimal number, rounded down."""
        return 0 if self.beta is None else math.floor(n * Fraction(repr(self.beta)))


def choose(strategy: Strategy, scores: Scores, candidates: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Choose k of the candidates.

    Parameters
    ----------
    strategy : Strategy
        How.
    scores : Scores
        Of the data set.
    candidates : int64 [n]
        Positions of images, ascending.
    k : int
        How many to choose, at most n without those that are dropped first.

    Returns
    -------
    int64 [k]
        Their positions: best first, in the order in which they were drawn (``"random"``), or taken
        (``"stratified-by-class"``).
    """
    if strategy.name == "random":
        assert strategy.seed is not None
        return candidates[shuffled(len(candidates), strategy.seed)[:k]]
    values = scores.images.score[candidates]
    best_first = candidates[np.argsort(-values if strategy.order == "highest" else values, kind="stable")]
    if strategy.name == "stratified-by-class":
        return spread_over_classes(scores, best_first, k)
    if strategy.name == "ccs":
        assert strategy.strata is not None
        assert strategy.seed is not None
        best_first = best_first[strategy.dropped_first(len(candidates)) :]
        chosen = np.zeros(len(scores.images), np.bool_)
        chosen[best_first] = True
        rest = np.flatnonzero(chosen)
        chosen[rest] = draw_from_strata(scores.images.score[rest], k, strategy.strata, strategy.seed)
        return best_first[chosen[best_first]]
    return best_first[:k]
