"""Lines of JSON, a document each."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._output import Outputs
from tfdp_fast.errors import DataError, OptionError, OutputError
from tfdp_fast.formats._document_dataset import DocumentDataset
from tfdp_fast.formats._documents import LARGEST, PIECE, Document, Piece
from tfdp_fast.formats._files import FileVersion
from tfdp_fast.formats._gzip import MAGIC, packing
from tfdp_fast.formats._streamed import FileRead
from tfdp_fast.formats.dataset import OpenOptions, Problem

if TYPE_CHECKING:
    from typing_extensions import Buffer

_SUFFIXES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
_STEP = 1 << 17


class Lines(NamedTuple):
    """Some lines, whole.

    Attributes
    ----------
    text : bytes
        With their ends; the last of all may have none.
    first : int
        The number of the first, from 0.
    faults : tuple of Problem
        What ends them too early.
    files : tuple of FileRead
        The whole file, if it ends here.
    """

    text: bytes
    first: int
    faults: tuple[Problem, ...] = ()
    files: tuple[FileRead, ...] = ()


class JsonLines(DocumentDataset[Lines]):
    """A file of lines, a pipe of them, or bytes.

    Parameters
    ----------
    source, options
        See `DocumentDataset`.
    data : bytes or None
        The lines, if they are in no file.
    """

    takes_files = True
    nothing = "is empty"
    shards = 1

    def __init__(self, source: str, options: OpenOptions, data: bytes | None) -> None:
        super().__init__("jsonl", source, options)
        self._data = data
        self._version: FileVersion | None = None
        if data is None:
            with self._opened() as file:
                self._version = FileVersion(source, os.fstat(file.fileno()))

    def pieces(self) -> Iterator[Lines]:
        """Some megabytes of lines after the other."""
        with self._opened() as stored:
            if not self.hashing:
                yield from self._blocks(stored)
                return
            hashed = _HashedFile(stored)
            first = 0
            for block in self._blocks(hashed):
                yield block
                first = block.first + block.text.count(b"\n")
            yield Lines(b"", first, files=(hashed.file_read(Path(self.source).name),))

    def load(self, piece: Lines) -> Piece:
        """Find the documents in lines."""
        text = piece.text
        items: list[Document | Problem] = []
        begin, number = 0, piece.first
        while begin < len(text):
            end = text.find(b"\n", begin)
            end = len(text) if end < 0 else end
            if not text[begin:end].isspace() and begin < end:
                items.append(Document(_name(number), number, begin, end))
            begin, number = end + 1, number + 1
        return Piece(text, [*items, *piece.faults], 0, files=list(piece.files))

    def files_read(self) -> Iterable[os.stat_result]:
        """The file."""
        return () if self._version is None else (self._version.stat,)

    def check_shards(self, destination: Any) -> None:
        """A file."""
        if isinstance(destination, (str, os.PathLike)) and not os.fspath(destination).endswith(_SUFFIXES):
            raise OptionError(
                f"{destination}: a subset goes to a .txt of file names, or as lines to a .jsonl or .ndjson"
            )
        self.check_file(destination)
        if self._version is not None and not stat.S_ISREG(self._version.stat.st_mode):
            raise OutputError(f"the lines of {self.source} cannot be read twice: write a .txt of file names")

    def write_shards(self, outputs: Outputs, destination: Any, kept: list[NDArray[np.int64]]) -> None:
        """Copy the lines that stay."""
        positions = self.positions[kept[0]]
        self.check_unchanged()
        with packing(outputs.open(destination), destination) as file, self._opened() as stored:
            for block in self._blocks(stored):
                lines = block.text.split(b"\n")
                first, last = np.searchsorted(positions, (block.first, block.first + len(lines)))
                for number in (positions[first:last] - block.first).tolist():
                    end = b"\n" if number < len(lines) - 1 else b""
                    file.write(lines[number] + end)
        self.check_unchanged()

    def check_unchanged(self) -> None:
        """Raise DataError if the file has changed, or is a pipe."""
        if self._version is None:
            return
        if not stat.S_ISREG(self._version.stat.st_mode):
            raise DataError(self.source, None, "is no file that could be read twice")
        self._version.check()

    def _opened(self) -> io.RawIOBase:
        if self._data is not None:
            return cast(io.RawIOBase, io.BytesIO(self._data))
        try:
            return io.FileIO(self.source)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DataError(self.source, None, f"cannot be read: {reason}") from error

    def _blocks(self, stored: io.RawIOBase) -> Iterator[Lines]:
        """Whole lines, about a piece of them at a time; closes the file."""
        with io.BufferedReader(stored, _STEP) as buffered:
            packed = buffered.peek(2)[:2] == MAGIC
            yield from self._blocks_of(gzip.GzipFile(fileobj=buffered) if packed else buffered)
            while buffered.read1(_STEP):  # after a fault, for those who hash the file
                pass

    def _blocks_of(self, file: Any) -> Iterator[Lines]:
        parts: list[bytes] = []
        size = first = 0
        reason = None
        while reason is None:
            part = b""
            try:
                part = file.read1(_STEP)
            except (EOFError, zlib.error, OSError) as error:
                how = "read" if isinstance(error, OSError) and error.strerror else "decompressed"
                reason = f"cannot be {how}: {getattr(error, 'strerror', None) or error}"
            if not part:
                break
            size += len(part)
            end = part.rfind(b"\n") + 1
            if end and size >= PIECE:
                text = b"".join([*parts, part[:end]])
                yield Lines(text, first)
                first += text.count(b"\n")
                parts, size = [part[end:]], len(part) - end
            elif size > LARGEST + PIECE:
                raise DataError(self.source, _name(first), f"is longer than {LARGEST:,} bytes")
            else:
                parts.append(part)
        text = b"".join(parts)
        if reason is None:
            yield Lines(text, first)
            return
        text = text[: text.rfind(b"\n") + 1]
        yield Lines(text, first, (Problem(_name(first + text.count(b"\n")), reason, 0),))


class _HashedFile(io.RawIOBase):
    """A file that is hashed while it is read."""

    def __init__(self, stored: io.RawIOBase) -> None:
        self._stored = stored
        self._size = 0
        self._hash = hashlib.sha256()

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Buffer) -> int | None:
        """Read some bytes, and hash them."""
        n = self._stored.readinto(buffer)
        if n:
            self._hash.update(memoryview(buffer)[:n])
            self._size += n
        return n

    def file_read(self, name: str) -> FileRead:
        """What has been read."""
        return FileRead(name, self._size, self._hash.hexdigest())


def _name(number: int) -> str:
    return f"line {number + 1}"
