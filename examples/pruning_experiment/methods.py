"""The methods that are compared: which scores, and how they select."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import tfdp_fast as tfdp
from tfdp_fast import baselines

__all__ = ["METHODS", "RECORDED", "Method"]


@dataclass(frozen=True)
class Method:
    """A way to a subset.

    Attributes
    ----------
    label : str
        For people.
    scores : str
        Which image scores.
    options : dict
        For `tfdp_fast.select`, beside the rate.
    seeded : bool
        Whether the selection draws, with the seed of the repetition.
    """

    label: str
    scores: str
    options: dict[str, Any] = field(default_factory=dict)
    seeded: bool = False

    def subset(self, scores: dict[str, tfdp.Scores], rate: float, seed: int) -> tfdp.Subset:
        """Keep the share ``1 - rate`` of the images."""
        options = self.options | ({"seed": seed} if self.seeded else {})
        return tfdp.select(scores[self.scores], rate=rate, **options)


def _baseline(label: str, name: str) -> Method:
    return Method(label, name, {"order": baselines.METHODS[name].keep})


METHODS = {
    "random": Method("Random", "tfdp", {"strategy": "random"}, seeded=True),
    "entropy": _baseline("Entropy", "entropy"),
    "el2n": _baseline("EL2N", "el2n"),
    "forgetting": _baseline("Forgetting", "forgetting"),
    "aum": _baseline("AUM", "aum"),
    "ccs": Method("CCS", "aum", {"strategy": "ccs", "order": "lowest"}, seeded=True),
    "tfdp": Method("TFDP", "tfdp"),
    "si": Method("si: not class-balanced", "si"),
    "cb": Method("cb: not scale-invariant", "cb"),
    "scs": Method("scs: neither", "scs"),
    "tfdp-by-class": Method("TFDP, class by class", "tfdp", {"strategy": "stratified-by-class"}),
}
"""In the order of the tables. Random takes no notice of the scores, only of which images have some."""

RECORDED = ("entropy", "el2n", "forgetting", "aum")
"""The scores that come from a recorded training."""
