"""What is recorded at which epoch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np

from tfdp_fast._numbers import is_number
from tfdp_fast.baselines.methods import METHODS, check_choice
from tfdp_fast.errors import OptionError

__all__ = ["Methods", "Schedule", "checked_epoch"]

Methods: TypeAlias = "Iterable[str] | Mapping[str, Iterable[int] | None]"

RECORDED = ("entropy", "el2n", "forgetting", "aum", "bce", "logit_mse")
"""What can be recorded: the baselines that go by the channel of the instance's own class."""


class Schedule:
    """The methods that are recorded, by name; see `TrainingRecorder`.

    Attributes
    ----------
    methods : dict
        The epochs of each, ascending; None stands for all.
    """

    def __init__(self, methods: Methods) -> None:
        given = methods if isinstance(methods, Mapping) else dict.fromkeys(methods)
        self.methods: dict[str, tuple[int, ...] | None] = {}
        for method in sorted(given):
            check_choice("a method", method, RECORDED)
            epochs = given[method]
            if epochs is not None and METHODS[method].checkpoint == "all":
                raise OptionError(f"{method} goes by all epochs: they cannot be chosen")
            self.methods[method] = None if epochs is None else tuple(sorted(map(checked_epoch, epochs)))
        if not self.methods:
            raise OptionError("there is no method to record")

    @property
    def forgetting(self) -> bool:
        """Are forgetting events counted?"""
        return "forgetting" in self.methods

    def summed(self, epoch: int) -> list[str]:
        """The methods whose sums are kept at an epoch."""
        return [
            method
            for method, epochs in self.methods.items()
            if method != "forgetting" and (epochs is None or epoch in epochs)
        ]

    def checkpoints(self, method: str, epoch: int | None, last: int) -> list[int]:
        """The epochs that a method goes by, T being the last, and `epoch` what the caller wants."""
        check_choice("a method that is recorded", method, tuple(self.methods))
        checkpoint, epochs = METHODS[method].checkpoint, self.methods[method]
        if checkpoint == "all":
            if epoch is not None:
                raise OptionError(f"{method} goes by all epochs: leave epoch away")
            return list(range(1, last + 1))
        if epoch is None:
            epoch = max(last // 2 if checkpoint == "half" else last, 1)
        if epochs is not None and checked_epoch(epoch) not in epochs:
            raise OptionError(f"{method} is recorded at the epochs {list(epochs)} only, not at {epoch}")
        return [checked_epoch(epoch)]


def checked_epoch(epoch: Any) -> int:
    """The epoch as an int, if it is one."""
    if not is_number(epoch, int, np.integer) or epoch < 1:
        raise OptionError(f"an epoch is a whole number of at least 1, got {epoch!r}")
    return int(epoch)
