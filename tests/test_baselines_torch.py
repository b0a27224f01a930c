"""Logits of PyTorch: tensors without copies, and the same numbers as torch has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfdp_fast.baselines import TrainingRecorder, instance_scores, pixel_scores
from tfdp_fast.errors import DataError, OptionError
from tfdp_fast.kernels import pixels as kernels

torch: Any = pytest.importorskip(
    "torch", reason="PyTorch is not installed (extra torch)", exc_type=ImportError
)


@pytest.fixture
def batch() -> tuple[Any, Any]:
    """Logits that are part of a graph, as a network returns them, and targets."""
    generator = torch.Generator().manual_seed(0)
    leaf = torch.randn(3, 28, 28, generator=generator, requires_grad=True)
    return leaf * 5, torch.rand(3, 28, 28, generator=generator) < 0.4


def test_tensors_are_read_where_they_are(batch: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    logits, targets = batch
    seen: list[tuple[int, int]] = []
    original = kernels.pixel_sums

    def spy(methods: Any, z: Any, y: Any, offsets: Any) -> Any:
        seen.append((z.__array_interface__["data"][0], y.__array_interface__["data"][0]))
        return original(methods, z, y, offsets)

    monkeypatch.setattr(kernels, "pixel_sums", spy)
    instance_scores("el2n", logits, targets)
    TrainingRecorder().record(1, [1, 2, 3], logits, targets)
    offsets = torch.arange(4) * 784
    TrainingRecorder().record(1, torch.tensor([1, 2, 3]), logits.flatten(), targets.flatten(), offsets)
    assert seen == [(logits.data_ptr(), targets.data_ptr())] * 3
    assert logits.requires_grad


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_every_precision(batch: tuple[Any, Any], dtype: str) -> None:
    logits, targets = batch[0].to(getattr(torch, dtype)), batch[1]
    exact = logits.detach().double()
    entropy = torch.nn.functional.softplus(-exact.abs()) + exact.abs() * torch.sigmoid(-exact.abs())
    expected = {
        "bce": torch.nn.functional.binary_cross_entropy_with_logits(
            exact, targets.double(), reduction="none"
        ),
        "entropy": entropy,
        "el2n": 2**0.5 * (torch.sigmoid(exact) - targets.double()).abs(),
        "logit_mse": (exact - targets.double()) ** 2,
    }
    method: Any
    for method, values in expected.items():
        ours = pixel_scores(method, logits, targets)
        # Where a score is near 0, torch subtracts two numbers that are nearly 1, or nearly z.
        np.testing.assert_allclose(ours, values.numpy(), rtol=1e-12, atol=5e-15)
        for of_mask in (targets, targets.float(), list(targets)):
            form = list(logits) if isinstance(of_mask, list) else logits
            ours = instance_scores(method, form, of_mask)
            np.testing.assert_allclose(ours, values.mean(dim=(1, 2)).numpy(), rtol=1e-12)


def test_a_recorder_takes_the_same_from_both(batch: tuple[Any, Any]) -> None:
    logits, targets = batch
    recorders = [TrainingRecorder() for _ in range(3)]
    for epoch in (1, 2):
        z = logits / epoch
        recorders[0].record(epoch, [1, 2, 3], z, targets)
        recorders[1].record(epoch, [1, 2, 3], z.detach().numpy(), targets.numpy())
        recorders[2].record(epoch, torch.tensor([1, 2, 3]), list(z), list(targets.byte()))
    for method in recorders[0].methods:
        found = {recorder.scores(method).values.tobytes() for recorder in recorders}
        assert len(found) == 1


def test_a_strided_view(batch: tuple[Any, Any]) -> None:
    logits, targets = batch[0].transpose(1, 2), batch[1].transpose(1, 2)
    expected = instance_scores("el2n", logits.contiguous(), targets.contiguous())
    assert instance_scores("el2n", logits, targets).tobytes() == expected.tobytes()


class OnGraphicsCard:
    """What a tensor on one looks like, as far as it is looked at."""

    device = "cuda:0"

    def __dlpack__(self) -> None:
        raise AssertionError("nothing is to be copied from there")

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 0


def test_tensors_elsewhere(batch: tuple[Any, Any]) -> None:
    logits, targets = batch
    for elsewhere, name in ((logits.to("meta"), "meta"), (OnGraphicsCard(), "cuda:0")):
        with pytest.raises(OptionError, match=rf"^logits are on {name}: call their cpu\(\)$"):
            instance_scores("el2n", elsewhere, targets)
        with pytest.raises(OptionError, match=rf"^targets are on {name}: call their cpu\(\)$"):
            TrainingRecorder().record(1, [1, 2, 3], logits, elsewhere)
        with pytest.raises(OptionError, match=rf"^instance 1: logits are on {name}"):
            instance_scores("el2n", [logits[0], elsewhere], list(targets[:2]))


def test_faults(batch: tuple[Any, Any]) -> None:
    logits, targets = batch
    bad = logits.detach().clone()
    bad[1, 3, 3] = torch.inf
    with pytest.raises(DataError, match=r"^instance 'b': a logit is NaN or infinite$"):
        TrainingRecorder().record(1, ["a", "b", "c"], bad, targets)
    with pytest.raises(OptionError, match="logits are float16, float32 or float64, got int64"):
        instance_scores("el2n", logits.long(), targets)


def test_the_loop_of_the_page(
    batch: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Path(__file__).resolve().parents[1] / "docs" / "baselines.md"
    [loop] = re.findall(
        r"^```python\n(import torch\n.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    network = torch.nn.Conv2d(1, 1, 3, padding=1)
    images, targets = torch.randn(6, 1, 5, 5), batch[1].float().flatten()[: 6 * 25].reshape(6, 1, 5, 5)
    ids = torch.tensor([9, 3, 4, 1, 8, 2])
    loader = [(images[part], targets[part], ids[part]) for part in (slice(0, 4), slice(4, 6))]
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    exec(loop, {"epochs": 3, "loader": loader, "network": network, "optimizer": optimizer})
    recorder = TrainingRecorder.load("recorder.tfdp")
    assert (recorder.epochs, recorder.instance_ids.tolist()) == ([1, 2, 3], [1, 2, 3, 4, 8, 9])
    assert len(recorder.scores("forgetting")) == 6
