"""Mask logits of made instances over some epochs, and what the baselines say of them, by plain NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def entropy(z: Any, _: Any) -> Floats:
    a = np.abs(np.asarray(z, np.float64))
    values: Floats = np.logaddexp(0, -a) + a * np.exp(-np.logaddexp(0, a))
    return values


def el2n(z: Any, y: Any) -> Floats:
    values: Floats = np.sqrt(2.0) * np.exp(-np.logaddexp(0, margin(z, y)))
    return values


def bce(z: Any, y: Any) -> Floats:
    values: Floats = np.logaddexp(0, -margin(z, y))
    return values


def logit_mse(z: Any, y: Any) -> Floats:
    values: Floats = np.square(np.asarray(z, np.float64) - np.asarray(y))
    return values


def margin(z: Any, y: Any) -> Floats:
    values: Floats = (2.0 * np.asarray(y) - 1) * np.asarray(z, np.float64)
    return values


def correct(z: Any, y: Any) -> Floats:
    values: Floats = np.equal(np.asarray(z) > 0, np.asarray(y) == 1).astype(np.float64)
    return values


DEFINITIONS = {function.__name__: function for function in (entropy, el2n, bce, logit_mse, margin, correct)}


@dataclass(frozen=True)
class Training:
    """N instances over T epochs.

    Attributes
    ----------
    ids : list of int
        In no order.
    targets : list of uint8 [h, w]
    logits : list of list of float32 [h, w]
        By epoch, then by instance.
    """

    ids: list[int]
    targets: list[NDArray[np.uint8]]
    logits: list[list[NDArray[np.float32]]]

    @property
    def epochs(self) -> int:
        return len(self.logits)

    def batch(self, epoch: int, positions: Any) -> tuple[Any, ...]:
        """Arguments of `record`."""
        logits = self.logits[epoch - 1]
        where = [int(j) for j in positions]
        return (
            epoch,
            [self.ids[j] for j in where],
            [logits[j] for j in where],
            [self.targets[j] for j in where],
        )

    def expected(self, method: str, epoch: int, reduction: str, pixels: str) -> dict[int, float]:
        """What a baseline says of each instance, from its whole history."""
        found = {}
        for j, (instance_id, y) in enumerate(zip(self.ids, self.targets, strict=True)):
            history = np.stack([logits[j] for logits in self.logits])
            if method == "forgetting":
                right = correct(history, y[None]) == 1
                values = (right[:-1] & ~right[1:]).sum(axis=0) + len(history) * ~right.any(axis=0)
            elif method == "aum":
                values = margin(history, y[None]).mean(axis=0)
            else:
                values = DEFINITIONS[method](history[epoch - 1], y)
            chosen = values[y == 1] if pixels == "mask" else values.ravel()
            total = float(chosen.sum())
            found[instance_id] = total / len(chosen) if reduction == "mean" and len(chosen) else total
        return found


def made_training(seed: int, instances: int = 9, epochs: int = 4) -> Training:
    """Boxes of 0 to some hundred pixels, one mask empty, and logits that get better."""
    rng = np.random.default_rng(seed)
    shapes = [(int(h), int(w)) for h, w in rng.integers(0, 27, (instances, 2))]
    truth = [rng.normal(0, 2, shape) for shape in shapes]
    targets = [(of_instance > 0).astype(np.uint8) for of_instance in truth]
    if instances:
        targets[-1][:] = 0
    logits = [
        [(t * epoch + rng.normal(0, 2, t.shape)).astype(np.float32) for t in truth]
        for epoch in range(1, epochs + 1)
    ]
    return Training(rng.permutation(1000)[:instances].tolist(), targets, logits)
