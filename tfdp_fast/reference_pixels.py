"""The definitions of the kernels of the baselines, and arguments for them; see `tfdp_fast.reference`."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32] | NDArray[np.float64]
Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

BLOCK, LANES = 512, 4
_LN_2_HIGH = math.floor(math.log(2) * 2**32) / 2**32
_LN_2_LOW = 1.9082149292705877e-10  # the rest, from more digits than a double has


def exp_minus(a: float) -> float:
    """exp(-a) for a >= 0: Taylor's polynomial of degree 13 near 0, times a power of 2."""
    m = round(min(a, 800.0) * (1 / math.log(2)))
    x = (m * _LN_2_HIGH - min(a, 800.0)) + m * _LN_2_LOW
    total = 0.0
    for k in range(13, -1, -1):
        total = total * x + 1 / math.factorial(k)
    return math.ldexp(total, -m) if m < 1023 else 0.0


def log1p(e: float) -> float:
    """log(1 + e) for 0 <= e <= 1: 2 atanh(s) of s = e / (2 + e), 17 terms of its series."""
    s = e / (2.0 + e)
    total = 0.0
    for k in range(16, -1, -1):
        total = total * (s * s) + 2 / (2 * k + 1)
    return s * total


def _entropy(z: float, _: int) -> float:
    e = exp_minus(abs(z))
    return log1p(e) + abs(z) * (e / (1.0 + e))


def _el2n(z: float, y: int) -> float:
    e, margin = exp_minus(abs(z)), (2 * y - 1) * z
    return math.sqrt(2) * ((e if margin >= 0 else 1.0) / (1.0 + e))


def _bce(z: float, y: int) -> float:
    return max((1 - 2 * y) * z, 0.0) + log1p(exp_minus(abs(z)))


METHODS = (
    _entropy,
    _el2n,
    _bce,
    lambda z, y: (z - y) * (z - y),
    lambda z, y: (2 * y - 1) * z,
    lambda z, y: float((z > 0) == (y == 1)),
)


def _status(z: Any, y: Any = ()) -> int:
    if not np.isfinite(z).all():
        return 1
    return 2 if np.greater(y, 1).any() else 0


def _slices(offsets: Ints) -> list[slice]:
    return [slice(int(begin), int(end)) for begin, end in itertools.pairwise(offsets)]


def _sum(values: list[float]) -> float:
    """In blocks, and in each of them in four lanes."""
    total = 0.0
    for begin in range(0, len(values), BLOCK):
        block = values[begin : begin + BLOCK]
        lanes = [0.0] * LANES
        for k, value in enumerate(block):
            lanes[k % LANES] += value
        total += (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])
    return total


def _pair(values: list[float], targets: Bytes) -> list[float]:
    masked = [value if y else 0.0 for value, y in zip(values, targets.tolist(), strict=True)]
    return [_sum(values), _sum(masked)]


def pixel_values(method: int, logits: Logits, targets: Bytes, offsets: Ints) -> tuple[Floats, Bytes]:
    """Definition of :func:`tfdp_fast.kernels.pixels.pixel_values`."""
    score = METHODS[method]
    values = [score(z, y) for z, y in zip(logits.tolist(), targets.tolist(), strict=True)]
    status = [_status(logits[part], targets[part]) for part in _slices(offsets)]
    return np.array(values, np.float64), np.array(status, np.uint8)


def pixel_sums(methods: Ints, logits: Logits, targets: Bytes, offsets: Ints) -> tuple[Floats, Ints, Bytes]:
    """Definition of :func:`tfdp_fast.kernels.pixels.pixel_sums`."""
    parts = _slices(offsets)
    sums = np.zeros((len(parts), len(methods), 2))
    for m, method in enumerate(methods.tolist()):
        values = pixel_values(method, logits, targets, offsets)[0].tolist()
        for j, part in enumerate(parts):
            sums[j, m] = _pair(values[part], targets[part])
    return sums, _ones_of(targets, parts), pixel_values(4, logits, targets, offsets)[1]


def _ones_of(targets: Bytes, parts: list[slice]) -> Ints:
    return np.array([int(targets[part].sum()) for part in parts], np.int64)


def class_margin_values(classes: int, logits: Logits, targets: Bytes, offsets: Ints) -> tuple[Floats, Bytes]:
    """Definition of :func:`tfdp_fast.kernels.pixels.class_margin_values`."""
    values: list[float] = []
    status = []
    for part in _slices(offsets):
        channels = logits[classes * part.start : classes * part.stop].astype(np.float64).reshape(classes, -1)
        status.append(_status(channels, targets[part]))
        for pixel in channels.T.tolist():
            *_, second, first = sorted(pixel)
            values.append(first - second)
    return np.array(values, np.float64), np.array(status, np.uint8)


def class_margin_sums(
    classes: int, logits: Logits, targets: Bytes, offsets: Ints
) -> tuple[Floats, Ints, Bytes]:
    """Definition of :func:`tfdp_fast.kernels.pixels.class_margin_sums`."""
    parts = _slices(offsets)
    values, status = class_margin_values(classes, logits, targets, offsets)
    sums = np.zeros((len(parts), 1, 2))
    for j, part in enumerate(parts):
        sums[j, 0] = _pair(values[part].tolist(), targets[part])
    return sums, _ones_of(targets, parts), status


def _planes(bits: Bytes, segment: Ints, pixels: int, planes: int) -> list[NDArray[np.bool_]]:
    size = -(-pixels // 8)
    return [
        np.unpackbits(bits[segment[3] + k * size :][:size], count=pixels, bitorder="little").astype(bool)
        for k in range(planes)
    ]


def _write_plane(bits: Bytes, segment: Ints, pixels: int, plane: int, values: Any) -> None:
    size = -(-pixels // 8)
    at = segment[3] + plane * size
    bits[at : at + size] = np.packbits(np.asarray(values, bool), bitorder="little")


def record_right(
    logits: Logits, targets: Bytes, offsets: Ints, at: Ints, segments: Ints, bits: Bytes
) -> None:
    """Definition of :func:`tfdp_fast.kernels.forgetting.record_right`."""
    for j, part in enumerate(_slices(offsets)):
        segment, target = segments[at[j]], targets[part] == 1
        right = (logits[part] > 0) == target
        last, ever = _planes(bits, segment, len(right), 2)
        if segment[2] < segment[1]:
            ever = right
            if segment[1] > 1:
                _write_plane(bits, segment, len(right), 2, right)
                _write_plane(bits, segment, len(right), 3, target)
        else:
            segment[4] += np.count_nonzero(last & ~right)
            segment[5] += np.count_nonzero(last & ~right & target)
        _write_plane(bits, segment, len(right), 0, right)
        _write_plane(bits, segment, len(right), 1, ever | right)
        segment[2] += 1
        segment[6] = np.count_nonzero(~(ever | right))
        segment[7] = np.count_nonzero(~(ever | right) & target)


def join_segments(segments: Ints, pixels: Ints, bits: Bytes, gaps: int) -> Bytes:
    """Definition of :func:`tfdp_fast.kernels.forgetting.join_segments`."""
    remain = np.ones(len(segments), np.uint8)
    head = 0
    for s in range(1, len(segments)):
        one, two = segments[head], segments[s]
        if one[0] != two[0] or not (gaps or one[2] + 1 == two[1]):
            head = s
            continue
        remain[s] = 0
        size = int(pixels[one[0]])
        last_of_one, ever_in_one = _planes(bits, one, size, 2)
        last, ever, first, target = _planes(bits, two, size, 4)
        never, lost = ~(ever_in_one | ever), last_of_one & ~first
        one[4] += two[4] + np.count_nonzero(lost)
        one[5] += two[5] + np.count_nonzero(lost & target)
        one[6], one[7] = np.count_nonzero(never), np.count_nonzero(never & target)
        one[2] = two[2]
        _write_plane(bits, one, size, 0, last)
        _write_plane(bits, one, size, 1, ever_in_one | ever)
    return remain


# --- realistic arguments ------------------------------------------------------------------------------------


def batch(rng: np.random.Generator, n: int) -> tuple[NDArray[np.float32], Bytes, Ints]:
    """Logits of at least n pixels, targets that they mostly meet, and offsets: boxes of some pixels each."""
    sizes: list[int] = []
    while sum(sizes) < n:
        sizes.append(int(rng.integers(0, 1200)))
    offsets = np.cumsum([0, *sizes], dtype=np.int64)
    logits = rng.normal(0, 4, offsets[-1]).astype(np.float32)
    return logits, (logits + rng.normal(0, 2, len(logits)) > 0).astype(np.uint8), offsets


def class_batch(rng: np.random.Generator, n: int) -> tuple[int, NDArray[np.float32], Bytes, Ints]:
    """The same with logits of three classes."""
    logits, targets, offsets = batch(rng, n)
    return 3, rng.normal(0, 4, 3 * len(logits)).astype(np.float32), targets, offsets


def history(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    """A batch, and segments that it continues (they have seen checkpoint 1) or begins (at checkpoint 2)."""
    logits, targets, offsets = batch(rng, n)
    sizes = np.diff(offsets)
    segments = np.zeros((len(sizes), 8), np.int64)
    segments[:, 0] = np.arange(len(sizes))
    segments[:, 1] = 1 + np.arange(len(sizes)) % 2
    segments[:, 2] = segments[:, 1] - 1
    segments[:, 3] = np.cumsum([0, *(4 * -(-sizes // 8))])[:-1]
    bits = np.zeros(int(4 * (-(-sizes // 8)).sum()), np.uint8)
    earlier = rng.normal(0, 4, len(logits)).astype(np.float32)
    for j, part in enumerate(_slices(offsets)):
        if segments[j, 1] == 1:
            record_right(earlier[part], targets[part], np.array([0, sizes[j]]), np.array([j]), segments, bits)
    return logits, targets, offsets, np.arange(len(sizes)), segments, bits


def pieces(rng: np.random.Generator, n: int) -> tuple[Ints, Ints, Bytes, int]:
    """Three segments of each instance: checkpoint 1, checkpoint 2, and checkpoint 4."""
    logits, targets, offsets = batch(rng, n)
    sizes = np.repeat(np.diff(offsets), 3)
    segments = np.zeros((len(sizes), 8), np.int64)
    segments[:, 0] = np.arange(len(sizes)) // 3
    segments[:, 1] = np.resize([1, 2, 4], len(sizes))
    segments[:, 2] = segments[:, 1] - 1
    segments[:, 3] = np.cumsum([0, *(4 * -(-sizes // 8))])[:-1]
    bits = np.zeros(int(4 * (-(-sizes // 8)).sum()), np.uint8)
    for k in range(3):
        seen = (logits + rng.normal(0, 4, len(logits))).astype(np.float32)
        record_right(seen, targets, offsets, np.arange(k, len(sizes), 3), segments, bits)
    return segments, np.diff(offsets), bits, 0
