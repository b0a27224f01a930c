"""Forgetting events of pixels over checkpoints, from a few bits a pixel (Toneva et al. 2019).

A pixel is right at a checkpoint if (z > 0) is its target, and it is forgotten there if it was right at the
checkpoint before and is not now. What an instance went through without a gap is a *segment*: checkpoints
``START`` to ``STOP``, the events counted so far, and planes of one bit a pixel: right at ``STOP``, and ever
right. A segment that begins later than checkpoint 1 has two planes more: right at ``START``, and the targets.
With these, two segments of one instance can be joined as if they had been one, whoever has recorded them.

A plane takes a byte for each 8 pixels, the first pixel in the lowest bit. The planes of a segment lie one
after the other, from byte ``AT``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tfdp_fast.kernels._policy import FLOATS, I64, I64_2D_INOUT, INT, U8, U8_INOUT, kernel

#: The columns of segments. Counts, over the box and over the mask, are of events and of pixels never right.
ROW, START, STOP, AT, FORGOTTEN, FORGOTTEN_MASK, NEVER, NEVER_MASK = range(8)
COLUMNS = 8

_ONES = np.array([byte.bit_count() for byte in range(256)], np.int64)

Logits = NDArray[np.float32] | NDArray[np.float64]
Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]


@kernel(FLOATS, U8, I64, I64, I64_2D_INOUT, U8_INOUT)
def record_right(
    logits: Logits, targets: Bytes, offsets: Ints, at: Ints, segments: Ints, bits: Bytes
) -> None:
    """Take one more checkpoint into segments.

    Parameters
    ----------
    logits : float32[P] or float64[P]
        z of each pixel, finite; not checked.
    targets : uint8[P]
        y of each pixel, 0 or 1; not checked.
    offsets : int64[N + 1]
        Instance ``j`` has the pixels ``offsets[j]`` to ``offsets[j + 1]``.
    at : int64[N]
        The segment of each instance, all different.
    segments : int64[S, COLUMNS]
        Changed in place. A new one has ``STOP = START - 1`` and counts of 0.
    bits : uint8[B]
        The planes, changed in place. Those of a new segment need not be 0.

    Examples
    --------
    >>> import numpy as np
    >>> segments, bits = np.array([[0, 1, 0, 0, 0, 0, 0, 0]]), np.zeros(2, np.uint8)
    >>> offsets, targets = np.array([0, 3]), np.array([1, 1, 0], np.uint8)
    >>> for logits in ([1, -1, 1], [-1, -1, 1]):
    ...     record_right(np.array(logits, np.float32), targets, offsets, np.array([0]), segments, bits)
    >>> segments[0, [STOP, FORGOTTEN, FORGOTTEN_MASK, NEVER, NEVER_MASK]].tolist(), bits.tolist()
    ([2, 1, 1, 2, 1], [0, 1])
    """
    for j in range(len(at)):
        segment = segments[at[j]]
        begin, pixels = offsets[j], offsets[j + 1] - offsets[j]
        plane = (pixels + 7) // 8
        new, later = segment[STOP] < segment[START], segment[START] > 1
        segment[NEVER] = segment[NEVER_MASK] = 0
        for byte in range(plane):
            there = right = target = 0
            for k in range(min(8, pixels - 8 * byte)):
                p = begin + 8 * byte + k
                there |= 1 << k
                right |= int((logits[p] > 0) == (targets[p] == 1)) << k
                target |= int(targets[p]) << k
            last = segment[AT] + byte
            ever = last + plane
            if new:
                bits[ever] = 0
                if later:
                    bits[ever + plane] = right
                    bits[ever + 2 * plane] = target
            else:
                lost = int(bits[last]) & ~right
                segment[FORGOTTEN] += _ONES[lost]
                segment[FORGOTTEN_MASK] += _ONES[lost & target]
            bits[last] = right
            bits[ever] |= right
            never = there & ~int(bits[ever])
            segment[NEVER] += _ONES[never]
            segment[NEVER_MASK] += _ONES[never & target]
        segment[STOP] += 1


@kernel(I64_2D_INOUT, I64, U8_INOUT, INT)
def join_segments(segments: Ints, pixels: Ints, bits: Bytes, gaps: int) -> Bytes:
    """Join segments of the same instance that follow each other, in place.

    Parameters
    ----------
    segments : int64[S, COLUMNS]
        By row, and for each row by checkpoint; none overlaps another. Not checked. What is joined goes to the
        first of a sequence; the others stand for nothing afterwards.
    pixels : int64[R]
        The number of pixels, by row.
    bits : uint8[B]
        The planes, changed in place.
    gaps : int
        Join also if checkpoints are missing in between: 0 or 1.

    Returns
    -------
    uint8[S]
        1 for the segments that remain.

    Examples
    --------
    Right at checkpoint 1, and wrong at checkpoint 2:

    >>> import numpy as np
    >>> segments = np.array([[0, 1, 1, 0, 0, 0, 0, 0], [0, 2, 2, 2, 0, 0, 1, 1]])
    >>> bits = np.array([1, 1, 0, 0, 0, 1], np.uint8)
    >>> join_segments(segments, np.array([1]), bits, 0)
    array([1, 0], dtype=uint8)
    >>> segments[0].tolist()
    [0, 1, 2, 0, 1, 1, 0, 0]
    """
    remain = np.ones(len(segments), np.uint8)
    head = 0
    for s in range(1, len(segments)):
        one, two = segments[head], segments[s]
        if one[ROW] != two[ROW] or (gaps == 0 and one[STOP] + 1 != two[START]):
            head = s
            continue
        remain[s] = 0
        plane = (pixels[one[ROW]] + 7) // 8
        one[STOP] = two[STOP]
        one[FORGOTTEN] += two[FORGOTTEN]
        one[FORGOTTEN_MASK] += two[FORGOTTEN_MASK]
        one[NEVER] = pixels[one[ROW]]
        one[NEVER_MASK] = 0
        for byte in range(plane):
            last, last_of_two = one[AT] + byte, two[AT] + byte
            ever, first = last + plane, last_of_two + 2 * plane
            target = int(bits[first + plane])
            lost = int(bits[last]) & ~int(bits[first])
            one[FORGOTTEN] += _ONES[lost]
            one[FORGOTTEN_MASK] += _ONES[lost & target]
            bits[last] = bits[last_of_two]
            bits[ever] |= bits[last_of_two + plane]
            one[NEVER] -= _ONES[bits[ever]]
            one[NEVER_MASK] += _ONES[target & ~int(bits[ever])]
    return remain
