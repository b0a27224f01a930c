"""The hook for MMEngine: with a stand-in for its runner, and with the real one where it is installed."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from baselines_support import Training, made_training
from tfdp_fast.baselines import TrainingRecorder
from tfdp_fast.errors import OptionError

# What MMEngine warns of when it is imported is its own affair.
pytestmark = pytest.mark.filterwarnings("ignore")

ALL = ("entropy", "el2n", "forgetting", "aum")


def hook_class() -> Any:
    return importlib.import_module("tfdp_fast.integrations.mmengine").RecorderHook


def extract(outputs: Any, data_batch: Any) -> tuple[Any, Any, Any]:
    return data_batch["ids"], outputs["logits"], data_batch["targets"]


def run(hook: Any, training: Training, epochs: range, batches: list[list[int]], **runner: Any) -> None:
    """Call a hook as MMEngine's loop does; its epochs begin with 0."""
    runner_now = SimpleNamespace(epoch=0, **runner)
    hook.before_train(runner_now)
    for runner_now.epoch in epochs:
        for batch_idx, positions in enumerate(batches):
            _, ids, logits, targets = training.batch(runner_now.epoch + 1, positions)
            data_batch = {"ids": ids, "targets": targets}
            hook.after_train_iter(runner_now, batch_idx, data_batch=data_batch, outputs={"logits": logits})
        hook.after_train_epoch(runner_now)


def expected(training: Training) -> dict[str, bytes]:
    recorder = TrainingRecorder()
    for epoch in range(1, training.epochs + 1):
        recorder.record(*training.batch(epoch, range(len(training.ids))))
    return values(recorder)


def values(recorder: TrainingRecorder) -> dict[str, bytes]:
    return {method: recorder.scores(method).values.tobytes() for method in recorder.methods}


def test_epochs_are_counted_from_one_and_padding_is_passed_over() -> None:
    training = made_training(1, instances=6, epochs=3)
    hook = hook_class()(extract)
    run(hook, training, range(3), [[0, 1], [2, 3], [4, 5], [0, 1], [5, 2]])
    assert hook.recorder.epochs == [1, 2, 3]
    assert values(hook.recorder) == expected(training)


def test_a_restart_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    training = made_training(2, instances=6, epochs=3)
    path = tmp_path / "recorder.tfdp"
    first = hook_class()(extract, path, interval=2)
    run(first, training, range(1), [[0, 1], [2, 3], [4, 5]])
    first.after_train_epoch = lambda _: None  # the run ends before
    run(first, training, range(1, 2), [[0, 1], [2, 3], [4, 5]])
    second = hook_class()(extract, path, interval=2)
    run(second, training, range(1, 3), [[4, 5], [0, 1], [2, 3]])
    assert values(TrainingRecorder.load(path)) == values(second.recorder) == expected(training)


def test_ranks_have_files_of_their_own(tmp_path: Path) -> None:
    training = made_training(3, instances=6, epochs=2)
    for rank, positions in enumerate(([0, 2, 4], [1, 3, 5])):
        hook = hook_class()(extract, tmp_path / "recorder-{rank}.tfdp")
        run(hook, training, range(2), [positions], rank=rank, world_size=2)
    whole = TrainingRecorder.load(tmp_path / "recorder-0.tfdp")
    whole.merge(TrainingRecorder.load(tmp_path / "recorder-1.tfdp"))
    assert values(whole) == expected(training)


def test_faults(tmp_path: Path) -> None:
    RecorderHook = hook_class()
    runner = SimpleNamespace(rank=1, world_size=2, epoch=0)
    with pytest.raises(OptionError, match=r"with several ranks, the path needs \{rank\} in it"):
        RecorderHook(extract, tmp_path / "one").before_train(runner)
    TrainingRecorder(["aum"]).save(tmp_path / "1.tfdp")
    with pytest.raises(OptionError, match=r"1.tfdp records \{'aum': None\}, and the hook"):
        RecorderHook(extract, tmp_path / "{rank}.tfdp").before_train(runner)
    for name in ("nothing", "no.such.module", "os.no_function"):
        with pytest.raises(OptionError, match=f"extract: there is no function '{name}'"):
            RecorderHook(name)
    assert RecorderHook("os.path.join").extract.__name__ == "join"


@pytest.mark.skipif(importlib.util.find_spec("mmengine") is None, reason="mmengine is not installed")
def test_the_real_runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch: Any = pytest.importorskip("torch", exc_type=ImportError)
    mmengine: Any = pytest.importorskip("mmengine", exc_type=ImportError)
    runners: Any = pytest.importorskip("mmengine.runner", exc_type=ImportError)
    models: Any = pytest.importorskip("mmengine.model", exc_type=ImportError)
    hook_class()
    monkeypatch.chdir(tmp_path)

    class Network(models.BaseModel):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(()))

        def forward(self, ids: Any, image: Any, targets: Any, mode: str) -> dict[str, Any]:
            del ids, mode
            self.logits = self.scale * image
            loss = torch.nn.functional.binary_cross_entropy_with_logits(self.logits, targets)
            return {"loss": loss}

    network = Network()
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(5, 4, 4, generator=generator)
    data = [{"ids": i, "image": image, "targets": (image > 0.2).float()} for i, image in enumerate(images)]
    scales: list[float] = []

    def extract(outputs: Any, data_batch: Any) -> tuple[Any, Any, Any]:
        assert "loss" in outputs
        scales.append(float(network.scale))
        return data_batch["ids"], network.logits, data_batch["targets"]

    runner = runners.Runner(
        model=network,
        work_dir=str(tmp_path),
        train_dataloader={
            "dataset": data,
            "batch_size": 2,
            "sampler": {"type": "DefaultSampler", "shuffle": True},
            "collate_fn": {"type": "default_collate"},
        },
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.1}},
        train_cfg={"by_epoch": True, "max_epochs": 2},
        custom_hooks=[{"type": "RecorderHook", "extract": extract, "path": "recorder.tfdp"}],
        default_scope="mmengine",
        log_level="ERROR",
    )
    runner.train()
    assert mmengine.__version__
    assert len(scales) == 6
    recorder = TrainingRecorder.load("recorder.tfdp")
    assert recorder.epochs == [1, 2]
    assert recorder.instance_ids.tolist() == [0, 1, 2, 3, 4]
    aum = recorder.scores("aum").values
    mean_margin = (images.abs() * torch.where((images > 0) == (images > 0.2), 1, -1)).mean(dim=(1, 2))
    # The scale was at least 1 throughout, and the margin is in proportion to it.
    factor = aum / mean_margin.numpy()
    assert ((factor >= 0.99) & (factor <= max(scales) + 1e-6)).all()
    assert np.isfinite(recorder.scores("el2n").values).all()
