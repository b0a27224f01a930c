"""Scores of pixels, instances and images from mask logits."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

import tfdp_fast as tfdp
from baselines_support import DEFINITIONS
from tfdp_fast import baselines, reference_pixels
from tfdp_fast.baselines import METHODS, image_scores, instance_scores, pixel_scores, random_scores
from tfdp_fast.errors import DataError, OptionError
from tfdp_fast.kernels import pixels as kernels

PIXEL_METHODS = [*DEFINITIONS, "class_margin"]
single = st.floats(width=32, allow_nan=False, allow_infinity=False)
likely = st.floats(-30, 30, width=32)
pixel = st.tuples(single | likely, st.integers(0, 1))
instance = st.lists(pixel, max_size=40)


def arrays(pixels: list[tuple[float, int]]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    return (
        np.array([z for z, _ in pixels], np.float32),
        np.array([y for _, y in pixels], np.uint8),
    )


# --- the paper's values -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "z", "expected"),
    [
        ("el2n", 2.0, 0.16857839),
        ("entropy", 2.0, 0.36533386),
        ("bce", 2.0, 0.12692801),
        ("margin", 2.0, 2.0),
        ("el2n", 0.0, 0.70710678),
        ("entropy", 0.0, 0.69314718),
        ("bce", 0.0, 0.69314718),
        ("margin", 0.0, 0.0),
        ("logit_mse", 2.0, 1.0),
        ("correct", 2.0, 1.0),
        ("correct", 0.0, 0.0),  # right means z > 0
    ],
)
def test_values_of_the_paper(method: Any, z: float, expected: float) -> None:
    for dtype in (np.float16, np.float32, np.float64):
        [[value]] = pixel_scores(method, np.full((1, 1), z, dtype), np.ones((1, 1), bool))
        assert round(float(value), 8) == expected


def test_class_margin() -> None:
    logits = np.array([[[1, 5]], [[4, 2]], [[3, 2]]], np.float32)  # three classes of 1 x 2 pixels
    assert pixel_scores("class_margin", [logits], [np.ones((1, 2), bool)])[0].tolist() == [[1.0, 3.0]]
    assert pixel_scores("class_margin", logits[None], np.ones((1, 1, 2), bool)).tolist() == [[[1.0, 3.0]]]
    expected_of: dict[Any, float] = {"roi": 4.0, "mask": 3.0}
    for pixels, expected in expected_of.items():
        [total] = instance_scores(
            "class_margin", [logits], [np.array([[0, 1]])], reduction="sum", pixels=pixels
        )
        assert total == expected
    flat = instance_scores("class_margin", np.tile(logits.ravel(), 2), np.ones(4), [0, 2, 4])
    assert flat.tolist() == [2.0, 2.0]
    tie = np.array([[[7.0]], [[7.0]]], np.float32)
    assert instance_scores("class_margin", [tie], [np.ones((1, 1))]).tolist() == [0.0]


# --- against definitions ------------------------------------------------------------------------------------


@given(instance)
@example([(1e4, 0), (-1e4, 1), (88.0, 0), (-88.0, 0), (2.0**-149, 1), (-(2.0**-149), 0), (0.0, 0), (-0.0, 1)])
@example([(3.4028234663852886e38, 0), (-3.4028234663852886e38, 1)])
def test_pixels_are_those_of_numpy(pixels: list[tuple[float, int]]) -> None:
    z, y = arrays(pixels)
    for method, definition in DEFINITIONS.items():
        ours = pixel_scores(cast(Any, method), z, y)
        # NumPy has errors of its own, in proportion to |z| where it takes exp of a rounded logarithm.
        np.testing.assert_allclose(ours, definition(z, y), rtol=4e-13, atol=1e-300)
        assert np.isfinite(ours).all()


@given(st.floats(0, 800))
@example(0.0)
@example(0.34657359027997264)
@example(708.0)
@example(708.39)
@example(709.5)
def test_exp_and_log_are_nearly_as_good_as_they_can_be(a: float) -> None:
    e = reference_pixels.exp_minus(a)
    with localcontext() as context:
        context.prec = 60 + int(a / 2)
        exact = (-Decimal(a)).exp()
        if exact < Decimal(2) ** -1022:
            assert e <= 2.0**-1022
            return
        assert abs(Decimal(e) - exact) <= Decimal("3e-16") * exact
        logarithm = (1 + Decimal(e)).ln()
        assert abs(Decimal(reference_pixels.log1p(e)) - logarithm) <= Decimal("4e-16") * logarithm


@given(st.lists(pixel, max_size=1100), st.sampled_from([np.float32, np.float64]))
def test_kernels_are_their_definitions_in_both_widths(pixels: list[tuple[float, int]], dtype: Any) -> None:
    z, y = arrays(pixels)
    z = z.astype(dtype)
    offsets, methods = np.array([0, len(z) // 3, len(z)]), np.arange(6)
    ours = kernels.pixel_sums(methods, z, y, offsets)
    theirs = reference_pixels.pixel_sums(methods, z, y, offsets)
    assert [a.tobytes() for a in ours] == [b.tobytes() for b in theirs]


def test_float64_is_not_rounded() -> None:
    z = np.array([[0.1, -1 / 3, 1e-20]])
    assert pixel_scores("margin", z, np.ones_like(z)).tolist() == z.tolist()
    assert (
        pixel_scores("entropy", z, np.ones_like(z))[0, 0]
        != pixel_scores("entropy", z.astype(np.float32), np.ones_like(z))[0, 0]
    )


# --- from pixels to instances -------------------------------------------------------------------------------


@given(st.lists(instance, max_size=6))
def test_instances_are_means_and_sums(batch: list[list[tuple[float, int]]]) -> None:
    parts = [arrays([(math.remainder(z, 40), y) for z, y in pixels]) for pixels in batch]
    logits, targets = [z for z, _ in parts], [y for _, y in parts]
    for method, definition in DEFINITIONS.items():
        for pixels in ("roi", "mask"):
            chosen = [
                definition(z, y)[y == 1] if pixels == "mask" else definition(z, y)
                for z, y in zip(logits, targets, strict=True)
            ]
            for reduction, expected in (
                ("sum", [values.sum() for values in chosen]),
                ("mean", [values.mean() if len(values) else 0.0 for values in chosen]),
            ):
                ours = instance_scores(method, logits, targets, reduction=reduction, pixels=pixels)  # type: ignore[arg-type]
                np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-11)


def made_batch(n: int = 40) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.int64]]:
    rng = np.random.default_rng(5)
    offsets = np.cumsum([0, *rng.integers(0, 3000, n)])
    logits = (rng.normal(0, 6, offsets[-1])).astype(np.float32)
    return logits, (rng.random(len(logits)) < 0.4).astype(np.uint8), offsets


@pytest.mark.parametrize("method", PIXEL_METHODS)
@pytest.mark.parametrize("threads", [1, 2, 7])
def test_any_split_on_any_number_of_threads_gives_the_same_bits(method: Any, threads: int) -> None:
    logits, targets, offsets = made_batch()
    classes = 3 if method == "class_margin" else 1
    logits = np.concatenate([np.roll(logits, k) for k in range(classes)])
    whole = instance_scores(method, logits, targets, offsets, pixels="mask")
    cuts = [0, 1, 2, 9, 25, len(offsets) - 1]

    def scored(k: int) -> NDArray[np.float64]:
        ends = offsets[cuts[k] : cuts[k + 1] + 1]
        return instance_scores(
            method,
            logits[classes * ends[0] : classes * ends[-1]],
            targets[ends[0] : ends[-1]],
            ends - ends[0],
            pixels="mask",
        )

    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(scored, range(len(cuts) - 1)))
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    one_by_one = [
        instance_scores(
            method,
            [logits[classes * b : classes * e].reshape(*([classes] if classes > 1 else []), -1)],
            [targets[b:e]],
            pixels="mask",
        )
        for b, e in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    ]
    assert np.concatenate(one_by_one).tobytes() == whole.tobytes()


def test_the_three_forms_are_one() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4, 5, 6)).astype(np.float32)
    targets = logits > 0.3
    as_array = instance_scores("el2n", logits, targets)
    as_list = instance_scores("el2n", list(logits), list(targets))
    flat = instance_scores("el2n", logits.ravel(), targets.ravel(), np.arange(5) * 30)
    strided = instance_scores("el2n", np.asfortranarray(logits), np.asfortranarray(targets))
    numbers = instance_scores("el2n", logits, targets.astype(np.float64))
    for other in (as_list, flat, strided, numbers):
        assert other.tobytes() == as_array.tobytes()


def test_half_precision_is_widened() -> None:
    logits = np.array([[0.1, -65504.0, 6e-8]], np.float16)
    ours = pixel_scores("margin", logits, np.ones((1, 3)))
    assert ours.tolist() == logits.astype(np.float64).tolist()


def test_no_copy_of_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    original = kernels.pixel_sums

    def spy(methods: Any, logits: Any, targets: Any, offsets: Any) -> Any:
        seen.extend((logits.__array_interface__["data"][0], targets.__array_interface__["data"][0]))
        return original(methods, logits, targets, offsets)

    monkeypatch.setattr(kernels, "pixel_sums", spy)
    for dtype in (np.float32, np.float64):
        logits, targets = np.zeros((2, 3, 4), dtype), np.zeros((2, 3, 4), bool)
        instance_scores("el2n", logits, targets)
        assert seen[-2:] == [x.__array_interface__["data"][0] for x in (logits, targets)]


def test_nothing_to_score() -> None:
    assert instance_scores("el2n", [], []).shape == (0,)
    assert pixel_scores("el2n", [], []) == []
    assert instance_scores("el2n", np.empty((0, 2, 2)), np.empty((0, 2, 2))).shape == (0,)
    assert instance_scores("el2n", np.empty(0), np.empty(0), [0, 0]).tolist() == [0.0]
    # No pixel of the mask is in the box: the instance adds nothing to its image.
    assert instance_scores("margin", np.ones((1, 2, 2)), np.zeros((1, 2, 2)), pixels="mask").tolist() == [0.0]
    assert pixel_scores("class_margin", [np.empty((2, 0, 3))], [np.empty((0, 3))])[0].shape == (0, 3)


# --- what cannot be used ------------------------------------------------------------------------------------

Z, Y = np.zeros((2, 2, 3), np.float32), np.zeros((2, 2, 3), np.uint8)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("method", PIXEL_METHODS)
def test_logits_that_are_not_finite(method: Any, value: float) -> None:
    logits = np.zeros((3, 2, 600), np.float32)
    logits[1, 1, 599] = value
    if method == "class_margin":
        logits = np.stack([np.zeros_like(logits), logits], axis=1)
    for function in (pixel_scores, instance_scores):
        for form in (lambda x: x, list):
            with pytest.raises(DataError, match=r"^instance 1: a logit is NaN or infinite$"):
                function(method, form(logits), form(np.zeros((3, 2, 600))))


@pytest.mark.parametrize("value", [2, 255, 0.5, -1, math.nan])
@pytest.mark.parametrize("method", PIXEL_METHODS)
def test_targets_that_are_not_binary(method: Any, value: float) -> None:
    logits = np.zeros((3, 2, 4, 3) if method == "class_margin" else (3, 4, 3), np.float32)
    targets = np.zeros((3, 4, 3), np.uint8 if value in {2, 255} else np.float32)
    targets[2, 3, 1] = value
    for function in (pixel_scores, instance_scores):
        for form in (lambda x: x, list):
            with pytest.raises(DataError, match=r"^instance 2: a target is neither 0 nor 1$"):
                function(method, form(logits), form(targets))
    if method != "class_margin":
        with pytest.raises(DataError, match="instance 1: a target is neither"):
            instance_scores(method, logits.ravel(), targets.ravel(), [0, 20, 36])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("aum", Z, Y), "method must be one of 'entropy', .*, got 'aum'"),
        (("el2n", Z, Y[:1]), r"targets have shape \[1, 2, 3\], and logits \[2, 2, 3\]"),
        (("el2n", list(Z), list(Y[:1])), "2 instances have logits, and 1 have targets"),
        (
            ("el2n", list(Z), [Y[0], Y[0, :1]]),
            r"instance 1: targets have shape \[1, 3\], and logits \[2, 3\]",
        ),
        (
            ("el2n", Z[0, 0], Y[0, 0]),
            r"logits have shape \[N, ...\], or are flat and have offsets; got shape",
        ),
        (("el2n", Z.astype(int), Y), "logits are float16, float32 or float64, got int64"),
        (("el2n", list(Z.astype(int)), Y), "instance 0: logits are float16"),
        (("el2n", Z.astype(np.longdouble), Y), "logits are float16"),
        (("el2n", Z, Y.astype(str)), "targets are bool or numbers, got <U3"),
        (("el2n", np.ma.masked_array(Z), Y), "logits: a masked array has pixels that are missing"),
        (("el2n", list(Z), list(Y), [0, 6, 12]), "leave offsets away"),
        (("el2n", Z, Y, [0, 6, 12]), "offsets go with flat logits"),
        (("el2n", Z.ravel(), Y.ravel(), [0, 6, 11]), "rise from 0 to the number of pixels, 12"),
        (("el2n", Z.ravel(), Y.ravel(), [1, 12]), "rise from 0"),
        (("el2n", Z.ravel(), Y.ravel(), [0, 9, 6, 12]), "rise from 0"),
        (("el2n", Z.ravel(), Y.ravel(), [0.0, 12.0]), "rise from 0"),
        (("el2n", Z.ravel(), Y.ravel(), []), "rise from 0"),
        (("el2n", Z.ravel(), Y.ravel()[:9], [0, 9]), "12 logits do not go with 9 targets"),
        (("class_margin", Z[:, None], Y), "class_margin needs the logits of at least two classes"),
        (("class_margin", Z, Y), r"targets have shape \[2, 2, 3\], and logits \[2, 2, 3\]"),
        (("class_margin", Z.ravel(), Y.ravel()[:5], [0, 5]), "12 logits do not go with 5 targets"),
    ],
)
def test_arguments_that_make_no_sense(arguments: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        instance_scores(*arguments)


def test_options_that_make_no_sense() -> None:
    with pytest.raises(OptionError, match="reduction must be one of 'mean', 'sum', got 'max'"):
        instance_scores("el2n", Z, Y, reduction="max")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="pixels must be one of 'roi', 'mask', got 'box'"):
        instance_scores("el2n", Z, Y, pixels="box")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="method must be one of"):
        pixel_scores("random", Z, Y)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"targets have shape \[2\], and logits \[3\]"):
        pixel_scores("el2n", np.zeros(3), [0, 1])


# --- images -------------------------------------------------------------------------------------------------


def test_what_is_kept() -> None:
    assert list(METHODS) == [
        *["random", "entropy", "el2n", "forgetting", "aum", "bce", "logit_mse", "class_margin"]
    ]
    assert {name for name, method in METHODS.items() if method.keep == "lowest"} == {"aum", "class_margin"}
    assert METHODS["el2n"].checkpoint == "half"
    assert tfdp.baselines is baselines


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(-1e6, 1e6)), max_size=30), st.randoms())
def test_images_are_exact_sums_in_any_order(pairs: list[tuple[int, float]], random: Any) -> None:
    shuffled = random.sample(pairs, len(pairs))
    images = [4, 0, 9, 1, 3, 2]
    both = [
        image_scores([value for _, value in some], [i for i, _ in some], images) for some in (pairs, shuffled)
    ]
    for scores in both:
        assert scores.images.id.tolist() == images
        assert scores.images.score.tolist() == [
            math.fsum(value for i, value in pairs if i == image) + 0.0 for image in images
        ]
        assert scores.images.instances.tolist() == [sum(i == image for i, _ in pairs) for image in images]


@pytest.mark.parametrize("suffix", [".csv", ".json", ".npz", ".parquet"])
def test_negative_scores_are_scores(tmp_path: Path, suffix: str) -> None:
    """AUM is below 0 where a network is wrong: such an image is scored, selected, and in the file."""
    scores = image_scores([-3.5, 0.25, -0.5, 0.5], [8, 3, 8, 5], images=[8, 2, 3, 5])
    assert scores.images.score.tolist() == [-4.0, 0.0, 0.25, 0.5]
    assert tfdp.select(scores, k=3).ranking.tolist() == [5, 3, 8]
    assert tfdp.select(scores, keep=0.99).candidates == 3
    path = tmp_path / f"scores{suffix}"
    scores.save(path)
    again = tfdp.Scores.load(path)
    found = dict(zip(again.images.id.tolist(), again.images.score.tolist(), strict=True))
    assert found == {8: -4.0, 3: 0.25, 5: 0.5} | ({} if suffix == ".json" else {2: 0.0})
    assert tfdp.select(again, k=3).ranking.tolist() == [5, 3, 8]


def test_images_of_a_data_set(coco_dict: Any) -> None:
    of_data_set = tfdp.score(coco_dict(images=3))
    scores = image_scores([1.5, 2.0], np.array([12, 10]), of_data_set)
    assert scores.images.id.tolist() == [10, 11, 12]
    assert scores.images.file_name.tolist() == ["0.jpg", "1.jpg", "2.jpg"]
    assert scores.images.annotations.tolist() == [2, 2, 2]
    assert scores.images.score.tolist() == [2.0, 0.0, 1.5]
    assert tfdp.select(scores, k=2).ranking.tolist() == [10, 12]


def test_images_by_text_and_none_at_all() -> None:
    assert image_scores([1.0, 2.0], ["b", "a"]).images.id.tolist() == ["b", "a"]
    assert len(image_scores([], []).images) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], [1, 2]), r"2 image ids need as many values, got \[1\]"),
        (([1.0, math.nan], [1, 7]), r"the value of instance 1 \(image 7\) is not finite"),
        (([1.0], [3], [1, 2]), "image id 3 is not among the images"),
        (([1.0], [1], [1, 2, 1]), "image id 1 comes twice"),
        (([1.0, 2.0], [1, "a"]), "ids are either whole numbers of 64 bits or text"),
        (([1.0], [1.5]), "ids are either whole numbers"),
        (([1.0], [2**70]), "ids are either whole numbers"),
    ],
)
def test_image_ids_that_make_no_sense(arguments: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        image_scores(*arguments)


def test_random_scores() -> None:
    one, two = random_scores(1000, 7), random_scores(1000, 7)
    assert one.tobytes() == two.tobytes()
    assert ((one > 0) & (one <= 1)).all()
    assert abs(one.mean() - 0.5) < 0.05
    assert random_scores(1000, 8).tobytes() != one.tobytes()
    assert random_scores(3, 7).tolist() == one[:3].tolist()
    scores = image_scores(one, np.arange(1000))
    drawn = tfdp.select(scores, rate=0.3, strategy="random", seed=7)
    assert tfdp.select(scores, rate=0.3).ranking.tolist() == drawn.ranking.tolist()
    for arguments in ((-1, 0), (2, -1), (2, 0.5), (True, 0)):
        with pytest.raises(OptionError, match="must be a whole number of at least 0"):
            random_scores(*arguments)
