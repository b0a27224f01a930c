"""Scores made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import tfdp_fast as tfdp
from tfdp_fast.tables import ClassTable, ImageTable, InstanceTable


def scores_with_instances(
    score: Sequence[float], classes: Sequence[Mapping[int, int]], ids: Any = None
) -> tfdp.Scores:
    """Scores of images, for each of which it is said how many instances of which class it has."""
    of_image = [[category for category, number in one.items() for _ in range(number)] for one in classes]
    counts = np.array([len(one) for one in of_image], np.int64)
    n = int(counts.sum())
    names = np.arange(len(score)) if ids is None else np.asarray(ids)
    images = ImageTable(names, np.full(len(score), None), counts, counts, np.array(score, np.float64))
    category = np.array([category for one in of_image for category in one], np.int64)
    nothing, ones = np.zeros(n, np.int64), np.ones(n)
    instances = InstanceTable(
        np.arange(n), np.repeat(names, counts), category, nothing, nothing, nothing, ones, ones
    )
    known, numbers = np.unique(category, return_counts=True)
    table = ClassTable(
        known, np.array([f"class {c}" for c in known], object), numbers, numbers.astype(np.float64)
    )
    return tfdp.Scores(images, instances, table, "tfdp", "coco")
