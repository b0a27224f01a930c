"""Boundary counts and class totals: the arithmetic below the scores."""

from __future__ import annotations

import contextlib
import math
import pickle
import warnings
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tfdp_fast as tfdp
from tfdp_fast import BoundaryCounts, ClassTotals, OptionError
from tfdp_fast.totals import Shape

Instance = tuple[int, tuple[int, int, int]]

steps = st.one_of(st.integers(0, 20), st.integers(0, 2**31))
area2 = st.one_of(st.just(0), st.integers(0, 50), st.integers(0, 2**59))
instances = st.lists(st.tuples(st.integers(-3, 4), st.tuples(steps, steps, area2)), max_size=30)
shapes = pytest.mark.parametrize("shape", ["si_scs", "scs"])


def batch(numbers: list[tuple[int, int, int]]) -> BoundaryCounts:
    return BoundaryCounts.from_array(np.array(numbers, np.int64).reshape(-1, 3))


def value(numbers: tuple[int, int, int], shape: Shape) -> float:
    perimeter, area = numbers[0] + math.sqrt(2) * numbers[1], numbers[2] / 2
    if area == 0:
        return 0.0
    return perimeter / area if shape == "scs" else perimeter / (2 * math.sqrt(math.pi * area))


def summary(totals: ClassTotals) -> dict[Any, tuple[int, float]]:
    return dict(
        zip(
            totals.category_ids,
            zip(totals.instances.tolist(), totals.totals.tolist(), strict=True),
            strict=True,
        )
    )


def add(totals: ClassTotals, items: list[Instance]) -> ClassTotals:
    totals.add([category for category, _ in items], batch([numbers for _, numbers in items]))
    return totals


def expected_of(items: list[Instance], shape: Shape) -> dict[Any, tuple[int, float]]:
    values = defaultdict(list)
    for category, numbers in items:
        values[category].append(value(numbers, shape))
    return {category: (len(v), math.fsum(v)) for category, v in values.items()}


# --- boundary counts ----------------------------------------------------------------------------------------


@given(numbers=st.lists(st.tuples(steps, steps, area2), max_size=20))
def test_measures_are_their_formulas(numbers: list[tuple[int, int, int]]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        counts = batch(numbers)
        assert counts.area.tolist() == [a / 2 for _, _, a in numbers]
        assert counts.perimeter.tolist() == [s + math.sqrt(2) * d for s, d, _ in numbers]
        assert counts.scs().tolist() == [value(n, "scs") for n in numbers]
        assert counts.si_scs().tolist() == [value(n, "si_scs") for n in numbers]
    assert list(counts) == numbers
    assert len(counts) == len(numbers)


def test_boundary_counts_as_columns() -> None:
    counts = batch([(1, 2, 3), (4, 5, 6), (7, 8, 9)])
    assert (counts.straight.tolist(), counts.diagonal.tolist(), counts.area2.tolist()) == (
        [1, 4, 7],
        [2, 5, 8],
        [3, 6, 9],
    )
    assert counts.to_array().tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert list(counts[1:]) == [(4, 5, 6), (7, 8, 9)]
    assert list(counts[np.array([2, 0])]) == [(7, 8, 9), (1, 2, 3)]
    assert list(counts[np.array([False, True, False])]) == [(4, 5, 6)]
    assert BoundaryCounts.concatenate([counts[:1], counts[1:1], counts[1:]]) == counts
    assert len(BoundaryCounts.concatenate([])) == 0
    assert counts != batch([(1, 2, 3), (4, 5, 6), (7, 8, 0)])
    assert counts != batch([(1, 2, 3), (4, 5, 6)])
    assert counts != "counts"
    assert pickle.loads(pickle.dumps(counts)) == counts
    with pytest.raises(TypeError, match="unhashable"):
        hash(counts)


# --- class totals -------------------------------------------------------------------------------------------


@shapes
@given(items=instances)
def test_totals_are_exact_sums(shape: Shape, items: list[Instance]) -> None:
    totals = add(ClassTotals(shape), items)
    assert summary(totals) == expected_of(items, shape)
    assert totals.totals.dtype == np.float64
    assert totals.instances.dtype == np.int64


@shapes
@given(items=instances, data=st.data())
def test_split_order_and_merging_change_nothing(
    shape: Shape, items: list[Instance], data: st.DataObject
) -> None:
    expected = expected_of(items, shape)
    shuffled = data.draw(st.permutations(items))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(items)), max_size=4)))
    parts = [shuffled[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(items)], strict=True)]
    one_by_one = ClassTotals(shape)
    for part in parts:
        add(one_by_one, part)
    assert summary(one_by_one) == expected
    merged = ClassTotals(shape)
    for part in data.draw(st.permutations(parts)):
        merged.merge(add(ClassTotals(shape), part))
    assert summary(merged) == expected
    tree = [add(ClassTotals(shape), part) for part in parts]
    while len(tree) > 1:
        tree[0].merge(tree.pop())
    assert summary(tree[0]) == expected


def test_many_instances() -> None:
    """Where plain sums of floats depend on the order."""
    rng = np.random.default_rng(0)
    counts = BoundaryCounts.from_array(rng.integers(1, 10_000, (20_000, 3)))
    categories = rng.integers(0, 3, len(counts))
    values = counts.si_scs()
    expected = {c: (int((categories == c).sum()), math.fsum(values[categories == c])) for c in range(3)}
    for order in (np.arange(len(counts)), rng.permutation(len(counts))):
        totals = ClassTotals()
        totals.add(categories[order], counts[order])
        assert summary(totals) == expected
    assert len({values[order].sum() for order in (rng.permutation(20_000) for _ in range(9))}) > 1


def test_classes_that_are_listed_come_first_and_may_be_empty() -> None:
    totals = ClassTotals("scs", [9, 4])
    assert summary(totals) == {9: (0, 0.0), 4: (0, 0.0)}
    totals.add([5, 4], batch([(4, 0, 2), (8, 0, 2)]))
    assert totals.category_ids == [9, 4, 5]
    assert summary(totals) == {9: (0, 0.0), 4: (1, 8.0), 5: (1, 4.0)}
    other = ClassTotals("scs", [7])
    other.merge(totals)
    assert summary(other) == {7: (0, 0.0), 9: (0, 0.0), 4: (1, 8.0), 5: (1, 4.0)}
    assert summary(totals) == {9: (0, 0.0), 4: (1, 8.0), 5: (1, 4.0)}


def test_merging_with_oneself_doubles() -> None:
    totals = ClassTotals("scs")
    totals.add([5, 4], batch([(4, 0, 2), (8, 0, 2)]))
    totals.merge(totals)
    assert summary(totals) == {4: (2, 16.0), 5: (2, 8.0)}


def test_nothing_added() -> None:
    totals = ClassTotals()
    totals.add([], batch([]))
    totals.add(np.empty(0, np.int64), batch([]))
    totals.merge(ClassTotals())
    assert summary(totals) == {}
    assert totals.totals.shape == totals.instances.shape == (0,)


@pytest.mark.parametrize(
    "ids",
    [["b", "a", "b"], np.array(["b", "a", "b"]), ("b", "a", "b"), iter(["b", "a", "b"])],
    ids=lambda ids: type(ids).__name__,
)
def test_text_ids(ids: Any) -> None:
    totals = ClassTotals("scs", ["a", "c"])
    totals.add(ids, batch([(4, 0, 2), (1, 0, 2), (8, 0, 2)]))
    assert summary(totals) == {"a": (1, 1.0), "c": (0, 0.0), "b": (2, 12.0)}
    assert all(type(category) is str for category in totals.category_ids)


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint16, ">i4"])
def test_whole_number_ids(dtype: Any) -> None:
    totals = ClassTotals("scs", [3])
    totals.add(np.array([3, 5, 3], dtype), batch([(4, 0, 2), (1, 0, 2), (8, 0, 2)]))
    assert summary(totals) == {3: (2, 12.0), 5: (1, 1.0)}
    assert all(type(category) is int for category in totals.category_ids)


def test_numbers_do_not_become_text() -> None:
    """Refused or kept apart, but class 1 is never filed under "1"."""
    totals = ClassTotals("scs", [1])
    with contextlib.suppress(OptionError):
        totals.add([1, "a"], batch([(4, 0, 2), (8, 0, 2)]))
    assert "1" not in totals.category_ids


def test_what_is_returned_is_a_copy() -> None:
    totals = ClassTotals("scs")
    totals.add([3], batch([(4, 0, 2)]))
    totals.instances[:] = 9
    totals.totals[:] = 9
    totals.category_ids.append(4)
    assert summary(totals) == {3: (1, 4.0)}


def test_totals_travel() -> None:
    totals = add(ClassTotals("scs", ["x"]), [(3, (5, 7, 9)), (4, (5, 7, 0))])
    loaded = pickle.loads(pickle.dumps(totals))
    assert summary(loaded) == summary(totals)
    loaded.merge(totals)
    assert loaded.instances.tolist() == [0, 2, 2]
    assert totals.instances.tolist() == [0, 1, 1]


def test_errors() -> None:
    counts = batch([(4, 0, 2), (8, 0, 2)])
    totals = ClassTotals()
    for ids in ([1], [1, 2, 3], [], np.array([[1, 2]]), np.int64(3)):
        with pytest.raises(OptionError, match="2 masks need as many category ids"):
            totals.add(np.asarray(ids), counts)
    assert summary(totals) == {}
    with pytest.raises(OptionError, match="shape must be 'si_scs' or 'scs', got 'tfdp'"):
        ClassTotals("tfdp")  # type: ignore[arg-type]
    totals.add([1, 2], counts)
    before = summary(totals)
    with pytest.raises(OptionError, match="totals of si_scs cannot be merged with totals of scs"):
        totals.merge(ClassTotals("scs"))
    assert summary(totals) == before


def test_a_square_counts_as_in_the_paper() -> None:
    counts = tfdp.measure(np.pad(np.ones((10, 10), np.uint8), 1))
    totals = ClassTotals()
    totals.add([1], counts)
    assert totals.totals.tolist() == [pytest.approx(1.1283791670955126, rel=1e-15)]
    assert Counter(totals.category_ids) == {1: 1}
