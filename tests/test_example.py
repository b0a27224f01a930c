"""The experiment in ``examples/``: the commands of its page, its quick run, and what it records."""

from __future__ import annotations

import importlib.util
import json
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfdp_fast as tfdp
from tfdp_fast import baselines

torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra torch)", exc_type=ImportError)

from pruning_experiment.data import CLASS_NAMES, Split, draw  # noqa: E402
from pruning_experiment.experiment import train_recorded  # noqa: E402
from pruning_experiment.methods import METHODS  # noqa: E402
from pruning_experiment.page import filled  # noqa: E402
from pruning_experiment.settings import QUICK  # noqa: E402
from pruning_experiment.train import mask_iou, mask_logits  # noqa: E402

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
PYTHON = "../.venv/bin/python"


def commands() -> list[list[str]]:
    """The commands of the page that call Python in the folder ``examples``."""
    page = (EXAMPLES / "pruning_experiment" / "README.md").read_text("utf-8")
    lines = page.split("```sh\n")[1].split("```")[0].splitlines()
    assert lines[2] == "cd examples"
    found = [shlex.split(line, comments=True) for line in lines[3:]]
    assert [command[0] for command in found] == [PYTHON] * 3
    return [[sys.executable, *arguments] for _, *arguments in found]


@dataclass(frozen=True)
class Ran:
    """The commands of the page after they have run, all of them quickly."""

    folder: Path
    first: dict[str, Any]
    second: dict[str, Any]
    printed: str


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A copy of the folder ``examples``, without the results that come with it, and what runs leave in it."""
    folder = tmp_path_factory.mktemp("clone") / "examples"
    shutil.copytree(EXAMPLES, folder, ignore=shutil.ignore_patterns("__pycache__", "*.json", "*.svg"))
    quick, full, page = commands()
    assert quick[-1] == "--quick"
    assert "--quick" not in full
    printed = [
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
        for command in (quick, [*full, "--quick"])
    ]
    assert printed[0] == printed[1]
    if importlib.util.find_spec("matplotlib"):
        subprocess.run(page, cwd=folder, check=True)
    first, second = (
        json.loads((folder / name).read_text("utf-8"))
        for name in ("pruning-experiment.json", "pruning_experiment/results.json")
    )
    return Ran(folder, first, second, printed[0])


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Split:
    """The training images of the quick run."""
    return draw(tmp_path_factory.mktemp("train"), QUICK.train_images, seed=0)


def test_two_runs_are_equal(ran: Ran) -> None:
    first, second = ({k: v for k, v in r.items() if k != "seconds"} for r in (ran.first, ran.second))
    assert first == second


def test_every_method_is_there_at_every_rate_with_every_seed(ran: Ran) -> None:
    expected = [
        (seed, method, rate)
        for seed in QUICK.seeds
        for method, rate in [("all", 0.0), *((m, rate) for rate in QUICK.rates for m in METHODS)]
    ]
    assert [(run["seed"], run["method"], run["rate"]) for run in ran.first["runs"]] == expected
    assert all(0 < run["iou"] < 1 for run in ran.first["runs"])
    assert all(0 <= iou < 1 for run in ran.first["runs"] for iou in run["iou_of_class"].values())


def test_subsets_have_the_size_that_their_rate_says(ran: Ran, training: Split) -> None:
    images = len(training.coco["images"])
    sizes = {0.0: images, 0.5: (images + 1) // 2, 0.8: (2 * images + 5) // 10}
    assert sizes.keys() == {0.0, *QUICK.rates}
    assert [run["images"] for run in ran.first["runs"]] == [sizes[run["rate"]] for run in ran.first["runs"]]
    assert ran.first["data"]["train"]["images"] == images


def test_subsets_are_those_of_the_package(ran: Ran, training: Split) -> None:
    scores = tfdp.score(training.coco)
    for run in ran.first["runs"]:
        subset = None
        if run["method"] == "tfdp":
            subset = tfdp.select(scores, rate=run["rate"])
        elif run["method"] == "random":
            subset = tfdp.select(scores, rate=run["rate"], strategy="random", seed=run["seed"])
        if subset is not None:
            assert run["subset"] == subset.sha256[:16]
            kept = np.isin(training.crops.image_ids, subset.image_ids)
            counts = np.bincount(training.crops.labels.numpy()[kept], minlength=len(CLASS_NAMES))
            assert run["instances"] == dict(zip(CLASS_NAMES, counts.tolist(), strict=True))


def test_the_page_can_be_written_from_any_results(ran: Ran) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra figures)")
    page = (ran.folder / "pruning_experiment" / "README.md").read_text("utf-8")
    assert ran.printed.strip() in page
    assert page == filled((EXAMPLES / "pruning_experiment" / "README.md").read_text("utf-8"), ran.second)


def test_crops_are_the_instances_that_are_scored(training: Split) -> None:
    scores, crops = tfdp.score(training.coco), training.crops
    assert scores.instances is not None
    assert crops.ids.tolist() == scores.instances.id.tolist()
    assert crops.image_ids.tolist() == scores.instances.image_id.tolist()
    assert (crops.labels + 1).tolist() == scores.instances.category_id.tolist()
    assert set(scores.images.id.tolist()) == set(crops.image_ids.tolist())
    assert crops.targets.flatten(1).any(1).all()


def test_all_instances_are_recorded_after_every_epoch(training: Split) -> None:
    crops = training.crops
    some = sorted(set(crops.image_ids.tolist()))[::2]
    net, recorder = train_recorded(crops, some, QUICK, seed=3)
    assert recorder.epochs == list(range(1, QUICK.epochs + 1))
    assert recorder.instance_ids.tolist() == sorted(crops.ids.tolist())
    assert recorder.done(QUICK.epochs, crops.ids).all()
    last = baselines.instance_scores("entropy", mask_logits(net, crops), crops.targets)
    assert recorder.scores("entropy").values.tolist() == last[np.argsort(crops.ids)].tolist()


def test_iou_is_intersection_over_union(training: Split) -> None:
    crops = training.crops
    net, _ = train_recorded(crops, [int(crops.image_ids[0])], QUICK, seed=0)
    predicted, targets = mask_logits(net, crops).numpy() > 0, crops.targets.numpy()
    expected = [(p & y).sum() / (p | y).sum() for p, y in zip(predicted, targets, strict=True)]
    assert mask_iou(net, crops).tolist() == expected
    logits = net(crops.pixels[:2])
    assert torch.equal(mask_logits(net, crops)[1], logits[1, crops.labels[1]])
