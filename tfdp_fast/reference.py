"""The definition of every kernel: slow, obvious, exact, without Numba.

Each function has the signature of the kernel of the same name and returns the same bits. The table
:data:`KERNELS` pairs them; tests and benchmarks run over it.
"""

from __future__ import annotations

import importlib
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdp_fast import reference_pixels as pixels
from tfdp_fast.status import Status

Bytes = NDArray[np.uint8]
Counts = NDArray[np.uint32]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

LIMBS = 68
_UNIT = Fraction(1, 2**1074)  # the smallest double


# --- compressed run lengths ---------------------------------------------------------------------------------


def _decode_string(text: bytes, pixels: int) -> tuple[list[int], Status]:
    if text and 80 <= text[-1] <= 111:
        return [], Status.RLE_TRUNCATED
    if any(not 48 <= character <= 111 for character in text):
        return [], Status.RLE_BAD_CHARACTER
    numbers: list[list[int]] = [[]]  # groups of five bits, the least significant first
    for code in (character - 48 for character in text):
        numbers[-1].append(code % 32)
        if code < 32:
            numbers.append([])
    counts: list[int] = []
    for groups in numbers[:-1]:
        number = sum(group * 32**k for k, group in enumerate(groups))
        if groups[-1] >= 16:  # two's complement
            number -= 32 ** len(groups)
        count = number + counts[-2] if len(counts) > 2 else number
        if len(groups) > 12 or not 0 <= count <= min(pixels, 2**32 - 1):
            return [], Status.RLE_COUNT_OUT_OF_RANGE
        counts.append(count)
    if sum(counts) != pixels:
        return [], Status.RUNS_DO_NOT_FILL_MASK
    return counts, Status.OK


def decode_rle(data: Bytes, offsets: Ints, pixels: Ints) -> tuple[Counts, Ints, Bytes]:
    """Definition of :func:`tfdp_fast.kernels.rle.decode_rle`."""
    strings = [data[begin:end].tobytes() for begin, end in itertools.pairwise(offsets)]
    decoded = [_decode_string(text, int(size)) for text, size in zip(strings, pixels, strict=True)]
    counts, count_offsets = _flatten([counts for counts, _ in decoded], np.uint32)
    return counts, count_offsets, np.array([status for _, status in decoded], np.uint8)


def _encode_string(counts: list[int]) -> bytes:
    text = bytearray()
    for k, count in enumerate(counts):
        number = count - counts[k - 2] if k > 2 else count
        while not -16 <= number < 16:  # five bits are not enough
            text.append(48 + 32 + number % 32)
            number //= 32
        text.append(48 + number % 32)
    return bytes(text)


def encode_rle(counts: Counts, offsets: Ints) -> tuple[Bytes, Ints]:
    """Definition of :func:`tfdp_fast.kernels.rle.encode_rle`."""
    masks = [counts[begin:end].tolist() for begin, end in itertools.pairwise(offsets)]
    return _flatten([_encode_string(mask) for mask in masks], np.uint8)


def _flatten(lists: list[Any], dtype: Any) -> tuple[NDArray[Any], Ints]:
    offsets = np.cumsum([0, *map(len, lists)], dtype=np.int64)
    return np.array([item for items in lists for item in items], dtype), offsets


# --- exact sums ---------------------------------------------------------------------------------------------


def _units(row: Ints) -> int:
    return sum(int(limb) * 2 ** (32 * k) for k, limb in enumerate(row))


def _limbs(units: int) -> list[int]:
    low = [units // 2 ** (32 * k) % 2**32 for k in range(LIMBS - 1)]
    return [*low, units // 2 ** (32 * (LIMBS - 1))]


def _nearest(exact: Fraction) -> float:
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def canonicalise(limbs: Ints) -> None:
    """Definition of :func:`tfdp_fast.kernels.sums.canonicalise`."""
    for row in limbs:
        row[:] = _limbs(_units(row))


def accumulate(limbs: Ints, labels: Ints, values: Floats) -> None:
    """Definition of :func:`tfdp_fast.kernels.sums.accumulate`."""
    units = [_units(row) for row in limbs]
    for label, value in zip(labels, values, strict=True):
        units[label] += int(Fraction(float(value)) / _UNIT)
    for row, total in zip(limbs, units, strict=True):
        row[:] = _limbs(total)


def round_limbs(limbs: Ints) -> Floats:
    """Definition of :func:`tfdp_fast.kernels.sums.round_limbs`."""
    return np.array([_nearest(_units(row) * _UNIT) for row in limbs], np.float64)


def group_by_label(labels: Ints, n: int) -> tuple[Ints, Ints]:
    """Definition of :func:`tfdp_fast.kernels.sums.group_by_label`."""
    groups: list[list[int]] = [[] for _ in range(n)]
    for i, label in enumerate(labels.tolist()):
        groups[label].append(i)
    return _flatten(groups, np.int64)


def sum_groups(values: Floats, order: Ints, offsets: Ints) -> Floats:
    """Definition of :func:`tfdp_fast.kernels.sums.sum_groups`."""
    groups = [values[order[begin:end]].tolist() for begin, end in itertools.pairwise(offsets)]
    return np.array([_nearest(sum(map(Fraction, group), Fraction(0))) for group in groups], np.float64)


def balance(values: Floats, labels: Ints, totals: Floats) -> Floats:
    """Definition of :func:`tfdp_fast.kernels.sums.balance`."""
    of_class = totals[labels]
    # Eq. 13
    return np.divide(values, of_class, out=np.zeros(len(values)), where=of_class != 0)


# --- realistic arguments ------------------------------------------------------------------------------------

_CLASSES = 80


def _masks(rng: np.random.Generator, n: int) -> tuple[Counts, Ints, Ints]:
    """Make n blobs, each a run per column whose ends walk at random: counts, offsets, pixels."""
    masks, pixels = [], []
    for _ in range(n):
        height, width = rng.integers(200, 640, 2)
        columns = rng.integers(1, width // 2)
        top = np.clip(height // 3 + rng.integers(-4, 5, columns).cumsum(), 1, height // 2)
        runs = np.clip(height // 4 + rng.integers(-4, 5, columns).cumsum(), 1, height // 2 - 1)
        begins = (np.arange(columns) + width // 4) * height + top
        borders = np.stack([begins, begins + runs], axis=1).ravel()
        masks.append(np.diff(borders, prepend=0, append=height * width))
        pixels.append(height * width)
    counts, offsets = _flatten(masks, np.uint32)
    return counts, offsets, np.array(pixels, np.int64)


def _strings(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    counts, offsets, pixels = _masks(rng, n)
    return (*encode_rle(counts, offsets), pixels)


def _scores(rng: np.random.Generator, n: int) -> tuple[Ints, Floats]:
    """Draw classes of a long-tailed data set, and SI-SCS: 1 for a disk, a few for most shapes."""
    return rng.zipf(1.5, n) % _CLASSES, 1 + rng.lognormal(-0.5, 0.8, n)


def _accumulators(rng: np.random.Generator, n: int) -> Ints:
    limbs = np.zeros((n, LIMBS), np.int64)
    accumulate(limbs, np.arange(n), rng.choice([-1.0, 1.0], n) * _scores(rng, n)[1])
    return limbs


def _groups(rng: np.random.Generator, n: int) -> tuple[Ints, int]:
    groups = n // 7 + 1  # images have 7 instances on average
    return rng.integers(0, groups, n), groups


@dataclass(frozen=True)
class Kernel:
    """One kernel and its definition.

    Attributes
    ----------
    module, function : str
        Where the kernel is; it is imported by :meth:`load` only, and Numba with it.
    reference : callable
        The same function, slow and obvious.
    inputs : callable
        ``inputs(rng, n)`` makes realistic arguments of size n (instances, elements or accumulators).
    unit : str
        What the work of a call is counted in.
    counted : int
        Which argument has one entry per unit of work.
    signatures : int
        For how many it is compiled: 2 if it takes float32 and float64.
    """

    module: str
    function: str
    reference: Callable[..., Any]
    inputs: Callable[[np.random.Generator, int], tuple[Any, ...]]
    unit: str
    counted: int = 0
    signatures: int = 1

    @property
    def name(self) -> str:
        """Module and function, without the package."""
        return f"{self.module.rpartition('.')[2]}.{self.function}"

    def load(self) -> Callable[..., Any]:
        """Import the kernel."""
        kernel: Callable[..., Any] = getattr(importlib.import_module(self.module), self.function)
        return kernel


_RLE = "tfdp_fast.kernels.rle"
_SUMS = "tfdp_fast.kernels.sums"
_PIXELS = "tfdp_fast.kernels.pixels"
_FORGETTING = "tfdp_fast.kernels.forgetting"

KERNELS: tuple[Kernel, ...] = (
    Kernel(_RLE, "decode_rle", decode_rle, _strings, "byte"),
    Kernel(_RLE, "encode_rle", encode_rle, lambda rng, n: _masks(rng, n)[:2], "count"),
    Kernel(
        _SUMS,
        "canonicalise",
        canonicalise,
        lambda rng, n: (_accumulators(rng, n) - _accumulators(rng, n),),
        "accumulator",
    ),
    Kernel(
        _SUMS,
        "accumulate",
        accumulate,
        lambda rng, n: (_accumulators(rng, _CLASSES), *_scores(rng, n)),
        "element",
        counted=1,
    ),
    Kernel(_SUMS, "round_limbs", round_limbs, lambda rng, n: (_accumulators(rng, n),), "accumulator"),
    Kernel(_SUMS, "group_by_label", group_by_label, _groups, "element"),
    Kernel(
        _SUMS,
        "sum_groups",
        sum_groups,
        lambda rng, n: (_scores(rng, n)[1] / 1e4, *group_by_label(*_groups(rng, n))),
        "element",
        counted=1,
    ),
    Kernel(
        _SUMS,
        "balance",
        balance,
        lambda rng, n: (*_scores(rng, n)[::-1], np.append(rng.uniform(1, 1e4, _CLASSES - 1), 0.0)),
        "element",
    ),
    Kernel(
        _PIXELS,
        "pixel_values",
        pixels.pixel_values,
        lambda rng, n: (n % len(pixels.METHODS), *pixels.batch(rng, n)),
        "pixel",
        counted=1,
        signatures=2,
    ),
    Kernel(
        _PIXELS,
        "pixel_sums",
        pixels.pixel_sums,
        lambda rng, n: (np.arange(len(pixels.METHODS)), *pixels.batch(rng, n)),
        "pixel",
        counted=1,
        signatures=2,
    ),
    Kernel(_PIXELS, "class_margin_values", pixels.class_margin_values, pixels.class_batch, "logit", 1, 2),
    Kernel(_PIXELS, "class_margin_sums", pixels.class_margin_sums, pixels.class_batch, "logit", 1, 2),
    Kernel(_FORGETTING, "record_right", pixels.record_right, pixels.history, "pixel", signatures=2),
    Kernel(_FORGETTING, "join_segments", pixels.join_segments, pixels.pieces, "byte", counted=2),
)
