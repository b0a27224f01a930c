"""Scores made by hand, and how they are compared."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import tfdp_fast as tfdp
from tfdp_fast.formats.dataset import Problem
from tfdp_fast.scores import Scores
from tfdp_fast.tables import ClassTable, ImageTable, InstanceTable

WHOLE = ".parquet", ".npz"
HEADER = b"image_id,file_name,score,annotations,instances\n"


def objects(values: list[str | None]) -> Any:
    column = np.empty(len(values), object)
    column[:] = values
    return column


def assert_same(a: Any, b: Any) -> None:
    """Two tables are equal, bit for bit; the width of a text column may differ."""
    assert (a is None) == (b is None)
    for name, column in a.columns().items() if a is not None else ():
        other = b.columns()[name]
        if column.dtype.kind in "iU" and not len(column):  # the classes of Parquet: no id, no type
            assert other.dtype.kind in "iU", name
        elif column.dtype.kind == "U":
            assert other.dtype.kind == "U", name
        else:
            assert column.dtype == other.dtype, name
        same = column.tolist() == other.tolist() if column.dtype.kind in "UO" else None
        assert same or column.tobytes() == other.tobytes(), name


def edge_cases() -> Scores:
    """Ids at both ends, doubles of every kind, file names that want quoting, instances in no order."""
    ids = np.array([2**63 - 1, -(2**63), 0, 7], np.int64)
    names = objects(['a,"b"', "c\r\nd", None, " \u00e9\U0001f600;'\t"])
    images = ImageTable(
        ids,
        names,
        np.array([2, 1, 0, -1]),
        np.array([2, 0, 0, 1]),
        np.array([5e-324, sys.float_info.max, -0.0, 0.1 + 0.2]),
    )
    doubles = np.array([2.2250738585072014e-308, 1 / 3, 1e22])
    n = np.array([3, 2**62, 1])
    instances = InstanceTable(
        n, ids[[3, 0, 0]], np.array(["\u732b", "b", "\u732b"]), n, n, n, doubles, doubles[::-1].copy()
    )
    classes = ClassTable(np.array(["\u732b", "b"]), objects(["", "dog, big"]), np.array([2, 1]), doubles[:2])
    return Scores(images, instances, classes, "tfdp", "coco", 1, 2, [Problem("annotation \u00e9", "r", 4)])


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
