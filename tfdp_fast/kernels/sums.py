"""Sums that do not depend on order: exact accumulation, rounded once (Eq. 13 and 14).

A sum is kept as a superaccumulator: ``LIMBS`` integers of 64 bits, of which limb ``k`` counts units of
``2**(32 * k - 1074)``, so that every finite double is an integer number of units. Adding integers is exact,
hence any order and any split of the data gives the same limbs.

The canonical form: limbs 0 to 66 lie in ``[0, 2**32)``; limb 67 is signed and carries the sign of the sum.
Each sum has exactly one. :func:`accumulate` expects it and restores it, so accumulators are stored and
compared as they are. Canonical accumulators are merged by adding their limbs, up to 2**30 of them, with one
:func:`canonicalise` at the end.

Values must be finite: a NaN or an infinity would be taken for a large number. Labels must lie in range. Both
are checked by the caller.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tfdp_fast.kernels._policy import F64, I64, I64_2D, I64_2D_INOUT, INT, kernel

#: Limbs of 32 bits: 2,098 bits for any finite double, the rest for carries and the sign.
LIMBS = 68

_TOP = LIMBS - 1
_LOW = 0xFFFFFFFF
_FRACTION = (1 << 52) - 1
# Carries are propagated after so many addends; 2**29 would be the most that the limbs can take.
_BLOCK = 1 << 22
# The weight of a unit is 2**_EXPONENT.
_EXPONENT = -1074
_32 = np.uint64(32)


@kernel()
def _add(limbs: NDArray[np.int64], row: int, bits: int) -> None:
    """Add a double, given by its bits, to three limbs. Each changes by less than 2**32."""
    exponent = (bits >> 52) & 0x7FF
    normal = np.int64(exponent > 0)
    sign = bits >> 63
    mantissa = (((bits & _FRACTION) | (normal << 52)) ^ sign) - sign
    position = exponent - normal  # of the mantissa's lowest bit
    at, shift = np.uint64(position >> 5), position & 31
    low = (mantissa & _LOW) << shift
    high = ((mantissa >> 32) << shift) + (low >> 32)
    limbs[row, at] += low & _LOW
    limbs[row, at + np.uint64(1)] += high & _LOW
    limbs[row, at + np.uint64(2)] += high >> 32


@kernel()
def _carry(limbs: NDArray[np.int64], row: int) -> None:
    """Bring one accumulator into the canonical form."""
    carry = 0
    for k in range(_TOP):
        limb = limbs[row, k] + carry
        limbs[row, k] = limb & _LOW
        carry = limb >> 32
    limbs[row, _TOP] += carry


@kernel()
def _two_sum(a: float, b: float) -> tuple[float, float]:
    """Knuth's two-sum: a + b rounded, and what rounding lost, which is exact."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


@kernel()
def _round(limbs: NDArray[np.int64], row: int) -> float:
    """Round a canonical accumulator to the nearest double, ties to even. The row's content is lost."""
    sign = 1.0
    if limbs[row, _TOP] < 0:
        sign = -1.0
        for k in range(LIMBS):
            limbs[row, k] = -limbs[row, k]
        _carry(limbs, row)
    top = _TOP
    while top > 1 and limbs[row, top] == 0:
        top -= 1
    if top == 1:  # 64 bits or fewer: one conversion rounds, or is exact where the result is subnormal
        head = (np.uint64(limbs[row, 1]) << _32) | np.uint64(limbs[row, 0])
        return sign * math.ldexp(np.float64(head), _EXPONENT)
    if top > 65:  # 2**1038 or more
        return sign * math.inf
    # The 64 highest bits, the last of them set if any lower bit is: that rounds as all the bits would.
    width = math.frexp(np.float64(limbs[row, top]))[1]
    rest = limbs[row, top - 2] & ((1 << width) - 1)
    for k in range(top - 2):
        rest |= limbs[row, k]
    head = np.uint64(limbs[row, top]) << np.uint64(64 - width)
    head |= np.uint64(limbs[row, top - 1]) << np.uint64(32 - width)
    head |= np.uint64(limbs[row, top - 2] >> width) | np.uint64(rest != 0)
    return sign * math.ldexp(np.float64(head), 32 * top + width - 64 + _EXPONENT)


@kernel(I64_2D_INOUT)
def canonicalise(limbs: NDArray[np.int64]) -> None:
    """Bring accumulators into the canonical form, in place; their sums stay the same.

    Parameters
    ----------
    limbs : int64[C, LIMBS]
        Accumulators with limbs of any sign, each of them below 2**62 in magnitude.

    Examples
    --------
    >>> import numpy as np
    >>> limbs = np.zeros((1, LIMBS), np.int64)
    >>> limbs[0, 0] = -1
    >>> canonicalise(limbs)
    >>> limbs[0, [0, 1, 66, 67]].tolist()
    [4294967295, 4294967295, 4294967295, -1]
    """
    for row in range(len(limbs)):
        _carry(limbs, row)


@kernel(I64_2D_INOUT, I64, F64)
def accumulate(limbs: NDArray[np.int64], labels: NDArray[np.int64], values: NDArray[np.float64]) -> None:
    """Add values to the accumulators of their labels, exactly (T_c of Eq. 13 before it is rounded).

    Parameters
    ----------
    limbs : int64[C, LIMBS]
        Canonical accumulators (zeros to begin with), changed in place and canonical again afterwards. There
        may be any number of values and of calls.
    labels : int64[N]
        The accumulator of each value, 0 to C - 1; not checked.
    values : float64[N]
        Finite; not checked.

    Examples
    --------
    >>> import numpy as np
    >>> limbs = np.zeros((2, LIMBS), np.int64)
    >>> accumulate(limbs, np.array([0, 1, 0, 0]), np.array([1e100, 0.5, 1.0, -1e100]))
    >>> round_limbs(limbs)
    array([1. , 0.5])
    """
    bits = values.view(np.int64)
    n = len(values)
    for start in range(0, n, _BLOCK):
        for i in range(start, min(start + _BLOCK, n)):
            _add(limbs, labels[i], bits[i])
        if n < len(limbs):
            for i in range(n):
                _carry(limbs, labels[i])
        else:
            for row in range(len(limbs)):
                _carry(limbs, row)


@kernel(I64_2D)
def round_limbs(limbs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Round accumulators to the nearest double, ties to even.

    Parameters
    ----------
    limbs : int64[C, LIMBS]
        Accumulators, canonical or with limbs below 2**62 in magnitude.

    Returns
    -------
    float64[C]
        What :func:`math.fsum` returns for the same values, subnormal results included. A sum of zero is
        +0.0, one that rounds beyond the largest double is infinite.

    Examples
    --------
    >>> import numpy as np
    >>> limbs = np.zeros((1, LIMBS), np.int64)
    >>> accumulate(limbs, np.zeros(10, np.int64), np.full(10, 0.1))
    >>> round_limbs(limbs)
    array([1.])
    """
    sums = np.empty(len(limbs))
    scratch = np.empty((1, LIMBS), np.int64)
    for row in range(len(limbs)):
        scratch[0] = limbs[row]
        _carry(scratch, 0)
        sums[row] = _round(scratch, 0)
    return sums


@kernel(I64, INT)
def group_by_label(labels: NDArray[np.int64], n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sort elements by label, in the order in which they come (a counting sort).

    Parameters
    ----------
    labels : int64[N]
        0 to n - 1; not checked.
    n : int
        The number of groups.

    Returns
    -------
    order : int64[N]
        Indices of the elements, group by group.
    offsets : int64[n + 1]
        Group ``g`` is ``order[offsets[g]:offsets[g + 1]]``.

    Examples
    --------
    >>> import numpy as np
    >>> group_by_label(np.array([2, 0, 2]), 3)
    (array([1, 0, 2]), array([0, 1, 1, 3]))
    """
    offsets = np.zeros(n + 1, np.int64)
    for label in labels:
        offsets[label + 1] += 1
    for group in range(n):
        offsets[group + 1] += offsets[group]
    free = offsets[:n].copy()
    order = np.empty(len(labels), np.int64)
    for i in range(len(labels)):
        order[free[labels[i]]] = i
        free[labels[i]] += 1
    return order, offsets


@kernel(F64, I64, I64)
def sum_groups(
    values: NDArray[np.float64], order: NDArray[np.int64], offsets: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Sum each group exactly and round once (image scores, Eq. 14).

    Parameters
    ----------
    values : float64[V]
        Finite; not checked.
    order : int64[N]
        Indices into ``values``; not checked.
    offsets : int64[G + 1]
        Group ``g`` is ``values[order[offsets[g]:offsets[g + 1]]]``.

    Returns
    -------
    float64[G]
        As of :func:`round_limbs`; +0.0 for an empty group.

    Notes
    -----
    A running sum and its rounding errors are kept as two doubles (Knuth's two-sum). While no error is lost
    their exact total is the group's, and adding them rounds it once. A group that does not fit into two
    doubles, or overflows on the way, is summed again with an accumulator.

    Examples
    --------
    >>> import numpy as np
    >>> sum_groups(np.array([1e16, 1.0, -1e16, 0.25]), np.array([0, 1, 2, 3]), np.array([0, 3, 4, 4]))
    array([1.  , 0.25, 0.  ])
    """
    bits = values.view(np.int64)
    sums = np.empty(len(offsets) - 1)
    scratch = np.zeros((1, LIMBS), np.int64)
    for group in range(len(sums)):
        total, error, exact = 0.0, 0.0, True
        for k in range(offsets[group], offsets[group + 1]):
            total, lost = _two_sum(total, values[order[k]])
            error, lost = _two_sum(error, lost)
            exact &= lost == 0.0
        sums[group] = total + error
        if not exact:
            scratch[:] = 0
            for start in range(offsets[group], offsets[group + 1], _BLOCK):
                for k in range(start, min(start + _BLOCK, offsets[group + 1])):
                    _add(scratch, 0, bits[order[k]])
                _carry(scratch, 0)
            sums[group] = _round(scratch, 0)
    return sums


@kernel(F64, I64, F64)
def balance(
    values: NDArray[np.float64], labels: NDArray[np.int64], totals: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Divide scores by the totals of their classes (Eq. 13).

    Parameters
    ----------
    values : float64[N]
        Scores of instances.
    labels : int64[N]
        Their classes, 0 to C - 1; not checked.
    totals : float64[C]
        T_c of each class.

    Returns
    -------
    float64[N]
        ``values / totals[labels]``, and 0 where the total is 0.

    Examples
    --------
    >>> import numpy as np
    >>> balance(np.array([1.0, 3.0, 0.0]), np.array([0, 0, 1]), np.array([4.0, 0.0]))
    array([0.25, 0.75, 0.  ])
    """
    balanced = np.zeros(len(values))
    for i in range(len(values)):
        total = totals[labels[i]]
        if total != 0.0:
            balanced[i] = values[i] / total
    return balanced
