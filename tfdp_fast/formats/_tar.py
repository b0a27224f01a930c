"""Tar archives, member by member, in one pass.

Python's own `tarfile` takes a tar that was cut between two members, or in a header, for a whole one, and
believes a size of any height. So only single headers are left to it.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

from tfdp_fast.formats._gzip import MAGIC

if TYPE_CHECKING:
    from typing_extensions import Self

BLOCK = 512
END = bytes(BLOCK)
"""A block of zeros ends a tar; a second one follows, and what fills a record."""
_LONGEST_NAME = 1 << 20
_STEP = 1 << 20
_PAX_RECORD = re.compile(rb"(\d{1,7}) ([^=\n]+)=")
_KINDS = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
}
_REGULAR = {tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE}


class TarError(Exception):
    """Why the rest of a tar cannot be read, and of which member, if its name is known."""

    def __init__(self, reason: str, member: str | None = None) -> None:
        self.reason = reason
        self.member = member
        super().__init__(reason)


@dataclass(frozen=True)
class Member:
    """A member of a tar.

    Attributes
    ----------
    name : str
        Its path in the tar.
    refusal : str or None
        Why it is not to be touched: a link, a device, a name that leads out of the tar.
    begin, data, end : int
        Where its headers begin, its content begins, and the next headers begin.
    size : int
        Of its content, bytes.
    """

    name: str
    refusal: str | None
    begin: int
    data: int
    end: int
    size: int


class Tar:
    """A tar in anything that can be sought and read.

    Parameters
    ----------
    file : binary file
        What it is in; unpacked, if it is compressed.
    size : int or None
        Its bytes; None if they are not known before it has been read, as of a compressed one.
    """

    def __init__(self, file: BinaryIO, size: int | None) -> None:
        self._file = file
        self._size = size

    def members(self) -> Iterator[Member]:
        """The files in it, in order; folders, and what macOS leaves beside files, are passed over.

        Raises
        ------
        TarError
            If the tar is damaged, or was cut.
        """
        at = begin = 0
        long_name: str | None = None
        pax: dict[str, bytes] = {}
        last = "its beginning"
        while True:
            header = self.read(at, BLOCK)
            if header == END:
                if begin != at:
                    raise TarError(f"is damaged after {last}: a header lacks its file")
                return
            if len(header) < BLOCK:
                raise TarError(
                    f"is cut off after {last}" if at else "is empty" if not header else "is no tar"
                )
            try:
                info = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
            except (tarfile.HeaderError, ValueError, IndexError) as error:
                raise TarError(f"is damaged after {last}: {error}" if at else "is no tar") from None
            data = at + BLOCK
            if info.type in _EXTENSIONS:
                content = self._extension(info, data, last)
                if info.type == tarfile.GNUTYPE_LONGNAME:
                    long_name = content.partition(b"\0")[0].decode("utf-8", "surrogateescape")
                elif info.type in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE):
                    pax = _pax_records(content)
                at = data + _padded(len(content))
                continue
            name, size, sparse = _overridden(info, long_name, pax)
            last = name
            if size < 0:
                raise TarError("has a negative size", name)
            end = data + (_padded(size) if info.type not in _KINDS and info.type != tarfile.DIRTYPE else 0)
            if not self._reaches(end):
                raise TarError("is cut off", name)
            base = name.rpartition("/")[2]
            if info.type != tarfile.DIRTYPE and not base.startswith("._"):
                yield Member(name, _refusal(info.type, name, sparse), begin, data, end, size)
            at = begin = end
            long_name, pax = None, {}

    def content(self, member: Member) -> bytes:
        """The content of a member.

        Raises
        ------
        TarError
            If it cannot be had.
        """
        content = self.read(member.data, member.size)
        if len(content) < member.size:
            raise TarError("is cut off", member.name)
        return content

    def parts(self, begin: int, end: int) -> Iterator[bytes]:
        """What is between two positions, in pieces that are not large.

        Raises
        ------
        TarError
            If it cannot be had. Of a compressed tar nothing has been yielded then.
        """
        step = end - begin if self._size is None else _STEP
        for at in range(begin, end, step or 1):
            part = self.read(at, min(step, end - at))
            if len(part) < min(step, end - at):
                raise TarError("is cut off")
            yield part

    def read(self, at: int, size: int) -> bytes:
        """Some bytes; fewer at the end of the tar.

        Raises
        ------
        TarError
            If they cannot be had.
        """
        with self._readable():
            self._file.seek(at)
            if self._size is not None:
                return self._file.read(size)
            # What a header promises may not be there: memory only for what is.
            parts = []
            while size > 0 and (part := self._file.read(min(size, _STEP))):
                parts.append(part)
                size -= len(part)
            return b"".join(parts)

    def _reaches(self, end: int) -> bool:
        """Whether the tar is at least as long as that."""
        # That a compressed one is cut shows when the content, or the next header, is read.
        return self._size is None or end <= self._size

    def _extension(self, info: tarfile.TarInfo, data: int, last: str) -> bytes:
        if not 0 <= info.size <= _LONGEST_NAME:
            raise TarError(f"is damaged after {last}: a name of {info.size} bytes")
        content = self.read(data, info.size)
        if len(content) < info.size:
            raise TarError(f"is cut off after {last}")
        return content

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except EOFError:
            raise TarError("is cut off: the compressed data ends too early") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise TarError(f"cannot be decompressed: {error}") from None
        except OSError as error:
            raise TarError(f"cannot be read: {error.strerror}") from None


class TarReader(Tar):
    """A file that is a tar, perhaps compressed with gzip, open for reading.

    A context manager.

    Parameters
    ----------
    path : str or path
        Where it is.

    Attributes
    ----------
    about : os.stat_result
        What it was when it was opened.

    Raises
    ------
    OSError
        If it cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._raw = io.FileIO(path)
        try:
            self.about = os.fstat(self._raw.fileno())
            packed = os.pread(self._raw.fileno(), len(MAGIC), 0) == MAGIC
        except OSError:  # a pipe: it cannot be read twice
            self._raw.close()
            raise
        file = gzip.GzipFile(fileobj=self._raw) if packed else self._raw
        super().__init__(cast(BinaryIO, file), None if packed else self.about.st_size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._raw.close()


_EXTENSIONS = {
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.XGLTYPE,
}


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _overridden(info: tarfile.TarInfo, long_name: str | None, pax: dict[str, bytes]) -> tuple[str, int, bool]:
    """Name, size, and whether it is sparse, with what the headers before say."""
    name = info.name if long_name is None else long_name
    if "path" in pax:
        name = pax["path"].decode("utf-8", "surrogateescape").rstrip("/")
    size = info.size
    if pax.get("size", b"").isdigit():
        size = int(pax["size"])
    sparse = info.type == tarfile.GNUTYPE_SPARSE or any(key.startswith("GNU.sparse") for key in pax)
    return name, size, sparse


def _pax_records(content: bytes) -> dict[str, bytes]:
    """Records ``length key=value``."""
    records = {}
    at = 0
    while (record := _PAX_RECORD.match(content, at)) and (length := int(record[1])) > 0:
        records[record[2].decode("utf-8", "surrogateescape")] = content[record.end() : at + length - 1]
        at += length
    return records


def _refusal(kind: bytes, name: str, sparse: bool) -> str | None:
    if sparse:
        return "is a sparse file"
    if kind not in _REGULAR:
        return f"is {_KINDS.get(kind, 'of an unknown kind')}"
    if name.startswith("/") or ".." in name.split("/"):
        return "its name leads out of the tar"
    return None
