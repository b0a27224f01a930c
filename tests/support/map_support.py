"""What the tests of data sets of label maps share: opening them, and PNG as nobody would write them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tfdp_fast._core import FillConvention
from tfdp_fast.errors import DataError
from tfdp_fast.formats.dataset import Dataset
from tfdp_fast.formats.opening import open_dataset


def measured(source: Any, *, threads: int = 1, **options: Any) -> tuple[Dataset, NDArray[np.int64]]:
    data = open_dataset(source, **options)
    counts, statuses = data.measure(FillConvention.COCO, threads=threads, progress=None)
    assert not statuses.any()
    return data, counts


def refusal(source: Any, **options: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        measured(source, **options)
    assert "\n" not in str(caught.value)
    return caught.value


def set_aside(source: Any, **options: Any) -> list[tuple[str, str, int]]:
    """The problems of a data set: record, file in it, row; the first is also what stops a run."""
    data, _ = measured(source, on_error="skip", **options)
    error = refusal(source, **options)
    first = data.problems[0]
    assert (error.record, error.reason, error.source) == (first.record, first.reason, first.file)
    return [(problem.record, Path(problem.file or "").name, problem.row) for problem in data.problems]


def png_of(label_map: NDArray[Any], *, interlaced: bool = False, bits: int = 8, colour: int = 0) -> bytes:
    """A PNG whose rows are filtered (each pixel less the one on its left), or interlaced (Adam7)."""
    height, width = label_map.shape[:2]
    if interlaced:
        passes = [
            (0, 0, 8, 8),
            (0, 4, 8, 8),
            (4, 0, 8, 4),
            (0, 2, 4, 4),
            (2, 0, 4, 2),
            (0, 1, 2, 2),
            (1, 0, 2, 1),
        ]
        parts = [label_map[y::dy, x::dx] for y, x, dy, dx in passes]
        rows = b"".join(b"\0" + row.tobytes() for part in parts if part.size for row in part)
    else:
        left = np.pad(label_map, [(0, 0), (1, 0)])[:, :-1]
        rows = b"".join(b"\1" + row.tobytes() for row in label_map - left)
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    parts_of_file = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts_of_file
    )


def replaced_part(png: bytes, kind: bytes, content: bytes) -> bytes:
    """A PNG with another content of its part of a kind, and the right checksum."""
    at = png.index(kind) - 4
    (size,) = struct.unpack_from(">I", png, at)
    part = struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return png[:at] + part + png[at + 12 + size :]
