"""The baselines by name: which checkpoints they look at, and which end of the ranking is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from tfdp_fast.errors import OptionError

__all__ = ["METHODS", "Method", "PixelMethod", "Pixels", "Reduction", "check_choice"]

PixelMethod: TypeAlias = Literal["entropy", "el2n", "bce", "logit_mse", "margin", "class_margin", "correct"]
"""What a pixel has at one checkpoint."""

Reduction: TypeAlias = Literal["mean", "sum"]
"""From pixels to an instance: the mean (Eq. 3), or the sum (App. D.1)."""

Pixels: TypeAlias = Literal["roi", "mask"]
"""Over which pixels: all of the box, or those of the mask in it."""


@dataclass(frozen=True)
class Method:
    """A baseline.

    Attributes
    ----------
    name : str
        As in `METHODS`.
    pixel : str or None
        What a pixel has at one checkpoint, as `pixel_scores` names it; None if the baseline looks at none.
    checkpoint : {"none", "half", "final", "all"}
        The checkpoints that it goes by: none, the one at half of the schedule, the last, or all.
    keep : {"highest", "lowest"}
        Which end of the ranking is kept, unless somebody says otherwise.
    source : str
        Where it comes from.

    Examples
    --------
    >>> from tfdp_fast.baselines import METHODS
    >>> METHODS["aum"].keep, METHODS["el2n"].checkpoint
    ('lowest', 'half')
    """

    name: str
    pixel: PixelMethod | None
    checkpoint: Literal["none", "half", "final", "all"]
    keep: Literal["highest", "lowest"]
    source: str


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        method.name: method
        for method in (
            Method("random", None, "none", "highest", "uniform"),
            Method("entropy", "entropy", "final", "highest", "Coleman et al. 2020"),
            Method("el2n", "el2n", "half", "highest", "Paul et al. 2021"),
            Method("forgetting", "correct", "all", "highest", "Toneva et al. 2019"),
            Method("aum", "margin", "all", "lowest", "Pleiss et al. 2020"),
            Method("bce", "bce", "final", "highest", "the authors' code, as Entropy"),
            Method("logit_mse", "logit_mse", "half", "highest", "the authors' code, as EL2N"),
            Method("class_margin", "class_margin", "final", "lowest", "the authors' code, as AUM"),
        )
    }
)
"""The baselines, by name."""


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise OptionError unless the value is one of these."""
    if value not in choices:
        raise OptionError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")
