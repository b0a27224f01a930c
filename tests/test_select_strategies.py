"""Strategies of selection against their descriptions, and what they promise."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import tfdp_fast as tfdp
from golden_support import KEPT, SHA, VARIANTS
from scores_support import scores_with_instances
from tfdp_fast import OptionError
from tfdp_fast._ccs import allocate, strata_of
from tfdp_fast._shuffle import shuffled
from tfdp_fast.presets import AppliedPreset
from tfdp_fast.selection import Of
from tfdp_fast.strategies import DEFAULTS, Order, Strategy, StrategyName

EVERY_OF: list[Of] = ["scored", "all"]
ORDERS: list[Order] = ["highest", "lowest"]
NAMES: list[StrategyName] = list(DEFAULTS)


def scores_of(values: Any) -> tfdp.Scores:
    """Scores of images with an instance of class 1 each."""
    return scores_with_instances(values, [{1: 1}] * len(values))


finite = st.floats(-1e6, 1e6, allow_subnormal=False)
few = st.sampled_from([-3.0, -0.5, 0.0, 0.5, 0.75, 2.0])


# --- all of them --------------------------------------------------------------------------------------------


@settings(max_examples=200)
@given(
    images=st.lists(
        st.tuples(few | finite, st.dictionaries(st.integers(1, 4), st.integers(1, 3))), max_size=15
    ),
    name=st.sampled_from(NAMES),
    seed=st.integers(0, 2**64 - 1),
    data=st.data(),
)
def test_k_of_the_candidates_and_always_the_same(
    images: list[tuple[float, dict[int, int]]], name: StrategyName, seed: int, data: st.DataObject
) -> None:
    scores = scores_with_instances([score for score, _ in images], [classes for _, classes in images])
    of: Of = data.draw(st.sampled_from(EVERY_OF))
    candidates = {i for i, (_, classes) in enumerate(images) if classes or of == "all"}
    if not candidates:
        assert tfdp.select(scores, keep=1, of=of, strategy=name).k == 0
        return
    k = data.draw(st.integers(1, len(candidates)))
    options: dict[str, Any] = {"seed": seed} if "seed" in DEFAULTS[name] else {}
    if "order" in DEFAULTS[name]:
        options["order"] = data.draw(st.sampled_from(ORDERS))
    if name == "ccs":
        options |= {"beta": 0, "strata": data.draw(st.integers(1, 60))}
    subset = tfdp.select(scores, k=k, of=of, strategy=name, **options)
    assert len(subset) == k == subset.keep.sum() == len(set(subset.ranking.tolist()))
    assert set(subset.ranking.tolist()) == set(subset.image_ids.tolist()) <= candidates
    assert subset.image_ids.tolist() == sorted(subset.image_ids.tolist())
    assert subset.strategy == Strategy(name, **options)
    again = tfdp.select(scores, k=k, of=of, strategy=name, **options)
    assert again.ranking.tolist() == subset.ranking.tolist()
    if name != "ccs" and k < len(candidates):  # one image more comes on top
        more = tfdp.select(scores, k=k + 1, of=of, strategy=name, **options)
        assert more.ranking[:k].tolist() == subset.ranking.tolist()


@given(values=st.lists(few, min_size=1, max_size=12), data=st.data())
def test_all_that_is_asked_for_is_everything(values: list[float], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES))
    assert tfdp.select(scores_of(values), rate=0, strategy=name).keep.all()


@pytest.mark.parametrize("name", NAMES)
def test_images_of_the_preset(name: StrategyName) -> None:
    """Only those of a positive score, as many as a share of all that the preset keeps."""
    scores = scores_of([0.0, 3, 1, 0, 2, 4])
    applied = AppliedPreset("official", 6, None, {}, {})
    scores = tfdp.Scores(scores.images, scores.instances, scores.classes, "tfdp", "opencv", preset=applied)
    subset = tfdp.select(scores, rate=0.5, strategy=name)
    assert (subset.k, subset.candidates, subset.of) == (3, 6, "official")
    assert set(subset.image_ids.tolist()) <= {1, 2, 4, 5}
    assert subset.reckoning == "50 % of the 6 images that the preset keeps"
    every = tfdp.select(scores, rate=0, strategy=name)
    assert (every.k, every.reckoning) == (
        4,
        "all of a positive score, as 6 are not there (100 % of the 6 images that the preset keeps)",
    )


# --- the best -----------------------------------------------------------------------------------------------


@given(values=st.lists(few | finite, min_size=1, max_size=20), data=st.data())
def test_lowest_is_highest_of_the_opposite(values: list[float], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(values)))
    lowest = tfdp.select(scores_of(values), k=k, order="lowest").ranking.tolist()
    assert lowest == sorted(range(len(values)), key=lambda i: (values[i], i))[:k]
    assert lowest == tfdp.select(scores_of([-value for value in values]), k=k).ranking.tolist()


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_best_of_voc_are_those_of_the_paper(variant: tfdp.scores.Variant, shared_data: Path) -> None:
    scores = tfdp.score(shared_data / "voc2012_train.json", variant)
    for rate, expected in zip(KEPT.values(), SHA[variant], strict=True):
        subset = tfdp.select(scores, rate=rate, strategy="top", order="highest")
        assert subset.sha256[:16] == expected


# --- at random ----------------------------------------------------------------------------------------------


def test_random_images_are_the_same_everywhere() -> None:
    """Pinned: neither a new version nor another machine may give others."""
    scores = scores_of([0.0] * 100)
    found = [
        tfdp.select(scores, k=6, strategy="random", seed=seed).ranking.tolist() for seed in (0, 1, 2**64 - 1)
    ]
    assert found == PINNED_RANDOM
    assert tfdp.select(scores, k=6, strategy="random").ranking.tolist() == PINNED_RANDOM[0]


PINNED_RANDOM = [[11, 92, 3, 20, 13, 2], [93, 61, 75, 9, 36, 39], [83, 2, 24, 54, 74, 27]]


def test_what_random_numbers_are_drawn() -> None:
    """The bits of PCG64 themselves, which NumPy promises not to change."""
    assert np.random.PCG64(0).random_raw(2).tolist() == [11749869230777074271, 4976686463289251617]
    assert shuffled(50, 5).tolist() == sorted(
        range(50), key=np.random.PCG64(5).random_raw(50).tolist().__getitem__
    )


def test_random_images_do_not_depend_on_scores() -> None:
    first, other = (
        tfdp.select(scores_of(values), k=7, strategy="random") for values in ([0] * 20, range(20))
    )
    assert first.ranking.tolist() == other.ranking.tolist()


def test_every_image_is_equally_likely() -> None:
    """Of 2,000 draws of 5 of 20 each image is expected 500 times, with a deviation of 19."""
    scores = scores_of([0.0] * 20)
    draws = [tfdp.select(scores, k=5, strategy="random", seed=seed).keep for seed in range(2000)]
    assert abs(np.sum(draws, axis=0) - 500).max() < 5 * math.sqrt(2000 * 0.25 * 0.75)


# --- coverage-centric coreset selection ---------------------------------------------------------------------


def published(
    values: list[float], k: int, *, order: Order, beta: Fraction, strata: int, seed: int
) -> set[int]:
    """The method as it is described, step by step. An image that is in no stratum goes into the last."""
    ranked = sorted(range(len(values)), key=lambda i: values[i] if order == "lowest" else -values[i])
    rest = sorted(ranked[int(len(values) * beta) :])
    if not rest:
        return set()
    low, high = min(values[i] for i in rest), max(values[i] for i in rest)
    step = ((1.0001 * high if high > 0 else high) - low) / strata
    members: list[list[int]] = [[] for _ in range(strata)]
    for i in rest:
        inside = [s for s in range(strata) if low + s * step <= values[i] < low + (s + 1) * step]
        members[inside[0] if inside else strata - 1].append(i)
    chosen: set[int] = set()
    for visited, s in enumerate(sorted(range(strata), key=lambda s: len(members[s]))):
        budget = min(len(members[s]), (k - len(chosen)) // (strata - visited))
        drawn = (
            np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(s,))).random_raw(len(members[s])).tolist()
        )
        chosen |= {i for _, i in sorted(zip(drawn, members[s], strict=True))[:budget]}
    return chosen


@settings(max_examples=300)
@given(
    values=st.lists(few | finite, min_size=1, max_size=40),
    k=st.integers(1, 45),
    order=st.sampled_from(ORDERS),
    percent=st.integers(0, 99),
    strata=st.integers(1, 60),
    seed=st.integers(0, 5),
)
@example(values=[1.0] * 7, k=3, order="lowest", percent=10, strata=50, seed=0)
@example(values=[0.0] * 7, k=3, order="lowest", percent=10, strata=50, seed=0)
@example(values=[-2.0] * 7, k=3, order="highest", percent=0, strata=50, seed=0)
@example(values=[-1.0, -2.0, -3.0], k=2, order="lowest", percent=0, strata=2, seed=0)
@example(values=[0.1 * i for i in range(40)], k=20, order="lowest", percent=29, strata=50, seed=1)
def test_ccs_is_what_was_published(
    values: list[float], k: int, order: Order, percent: int, strata: int, seed: int
) -> None:
    beta = Fraction(percent, 100)
    scores, n = scores_of(values), len(values)
    left = n - int(n * beta)
    options: dict[str, Any] = {"order": order, "beta": float(beta), "strata": strata, "seed": seed}
    if k > left:
        with pytest.raises(OptionError, match=f"{k} images cannot be kept: {n} are scored"):
            tfdp.select(scores, k=k, strategy="ccs", **options)
        k = left
    if k == 0:
        return
    subset = tfdp.select(scores, k=k, strategy="ccs", **options)
    expected = published(values, k, order=order, beta=beta, strata=strata, seed=seed)
    assert set(subset.image_ids.tolist()) == expected
    by_score = sorted(expected, key=lambda i: (values[i] if order == "lowest" else -values[i], i))
    assert subset.ranking.tolist() == by_score


def test_what_each_stratum_gives() -> None:
    assert allocate(np.array([0, 1, 2, 30, 40]), 10).tolist() == [0, 1, 2, 3, 4]
    assert allocate(np.array([30, 2, 40, 0, 1]), 10).tolist() == [3, 2, 4, 0, 1]
    assert allocate(np.array([5, 5, 5]), 7).tolist() == [2, 2, 3]  # the first of equal ones comes first
    assert allocate(np.array([5, 0, 1]), 7).tolist() == [5, 0, 1]  # no more than there are
    assert allocate(np.array([3, 4]), 0).tolist() == [0, 0]


@given(counts=st.lists(st.integers(0, 50), min_size=1, max_size=20), k=st.integers(0, 500))
def test_strata_give_as_many_as_there_are_or_are_wanted(counts: list[int], k: int) -> None:
    budgets = allocate(np.array(counts), k)
    assert budgets.sum() == min(k, sum(counts))
    assert (budgets <= counts).all()
    lacking = budgets[budgets < counts]  # strata that could give more give as many, give or take one
    assert lacking.max(initial=0) - lacking.min(initial=10**9) <= 1


@pytest.mark.parametrize(
    ("values", "strata", "expected"),
    [
        ([], 3, []),
        ([4], 3, [0]),
        ([0], 3, [2]),
        ([-4], 3, [2]),
        ([0, 1, 2, 3, 4], 4, [0, 0, 1, 2, 3]),
        ([0, 1.00009, 2], 2, [0, 0, 1]),  # the bounds are 0, 1.0001, 2.0002
        ([-4, -3, -2, -1], 3, [0, 1, 2, 2]),
        ([-2, -1, 0], 2, [0, 1, 1]),
        ([-1e3, 1e-20], 5, [0, 4]),
        ([5e-324, 1e-323], 50, [49, 49]),  # too close to be told apart
    ],
)
def test_strata(values: list[float], strata: int, expected: list[int]) -> None:
    assert strata_of(np.array(values, np.float64), strata).tolist() == expected


def test_scores_that_no_strata_fit() -> None:
    with pytest.raises(OptionError, match=r"scores from -1e\+308 to 1e\+308 are too far apart for strata"):
        tfdp.select(scores_of([-1e308, 1e308]), k=1, strategy="ccs")


def test_the_hardest_are_dropped() -> None:
    values = [-5.0, 3, 8, -1, 0, 2, 7, 6, 4, 1]
    lowest = tfdp.select(scores_of(values), rate=0, strategy="ccs", order="lowest")
    assert lowest.dropped_ids.tolist() == [0]
    assert (lowest.k, lowest.candidates) == (9, 10)
    assert lowest.reckoning == "all that are left once beta has dropped 1, as 10 are not there"
    highest = tfdp.select(scores_of(values), rate=0, strategy="ccs", beta=0.39)
    assert highest.dropped_ids.tolist() == [2, 6, 7]
    assert tfdp.select(scores_of(values), rate=0, strategy="ccs").reckoning is None
    # 0.29 * 100 is below 29 in floating point
    assert tfdp.select(scores_of(range(100)), rate=0, strategy="ccs", beta=0.29).k == 71


def test_ccs_is_the_same_everywhere() -> None:
    scores = scores_of([i * i % 101 - 30 for i in range(100)])
    found = tfdp.select(scores, k=12, strategy="ccs", order="lowest", strata=7, seed=3)
    assert found.image_ids.tolist() == PINNED_CCS


PINNED_CCS = [6, 7, 10, 13, 22, 46, 68, 77, 82, 90, 95, 97]


def test_a_stratum_does_not_depend_on_others() -> None:
    """More of the low scores do not change what is drawn from the high ones."""
    high = [100.0 + i for i in range(30)]
    few_low, many_low = ([0.0, *[1.0] * n, *high] for n in (5, 25))
    drawn = [
        {scores.images.score[position] for position in np.flatnonzero(subset.keep)} & set(high)
        for scores in map(scores_of, (few_low, many_low))
        for subset in [tfdp.select(scores, k=10, strategy="ccs", strata=2)]
    ]
    assert len(drawn[0]) == 5
    assert drawn[0] == drawn[1]


# --- class by class -----------------------------------------------------------------------------------------

Images = list[tuple[float, dict[int, int]]]
images_of_classes = st.lists(
    st.tuples(few, st.dictionaries(st.integers(1, 6), st.integers(1, 4), max_size=3)), min_size=1, max_size=20
)


def one_by_one(images: Images, order: Order) -> list[int]:
    """All images in the order in which they are taken, the slow and obvious way."""
    total = {c: sum(classes.get(c, 0) for _, classes in images) for c in range(1, 7)}
    rest = sorted(range(len(images)), key=lambda i: images[i][0] * (1 if order == "lowest" else -1))
    taken: list[int] = []
    while rest:
        present = {c for i in rest for c in images[i][1]}
        share = {c: Fraction(sum(images[i][1].get(c, 0) for i in taken), total[c]) for c in present}
        least = {c for c in share if share[c] == min(share.values())}
        taken.append(next((i for i in rest if least & set(images[i][1])), rest[0]))
        rest.remove(taken[-1])
    return taken


@settings(max_examples=300)
@given(images=images_of_classes, order=st.sampled_from(ORDERS), data=st.data())
def test_classes_take_turns(images: Images, order: Order, data: st.DataObject) -> None:
    scores = scores_with_instances([score for score, _ in images], [classes for _, classes in images])
    k = data.draw(st.integers(1, len(images)))
    subset = tfdp.select(scores, k=k, of="all", strategy="stratified-by-class", order=order)
    assert subset.ranking.tolist() == one_by_one(images, order)[:k]


@settings(max_examples=300)
@given(images=images_of_classes, data=st.data())
def test_no_class_falls_below_what_it_could_have_alone(images: Images, data: st.DataObject) -> None:
    """If k images are enough for each class to keep some share with its own best images, each keeps it."""
    scores = scores_with_instances([score for score, _ in images], [classes for _, classes in images])
    share = Fraction(data.draw(st.integers(1, 100)), 100)
    total = sum((Counter(classes) for _, classes in images), Counter[int]())
    best_first = sorted(range(len(images)), key=lambda i: -images[i][0])
    needed = 0
    for c in total:
        kept = 0
        for i in best_first:
            if kept >= share * total[c]:
                break
            needed += c in images[i][1]
            kept += images[i][1].get(c, 0)
    k = min(needed, sum(bool(classes) for _, classes in images))
    if k == 0:
        return
    subset = tfdp.select(scores, k=k, strategy="stratified-by-class")
    for c in total:
        kept = sum(images[i][1].get(c, 0) for i in subset.image_ids.tolist())
        assert kept >= share * total[c]


@settings(max_examples=200)
@given(images=images_of_classes, data=st.data())
def test_every_class_survives(images: Images, data: st.DataObject) -> None:
    scores = scores_with_instances([score for score, _ in images], [classes for _, classes in images])
    classes = {c for _, one in images for c in one}
    scored = sum(bool(one) for _, one in images)
    if not scored:
        return
    k = data.draw(st.integers(min(len(classes), scored), scored))
    subset = tfdp.select(scores, k=k, strategy="stratified-by-class")
    assert {c for i in subset.image_ids.tolist() for c in images[i][1]} == classes


def test_classes_of_voc_keep_about_the_same_share(shared_data: Path) -> None:
    scores = tfdp.score(shared_data / "voc2012_train.json")
    assert scores.instances is not None
    _, of_class = np.unique(scores.instances.category_id, return_inverse=True)
    spread = {}
    for name in NAMES:
        subset = tfdp.select(scores, rate=0.5, strategy=name)
        kept = np.isin(scores.instances.image_id, subset.image_ids)
        shares = np.bincount(of_class, kept) / np.bincount(of_class)
        spread[name] = (shares.min(), shares.max())
    assert spread["top"][0] < 0.45
    assert spread["stratified-by-class"][0] > 0.68
    assert spread["stratified-by-class"][1] < 0.74


def test_text_ids_and_images_in_any_order() -> None:
    scores = scores_with_instances(
        [1.0, 3, 2, 4], [{1: 1}, {1: 2}, {2: 1}, {1: 4, 3: 1}], ids=["d", "a", "c", "b"]
    )
    subset = tfdp.select(scores, k=3, strategy="stratified-by-class")
    assert subset.ranking.tolist() == ["b", "c", "a"]


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_scores_without_instances(suffix: str, tmp_path: Path) -> None:
    scores_of([1.0, 2]).save(tmp_path / f"scores{suffix}")
    loaded = tfdp.Scores.load(tmp_path / f"scores{suffix}")
    assert tfdp.select(loaded, k=1, strategy="ccs").k == 1
    with pytest.raises(OptionError, match=r"needs instances.*\.parquet and \.npz hold instances, \.csv and"):
        tfdp.select(loaded, k=1, strategy="stratified-by-class")


# --- options ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "options", "what"),
    [
        ("best", {}, "strategy must be one of 'top', 'random', 'ccs', 'stratified-by-class', got 'best'"),
        ("top", {"seed": 0}, "strategy 'top' has no seed, got seed=0"),
        ("top", {"beta": 0.0}, "strategy 'top' has no beta"),
        ("top", {"strata": 50}, "strategy 'top' has no strata"),
        ("random", {"order": "highest"}, "strategy 'random' has no order"),
        ("random", {"beta": 0.1}, "strategy 'random' has no beta"),
        ("stratified-by-class", {"seed": 3}, "strategy 'stratified-by-class' has no seed"),
        ("top", {"order": "best"}, "order must be 'highest' or 'lowest', got 'best'"),
        ("random", {"seed": -1}, "seed must be a whole number from 0 to 18446744073709551615, got -1"),
        ("random", {"seed": 2**64}, "seed must be a whole number"),
        ("random", {"seed": 1.0}, r"seed must be a whole number .*, got 1\.0"),
        ("random", {"seed": True}, "seed must be a whole number .*, got True"),
        ("ccs", {"strata": 0}, "strata must be a whole number from 1 to 1000000, got 0"),
        ("ccs", {"strata": 10**9}, "strata must be a whole number"),
        ("ccs", {"beta": 1}, "0 <= beta < 1, got 1"),
        ("ccs", {"beta": -0.1}, "0 <= beta < 1"),
        ("ccs", {"beta": math.nan}, "0 <= beta < 1, got nan"),
        ("ccs", {"beta": "0.1"}, "0 <= beta < 1, got '0.1'"),
        ("ccs", {"beta": 0.5, "k": 3}, "3 images cannot be kept: 4 are scored, of which beta drops 2"),
        ("random", {"k": 5}, "5 images cannot be kept: 4 are scored$"),
    ],
)
def test_what_makes_no_sense(strategy: Any, options: dict[str, Any], what: str) -> None:
    with pytest.raises(OptionError, match=what):
        tfdp.select(scores_of([1, 2, 3, 4]), **{"k": 1, "strategy": strategy} | options)


def test_defaults() -> None:
    assert Strategy() == Strategy("top", order="highest")
    assert Strategy("ccs") == Strategy("ccs", "highest", 0, 0.0, 50)
    assert Strategy("ccs", "lowest") == Strategy("ccs", "lowest", 0, 0.1, 50)
    assert Strategy("ccs", "lowest", beta=0).beta == 0
    assert Strategy("random", seed=np.uint8(7)) == Strategy("random", seed=7)
    assert tfdp.select(scores_of([1, 2]), k=1).strategy == Strategy("top")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [0, 1, 2])
def test_hardly_any_images(name: StrategyName, n: int) -> None:
    subset = tfdp.select(scores_of([-1.0, 1.0][:n]), keep=1, strategy=name)
    assert subset.image_ids.tolist() == list(range(n))
    if n:
        assert tfdp.select(scores_of([-1.0, 1.0][:n]), k=1, strategy=name).k == 1
