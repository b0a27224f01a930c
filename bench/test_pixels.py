"""The baselines from mask logits: pixels to instances, and a recorder, beside plain NumPy and PyTorch.

Logits are float32, 28 x 28 for an instance, as Mask R-CNN has them; one thread.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from contest import Contender, contest, table
from tfdp_fast.baselines import TrainingRecorder, instance_scores

INSTANCES, SIDE = 2_000, 28
EPOCHS = 3

Floats = NDArray[np.float64]


def made_logits(epoch: int = 1) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Blobs that fill the middle of their boxes, and logits that mostly meet them."""
    rng = np.random.default_rng([0, epoch])
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    inside = np.broadcast_to(1.1 - np.hypot(y, x), (INSTANCES, SIDE, SIDE))
    logits = 6 * epoch * inside + rng.normal(0, 3, inside.shape)
    return logits.astype(np.float32), inside > 0.1


def numpy_pixels(method: str, logits: NDArray[np.float32], targets: NDArray[np.bool_]) -> Floats:
    """In float64, without overflow, each array written once."""
    z = logits.astype(np.float64)
    if method == "margin":
        values: Floats = np.where(targets, z, -z)
        return values
    if method == "logit_mse":
        z -= targets
        return np.multiply(z, z, out=z)
    e = np.exp(-np.abs(z))
    if method == "el2n":
        wrong = np.where(targets, z < 0, z > 0)
        values = np.sqrt(2) * np.where(wrong, 1, e) / (1 + e)
    elif method == "entropy":
        values = np.log1p(e) + np.abs(z) * (e / (1 + e))
    else:
        values = np.maximum(np.where(targets, -z, z), 0) + np.log1p(e)
    return values


def torch_means(method: str) -> Callable[[Any, Any], Any]:
    """The shortest way in PyTorch, in float32."""
    import torch
    from torch.nn import functional

    def bce(z: Any, y: Any) -> Any:
        return functional.binary_cross_entropy_with_logits(z, y, reduction="none")

    pixels: dict[str, Callable[[Any, Any], Any]] = {
        "entropy": lambda z, _: functional.softplus(-z.abs()) + z.abs() * torch.sigmoid(-z.abs()),
        "el2n": lambda z, y: 2**0.5 * (torch.sigmoid(z) - y).abs(),
        "bce": bce,
        "logit_mse": lambda z, y: (z - y) ** 2,
        "margin": lambda z, y: (2 * y - 1) * z,
    }
    return lambda z, y: pixels[method](z, y).mean(dim=(1, 2)).numpy()


def rates(benchmark: BenchmarkFixture, pixels: int) -> None:
    """Print how many pixels each has done in a second."""
    if benchmark.enabled:
        rows = [
            [entry["name"], f"{pixels / entry['seconds'] / 1e6:,.0f}"]
            for entry in benchmark.extra_info["entries"]
        ]
        table(benchmark, [benchmark.extra_info["what"], "million pixels/s"], rows)
        print(*(f"{name}: {rate} million pixels/s" for name, rate in rows), sep="; ")


@pytest.mark.parametrize("method", ["entropy", "el2n", "bce", "logit_mse", "margin"])
def test_instance_means(benchmark: BenchmarkFixture, method: Any) -> None:
    logits, targets = made_logits()
    rivals = [Contender("NumPy", lambda: numpy_pixels(method, logits, targets).mean(axis=(1, 2)))]
    if importlib.util.find_spec("torch"):
        import torch

        torch.set_num_threads(1)
        tensors = torch.from_numpy(logits), torch.from_numpy(targets.astype(np.float32))
        means = torch_means(method)
        rivals.append(Contender("PyTorch, in float32", lambda: means(*tensors)))
    ours, answers = contest(
        benchmark,
        f"{method} from logits",
        lambda: instance_scores(method, logits, targets),
        rivals,
        work={"thousand pixels": logits.size // 1000, "instances": INSTANCES},
        passes=7,
        repeat=2,
        note="Ours and NumPy compute in float64; ours also sums over the mask and checks every pixel.",
    )
    np.testing.assert_allclose(ours, answers["NumPy"], rtol=1e-12)
    if "PyTorch, in float32" in answers:
        np.testing.assert_allclose(ours, answers["PyTorch, in float32"], rtol=2e-5, atol=2e-6)
    rates(benchmark, logits.size)


def numpy_training(history: list[tuple[Any, Any]]) -> dict[str, Floats]:
    """Entropy, EL2N, Forgetting and AUM in the same way: sums by epoch, and two bits a pixel."""
    sums: dict[str, list[Floats]] = {"entropy": [], "el2n": [], "margin": []}
    events, last, ever = np.zeros(INSTANCES), None, None
    for logits, targets in history:
        for method, of_epochs in sums.items():
            values = numpy_pixels(method, logits, targets)
            box, mask = values.sum(axis=(1, 2)), (values * targets).sum(axis=(1, 2))
            of_epochs.append(np.stack([box, mask]))
        right = np.packbits((logits > 0) == targets, axis=None)
        if last is not None:
            lost = np.unpackbits(last & ~right).reshape(INSTANCES, -1)
            events += lost.sum(axis=1)
        last, ever = right, right if ever is None else ever | right
    assert ever is not None
    never = (1 - np.unpackbits(ever)).reshape(INSTANCES, -1).sum(axis=1)
    n = SIDE * SIDE
    return {
        "entropy": sums["entropy"][-1][0] / n,
        "el2n": sums["el2n"][len(history) // 2 - 1][0] / n,
        "forgetting": (events + len(history) * never) / n,
        "aum": np.sum([of_epoch[0] for of_epoch in sums["margin"]], axis=0) / len(history) / n,
    }


def test_recording(benchmark: BenchmarkFixture) -> None:
    history = [made_logits(epoch) for epoch in range(1, EPOCHS + 1)]
    ids = np.arange(INSTANCES)

    def record() -> TrainingRecorder:
        recorder = TrainingRecorder()
        for epoch, (logits, targets) in enumerate(history, 1):
            recorder.record(epoch, ids, logits, targets)
        return recorder

    pixels = EPOCHS * history[0][0].size
    recorder, answers = contest(
        benchmark,
        "recording Entropy, EL2N, Forgetting and AUM",
        record,
        [Contender("NumPy", lambda: numpy_training(history))],
        work={"thousand pixels": pixels // 1000, "instances": INSTANCES, "epochs": EPOCHS},
        passes=5,
        note="Ours also takes a digest of the targets, by which it knows instances that have changed.",
    )
    for method, values in answers["NumPy"].items():
        np.testing.assert_allclose(recorder.scores(method).values, values, rtol=1e-12, atol=1e-15)
    rates(benchmark, pixels)
