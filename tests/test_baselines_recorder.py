"""Recording during training gives what the whole history would have given, whoever recorded what and when."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfdp_fast as tfdp
from baselines_support import Training, made_training
from tfdp_fast.baselines import TrainingRecorder
from tfdp_fast.errors import DataError, OptionError, OutputError

METHODS = ["entropy", "el2n", "forgetting", "aum", "bce", "logit_mse"]
REDUCTIONS: list[Any] = ["mean", "sum"]
PIXELS: list[Any] = ["roi", "mask"]


def recorded(training: Training, batch: int = 4) -> TrainingRecorder:
    recorder = TrainingRecorder(METHODS)
    for epoch in range(1, training.epochs + 1):
        for begin in range(0, len(training.ids), batch):
            recorder.record(*training.batch(epoch, range(begin, min(begin + batch, len(training.ids)))))
    return recorder


def state(recorder: TrainingRecorder, folder: Path) -> bytes:
    """All that there is to know of a recorder."""
    path = folder / "state"
    recorder.save(path)
    return path.read_bytes()


def all_values(recorder: TrainingRecorder) -> list[bytes]:
    return [
        recorder.scores(method, reduction=reduction, pixels=pixels).values.tobytes()
        for method, reduction, pixels in itertools.product(METHODS, REDUCTIONS, PIXELS)
    ]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recorder")


# --- the same as the whole history --------------------------------------------------------------------------


@pytest.mark.parametrize(("reduction", "pixels"), list(itertools.product(REDUCTIONS, PIXELS)))
@pytest.mark.parametrize("method", METHODS)
def test_streaming_is_the_whole_history(method: str, reduction: Any, pixels: Any) -> None:
    training = made_training(1, instances=12, epochs=5)
    recorder = recorded(training)
    wanted = {"el2n": 2, "logit_mse": 2}.get(method, 5)
    scores = recorder.scores(method, reduction=reduction, pixels=pixels)
    expected = training.expected(method, wanted, reduction, pixels)
    assert scores.instance_ids.tolist() == sorted(training.ids)
    np.testing.assert_allclose(scores.values, [expected[i] for i in sorted(expected)], rtol=1e-12, atol=1e-12)
    if method == "forgetting" and reduction == "sum":
        assert scores.values.tolist() == [expected[i] for i in sorted(expected)]
    if method in {"entropy", "el2n", "bce", "logit_mse"}:
        at = recorder.scores(method, epoch=3, reduction=reduction, pixels=pixels)
        expected = training.expected(method, 3, reduction, pixels)
        np.testing.assert_allclose(at.values, [expected[i] for i in sorted(expected)], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("right", "expected"), [("10110", 2), ("00000", 5), ("011", 0), ("1", 0), ("0", 1), ("110", 1)]
)
def test_forgetting_events_of_the_paper(right: str, expected: int) -> None:
    recorder = TrainingRecorder(["forgetting"])
    for epoch, digit in enumerate(right, 1):
        recorder.record(epoch, ["a"], [np.array([[1.0 if digit == "1" else -1.0]])], [np.ones((1, 1))])
    assert recorder.scores("forgetting").values.tolist() == [expected]


def test_pixels_of_many_bytes() -> None:
    """All lengths around whole bytes, with all patterns at random."""
    rng = np.random.default_rng(3)
    sizes = list(range(20))
    targets = [(rng.random(n) < 0.5).astype(np.uint8) for n in sizes]
    logits = [[rng.normal(size=n).astype(np.float32) for n in sizes] for _ in range(7)]
    training = Training(sizes, targets, logits)
    recorder = recorded(training)
    for pixels in PIXELS:
        found = recorder.scores("forgetting", reduction="sum", pixels=pixels).values.tolist()
        assert found == list(training.expected("forgetting", 7, "sum", pixels).values())


# --- any split ----------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.integers(0, 10), st.integers(1, 5), st.integers(1, 4), st.randoms(use_true_random=False))
def test_any_batches_and_any_ranks_give_the_same_bits(
    folder: Path, seed: int, epochs: int, ranks: int, rng: random.Random
) -> None:
    """Each epoch, instances are dealt out anew; ranks are merged in any order."""
    training = made_training(seed, instances=7, epochs=epochs)
    expected = recorded(training)
    recorders = [TrainingRecorder(METHODS) for _ in range(ranks)]
    for epoch in range(1, epochs + 1):
        order = rng.sample(range(7), 7)
        for rank, recorder in enumerate(recorders):
            mine = order[rank::ranks]
            cut = rng.randint(0, len(mine))
            for part in (mine[:cut], mine[cut:]):
                recorder.record(*training.batch(epoch, part))
    rng.shuffle(recorders)
    while len(recorders) > 1:
        other = recorders.pop()
        rng.choice(recorders).merge(other)
    assert state(recorders[0], folder) == state(expected, folder)
    assert all_values(recorders[0]) == all_values(expected)


def test_epochs_in_any_order(folder: Path) -> None:
    training = made_training(2, instances=5, epochs=4)
    recorder = TrainingRecorder(METHODS)
    for epoch in (3, 1, 4, 2):
        recorder.record(*training.batch(epoch, range(5)))
    assert state(recorder, folder) == state(recorded(training), folder)
    assert all_values(recorder) == all_values(recorded(training))


@given(st.integers(0, 3), st.integers(0, 12))
@settings(max_examples=25)
def test_a_restart_anywhere_changes_nothing(folder: Path, seed: int, stop: int) -> None:
    """Saved after any batch; then the loop begins the epoch again, or passes over what is done."""
    training = made_training(seed, instances=6, epochs=3)
    batches = [
        training.batch(epoch, positions)
        for epoch, positions in itertools.product((1, 2, 3), ([0, 1], [2, 3], [4, 5]))
    ]
    first = TrainingRecorder(METHODS)
    for batch in batches[:stop]:
        first.record(*batch)
    first.save(folder / "restart")
    again, skipping = (TrainingRecorder.load(folder / "restart") for _ in range(2))
    of_epoch = max(stop - 1, 0) // 3 * 3
    for batch in batches[of_epoch:]:
        again.record(*batch)
        if not skipping.done(*batch[:2]).all():
            skipping.record(*batch)
    for recorder in (again, skipping):
        assert state(recorder, folder) == state(recorded(training), folder)


def test_a_batch_that_is_done_in_part() -> None:
    training = made_training(4)
    recorder = TrainingRecorder(METHODS)
    recorder.record(*training.batch(1, [2, 5]))
    assert recorder.done(1, [training.ids[j] for j in (1, 2, 5)]).tolist() == [False, True, True]
    assert recorder.done(2, [training.ids[2]]).tolist() == [False]
    assert recorder.done(1, []).tolist() == []
    recorder.record(*training.batch(1, range(9)))
    expected = TrainingRecorder(METHODS)
    expected.record(*training.batch(1, range(9)))
    assert all_values(recorder) == all_values(expected)


def test_memory_does_not_grow_with_epochs() -> None:
    training = made_training(1, instances=9, epochs=1)
    recorder = TrainingRecorder(["forgetting"])
    used = set()
    for epoch in range(1, 30):
        logits = [-z if epoch % 2 else z for z in training.logits[0]]
        recorder.record(epoch, training.ids, logits, training.targets)
        used.add(len(recorder._segments.bits))
    assert used == {sum(2 * -(-y.size // 8) for y in training.targets)}  # two bits a pixel


# --- checkpoints that are missing ---------------------------------------------------------------------------


def test_an_instance_that_was_missing() -> None:
    rights = {"a": "11010", "b": "-1-01", "c": "0-0--", "d": "----1"}
    recorder = TrainingRecorder(["forgetting", "aum", "entropy"])
    for epoch, digits in enumerate(zip(*rights.values(), strict=True), 1):
        for instance_id, digit in zip(rights, digits, strict=True):
            if digit != "-":
                z = np.array([2.0 * int(digit) - 1], np.float32)
                recorder.record(epoch, [instance_id], z, [1], [0, 1])
    for method in ("forgetting", "aum"):
        with pytest.raises(DataError, match=r"^instance 'b': was not recorded at epoch 1$"):
            recorder.scores(method)
    with pytest.raises(DataError, match=r"^instance 'c': was not recorded at epoch 5$"):
        recorder.scores("entropy")
    assert recorder.scores("forgetting", missing="skip").values.tolist() == [2, 1, 2, 0]
    assert recorder.scores("aum", missing="skip").values.tolist() == [0.2, 1 / 3, -1, 1]
    final = recorder.scores("entropy", missing="skip")
    assert final.instance_ids.tolist() == ["a", "b", "d"]
    assert recorder.epochs == [1, 2, 3, 4, 5]


def test_an_epoch_that_is_missing_altogether() -> None:
    training = made_training(1)
    recorder = TrainingRecorder(METHODS)
    for epoch in (1, 3):
        recorder.record(*training.batch(epoch, range(9)))
    with pytest.raises(DataError, match=r"was not recorded at epoch 2"):
        recorder.scores("aum")
    two = Training(training.ids, training.targets, [training.logits[0], training.logits[2]])
    for method in ("aum", "forgetting"):
        found, expected = recorder.scores(method, missing="skip"), recorded(two).scores(method)
        assert found.values.tobytes() == expected.values.tobytes()


def test_chosen_epochs() -> None:
    training = made_training(1, epochs=4)
    recorder = TrainingRecorder({"el2n": [2], "entropy": [4], "aum": None})
    assert recorder.methods == {"aum": None, "el2n": (2,), "entropy": (4,)}
    for epoch in range(1, 5):
        recorder.record(*training.batch(epoch, range(9)))
    whole = recorded(training)
    for method in ("el2n", "entropy", "aum"):
        assert recorder.scores(method).values.tobytes() == whole.scores(method).values.tobytes()
    with pytest.raises(OptionError, match=r"el2n is recorded at the epochs \[2\] only, not at 3"):
        recorder.scores("el2n", epoch=3)


def test_nothing_recorded(folder: Path) -> None:
    recorder = TrainingRecorder()
    recorder.record(1, [], [], [])
    assert (len(recorder), recorder.epochs, len(recorder.instance_ids)) == (0, [], 0)
    for method in ("entropy", "el2n", "forgetting", "aum"):
        assert len(recorder.scores(method)) == 0
    recorder.merge(TrainingRecorder())
    recorder.save(folder / "empty")
    assert len(TrainingRecorder.load(folder / "empty")) == 0


# --- forms and images ---------------------------------------------------------------------------------------


def test_forms_of_batches() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(3, 4, 5)).astype(np.float32)
    targets = logits > rng.normal(size=logits.shape)
    forms: list[Callable[[TrainingRecorder], None]] = [
        lambda recorder: recorder.record(1, np.array([3, 1, 2]), logits, targets),
        lambda recorder: recorder.record(1, [3, 1, 2], list(logits), list(targets)),
        lambda recorder: recorder.record(
            1, (3, 1, 2), logits.ravel(), targets.ravel(), np.array([0, 20, 40, 60])
        ),
        lambda recorder: recorder.record(
            np.int64(1), iter([3, 1, 2]), logits.astype(np.float64), targets.astype(float)
        ),
    ]
    found = []
    for record in forms:
        recorder = TrainingRecorder(METHODS)
        record(recorder)
        found.append(all_values(recorder))
    assert found[0] == found[1] == found[2] == found[3]


def test_images() -> None:
    training = made_training(6)
    recorder = recorded(training)
    image_of = {instance_id: instance_id % 3 for instance_id in training.ids}
    scores = recorder.image_scores("aum", image_of, images=[5, 2, 1, 0], pixels="mask", reduction="sum")
    values = recorder.scores("aum", pixels="mask", reduction="sum")
    for image_id, score in zip(scores.images.id.tolist(), scores.images.score.tolist(), strict=True):
        of_image = [
            v
            for i, v in zip(values.instance_ids.tolist(), values.values.tolist(), strict=True)
            if image_of[i] == image_id
        ]
        assert score == math.fsum(of_image)
    in_order = [image_of[i] for i in values.instance_ids.tolist()]
    assert values.image_scores(in_order, [5, 2, 1, 0]).images.score.tobytes() == scores.images.score.tobytes()
    assert len(tfdp.select(scores, k=2)) == 2
    del image_of[training.ids[0]]
    with pytest.raises(OptionError, match=f"not said which image instance {training.ids[0]} is in"):
        recorder.image_scores("aum", image_of)


# --- faults -------------------------------------------------------------------------------------------------

Z, Y = np.zeros((1, 2, 2), np.float32), np.array([[[1, 0], [1, 1]]], np.uint8)


@pytest.fixture
def recorder() -> TrainingRecorder:
    """Instances 7 and 9, at epoch 1."""
    recorder = TrainingRecorder()
    recorder.record(1, [7, 9], np.concatenate([Z, Z + 1]), np.concatenate([Y, Y]))
    return recorder


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((2, [7], Z[:, :1], Y[:, :1]), DataError, "instance 7: has 2 pixels, and had 4 before"),
        ((2, [7], Z, 1 - Y), DataError, "instance 7: has other targets"),
        ((2, [7], Z, Y[:, ::-1]), DataError, "instance 7: has other targets"),
        ((1, [7], Z + 1, Y), DataError, "instance 7: has been recorded at epoch 1 already, with another"),
        ((2, [7], Z + np.nan, Y), DataError, "instance 7: a logit is NaN or infinite"),
        ((2, [8], Z - np.inf, Y), DataError, "instance 8: a logit is NaN or infinite"),
        ((2, [8], Z, Y + 1), DataError, "instance 8: a target is neither 0 nor 1"),
        ((2, [8], Z, Y + 0.5), DataError, "instance 8: a target is neither 0 nor 1"),
        ((2, [8, 8], [Z[0], Z[0]], [Y[0], Y[0]]), OptionError, "instance 8 comes twice in a batch"),
        ((2, [8, 9], Z, Y), OptionError, "2 instance ids need as many logits, got 1"),
        ((2, [], Z + 0.5, Y * 7.0), DataError, "position 0: a target is neither"),
        ((2, ["a"], Z, Y), OptionError, "ids are either whole numbers of 64 bits or text"),
        ((2, [1.5], Z, Y), OptionError, "ids are either whole numbers of 64 bits or text"),
        ((0, [7], Z, Y), OptionError, "an epoch is a whole number of at least 1, got 0"),
        ((1.0, [7], Z, Y), OptionError, "an epoch is a whole number of at least 1, got 1.0"),
        ((True, [7], Z, Y), OptionError, "an epoch is a whole number"),
    ],
)
def test_a_batch_that_cannot_be_taken(
    recorder: TrainingRecorder, folder: Path, arguments: Any, error: type[Exception], message: str
) -> None:
    before = state(recorder, folder)
    with pytest.raises(error, match=message):
        recorder.record(*arguments)
    assert state(recorder, folder) == before


def test_recorded_twice_is_seen_by_forgetting_alone() -> None:
    recorder = TrainingRecorder(["forgetting"])
    for epoch in (1, 2):
        recorder.record(epoch, [7], Z, Y)
    recorder.record(2, [7], Z - 3, Y)  # right and wrong at the same pixels: the same outcome
    with pytest.raises(DataError, match=r"^instance 7: has been recorded at epoch 2 already"):
        recorder.record(2, [7], Z + 3, Y)
    with pytest.raises(DataError, match=r"^instance 7: has been recorded at epoch 1 already"):
        recorder.record(1, [7], Z, Y)  # it cannot be told any more


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "bce"}, "a method that is recorded must be one of 'aum', .*, got 'bce'"),
        ({"method": "aum", "epoch": 1}, "aum goes by all epochs: leave epoch away"),
        ({"method": "el2n", "epoch": 0}, "an epoch is a whole number of at least 1"),
        ({"method": "el2n", "missing": "ignore"}, "missing must be one of 'raise', 'skip'"),
        ({"method": "el2n", "reduction": "max"}, "reduction must be one of"),
        ({"method": "el2n", "pixels": "all"}, "pixels must be one of"),
    ],
)
def test_scores_that_cannot_be_had(recorder: TrainingRecorder, options: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        recorder.scores(**options)


def test_methods_that_cannot_be_recorded() -> None:
    for methods, message in (
        (["class_margin"], "a method must be one of .*, got 'class_margin'"),
        ([], "there is no method to record"),
        ({"aum": [1]}, "aum goes by all epochs: they cannot be chosen"),
        ({"el2n": [0]}, "an epoch is a whole number of at least 1"),
    ):
        with pytest.raises(OptionError, match=message):
            TrainingRecorder(methods)


def test_recorders_that_cannot_be_merged(recorder: TrainingRecorder, folder: Path) -> None:
    before = state(recorder, folder)
    other = TrainingRecorder()
    other.record(1, [5, 9], np.concatenate([Z, Z]), np.concatenate([Y, Y]))
    with pytest.raises(DataError, match=r"^instance 9: has been recorded at epoch 1 by both$"):
        recorder.merge(other)
    other = TrainingRecorder()
    other.record(2, [5, 9], np.concatenate([Z, Z]), np.concatenate([Y, 1 - Y]))
    with pytest.raises(DataError, match=r"^instance 9: has other targets$"):
        recorder.merge(other)
    with pytest.raises(OptionError, match=r"one records \{.*\}, the other \{'aum': None\}"):
        recorder.merge(TrainingRecorder(["aum"]))
    other = TrainingRecorder()
    other.record(2, ["a"], Z, Y)
    with pytest.raises(OptionError, match=r"ids are either whole numbers of 64 bits or text"):
        recorder.merge(other)
    assert state(recorder, folder) == before


# --- files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [False, True])
def test_a_file_holds_everything(tmp_path: Path, text: bool) -> None:
    training = made_training(2)
    if text:
        training = Training([f"é{i}" for i in training.ids], training.targets, training.logits)  # type: ignore[misc]
    recorder = recorded(training)
    recorder.save(tmp_path / "a.tfdp")
    again = TrainingRecorder.load(tmp_path / "a.tfdp")
    assert (again.methods, again.epochs) == (recorder.methods, recorder.epochs)
    assert again.instance_ids.tolist() == recorder.instance_ids.tolist()
    assert all_values(again) == all_values(recorder)
    again.save(tmp_path / "b.tfdp")
    assert (tmp_path / "a.tfdp").read_bytes() == (tmp_path / "b.tfdp").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tfdp", "b.tfdp"]


def test_a_file_that_is_damaged(recorder: TrainingRecorder, tmp_path: Path) -> None:
    path = tmp_path / "state"
    recorder.save(path)
    good = path.read_bytes()
    for position in range(0, len(good), 7):
        path.write_bytes(good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :])
        with pytest.raises(DataError, match=r"damaged|no file of a TrainingRecorder|of format"):
            TrainingRecorder.load(path)
    for length in (0, 5, 16, 40, len(good) - 1):
        path.write_bytes(good[:length])
        with pytest.raises(DataError, match=r"damaged|no file of a TrainingRecorder"):
            TrainingRecorder.load(path)
    path.write_bytes(good.replace(b"tfdp-recorder 1\n", b"tfdp-recorder 2\n"))
    with pytest.raises(DataError, match=r"state: is of format 2, not 1$"):
        TrainingRecorder.load(path)
    with pytest.raises(DataError, match=r"cannot be read: No such file"):
        TrainingRecorder.load(tmp_path / "nothing")


def test_a_file_that_cannot_be_written(recorder: TrainingRecorder, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"does not exist"):
        recorder.save(tmp_path / "no" / "state")
    assert list(tmp_path.iterdir()) == []
