"""What a run is to choose, once all shards are scored."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, get_args

from tfdp_fast.errors import OptionError
from tfdp_fast.scores import Variant
from tfdp_fast.selection import Of
from tfdp_fast.strategies import Order, Strategy, StrategyName

__all__ = ["Wanted"]


@dataclass(frozen=True)
class Wanted:
    """How images are scored and chosen. Boundary counts do not depend on it: it may change from run to run.

    Attributes
    ----------
    share : Fraction, int or None
        The share, or the number, to keep; None if none are to be chosen.
    of : {"scored", "annotated", "all"}
        What a share refers to.
    strategy : Strategy
        ``"top"`` or ``"random"``.
    variant : {"tfdp", "si", "cb", "scs"}
        The method, or one of its ablations.

    Examples
    --------
    >>> wanted = Wanted(Fraction(7, 10))
    >>> wanted.to_json()["share"], Wanted.from_json(wanted.to_json()) == wanted
    ('7/10', True)
    """

    share: Fraction | int | None = None
    of: Of = "scored"
    strategy: Strategy = field(default_factory=Strategy)
    variant: Variant = "tfdp"

    def __post_init__(self) -> None:
        """Check what can be checked without scores."""
        if self.strategy.name not in {"top", "random"}:
            raise OptionError(
                f"strategy {self.strategy.name!r} needs all scores in memory: a run has 'top' and 'random'"
            )
        if self.of not in get_args(Of):
            raise OptionError(f"of must be 'scored', 'annotated' or 'all', got {self.of!r}")
        if self.variant not in get_args(Variant):
            raise OptionError(f"variant must be 'tfdp', 'scs', 'si' or 'cb', got {self.variant!r}")

    def but(
        self,
        share: Fraction | int | None,
        of: Of | None,
        strategy: StrategyName | None,
        order: Order | None,
        seed: int | None,
        variant: Variant | None,
    ) -> Wanted:
        """The same, but for what is given.

        Examples
        --------
        >>> wanted = Wanted(5, of="all").but(None, None, "random", None, 7, None)
        >>> wanted.share, wanted.of, wanted.strategy.name, wanted.strategy.seed
        (5, 'all', 'random', 7)
        """
        how = self.strategy
        if strategy is not None and strategy != how.name:
            how = Strategy(strategy, order, seed)
        elif order is not None or seed is not None:
            how = Strategy(how.name, order or how.order, how.seed if seed is None else seed)
        return Wanted(self.share if share is None else share, of or self.of, how, variant or self.variant)

    def to_json(self) -> dict[str, Any]:
        """As what JSON has."""
        strategy = self.strategy
        return {
            "share": str(self.share) if isinstance(self.share, Fraction) else self.share,
            "of": self.of,
            "strategy": strategy.name,
            "order": strategy.order,
            "seed": strategy.seed,
            "variant": self.variant,
        }

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Wanted:
        """From what `to_json` returns; KeyError, TypeError or ValueError if it is something else."""
        share = found["share"]
        return cls(
            Fraction(share) if isinstance(share, str) else share,
            found["of"],
            Strategy(found["strategy"], found["order"], found["seed"]),
            found["variant"],
        )
