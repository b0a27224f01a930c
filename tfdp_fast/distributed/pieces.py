"""Files of many pieces, each of them a table, of which a reader wants one: what a task has for others.

A file begins with its index, so that a piece is found and read by two small reads, however many there are.
Each piece is a stream of Arrow's IPC format, with a checksum in the index; one that is empty takes no room.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from tfdp_fast.distributed.storage import Storage
from tfdp_fast.errors import DataError
from tfdp_fast.formats._arrow_tables import arrow_errors

__all__ = ["are_whole", "made_from", "read_piece", "write_pieces"]

_HEAD = struct.Struct("<8s64sq")
"""What the file is, what it was made from, and how many pieces there are. After it, where each begins."""
_ENTRY = struct.Struct("<qI")
"""Where a piece begins, and its CRC-32; 0 of one that is empty, and after the last one."""

_MAGIC = b"TFDPIPC1"
_DIGEST = b"made_from"


def write_pieces(storage: Storage, name: str, digest: str, n: int, pieces: Iterable[tuple[int, Any]]) -> int:
    """Write a file of n pieces.

    Parameters
    ----------
    storage : Storage
        The run folder.
    name : str
        Of the file.
    digest : str
        What it is made from: 64 characters of ASCII.
    n : int
        How many pieces there are, empty ones with them.
    pieces : iterable of (int, pyarrow.Table)
        Those that are not empty, ascending, and which they are.

    Returns
    -------
    int
        Bytes of the file.

    Examples
    --------
    >>> import tempfile
    >>> digest = "0" * 64
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     storage = Storage(folder)
    ...     size = write_pieces(storage, "a.pieces", digest, 3, [(1, pa.table({"x": [5, 7]}))])
    ...     [read_piece(storage, "a.pieces", digest, piece) for piece in range(2)]
    ...     made_from(storage, "a.pieces")
    [None, pyarrow.Table
    x: int64
    ----
    x: [[5,7]]]
    '0000000000000000000000000000000000000000000000000000000000000000'
    """
    content, numbers, ends = pa.BufferOutputStream(), [], []
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    for number, table in pieces:
        schema = table.schema.with_metadata({_DIGEST: digest})
        with pa.ipc.new_stream(content, schema, options=options) as writer:
            writer.write_table(table.replace_schema_metadata(schema.metadata))
        numbers.append(number)
        ends.append(content.tell())
    lengths = np.zeros(n, np.int64)
    lengths[numbers] = np.diff(ends, prepend=0)
    whole = memoryview(content.getvalue())
    begins = np.concatenate([[0], np.cumsum(lengths)]).tolist()
    checksums = [*(zlib.crc32(whole[begin:end]) for begin, end in itertools.pairwise(begins)), 0]
    first = _HEAD.size + _ENTRY.size * (n + 1)
    with storage.create(name) as file:
        file.write(_HEAD.pack(_MAGIC, digest.encode(), n))
        for begin, checksum in zip(begins, checksums, strict=True):
            file.write(_ENTRY.pack(first + begin, checksum))
        file.write(whole)
        return file.tell()


def read_piece(storage: Storage, name: str, digest: str, piece: int) -> Any:
    """Read a piece, a `pyarrow.Table`; None if it is empty.

    Raises
    ------
    DataError
        If the file cannot be read, has no such piece, or was made from something else.
    """
    source = storage.path_of(name)
    with storage.open(name) as file, arrow_errors(source):
        file.seek(_HEAD.size + _ENTRY.size * piece)
        where = file.read(2 * _ENTRY.size)
        if len(where) < 2 * _ENTRY.size:
            raise DataError(source, None, f"ends before piece {piece}")
        (begin, checksum), (end, _) = _ENTRY.iter_unpack(where)
        if begin == end and not checksum:
            # Nothing in it says what it is of.
            _check(made_from(storage, name), digest, source)
            return None
        content = b""
        if 0 < begin < end <= file.size():
            file.seek(begin)
            content = file.read(end - begin)
        if not content or zlib.crc32(content) != checksum:
            raise DataError(source, None, f"is damaged: the checksum of piece {piece} is wrong")
        table = pa.ipc.open_stream(content).read_all()
    metadata = table.schema.metadata or {}
    _check(metadata.get(_DIGEST, b"").decode(), digest, source)
    return table


def are_whole(storage: Storage, name: str) -> bool:
    """Whether all pieces of a file can be read."""
    try:
        digest = made_from(storage, name)
        with storage.open(name) as file:
            _, _, n = _HEAD.unpack(file.read(_HEAD.size))
        for piece in range(n):
            read_piece(storage, name, digest or "", piece)
    except (DataError, struct.error):
        return False
    return True


def made_from(storage: Storage, name: str) -> str | None:
    """What a file was made from; None if it is not there, or is no such file."""
    try:
        with storage.open(name) as file:
            head = file.read(_HEAD.size)
    except DataError:
        return None
    if len(head) < _HEAD.size:
        return None
    magic, digest, _ = _HEAD.unpack(head)
    return digest.decode("ascii", "replace") if magic == _MAGIC else None


def _check(found: str | None, digest: str, source: str) -> None:
    if found != digest:
        raise DataError(source, None, "was not made from the shards as they are now")
