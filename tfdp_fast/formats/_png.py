"""Label maps as PNG: checked here, inflated by zlib or decoded by Pillow."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from tfdp_fast.errors import DataError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BEGINNING = _SIGNATURE + b"\0\0\0\rIHDR"
_HEADER = struct.Struct(">IIBB2x?")  # width, height, bits of a sample, colour type, whether interlaced
_PART = struct.Struct(">I4s")  # length of the content, kind; the content and a checksum follow
_CHECKSUM = struct.Struct(">I")
_GREY, _PALETTE = 0, 3
_COLOURS = {2: "RGB", 4: "grey with transparency", 6: "RGBA"}


def decode_label_map(path: str, data: bytes, *, bits: int) -> NDArray[np.integer[Any]]:
    """The labels in a PNG: its grey values, or its indices into a palette.

    All checksums are looked at. Pillow passes over those of the pixels, and takes a damaged file for another
    picture.

    Parameters
    ----------
    path : str
        What it is called in messages.
    data : bytes
        The file.
    bits : {8, 16}
        Bits a pixel that are due. A palette counts as 8, although the file may need less.

    Returns
    -------
    integers [H, W]
        Not to be written to. The pixels of a row are adjacent.

    Raises
    ------
    DataError
        If it is no PNG, damaged, or not of this kind.
    """
    if not data:
        raise DataError(path, None, "is empty")
    if not data.startswith(_BEGINNING[: len(data)]):
        raise DataError(path, None, "is no PNG")
    compressed = _checked_pixels(path, data)
    width, height, depth, colour, interlaced = _HEADER.unpack_from(data, len(_BEGINNING))
    if colour not in {_GREY, _PALETTE}:
        raise DataError(path, None, f"is {_COLOURS.get(colour, 'no PNG')}, where grey or a palette is due")
    if bits != (8 if colour == _PALETTE else depth):
        raise DataError(path, None, f"has {depth} bits a pixel, where {bits} are due")
    check_pixels(path, height, width)
    if depth == 8 and not interlaced:
        rows = _inflated(path, compressed, height, width)
        if rows is not None and not rows[:, 0].any():
            return rows[:, 1:]
    try:
        return np.asarray(PngImageFile(io.BytesIO(data)))
    except MemoryError:
        raise
    except Exception as error:  # over a damaged file, Pillow raises many things
        raise DataError(path, None, f"cannot be decoded: {' '.join(str(error).split())}") from error


def check_pixels(path: str, height: int, width: int) -> None:
    """Raise DataError for more pixels than Pillow would open: a small file can claim any number of them."""
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and height * width > limit:
        size = f"{width} x {height} pixels"
        raise DataError(path, None, f"claims {size}, more than PIL.Image.MAX_IMAGE_PIXELS: {limit}")


def _checked_pixels(path: str, data: bytes) -> bytes:
    """The compressed pixels, all parts of the file having been checked."""
    whole, at, kind = memoryview(data), len(_SIGNATURE), b""
    found = []
    while kind != b"IEND":
        try:
            size, kind = _PART.unpack_from(data, at)
            end = at + _PART.size + size
            (checksum,) = _CHECKSUM.unpack_from(data, end)
        except struct.error:
            raise DataError(path, None, "is cut short") from None
        if zlib.crc32(whole[at + 4 : end]) != checksum:
            raise DataError(path, None, f"is damaged: the checksum of the part at byte {at} is wrong")
        if kind == b"IDAT":
            found.append(whole[at + _PART.size : end])
        at = end + _CHECKSUM.size
    return b"".join(found)


def _inflated(path: str, compressed: bytes, height: int, width: int) -> NDArray[np.uint8] | None:
    """The rows of a map of 8 bits, each with the number of its filter in front; None if there are more.

    Where no row is filtered, these are the pixels: so it is with palettes, as libpng, Pillow and others write
    them. It takes half of Pillow's time, Python's lock is free all the while, and rows that are missing are
    seen, which to Pillow are black.
    """
    size = height * (width + 1)
    inflating = zlib.decompressobj()
    try:
        # A byte more: only at the end of the stream its checksum is looked at.
        inflated = inflating.decompress(compressed, size + 1)
    except zlib.error as error:
        raise DataError(path, None, f"cannot be decoded: {error}") from error
    if len(inflated) > size:
        return None
    if len(inflated) < size or not inflating.eof:
        raise DataError(path, None, f"has pixels for {len(inflated) // (width + 1)} of {height} rows")
    return np.frombuffer(inflated, np.uint8).reshape(height, width + 1)
