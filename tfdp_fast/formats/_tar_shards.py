"""Tars of documents, each with what belongs to it: shards of SA-1B and of WebDataset."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._output import Outputs
from tfdp_fast.errors import DataError
from tfdp_fast.formats._document_dataset import DocumentDataset, check_new_folder, is_folder
from tfdp_fast.formats._documents import LARGEST, PIECE, Document, Piece
from tfdp_fast.formats._files import FileVersion
from tfdp_fast.formats._gzip import packing
from tfdp_fast.formats._tar import BLOCK, Member, TarError, TarReader
from tfdp_fast.formats.dataset import OpenOptions, Problem

_NUMBERED = re.compile(r"(?:.*/)?sa_\d+\.json", re.DOTALL).fullmatch
_IMAGES = {"jpg", "jpeg", "png", "webp", "ppm", "pgm", "pbm", "pnm", "tif", "tiff", "bmp"}
_TARS = (".tar", ".tar.gz", ".tgz")
_RECORD = 20 * BLOCK
"""A tar is filled up to whole records, as the command ``tar`` does."""


def is_numbered_document(name: str) -> bool:
    """Whether a member is a document of SA-1B."""
    return bool(_NUMBERED(name))


def is_sample_document(name: str) -> bool:
    """Whether a member is the document of a sample of WebDataset."""
    return key_of(name)[1].lower() == "json"


def key_of(name: str) -> tuple[str, str]:
    """The key of a member, and its suffix: what is before and after the first dot of its base name."""
    folder, slash, base = name.rpartition("/")
    stem, _, suffix = base.partition(".")
    return folder + slash + stem, suffix


@dataclass
class _Sample:
    """Members of one key that follow each other.

    Attributes
    ----------
    key : str
        Theirs.
    documents : list of (Member, bytes)
        Those that are documents, and their contents.
    image : str or None
        The name of the first that is an image.
    problems : list of Problem
        What cannot be used between here and the next sample.
    """

    key: str = ""
    documents: list[tuple[Member, bytes]] = field(default_factory=list)
    image: str | None = None
    problems: list[Problem] = field(default_factory=list)


class TarShards(DocumentDataset[Piece]):
    """Tars, one after the other, read without unpacking them.

    Parameters
    ----------
    format, source, options
        See `DocumentDataset`.
    paths : list of str
        The tars.
    is_document : callable
        Whether a member of that name is a document.
    """

    nothing = "holds no documents"

    def __init__(
        self,
        format: str,
        source: str,
        options: OpenOptions,
        paths: list[str],
        is_document: Callable[[str], bool],
    ) -> None:
        super().__init__(format, source, options)
        self._paths = paths
        self._is_document = is_document
        self._by_key = format == "webdataset"
        self._versions: dict[int, FileVersion] = {}
        self.shards = len(paths)

    def pieces(self) -> Iterator[Piece]:
        """Documents of one shard each, with their contents."""
        for shard, path in enumerate(self._paths):
            try:
                reader = TarReader(path)
            except OSError as error:
                yield _set_aside(shard, path, f"cannot be read: {error.strerror}")
                continue
            with reader:
                self._versions[shard] = FileVersion(path, reader.about)
                yield from self._pieces_of(shard, reader)

    def load(self, piece: Piece) -> Piece:
        """The piece itself."""
        return piece

    def files_read(self) -> Iterable[os.stat_result]:
        """The tars."""
        for path in self._paths:
            with contextlib.suppress(OSError):  # whoever reads it will say so
                yield Path(path).stat()

    def check_unchanged(self) -> None:
        """Raise DataError if a tar is not what it was when it was read."""
        for version in self._versions.values():
            version.check()

    def check_shards(self, destination: Any) -> None:
        """A folder, or one tar."""
        if (
            isinstance(destination, (str, os.PathLike))
            and not is_folder(destination)
            and os.fspath(destination).endswith(_TARS)
        ):
            self.check_file(destination)
        else:
            check_new_folder(destination, "or as tars to a folder (ends in /) or a .tar")

    def write_shards(self, outputs: Outputs, destination: Any, kept: list[NDArray[np.int64]]) -> None:
        """Copy the members that stay with their headers: to one tar, or to one for each that is read."""
        chosen = [shard for shard, images in enumerate(kept) if len(images)]
        if is_folder(destination):
            target = outputs.folder(destination)
            for shard in chosen:
                path = target / Path(self._paths[shard]).name
                with path.open("wb") as file:
                    self._write_tar(file, str(path), [shard], kept)
        else:
            self._write_tar(outputs.open(destination), os.fspath(destination), chosen, kept)

    def _pieces_of(self, shard: int, reader: TarReader) -> Iterator[Piece]:
        path = self._paths[shard]
        # Relative to the data set, which may be the tar itself.
        folder = "" if path == self.source else Path(path).name + "/"
        root = f"{path}/".removesuffix(folder)
        items: list[Document | Problem] = []
        texts: list[bytes] = []
        size = position = 0

        def piece() -> Piece:
            return Piece(b"".join(texts), items, shard, root)

        for sample in self._samples(reader, path):
            for member, text in sample.documents:
                key = sample.key if self._by_key else None
                document = Document(folder + member.name, position, size, size + len(text), key, sample.image)
                items.append(document)
                texts.append(text)
                size += len(text)
                position += 1
            items += sample.problems
            if size >= PIECE:
                yield piece()
                items, texts, size = [], [], 0
        if items:
            yield piece()

    def _samples(self, reader: TarReader, path: str) -> Iterator[_Sample]:
        """The documents of a tar, with what belongs to them and what is wrong."""
        sample = _Sample()
        try:
            for member in reader.members():
                if (reason := self._unfit(member)) is not None:
                    sample.problems.append(Problem(f"member {member.name}", reason, 0, path))
                    continue
                key, suffix = key_of(member.name)
                if key != sample.key:
                    yield sample
                    sample = _Sample(key)
                if self._is_document(member.name):
                    sample.documents.append((member, reader.content(member)))
                elif sample.image is None and suffix.lower() in _IMAGES and self._by_key:
                    sample.image = member.name
        except TarError as error:
            record = "shard" if error.member is None else f"member {error.member}"
            sample.problems.append(Problem(record, error.reason, 0, path))
        yield sample

    def _unfit(self, member: Member) -> str | None:
        if member.size > LARGEST and self._is_document(member.name):
            return member.refusal or f"has {member.size:,} bytes"
        return member.refusal

    def _is_fit(self, member: Member) -> bool:
        return self._unfit(member) is None

    def _write_tar(self, file: BinaryIO, name: str, chosen: list[int], kept: list[NDArray[np.int64]]) -> None:
        packed = name if not name.endswith(".tgz") else f"{name}.gz"
        with packing(file, packed) as tar:
            written = 0
            for shard in chosen:
                positions = set(self.positions[kept[shard]].tolist())
                written += self._copy(shard, positions, tar)
            tar.write(bytes(-(-(written + 2 * BLOCK) // _RECORD) * _RECORD - written))

    def _copy(self, shard: int, positions: set[int], tar: BinaryIO) -> int:
        """Copy the members of some samples with their headers; how many bytes.

        Where the tar was cut, all before it is copied: what was read is what there is.
        """
        version = self._versions[shard]
        version.check()
        written = position = copied = 0
        with TarReader(self._paths[shard]) as reader:
            keys = self._keys(reader, positions)
            with contextlib.suppress(TarError):
                for member in filter(self._is_fit, reader.members()):
                    stays = key_of(member.name)[0] in keys
                    if self._is_document(member.name):
                        stays = position in positions
                        position += 1
                        copied += stays
                    if stays:
                        for part in reader.parts(member.begin, member.end):
                            written += tar.write(part)
        version.check()
        if copied < len(positions):
            raise DataError(self._paths[shard], None, "has changed since it was read")
        return written

    def _keys(self, reader: TarReader, positions: set[int]) -> set[str]:
        """The keys of some documents."""
        keys = set()
        position = 0
        with contextlib.suppress(TarError):
            for member in filter(self._is_fit, reader.members()):
                if self._is_document(member.name):
                    if position in positions:
                        keys.add(key_of(member.name)[0])
                    position += 1
        return keys


def _set_aside(shard: int, path: str, reason: str) -> Piece:
    return Piece(b"", [Problem("shard", reason, 0, path)], shard)
