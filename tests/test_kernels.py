"""Every kernel against its definition, bit for bit, and both against pycocotools and math.fsum."""

from __future__ import annotations

import contextlib
import copy
import importlib
import itertools
import math
import os
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pycocotools import mask as coco

from tfdp_fast import kernels, reference
from tfdp_fast.kernels import rle, sums
from tfdp_fast.reference import KERNELS, LIMBS
from tfdp_fast.status import Status


def assert_same(ours: Any, theirs: Any) -> None:
    assert type(ours) is type(theirs)
    if isinstance(ours, tuple):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            assert_same(a, b)
    elif isinstance(ours, np.ndarray):
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        assert ours.tobytes() == theirs.tobytes()
    else:
        assert ours == theirs


def assert_agree(name: str, *arguments: Any) -> Any:
    """Call the kernel and its reference, compare results and arguments, return the result."""
    row = next(row for row in KERNELS if row.function == name)
    ours, theirs = copy.deepcopy(arguments), copy.deepcopy(arguments)
    result = row.load()(*ours)
    assert_same(result, row.reference(*theirs))
    assert_same(ours, theirs)
    return result


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 10, 100])
@pytest.mark.parametrize("row", KERNELS, ids=lambda row: row.name)
def test_kernel_is_its_reference(row: reference.Kernel, n: int, seed: int) -> None:
    arguments = row.inputs(np.random.default_rng([n, seed]), n)
    assert len(arguments[row.counted]) >= n
    assert_agree(row.function, *arguments)


def test_every_kernel_has_a_row() -> None:
    found = {
        f"{module.name}.{name}"
        for module in pkgutil.iter_modules(kernels.__path__)
        if not module.name.startswith("_")
        for name, value in vars(importlib.import_module(f"{kernels.__name__}.{module.name}")).items()
        if getattr(value, "__module__", None) == f"{kernels.__name__}.{module.name}"
        and not name.startswith("_")
    }
    assert found == {row.name for row in KERNELS}


# --- compressed run lengths ---------------------------------------------------------------------------------

masks = st.lists(st.integers(0, 40) | st.integers(0, 5000) | st.integers(0, 2**32 - 1), max_size=12)
batches = st.lists(masks, max_size=6)


def flat(items: list[Any], dtype: Any) -> tuple[NDArray[Any], NDArray[np.int64]]:
    offsets = np.cumsum([0, *map(len, items)], dtype=np.int64)
    return np.array([value for item in items for value in item], dtype), offsets


def decode(strings: list[bytes], pixels: list[int]) -> tuple[list[list[int]], list[Status]]:
    data, offsets = flat(strings, np.uint8)
    counts, count_offsets, status = assert_agree("decode_rle", data, offsets, np.array(pixels, np.int64))
    assert count_offsets[-1] == len(counts)
    decoded = [counts[begin:end].tolist() for begin, end in itertools.pairwise(count_offsets)]
    return decoded, [Status(code) for code in status]


@given(batches)
def test_decoding_inverts_encoding(batch: list[list[int]]) -> None:
    data, offsets = assert_agree("encode_rle", *flat(batch, np.uint32))
    pixels = np.array([sum(mask) for mask in batch], np.int64)
    counts, count_offsets, status = assert_agree("decode_rle", data, offsets, pixels)
    assert not status.any()
    assert_same((counts, count_offsets), flat(batch, np.uint32))


@given(st.lists(st.integers(0, 40) | st.integers(0, 5000) | st.integers(0, 2**28), max_size=30))
def test_strings_are_those_of_pycocotools(counts: list[int]) -> None:
    # Below 2**29 only: from there on a count takes 7 characters, and pycocotools allocates 6.
    text = coco.frPyObjects({"counts": counts, "size": [1, sum(counts)]}, 1, sum(counts))["counts"]
    data, _ = rle.encode_rle(*flat([counts], np.uint32))
    assert data.tobytes() == text
    assert decode([text], [sum(counts)]) == ([counts], [Status.OK])


@given(st.lists(st.tuples(st.binary(max_size=20), st.integers(0, 60)), max_size=6))
def test_random_bytes_never_crash(strings: list[tuple[bytes, int]]) -> None:
    decode([text for text, _ in strings], [pixels for _, pixels in strings])


@given(st.lists(st.integers(48, 111), max_size=40).map(bytes), st.integers(0, 60) | st.integers(0, 2**62))
@example(b"o" * 11 + b"0", 0)
@example(b"P" * 11 + b"0", 0)
@example(b"P" * 12 + b"0", 0)
@example(b"P" * 300 + b"0", 0)
@example((b"P" * 11 + b"?") * 64, 0)
@example((b"P" * 11 + b"@") * 64, 0)
@example((b"P" * 11 + b"8") * 64, 2**62)
def test_random_characters_never_crash(text: bytes, pixels: int) -> None:
    decode([text], [pixels])


@given(batches.filter(any), st.data())
def test_a_corrupt_string_does_not_disturb_the_others(batch: list[list[int]], data: st.DataObject) -> None:
    strings = [bytes(rle.encode_rle(*flat([mask], np.uint32))[0]) for mask in batch]
    pixels = [sum(mask) for mask in batch]
    victim = data.draw(st.sampled_from([i for i, text in enumerate(strings) if text]))
    text = bytearray(strings[victim])
    text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    strings[victim] = bytes(text)
    counts, status = decode(strings, pixels)
    for i, mask in enumerate(batch):
        if i != victim:
            assert (counts[i], status[i]) == (mask, Status.OK)
    if status[victim] != Status.OK:
        assert counts[victim] == []


@pytest.mark.parametrize(
    ("text", "pixels", "status"),
    [
        (b"", 0, Status.OK),
        (b"0", 0, Status.OK),
        (b"", 1, Status.RUNS_DO_NOT_FILL_MASK),
        (b"52203", 16, Status.OK),
        (b"52203", 17, Status.RUNS_DO_NOT_FILL_MASK),
        (b"5P", 5, Status.RLE_TRUNCATED),
        (b"\x00P", 5, Status.RLE_TRUNCATED),
        (b"5/", 5, Status.RLE_BAD_CHARACTER),
        (b"p5", 5, Status.RLE_BAD_CHARACTER),
        (b"5\xff", 5, Status.RLE_BAD_CHARACTER),
        (b"O6", 5, Status.RLE_COUNT_OUT_OF_RANGE),
        (b"6", 5, Status.RLE_COUNT_OUT_OF_RANGE),
        (b"1111O", 4, Status.RUNS_DO_NOT_FILL_MASK),
        (b"111N", 3, Status.RLE_COUNT_OUT_OF_RANGE),
        (b"ooooooO", 5, Status.RLE_COUNT_OUT_OF_RANGE),
        (b"oooooo3", 2**32 - 1, Status.OK),
        (b"PPPPPP4", 2**32, Status.RLE_COUNT_OUT_OF_RANGE),
        (b"PPPPPPPPPPP0", 0, Status.OK),
        (b"PPPPPPPPPPPP0", 0, Status.RLE_COUNT_OUT_OF_RANGE),
    ],
)
def test_status_of_a_string(text: bytes, pixels: int, status: Status) -> None:
    _, [code] = decode([text], [pixels])
    assert code is status


def test_offsets_may_start_anywhere() -> None:
    data = np.frombuffer(b"junk52203junk", np.uint8)
    counts, offsets, status = assert_agree("decode_rle", data, np.array([4, 9]), np.array([16]))
    assert (counts.tolist(), offsets.tolist(), status.tolist()) == ([5, 2, 2, 2, 5], [0, 5], [0])
    data, offsets = assert_agree("encode_rle", np.array([9, 5, 2, 9], np.uint32), np.array([1, 3]))
    assert (data.tobytes(), offsets.tolist()) == (b"52", [0, 2])


# --- exact sums ---------------------------------------------------------------------------------------------

HUGE, TINY = sys.float_info.max, math.ulp(0.0)
doubles = (
    st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(
        [0.0, -0.0, TINY, -TINY, 2.0**-1022, HUGE, -HUGE, 1e308, -1e308, 1.0, 2.0**-53, 2.0**970]
    )
    | st.floats(-10, 10)
)
samples = st.lists(doubles, max_size=30).map(lambda values: np.array(values, np.float64))


def limbs_of(values: NDArray[np.float64]) -> NDArray[np.int64]:
    limbs = np.zeros((1, LIMBS), np.int64)
    sums.accumulate(limbs, np.zeros(len(values), np.int64), values)
    return limbs


def bits(value: float) -> str:
    return float(value).hex()


@given(samples)
@example(np.array([1.0, 2.0**-53, 2.0**-1074]))
@example(np.array([1.0, 2.0**-53, -TINY]))
@example(np.array([HUGE, 2.0**970]))
@example(np.array([HUGE, 2.0**970, -TINY]))
@example(np.array([HUGE, HUGE, -HUGE]))
@example(np.array([-HUGE, -HUGE]))
@example(np.array([-0.0]))
@example(np.array([2.0**-1022, -TINY]))
@example(np.array([1.0, 2.0**-60, -1.0, -(2.0**-60)]))
def test_a_sum_is_that_of_fsum(values: NDArray[np.float64]) -> None:
    n = len(values)
    assert_agree("accumulate", np.zeros((1, LIMBS), np.int64), np.zeros(n, np.int64), values)
    [total] = assert_agree("round_limbs", limbs_of(values))
    [group] = assert_agree("sum_groups", values, np.arange(n), np.array([0, n]))
    assert bits(total) == bits(group)
    with contextlib.suppress(OverflowError):  # fsum gives up where a partial sum overflows
        assert bits(total) == bits(math.fsum(values) + 0.0)  # + 0.0: a sum of zero is +0.0


@given(samples, st.randoms(use_true_random=False), st.lists(st.integers(0, 30), max_size=4))
def test_any_order_and_any_split_give_the_same_limbs(
    values: NDArray[np.float64], random: Any, cuts: list[int]
) -> None:
    whole = limbs_of(values)
    shuffled = values[random.sample(range(len(values)), len(values))]
    parts = np.split(shuffled, sorted(cut for cut in cuts if cut <= len(values)))
    one_by_one = np.zeros((1, LIMBS), np.int64)
    for part in parts:
        sums.accumulate(one_by_one, np.zeros(len(part), np.int64), part)
    merged = np.sum([limbs_of(part) for part in parts], axis=0)
    assert_same(sums.round_limbs(merged), sums.round_limbs(whole))  # rounding takes merged limbs, too
    sums.canonicalise(merged)
    assert_same(one_by_one, whole)
    assert_same(merged, whole)


@given(st.lists(st.tuples(st.integers(0, 4), doubles), max_size=30))
def test_groups_are_summed_like_classes(pairs: list[tuple[int, float]]) -> None:
    labels = np.array([label for label, _ in pairs], np.int64)
    values = np.array([value for _, value in pairs], np.float64)
    limbs = np.zeros((5, LIMBS), np.int64)
    sums.accumulate(limbs, labels, values)
    order, offsets = assert_agree("group_by_label", labels, 5)
    assert_same(assert_agree("sum_groups", values, order, offsets), sums.round_limbs(limbs))


@given(st.lists(st.integers(-(2**62), 2**62 - 1), min_size=LIMBS, max_size=LIMBS))
@example([0] * 66 + [-1, 0])
@example([0] * 65 + [1, 0, 0])
@example([0] * 65 + [1 << 17, 0, 0])
@example([0] * 67 + [-1])
def test_limbs_of_any_size_become_canonical(row: list[int]) -> None:
    limbs = np.array([row], np.int64)
    assert_agree("canonicalise", limbs)
    assert_agree("round_limbs", limbs)


@pytest.mark.parametrize("classes", [1, 3])
def test_more_values_than_between_two_carries(classes: int) -> None:
    n = sums._BLOCK + 5
    labels, values = np.arange(n) % classes, np.full(n, -math.nextafter(4.0, 0.0))
    limbs = np.zeros((classes, LIMBS), np.int64)
    sums.accumulate(limbs, labels, values)
    expected = np.zeros((classes, LIMBS), np.int64)
    for row in range(classes):
        exact = int(np.count_nonzero(labels == row)) * int(values[0] * 2.0**51) << (1074 - 51)
        expected[row] = [exact >> (32 * k) & 0xFFFFFFFF for k in range(67)] + [exact >> (32 * 67)]
    assert_same(limbs, expected)
    [total] = sums.sum_groups(np.append(values, TINY), np.arange(n + 1), np.array([0, n + 1]))
    assert total == n * values[0]


def test_few_values_for_many_accumulators() -> None:
    limbs = np.zeros((1000, LIMBS), np.int64)
    assert_agree("accumulate", limbs, np.array([7, 999, 7]), np.array([-1.5, 2.5, 0.25]))


def test_reference_has_the_same_number_of_limbs() -> None:
    assert sums.LIMBS == reference.LIMBS


# --- policy -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        (np.zeros((1, LIMBS), np.int64), np.zeros(1, np.int32), np.zeros(1)),
        (np.zeros((1, LIMBS), np.int64), np.zeros(4, np.int64)[::2], np.zeros(1)),
        (np.zeros((1, LIMBS), np.int64), [0], np.zeros(1)),
    ],
    ids=["dtype", "strided", "list"],
)
def test_other_types_are_refused(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError, match="No matching definition"):
        sums.accumulate(*arguments)


def test_read_only_arrays_are_taken() -> None:
    values = np.ones(3)
    values.flags.writeable = False
    assert sums.balance(values, np.zeros(3, np.int64), values).tolist() == [1.0, 1.0, 1.0]


def test_reference_does_not_import_numba() -> None:
    code = "import sys, tfdp_fast.reference, tfdp_fast.kernels; sys.exit('numba' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env=_environment())


def test_second_process_loads_the_compiled_kernels(tmp_path: Path) -> None:
    code = (
        "from tfdp_fast.kernels import rle; compiled = [rle._decode, rle.encode_rle]; "
        "print(sum(sum(kernel.stats.cache_hits.values()) for kernel in compiled), len(compiled))"
    )
    environment = _environment() | {"NUMBA_CACHE_DIR": str(tmp_path)}
    for expected in ("0 2", "2 2"):
        run = subprocess.run(
            [sys.executable, "-c", code], check=True, env=environment, capture_output=True, text=True
        )
        assert run.stdout.strip() == expected


def _environment() -> dict[str, str]:
    return dict(os.environ) | {"PYTHONPATH": os.pathsep.join(sys.path)}
