"""COCO's compressed run lengths: decoding, with every check, and encoding.

A mask is a list of counts: lengths of runs of pixels in column-major order, background first, alternating.
The string stores count 0, 1 and 2 as they are and every later one as the difference to the count two before,
as a two's complement number in groups of 5 bits, least significant first. A group is one character
``48 + bits + 32 * more``, so a string consists of the characters ``'0'`` (48) to ``'o'`` (111).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tfdp_fast.kernels._policy import I64, U8, U32, kernel
from tfdp_fast.status import Status

U8_INOUT, U32_INOUT, I64_INOUT = (array.copy(readonly=False) for array in (U8, U32, I64))

_OK = int(Status.OK)
_RUNS_DO_NOT_FILL_MASK = int(Status.RUNS_DO_NOT_FILL_MASK)
_TRUNCATED = int(Status.RLE_TRUNCATED)
_BAD_CHARACTER = int(Status.RLE_BAD_CHARACTER)
_OUT_OF_RANGE = int(Status.RLE_COUNT_OUT_OF_RANGE)

# Indices are unsigned: Numba then leaves out its test for a negative one, a third of decode_rle's time.
_1 = np.uint64(1)
_2 = np.uint64(2)
# 12 groups are 60 bits: the most that an int64 can collect and sign-extend. 7 hold any valid difference.
_LAST_SHIFT = 55


@kernel()
def _status(data: NDArray[np.uint8], begin: np.uint64, end: np.uint64, pixels: int) -> int:
    """Check one string completely: what :func:`_decode` calls when its own test fails."""
    if begin < end and 80 <= data[end - _1] <= 111:
        return _TRUNCATED
    for character in data[begin:end]:
        if character < 48 or character > 111:
            return _BAD_CHARACTER
    k = begin
    index, before, previous, total = 0, 0, 0, 0
    while k < end:
        value, shift, more = 0, 0, True
        while more:
            if shift > _LAST_SHIFT:
                return _OUT_OF_RANGE
            code = np.int64(data[k]) - 48
            k += _1
            value |= (code & 31) << shift
            more = code >= 32
            shift += 5
        value -= (code & 16) << (shift - 4)
        if index > 2:
            value += before
        if value < 0 or value > pixels or value > 0xFFFFFFFF:
            return _OUT_OF_RANGE
        index, before, previous = index + 1, previous, value
        total = min(total + value, pixels + 1)
    return _OK if total == pixels else _RUNS_DO_NOT_FILL_MASK


@kernel(U8, I64, I64, U32_INOUT, I64_INOUT, U8_INOUT)
def _decode(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    pixels: NDArray[np.int64],
    counts: NDArray[np.uint32],
    count_offsets: NDArray[np.int64],
    status: NDArray[np.uint8],
) -> None:
    """The work of :func:`decode_rle`, into arrays that are there already.

    The loop decodes without asking whether the string is valid. All it collects are the bits that must not
    be set in any character or count, and the sum: with fewer than 2**31 counts, each of 32 bits, the sum
    cannot wrap around, and a sum that is right bounds every count by ``pixels``. Only a string that fails
    this test is read again, to find out why.
    """
    n = len(pixels)
    count_offsets[0] = 0
    m = np.uint64(0)
    for i in range(n):
        k, end, first = np.uint64(offsets[i]), np.uint64(offsets[i + 1]), m
        codes, values, total, before, previous = 0, 0, 0, 0, 0
        if k < end and (data[end - _1] - 48) & 32:  # nothing below reads beyond the last character
            codes = -1
            k = end
        while k < end:
            code = np.int64(data[k]) - 48
            k += _1
            codes |= code
            value = ((code & 31) ^ 16) - 16  # most counts are one character
            if code & 32:
                value, shift = code & 31, 0
                while code & 32 and shift < _LAST_SHIFT:
                    code = np.int64(data[k]) - 48
                    k += _1
                    codes |= code
                    shift += 5
                    value |= (code & 31) << shift
                value -= (code & 16) << (shift + 1)
                values |= (code & 32) << 32  # more than 12 characters
            if m - first > _2:
                value += before
            before, previous = previous, value
            values |= value
            total += value
            counts[m] = value
            m += _1
        status[i] = _OK
        if codes >> 6 or values >> 32 or total != pixels[i] or offsets[i + 1] - offsets[i] >= 1 << 31:
            status[i] = _status(data, np.uint64(offsets[i]), end, pixels[i])
            if status[i] != _OK:
                m = first
        count_offsets[i + 1] = m


def decode_rle(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], pixels: NDArray[np.int64]
) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.uint8]]:
    """Decode a batch of compressed RLE strings.

    Parameters
    ----------
    data : uint8[B]
        The characters of all strings.
    offsets : int64[N + 1]
        String ``i`` is ``data[offsets[i]:offsets[i + 1]]``; ascending, within ``data``.
    pixels : int64[N]
        ``height * width`` of each mask, from 0 to 2**62.

    Returns
    -------
    counts : uint32[M]
        The counts of all valid strings, one after the other (the used part of a larger allocation).
    count_offsets : int64[N + 1]
        Mask ``i`` has the counts ``counts[count_offsets[i]:count_offsets[i + 1]]``.
    status : uint8[N]
        :class:`~tfdp_fast.status.Status` of each string. One that is not OK has no counts and does not touch
        its neighbours. The first of these that applies to the string as a whole is reported:

        - RLE_TRUNCATED: its last character says that another one follows;
        - RLE_BAD_CHARACTER: a byte outside 48..111;
        - RLE_COUNT_OUT_OF_RANGE: a count is negative, exceeds ``pixels`` or 2**32 - 1, or is written in more
          than 12 characters (an encoder needs at most 7);
        - RUNS_DO_NOT_FILL_MASK: the counts do not sum to ``pixels``.

    Notes
    -----
    The arrays are made here and not by the kernel: to hand out an array, Numba runs Python code that takes
    microseconds and turns a Ctrl-C into a SystemError.

    Examples
    --------
    >>> import numpy as np
    >>> data = np.frombuffer(b"52203" + b"5o", np.uint8)
    >>> counts, offsets, status = decode_rle(data, np.array([0, 5, 7]), np.array([16, 9]))
    >>> counts
    array([5, 2, 2, 2, 5], dtype=uint32)
    >>> offsets, status
    (array([0, 5, 5]), array([0, 2], dtype=uint8))
    """
    n = len(pixels)
    counts = np.empty(offsets[n] - offsets[0], np.uint32)
    count_offsets = np.empty(n + 1, np.int64)
    status = np.empty(n, np.uint8)
    _decode(data, offsets, pixels, counts, count_offsets, status)
    return counts[: count_offsets[n]], count_offsets, status


@kernel(U32, I64)
def encode_rle(
    counts: NDArray[np.uint32], offsets: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Encode a batch of run lengths as compressed RLE strings, byte for byte as pycocotools does.

    Parameters
    ----------
    counts : uint32[M]
        Run lengths, background first.
    offsets : int64[N + 1]
        Mask ``i`` has the counts ``counts[offsets[i]:offsets[i + 1]]``; ascending, within ``counts``.

    Returns
    -------
    data : uint8[B]
        The characters of all strings (the used part of a larger allocation).
    data_offsets : int64[N + 1]
        String ``i`` is ``data[data_offsets[i]:data_offsets[i + 1]]``.

    Examples
    --------
    >>> import numpy as np
    >>> data, offsets = encode_rle(np.array([5, 2, 2, 2, 5], np.uint32), np.array([0, 5]))
    >>> data.tobytes(), offsets
    (b'52203', array([0, 5]))
    """
    n = len(offsets) - 1
    data = np.empty(7 * (offsets[n] - offsets[0]), np.uint8)
    data_offsets = np.empty(n + 1, np.int64)
    data_offsets[0] = 0
    m = np.uint64(0)
    for i in range(n):
        begin = offsets[i]
        for k in range(begin, offsets[i + 1]):
            value = np.int64(counts[k])
            if k - begin > 2:
                value -= np.int64(counts[k - 2])
            beyond = (value ^ (value >> 63)) >> 4  # not 0 while the value does not fit into 5 signed bits
            while beyond:
                data[m] = 48 + 32 + (value & 31)
                value >>= 5
                beyond >>= 5
                m += _1
            data[m] = 48 + (value & 31)
            m += _1
        data_offsets[i + 1] = m
    return data[:m], data_offsets
