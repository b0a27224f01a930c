"""What the baselines cost apart from training: scoring pixels, and drawing subsets."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from tfdp_fast._core import FillConvention
from tfdp_fast.baselines import TrainingRecorder, instance_scores
from tfdp_fast.measuring import MeasuredDataset
from tfdp_fast.scores import Scores
from tfdp_fast.selection import select
from tfdp_fast.timing.ours import RATE
from tfdp_fast.timing.rounds import Stopwatch, Times, lap, run_rounds
from tfdp_fast.timing.steps import ALL

INSTANCES, PIXELS = 1000, 4000
"""How many instances have logits here, and how many pixels each of them."""
CHECKPOINTS = 3
"""Of Forgetting, which goes by what changes from one to the next."""
DRAWS = 5
"""How often a subset is drawn in a round."""


def time_pixels(rounds: int) -> dict[str, Times]:
    """Seconds that a million pixels take at one checkpoint, by method; one thread."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, INSTANCES * PIXELS).astype(np.float32)
    targets = (rng.random(len(logits)) < 0.5).view(np.uint8)
    offsets = np.arange(0, len(logits) + 1, PIXELS)

    def score(run: Callable[[], object], checkpoints: int = 1) -> Stopwatch:
        watch: Stopwatch = {}
        with lap(watch, ALL):
            run()
        return {ALL: watch[ALL] * 1e6 / (len(logits) * checkpoints)}

    def forget() -> None:
        recorder = TrainingRecorder(["forgetting"])
        for epoch in range(1, CHECKPOINTS + 1):
            recorder.record(epoch, range(INSTANCES), logits, targets, offsets)
        recorder.scores("forgetting")

    jobs: dict[str, Callable[[], Stopwatch]] = {
        "Entropy": partial(score, partial(instance_scores, "entropy", logits, targets, offsets)),
        "EL2N": partial(score, partial(instance_scores, "el2n", logits, targets, offsets)),
        "AUM": partial(score, partial(instance_scores, "margin", logits, targets, offsets)),
        "Forgetting": partial(score, forget, CHECKPOINTS),
    }
    run_rounds(jobs, 1)
    return {name: times[ALL] for name, times in run_rounds(jobs, rounds).items()}


def time_selection(scores: Scores, rounds: int) -> dict[str, Times]:
    """Seconds that it takes to draw a subset at random, and from strata of the scores (CCS)."""

    def draw(run: Callable[[], object]) -> Stopwatch:
        watch: Stopwatch = {}
        with lap(watch, ALL):
            for _ in range(DRAWS):
                run()
        return {ALL: watch[ALL] / DRAWS}

    jobs: dict[str, Callable[[], Stopwatch]] = {
        "random": partial(draw, partial(select, scores, rate=RATE, strategy="random")),
        "ccs": partial(draw, partial(select, scores, rate=RATE, strategy="ccs", order="lowest")),
    }
    run_rounds(jobs, 1)
    return {name: times[ALL] for name, times in run_rounds(jobs, rounds).items()}


def box_pixels(measured: MeasuredDataset, images: int, convention: FillConvention) -> tuple[int, int]:
    """Pixels in the boxes around the scored instances of some images, and how many instances these are.

    The images are at equal distances. Boxes are those of the masks, in whole pixels.
    """
    dataset = measured.dataset
    total = len(dataset.image_ids)
    chosen = np.unique(np.arange(min(images, total)) * total // max(min(images, total), 1))
    traced = dataset.trace(chosen, convention, threads=1)
    pixels = instances = 0
    for position, contours in zip(traced.positions.tolist(), traced.contours, strict=True):
        if measured.scored[position]:
            instances += 1
            if contours:
                points = np.concatenate(contours)
                pixels += int((points.max(axis=0) - points.min(axis=0) + 1).prod())
    return pixels, instances
