"""Scores of pixels from mask logits, and their sums over instances (Eq. 3 and the baselines of Sec. 3.2).

A pixel has the logit z of its mask and the target y, 0 or 1. Logits are float32 or float64 and are read where
they are; arithmetic is in float64.

The same bits everywhere: an instance is summed in blocks of ``BLOCK`` pixels from its first one. In a block,
pixel k goes to lane k modulo ``LANES``, and the lanes are added in pairs. So a sum depends on the pixels of
the instance alone, not on the batch or the thread. exp and log1p are written out below, in additions,
multiplications and divisions only: a library's would differ from one system to the next, and would not run on
several pixels at once. Their relative error is below 3e-16.

All kernels report for each instance whether its pixels can be used: ``OK``, ``NOT_FINITE`` (a logit is NaN or
infinite) or ``NOT_BINARY`` (a target is neither 0 nor 1). What they return for the others stands for nothing.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tfdp_fast.kernels._policy import FLOATS, I64, INT, U8, kernel

ENTROPY, EL2N, BCE, LOGIT_MSE, MARGIN, CORRECT = range(6)
OK, NOT_FINITE, NOT_BINARY = range(3)

BLOCK = 512
LANES = 4

_SQRT_2 = math.sqrt(2)
_LOG2_E = 1 / math.log(2)
# ln 2 in two parts: a whole number below 2**12 times the first is exact.
_LN2_HIGH = float.fromhex("0x1.62e42fee00000p-1")
_LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
# Adding it rounds to a whole number, which is then in the lowest bits.
_ROUND = 2.0**52 + 2.0**51
_FAR = 800.0  # exp(-800) is 0

Logits = NDArray[np.float32] | NDArray[np.float64]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]


@kernel()
def _exp_polynomial(x: float) -> float:
    """Taylor's polynomial of exp, for |x| <= ln(2) / 2."""
    high = 1 / 5040 + x * (
        1 / 40320
        + x * (1 / 362880 + x * (1 / 3628800 + x * (1 / 39916800 + x * (1 / 479001600 + x / 6227020800))))
    )
    return 1.0 + x * (
        1.0 + x * (1 / 2 + x * (1 / 6 + x * (1 / 24 + x * (1 / 120 + x * (1 / 720 + x * high)))))
    )


@kernel()
def _atanh_polynomial(x: float) -> float:
    """Taylor's polynomial of 2 atanh(s) / s in x = s**2, for s <= 1/3."""
    high = 2 / 19 + x * (
        2 / 21
        + x
        * (2 / 23 + x * (2 / 25 + x * (2 / 27 + x * (2 / 29 + x * (2 / 31 + x * (2 / 33 + x * (2 / 35)))))))
    )
    return 2.0 + x * (
        2 / 3
        + x
        * (
            2 / 5
            + x * (2 / 7 + x * (2 / 9 + x * (2 / 11 + x * (2 / 13 + x * (2 / 15 + x * (2 / 17 + x * high))))))
        )
    )


@kernel()
def _exponentials(z: Floats, e: Floats, power: Floats, n: int) -> None:
    """To e goes exp(-|z|), and 0 if below 2**-1023: exp(-a) = 2**-m exp(m ln 2 - a), with the nearest m."""
    for k in range(n):
        power[k] = min(abs(z[k]), _FAR) * _LOG2_E + _ROUND
    for k in range(n):
        m = power[k] - _ROUND
        e[k] = _exp_polynomial((m * _LN2_HIGH - min(abs(z[k]), _FAR)) + m * _LN2_LOW)
    bits = power.view(np.int64)
    for k in range(n):
        bits[k] = max(1023 - (bits[k] & 0xFFFF), 0) << 52  # the double 2**-m
    for k in range(n):
        e[k] *= power[k]


@kernel()
def _logarithms(e: Floats, logs: Floats, n: int) -> None:
    """To logs goes log(1 + e) = 2 atanh(e / (2 + e)), for 0 <= e <= 1."""
    for k in range(n):
        s = e[k] / (2.0 + e[k])
        logs[k] = s * _atanh_polynomial(s * s)


@kernel()
def _values(method: int, z: Floats, y: Floats, e: Floats, logs: Floats, values: Floats, n: int) -> None:
    """The scores of a block of pixels, from e = exp(-|z|) and logs = log(1 + e)."""
    if method == ENTROPY:
        for k in range(n):
            values[k] = logs[k] + abs(z[k]) * (e[k] / (1.0 + e[k]))
    elif method == EL2N:
        for k in range(n):  # |sigma(z) - y| = sigma(-margin)
            wrong = (2.0 * y[k] - 1.0) * z[k] < 0.0
            values[k] = _SQRT_2 * ((1.0 if wrong else e[k]) / (1.0 + e[k]))
    elif method == BCE:
        for k in range(n):
            values[k] = max((1.0 - 2.0 * y[k]) * z[k], 0.0) + logs[k]
    elif method == LOGIT_MSE:
        for k in range(n):
            values[k] = (z[k] - y[k]) * (z[k] - y[k])
    elif method == MARGIN:
        for k in range(n):
            values[k] = (2.0 * y[k] - 1.0) * z[k]
    else:
        for k in range(n):
            values[k] = 1.0 if (z[k] > 0.0) == (y[k] > 0.5) else 0.0


@kernel()
def _load(logits: Logits, targets: Bytes, z: Floats, y: Floats) -> int:
    """Take in a block: z and y, both padded with 0 to whole lanes. Returns its status."""
    n = len(logits)
    finite, binary = True, True
    for k in range(n):
        z[k] = logits[k]
        finite &= abs(z[k]) < math.inf
    for k in range(n):
        y[k] = targets[k]
        binary &= targets[k] <= 1
    for k in range(n, min(n + LANES, BLOCK)):
        z[k] = y[k] = 0.0
    if not finite:
        return NOT_FINITE
    return OK if binary else NOT_BINARY


@kernel()
def _sum(values: Floats, y: Floats, n: int) -> tuple[float, float]:
    """Add up a block: all of it, and where y is 1. Beyond n, values may be any finite ones."""
    for k in range(n, min(n + LANES, BLOCK)):
        values[k] = 0.0
    a = b = c = d = 0.0
    p = q = r = s = 0.0
    for k in range(0, n, LANES):
        a, b, c, d = a + values[k], b + values[k + 1], c + values[k + 2], d + values[k + 3]
        p, q = p + y[k] * values[k], q + y[k + 1] * values[k + 1]
        r, s = r + y[k + 2] * values[k + 2], s + y[k + 3] * values[k + 3]
    return (a + c) + (b + d), (p + r) + (q + s)


@kernel(INT, FLOATS, U8, I64)
def pixel_values(method: int, logits: Logits, targets: Bytes, offsets: Ints) -> tuple[Floats, Bytes]:
    """Score every pixel.

    Parameters
    ----------
    method : int
        ``ENTROPY``, ``EL2N``, ``BCE``, ``LOGIT_MSE``, ``MARGIN`` or ``CORRECT``.
    logits : float32[P] or float64[P]
        z of each pixel.
    targets : uint8[P]
        y of each pixel.
    offsets : int64[N + 1]
        Instance ``j`` has the pixels ``offsets[j]`` to ``offsets[j + 1]``; they begin with 0 and end with P.

    Returns
    -------
    values : float64[P]
    status : uint8[N]

    Examples
    --------
    >>> import numpy as np
    >>> logits, targets = np.array([2, 0, -2], np.float32), np.array([1, 1, 1], np.uint8)
    >>> pixel_values(EL2N, logits, targets, np.array([0, 3]))
    (array([0.16857839, 0.70710678, 1.24563517]), array([0], dtype=uint8))
    """
    values, status = np.empty(len(logits)), np.zeros(len(offsets) - 1, np.uint8)
    z, y, e, logs, out = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    for j in range(len(status)):
        for begin in range(offsets[j], offsets[j + 1], BLOCK):
            end = min(begin + BLOCK, offsets[j + 1])
            status[j] = max(status[j], _load(logits[begin:end], targets[begin:end], z, y))
            if method <= BCE:
                _exponentials(z, e, out, end - begin)
                _logarithms(e, logs, end - begin)
            _values(method, z, y, e, logs, out, end - begin)
            for k in range(end - begin):
                values[begin + k] = out[k]
    return values, status


@kernel(I64, FLOATS, U8, I64)
def pixel_sums(
    methods: Ints, logits: Logits, targets: Bytes, offsets: Ints
) -> tuple[NDArray[np.float64], Ints, Bytes]:
    """Sum the scores of pixels over instances, over the box and over the mask, in one pass for all methods.

    Parameters
    ----------
    methods : int64[M]
        As in `pixel_values`.
    logits, targets, offsets
        As in `pixel_values`.

    Returns
    -------
    sums : float64[N, M, 2]
        Over all pixels, and over those whose target is 1.
    mask_pixels : int64[N]
        How many of these there are.
    status : uint8[N]

    Examples
    --------
    >>> import numpy as np
    >>> logits, targets = np.array([2, 0, -2], np.float32), np.array([1, 0, 0], np.uint8)
    >>> sums, mask_pixels, status = pixel_sums(np.array([MARGIN]), logits, targets, np.array([0, 2, 3]))
    >>> sums.tolist(), mask_pixels.tolist(), status.tolist()
    ([[[2.0, 2.0]], [[2.0, 0.0]]], [1, 0], [0, 0])
    """
    n = len(offsets) - 1
    sums, mask_pixels, status = np.zeros((n, len(methods), 2)), np.zeros(n, np.int64), np.zeros(n, np.uint8)
    z, y, e, logs, out = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    exponentials = logarithms = False
    for method in methods:
        exponentials |= method <= BCE
        logarithms |= method == ENTROPY or method == BCE  # noqa: PLR1714 (Numba)
    for j in range(n):
        for begin in range(offsets[j], offsets[j + 1], BLOCK):
            size = min(begin + BLOCK, offsets[j + 1]) - begin
            found = _load(logits[begin : begin + size], targets[begin : begin + size], z, y)
            status[j] = max(status[j], found)
            for k in range(begin, begin + size):
                mask_pixels[j] += targets[k]
            if exponentials:
                _exponentials(z, e, out, size)
            if logarithms:
                _logarithms(e, logs, size)
            for m in range(len(methods)):
                _values(methods[m], z, y, e, logs, out, size)
                roi, mask = _sum(out, y, size)
                sums[j, m, 0] += roi
                sums[j, m, 1] += mask
    return sums, mask_pixels, status


@kernel()
def _class_margins(
    logits: Logits, targets: Bytes, pixels: int, values: Floats, second: Floats, y: Floats
) -> int:
    """Values and targets of a block; `pixels` lie between two channels. Returns its status."""
    n = len(targets)
    finite, binary = True, True
    for k in range(n):
        values[k] = second[k] = -math.inf
        y[k] = targets[k]
        binary &= targets[k] <= 1
    for k in range(n, min(n + LANES, BLOCK)):
        y[k] = 0.0
    for channel in range(0, len(logits) - n + 1, pixels):
        for k in range(n):
            z = np.float64(logits[channel + k])
            finite &= abs(z) < math.inf
            second[k] = max(second[k], min(values[k], z))
            values[k] = max(values[k], z)
    for k in range(n):
        values[k] -= second[k]
    if not finite:
        return NOT_FINITE
    return OK if binary else NOT_BINARY


@kernel(INT, FLOATS, U8, I64)
def class_margin_values(classes: int, logits: Logits, targets: Bytes, offsets: Ints) -> tuple[Floats, Bytes]:
    """Subtract the second highest class channel of every pixel from its highest.

    Parameters
    ----------
    classes : int
        C, at least 2.
    logits : float32[C * P] or float64[C * P]
        One instance after the other, each with all its pixels channel by channel.
    targets : uint8[P]
        y of each pixel: checked, and not used.
    offsets : int64[N + 1]
        As in `pixel_values`.

    Returns
    -------
    values : float64[P]
    status : uint8[N]

    Examples
    --------
    >>> import numpy as np
    >>> logits = np.array([[1, 5], [4, 2], [3, 2]], np.float32)  # three classes of two pixels
    >>> class_margin_values(3, logits.ravel(), np.array([0, 1], np.uint8), np.array([0, 2]))
    (array([1., 3.]), array([0], dtype=uint8))
    """
    values, status = np.empty(len(targets)), np.zeros(len(offsets) - 1, np.uint8)
    out, second, y = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    for j in range(len(status)):
        first, end = offsets[j], offsets[j + 1]
        for begin in range(first, end, BLOCK):
            size = min(BLOCK, end - begin)
            channels = logits[classes * first + begin - first : classes * end]
            found = _class_margins(channels, targets[begin : begin + size], end - first, out, second, y)
            status[j] = max(status[j], found)
            for k in range(size):
                values[begin + k] = out[k]
    return values, status


@kernel(INT, FLOATS, U8, I64)
def class_margin_sums(
    classes: int, logits: Logits, targets: Bytes, offsets: Ints
) -> tuple[NDArray[np.float64], Ints, Bytes]:
    """Sum the class margins over instances, as `pixel_sums` does.

    Parameters
    ----------
    classes, logits, targets, offsets
        As in `class_margin_values`.

    Returns
    -------
    sums : float64[N, 1, 2]
    mask_pixels : int64[N]
    status : uint8[N]
        As in `pixel_sums`.

    Examples
    --------
    >>> import numpy as np
    >>> logits = np.array([[1, 5], [4, 2], [3, 2]], np.float32)
    >>> class_margin_sums(3, logits.ravel(), np.array([0, 1], np.uint8), np.array([0, 2]))[0].tolist()
    [[[4.0, 3.0]]]
    """
    n = len(offsets) - 1
    sums, mask_pixels, status = np.zeros((n, 1, 2)), np.zeros(n, np.int64), np.zeros(n, np.uint8)
    out, second, y = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    for j in range(n):
        first, end = offsets[j], offsets[j + 1]
        for begin in range(first, end, BLOCK):
            size = min(BLOCK, end - begin)
            channels = logits[classes * first + begin - first : classes * end]
            found = _class_margins(channels, targets[begin : begin + size], end - first, out, second, y)
            status[j] = max(status[j], found)
            for k in range(begin, begin + size):
                mask_pixels[j] += targets[k]
            roi, mask = _sum(out, y, size)
            sums[j, 0, 0] += roi
            sums[j, 0, 1] += mask
    return sums, mask_pixels, status
