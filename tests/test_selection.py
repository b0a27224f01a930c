"""Which images are kept: how many, which, and in what order."""

from __future__ import annotations

import hashlib
import math
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import tfdp_fast as tfdp
from tfdp_fast import OptionError
from tfdp_fast.selection import Of
from tfdp_fast.tables import ImageTable

EVERY_OF: list[Of] = ["scored", "annotated", "all"]


def scores_of(score: Any, ids: Any = None, annotations: Any = None, instances: Any = None) -> tfdp.Scores:
    """Scores of images, each of which has an instance unless said otherwise."""
    score = np.asarray(score, np.float64)
    n = len(score)
    instances = np.ones(n, np.int64) if instances is None else np.asarray(instances, np.int64)
    images = ImageTable(
        id=np.arange(n) if ids is None else np.asarray(ids),
        file_name=np.full(n, None),
        annotations=instances if annotations is None else np.asarray(annotations, np.int64),
        instances=instances,
        score=score,
    )
    return tfdp.Scores(images, None, None, None, None)


def kept(n: int, **share: Any) -> int:
    subset = tfdp.select(scores_of(np.arange(n)), **share)
    assert len(subset) == subset.k == subset.keep.sum() == len(subset.ranking)
    assert subset.candidates == n
    return subset.k


# --- how many -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "number"),
    [(0, 1463), (0.1, 1317), (0.2, 1170), (0.3, 1024), (0.4, 878), (0.5, 732), (0.6, 585), (0.9, 146)],
)
def test_voc(rate: float, number: int) -> None:
    assert kept(1463, rate=rate) == number == math.floor(1463 * (1 - Fraction(str(rate))) + Fraction(1, 2))
    assert kept(1463, keep=float(1 - Decimal(str(rate)))) == number
    assert kept(1463, k=number) == number


@pytest.mark.parametrize(
    ("n", "rate", "number"),
    [
        (5, 0.5, 3),
        (1, 0.5, 1),
        (1, 0.6, 0),
        (3, 0.5, 2),
        (10, 0.35, 7),
        (10, 0.65, 4),
        (10, 0.15, 9),
        (1000, 0.3, 700),
        (1000, 0.7, 300),
        (50, 0.43, 29),
        (10**5, 1e-5, 99_999),
        (100, 1e-9, 100),
        (0, 0.5, 0),
    ],
)
def test_halves_go_up_and_shares_are_decimals(n: int, rate: float, number: int) -> None:
    assert kept(n, rate=rate) == number


@pytest.mark.parametrize(
    ("n", "keep", "number"),
    [(100, 0.145, 15), (200, 0.0725, 15), (1000, 0.0285, 29), (10, 0.05, 1), (10, 0.0499, 0)],
)
def test_where_floats_would_round_down(n: int, keep: float, number: int) -> None:
    assert kept(n, keep=keep) == number


@given(n=st.integers(0, 3000), tenthousandths=st.integers(0, 9999))
@example(n=100, tenthousandths=8550)
@example(n=1463, tenthousandths=3000)
def test_every_rate(n: int, tenthousandths: int) -> None:
    text = f"{tenthousandths / 10_000:.4f}"
    exact = (n * (1 - Decimal(text))).quantize(Decimal(1), ROUND_HALF_UP)
    assert kept(n, rate=float(text)) == int(exact)
    assert kept(n, rate=Fraction(text)) == int(exact)
    assert kept(n, keep=1 - Fraction(text)) == int(exact)
    assert kept(n, keep=float(1 - Decimal(text))) == int(exact)


@given(n=st.integers(0, 300), share=st.fractions(0, 1).filter(lambda share: share < 1))
def test_fractions(n: int, share: Fraction) -> None:
    exact = n * (1 - share)
    expected = exact.numerator // exact.denominator + (exact % 1 >= Fraction(1, 2))
    assert kept(n, rate=share) == kept(n, keep=1 - share) == expected


def test_numbers_of_other_types() -> None:
    assert kept(9, rate=0) == kept(9, keep=1) == kept(9, keep=np.int64(1)) == kept(9, rate=Fraction(0)) == 9
    assert kept(9, rate=np.float64(0.3)) == kept(9, keep=0.7) == 6
    assert kept(9, k=np.int64(4)) == kept(9, k=np.uint8(4)) == 4
    assert kept(9, k=9) == 9


# --- which --------------------------------------------------------------------------------------------------


def test_best_first_and_ties_in_data_set_order() -> None:
    scores = scores_of([1, 3, 2, 3, 1, 3], ids=[60, 50, 40, 30, 20, 10])
    subset = tfdp.select(scores, k=4)
    assert subset.ranking.tolist() == [50, 30, 10, 40]
    assert subset.image_ids.tolist() == [50, 40, 30, 10]
    assert subset.dropped_ids.tolist() == [60, 20]
    assert subset.keep.tolist() == [False, True, True, True, False, True]
    assert tfdp.select(scores, k=2).ranking.tolist() == [50, 30]
    assert tfdp.select(scores, k=5).ranking.tolist() == [50, 30, 10, 40, 60]
    assert subset.rate == pytest.approx(1 / 3)


def test_candidates() -> None:
    scores = scores_of([0, 5, 0, 0, 2], annotations=[1, 2, 0, 3, 1], instances=[0, 2, 0, 1, 1])
    scored, annotated, everything = (tfdp.select(scores, keep=1, of=of) for of in EVERY_OF)
    assert (scored.of, scored.candidates, scored.image_ids.tolist()) == ("scored", 3, [1, 3, 4])
    assert (annotated.of, annotated.candidates, annotated.image_ids.tolist()) == (
        "annotated",
        4,
        [0, 1, 3, 4],
    )
    assert (everything.of, everything.candidates, everything.k) == ("all", 5, 5)
    assert tfdp.select(scores, keep=1).of == "scored"
    assert scored.dropped_ids.tolist() == [0, 2]
    assert scored.rate == 0
    half = tfdp.select(scores, rate=0.5, of="annotated")
    assert half.ranking.tolist() == [1, 4]
    assert half.dropped_ids.tolist() == [0, 2, 3]


def test_counts_that_are_not_known() -> None:
    """Score files of the authors' form list images that have a score, and nothing else."""
    scores = scores_of([1, 2], annotations=[-1, -1], instances=[-1, -1])
    assert [tfdp.select(scores, keep=1, of=of).k for of in EVERY_OF] == [2, 2, 2]


@settings(max_examples=300)
@given(
    images=st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.5, 0.5 + 2**-53, 1.0, 7.0, 1e-300]), st.integers(0, 2), st.integers(0, 2)
        ),
        max_size=20,
    ),
    of=st.sampled_from(EVERY_OF),
    data=st.data(),
)
def test_selecting_is_sorting(images: list[tuple[float, int, int]], of: Of, data: st.DataObject) -> None:
    ids = data.draw(st.permutations(range(100, 100 + len(images))))
    candidates = [
        i
        for i, (_, instances, crowd) in enumerate(images)
        if of == "all" or instances > 0 or (of == "annotated" and crowd > 0)
    ]
    scores = scores_of(
        [score for score, _, _ in images],
        ids=np.array(ids, np.int64),
        annotations=[instances + crowd for _, instances, crowd in images],
        instances=[instances for _, instances, _ in images],
    )
    if not candidates:
        assert len(tfdp.select(scores, keep=1, of=of)) == 0
        return
    k = data.draw(st.integers(1, len(candidates)))
    subset = tfdp.select(scores, k=k, of=of)
    best = sorted(candidates, key=lambda i: (-images[i][0], i))[:k]
    assert subset.ranking.tolist() == [ids[i] for i in best]
    assert subset.image_ids.tolist() == [ids[i] for i in sorted(best)]
    assert subset.dropped_ids.tolist() == [ids[i] for i in range(len(images)) if i not in best]
    assert np.flatnonzero(subset.keep).tolist() == sorted(best)
    assert (subset.candidates, subset.k, subset.of) == (len(candidates), k, of)
    assert subset.rate == 1 - k / len(candidates)


def test_no_images() -> None:
    for of in EVERY_OF:
        subset = tfdp.select(scores_of([]), rate=0.5, of=of)
        assert (len(subset), subset.candidates, subset.rate) == (0, 0, 0)
        assert subset.sha256 == hashlib.sha256(b"").hexdigest()


def test_scores_are_not_changed() -> None:
    scores = scores_of([1, 3, 2])
    scores.images.score.setflags(write=False)
    scores.images.id.setflags(write=False)
    assert tfdp.select(scores, k=1).image_ids.tolist() == [1]
    assert scores.images.score.tolist() == [1, 3, 2]


# --- its name -----------------------------------------------------------------------------------------------


def test_sha256_of_numbers() -> None:
    """Ascending as numbers, whatever the order of the data set."""
    expected = hashlib.sha256(b"-5,9,10,1234567890123").hexdigest()
    for ids in ([10, 9, 1234567890123, -5], [-5, 9, 10, 1234567890123]):
        assert tfdp.select(scores_of([1, 2, 3, 4], ids=ids), keep=1).sha256 == expected


def test_sha256_of_text() -> None:
    expected = hashlib.sha256("10,9,a,é".encode()).hexdigest()
    assert tfdp.select(scores_of([1, 2, 3, 4], ids=["é", "9", "a", "10"]), keep=1).sha256 == expected


def test_text_ids() -> None:
    subset = tfdp.select(scores_of([1, 2, 3], ids=["b", "a", "c"]), k=2)
    assert subset.image_ids.tolist() == ["a", "c"]
    assert subset.ranking.tolist() == ["c", "a"]
    assert subset.dropped_ids.tolist() == ["b"]


# --- errors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({}, "one of rate, keep and k"),
        ({"rate": 0.5, "keep": 0.5}, "one of rate, keep and k"),
        ({"rate": 0.5, "k": 2}, "one of rate, keep and k"),
        ({"keep": 0.5, "k": 2}, "one of rate, keep and k"),
        ({"rate": 0, "keep": 1, "k": 4}, "one of rate, keep and k"),
        ({"rate": 1}, "0 <= rate < 1"),
        ({"rate": 1.0}, "0 <= rate < 1"),
        ({"rate": Fraction(1)}, "0 <= rate < 1"),
        ({"rate": -0.1}, "0 <= rate < 1"),
        ({"rate": 30}, "0 <= rate < 1"),
        ({"rate": math.nan}, "rate must be a finite number, got nan"),
        ({"rate": math.inf}, "rate must be a finite number"),
        ({"rate": True}, "rate must be a finite number, got True"),
        ({"rate": False}, "rate must be a finite number"),
        ({"rate": np.True_}, "rate must be a finite number"),
        ({"rate": "0.5"}, "rate must be a finite number, got '0.5'"),
        ({"rate": [0.5]}, "rate must be a finite number"),
        ({"keep": 0}, "0 < keep <= 1"),
        ({"keep": 0.0}, "0 < keep <= 1"),
        ({"keep": 1.0000001}, "0 < keep <= 1"),
        ({"keep": 4}, "0 < keep <= 1"),
        ({"keep": Fraction(-1, 2)}, "0 < keep <= 1"),
        ({"keep": -math.inf}, "keep must be a finite number"),
        ({"keep": True}, "keep must be a finite number"),
        ({"keep": 0.5j}, "keep must be a finite number"),
        ({"k": 0}, "k must be a whole number of at least 1, got 0"),
        ({"k": -1}, "k must be a whole number of at least 1"),
        ({"k": 2.0}, r"k must be a whole number of at least 1, got 2\.0"),
        ({"k": True}, "k must be a whole number of at least 1, got True"),
        ({"k": "2"}, "k must be a whole number of at least 1"),
        ({"k": Fraction(2)}, "k must be a whole number of at least 1"),
        ({"k": 5}, "5 images cannot be kept: 4 are scored"),
        ({"k": 2**70}, "images cannot be kept: 4 are scored"),
        ({"k": 5, "of": "annotated"}, "5 images cannot be kept: 4 are annotated"),
        ({"k": 6, "of": "all"}, "6 images cannot be kept"),
        ({"k": 2, "of": "every"}, "of must be 'scored', 'annotated' or 'all', got 'every'"),
        ({"k": 2, "of": None}, "of must be"),
    ],
)
def test_errors(options: dict[str, Any], what: str) -> None:
    with pytest.raises(OptionError, match=what):
        tfdp.select(scores_of([1, 2, 3, 4, 0], instances=[1, 1, 1, 1, 0]), **options)


def test_a_number_needs_candidates() -> None:
    with pytest.raises(OptionError, match="1 images cannot be kept: 0 are scored"):
        tfdp.select(scores_of([]), k=1)
