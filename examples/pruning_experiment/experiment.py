"""The protocol: recorded training, scores, subsets, trainings, and the IoU of each."""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Callable, Collection
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray

import tfdp_fast as tfdp
from pruning_experiment.data import CLASS_NAMES, Crops, Split, draw
from pruning_experiment.methods import METHODS, RECORDED
from pruning_experiment.model import MaskNet
from pruning_experiment.settings import Settings
from pruning_experiment.train import mask_iou, mask_logits, train
from tfdp_fast.baselines import TrainingRecorder
from tfdp_fast.scores import Variant

__all__ = ["run", "train_recorded"]


def run(settings: Settings, say: Callable[[str], None]) -> dict[str, Any]:
    """Run the whole experiment; the results as JSON has them.

    All but ``"seconds"`` is the same for the same settings, versions and kind of processor.
    """
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        training = draw(Path(folder) / "train", settings.train_images, seed=0)
        testing = draw(Path(folder) / "test", settings.test_images, seed=1)
    shapes = {variant: tfdp.score(training.coco, variant) for variant in get_args(Variant)}
    rows = []
    for seed in settings.seeds:
        rows += _repetition(training, testing.crops, shapes, settings, seed, say)
    packages = ("numpy", "pillow", "tfdp-fast", "torch")
    return {
        "settings": asdict(settings),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in packages},
        "machine": {"architecture": platform.machine(), "threads": torch.get_num_threads()},
        "data": {"train": _contents(training), "test": _contents(testing)},
        "runs": rows,
        "seconds": round(time.process_time() - began, 1),
    }


def train_recorded(
    crops: Crops, image_ids: Collection[int], settings: Settings, seed: int
) -> tuple[MaskNet, TrainingRecorder]:
    """Train on these images, and record all instances after every epoch.

    They are predicted once more for that, so that all records of an epoch are of the same weights.
    """
    recorder = TrainingRecorder(RECORDED)

    def record(epoch: int, net: MaskNet) -> None:
        recorder.record(epoch, crops.ids, mask_logits(net, crops), crops.targets)

    return train(crops, image_ids, settings, seed, record), recorder


def _repetition(
    training: Split,
    testing: Crops,
    shapes: dict[str, tfdp.Scores],
    settings: Settings,
    seed: int,
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """One training on all images, which is recorded, and one on each subset."""
    crops, images = training.crops, shapes["tfdp"]
    everything = images.images.id.tolist()
    say(f"seed {seed}: all images, recorded")
    net, recorder = train_recorded(crops, everything, settings, seed)
    rows = [{"seed": seed, "method": "all", "rate": 0.0} | _outcome(net, crops, everything, testing)]
    image_of = dict(zip(crops.ids.tolist(), crops.image_ids.tolist(), strict=True))
    scores = shapes | {name: recorder.image_scores(name, image_of, images) for name in RECORDED}
    for rate in settings.rates:
        say(f"seed {seed}: subsets, {rate:.0%} of the images dropped")
        for name, method in METHODS.items():
            subset = method.subset(scores, rate, seed)
            kept = subset.image_ids.tolist()
            outcome = _outcome(train(crops, kept, settings, seed), crops, kept, testing)
            head = {"seed": seed, "method": name, "rate": rate, "subset": subset.sha256[:16]}
            rows.append(head | outcome)
    return rows


def _outcome(net: MaskNet, crops: Crops, image_ids: Collection[int], testing: Crops) -> dict[str, Any]:
    """What a network was trained on, and how good it is."""
    iou, labels = mask_iou(net, testing), testing.labels.numpy()
    kept = np.isin(crops.image_ids, list(image_ids))
    return {
        "images": len(image_ids),
        "instances": _by_class(crops, kept),
        "iou": round(float(iou.mean()), 6),
        "iou_of_class": {
            name: round(float(iou[labels == c].mean()), 6) for c, name in enumerate(CLASS_NAMES)
        },
    }


def _contents(split: Split) -> dict[str, Any]:
    every = np.ones(len(split.crops), np.bool_)
    return {"images": len(split.coco["images"]), "instances": _by_class(split.crops, every)}


def _by_class(crops: Crops, kept: NDArray[np.bool_]) -> dict[str, int]:
    """How many of the instances that are kept there are of each class."""
    counts = np.bincount(crops.labels.numpy()[kept], minlength=len(CLASS_NAMES)).tolist()
    return dict(zip(CLASS_NAMES, counts, strict=True))
