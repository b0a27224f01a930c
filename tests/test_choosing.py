"""The best images of any number, chosen part by part: the subset that `select` chooses with all in memory."""

from __future__ import annotations

import itertools
import json
import math
import pickle
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import tfdp_fast as tfdp
from tfdp_fast import DataError, OptionError
from tfdp_fast.distributed import choosing
from tfdp_fast.distributed.choosing import Cut, Keeper, cut_at
from tfdp_fast.strategies import Order, Strategy
from tfdp_fast.tables import ImageTable

Floats = NDArray[np.float64]

TINY = 5e-324
few = st.sampled_from([0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, TINY, -TINY, 2.0**-1022, 1.0 + 2.0**-52])
values = few | st.floats(allow_nan=False)
lists = st.lists(values, max_size=60) | st.lists(few, max_size=60)
strategies = st.sampled_from([Strategy("top"), Strategy("top", order="lowest")]) | st.integers(0, 5).map(
    lambda seed: Strategy("random", seed=seed)
)


def split(scores: Floats, ends: Iterable[int]) -> list[Floats]:
    """Parts of scores, empty ones among them."""
    bounds = [0, *sorted(min(end, len(scores)) for end in ends), len(scores)]
    return [scores[a:b] for a, b in itertools.pairwise(bounds)]


def kept(parts: list[Floats], cut: Cut) -> NDArray[np.bool_]:
    keeper = Keeper(cut)
    masks = [keeper.keep(part) for part in parts]
    assert [len(mask) for mask in masks] == [len(part) for part in parts]
    assert keeper.left == 0
    return np.concatenate([np.empty(0, np.bool_), *masks])


def with_all_in_memory(scores: Floats, k: int, strategy: Strategy) -> NDArray[np.bool_]:
    """What `select` keeps."""
    n = len(scores)
    if k == 0:
        return np.zeros(n, np.bool_)
    ones = np.ones(n, np.int64)
    images = ImageTable(np.arange(n), np.full(n, None), ones, ones, scores)
    of_scores = tfdp.Scores(images, None, None, None, None)
    subset = tfdp.select(of_scores, k=k, strategy=strategy.name, order=strategy.order, seed=strategy.seed)
    return subset.keep


@pytest.fixture(params=[1, 3, 1 << 15], ids=lambda block: f"block-{block}")
def block(request: Any, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(choosing, "_BLOCK", request.param)
    return int(request.param)


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("gathered", [0, 2, 1 << 20])
def test_any_parts_give_what_select_gives(gathered: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "GATHERED", gathered)

    @given(lists, st.lists(st.integers(0, 60), max_size=5), st.floats(0, 1), strategies)
    @example([0.0, -0.0, TINY, -TINY], [2, 2], 0.25, Strategy("top"))
    @example([-0.0, 0.0, 0.0, -0.0], [1], 0.5, Strategy("top", order="lowest"))
    @example([2.0] * 9, [0, 4, 4], 0.5, Strategy("top"))
    @settings(max_examples=200)
    def check(scores: list[float], ends: list[int], share: float, strategy: Strategy) -> None:
        array = np.array(scores, np.float64)
        parts, k = split(array, ends), round(share * len(array))
        cut = cut_at(lambda: parts, k, strategy)
        assert (cut.k, cut.candidates, cut.strategy) == (k, len(array), strategy)
        assert kept(parts, pickle.loads(pickle.dumps(cut))).tolist() == (
            with_all_in_memory(array, k, strategy).tolist()
        )

    check()


@given(lists, st.floats(0, 1), st.sampled_from(["highest", "lowest"]))
def test_cut_says_the_last_score_and_its_ties(scores: list[float], share: float, order: Order) -> None:
    array = np.array(scores, np.float64)
    k = round(share * len(array))
    cut = cut_at(lambda: [array], k, Strategy("top", order=order))
    if k == 0:
        assert (cut.score, cut.ties) == (None, 0)
        return
    ranked = sorted(scores, reverse=order == "highest")
    assert cut.score == ranked[k - 1]
    assert cut.ties == ranked[:k].count(ranked[k - 1])


@pytest.mark.parametrize("order", ["highest", "lowest"])
def test_every_k_of_many_images(order: Order) -> None:
    rng = np.random.default_rng(5)
    scores = np.round(rng.lognormal(0, 2, 3000), 2)
    parts = split(scores, rng.integers(0, 3000, 7))
    ranking = np.argsort(-scores if order == "highest" else scores, kind="stable")
    for k in [0, 1, 2, 1499, 1500, 2999, 3000, *rng.integers(0, 3000, 40).tolist()]:
        expected = np.zeros(3000, np.bool_)
        expected[ranking[:k]] = True
        assert np.array_equal(kept(parts, cut_at(lambda: parts, k, Strategy("top", order=order))), expected)


class Counted:
    """Parts that count how often they are read."""

    def __init__(self, *parts: Any) -> None:
        self.parts = [np.asarray(part, np.float64) for part in parts]
        self.readings = 0

    def __call__(self) -> Iterable[Floats]:
        self.readings += 1
        return iter(self.parts)


@pytest.mark.parametrize(
    ("scores", "gathered", "readings"),
    [
        (np.full(100, 7.0), 0, 1),  # all are equal
        (np.zeros(0), 0, 1),
        (np.random.default_rng(0).lognormal(0, 1, 9000), 1 << 20, 2),
        (np.r_[np.zeros(5000), np.random.default_rng(0).lognormal(0, 1, 500)], 100, 1),  # zeros are the last
        (np.r_[np.zeros(5000), np.random.default_rng(0).normal(0, 1, 500)], 100, 2),  # zeros are in between
        (1 + np.arange(3000) * 2.0**-52, 0, 2),
    ],
)
def test_scores_are_not_read_more_often_than_needed(
    scores: Floats, gathered: int, readings: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "GATHERED", gathered)
    parts = Counted(scores)
    cut_at(parts, len(scores) // 2, Strategy("top"))
    assert parts.readings == readings


@given(st.lists(values, min_size=1, max_size=30), st.integers(0, 29))
def test_at_most_five_readings(scores: list[float], k: int) -> None:
    parts = Counted(scores)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choosing, "GATHERED", 0)
        cut_at(parts, min(k, len(scores)), Strategy("top"))
    assert parts.readings <= 5


# --- what cannot be -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", [Strategy("top"), Strategy("random")])
def test_nan(strategy: Strategy) -> None:
    parts = [np.array([1.0, 2.0]), np.array([3.0, math.nan, math.nan])]
    message = "scores: candidate 3: its score is not a number"
    with pytest.raises(DataError, match=message):
        cut_at(lambda: parts, 1, strategy)
    keeper = Keeper(cut_at(lambda: parts[:1], 1, strategy))
    keeper.keep(parts[0])
    with pytest.raises(DataError, match=message):
        keeper.keep(parts[1])


@pytest.mark.parametrize("k", [-1, 4])
def test_number_out_of_range(k: int) -> None:
    with pytest.raises(OptionError, match=f"{k} images cannot be kept: there are 3"):
        cut_at(lambda: [np.zeros(3)], k, Strategy("top"))


@pytest.mark.parametrize("name", ["ccs", "stratified-by-class"])
def test_strategies_that_need_all_scores(name: Any) -> None:
    with pytest.raises(OptionError, match=f"'{name}' needs all scores in memory: take 'top' or 'random'"):
        cut_at(lambda: [np.zeros(3)], 1, Strategy(name))


@pytest.mark.parametrize("gathered", [0, 1 << 20])
@pytest.mark.parametrize(
    "second",
    [[1.0, 2.0], [1.0, 2.0, 3.0, 1.5], [1.0, 9.0, 3.0], [2.0, 2.0 + 2.0**-40, 2.0]],
    ids=["fewer", "more", "elsewhere", "here"],
)
def test_scores_that_change(second: list[float], gathered: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "GATHERED", gathered)
    readings = iter([[1.0, 2.0, 2.0 + 2.0**-40], second])
    with pytest.raises(DataError, match="they have changed since they were read before"):
        cut_at(lambda: [np.array(next(readings))], 1, Strategy("top"))


def test_keeper_knows_that_scores_are_missing() -> None:
    keeper = Keeper(cut_at(lambda: [np.array([1.0, 2.0, 3.0])], 2, Strategy("top")))
    assert keeper.left == 2
    keeper.keep(np.array([1.0, 2.0]))
    assert keeper.left == 1


# --- memory -------------------------------------------------------------------------------------------------

PEAK = """
import json, sys
from pathlib import Path
import numpy as np
from tfdp_fast.distributed.choosing import Keeper, cut_at
from tfdp_fast.strategies import Strategy

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

PART = 100_000

def parts(n):
    return lambda: (np.random.default_rng(begin).lognormal(0, 2, PART) for begin in range(0, n, PART))

def choose(n):
    for strategy in Strategy("top"), Strategy("random"):
        cut = cut_at(parts(n), n // 3, strategy)
        keeper = Keeper(cut)
        assert sum(keeper.keep(scores).sum() for scores in parts(n)()) == n // 3

choose(PART)
before = peak()
choose(int(sys.argv[1]))
print(json.dumps(peak() - before))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_memory_does_not_grow() -> None:
    def peak(n: int) -> int:
        done = subprocess.run(
            [sys.executable, "-c", PEAK, str(n)], check=True, capture_output=True, text=True
        )
        return int(json.loads(done.stdout))

    # Of ten million scores as such there are 80 MB.
    assert peak(10_000_000) < peak(1_000_000) + 16_000_000 < 40_000_000
