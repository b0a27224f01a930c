"""Data sets of documents of one image each, wherever they are."""

from __future__ import annotations

import abc
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._core import FillConvention
from tfdp_fast._output import Outputs, check_folder, check_output, refuse_to_overwrite
from tfdp_fast.errors import DataError, OptionError, OutputError, TfdpError
from tfdp_fast.formats._document_records import OBJECT
from tfdp_fast.formats._documents import DocumentChunk, Piece, read_piece
from tfdp_fast.formats._lists import write_lines
from tfdp_fast.formats._streamed import NO_IDS, Chunk, StreamedDataset
from tfdp_fast.formats.dataset import OpenOptions

PieceT = TypeVar("PieceT")


class DocumentDataset(StreamedDataset[PieceT]):
    """Documents in shards: tars, folders, or a file of lines.

    Of a document nothing is kept but where it is from: the shard, and its number in it. A subset is a list of
    file names, or new shards of what stays.
    """

    shards: int
    """How many shards there are."""
    takes_files = False
    """Whether new shards can be written to a binary file; else a list is."""
    nothing: str
    """What is said of a source without a single document."""

    def __init__(self, format: str, source: str, options: OpenOptions) -> None:
        super().__init__(source, options.on_error, fingerprint=options.fingerprint)
        self.format = format

    @abc.abstractmethod
    def load(self, piece: PieceT) -> Piece:
        """The documents of a piece. Called on several threads at once."""

    @abc.abstractmethod
    def files_read(self) -> Iterable[os.stat_result]:
        """What must not be overwritten."""

    @abc.abstractmethod
    def check_shards(self, destination: Any) -> None:
        """Raise OptionError or OutputError if new shards cannot be written there."""

    @abc.abstractmethod
    def write_shards(self, outputs: Outputs, destination: Any, kept: list[NDArray[np.int64]]) -> None:
        """Write documents byte for byte, and what belongs to them.

        `kept` are the images that stay, for each shard.
        """

    def read(self, piece: PieceT, convention: FillConvention, *, again: bool) -> Chunk:
        """Read and measure a piece; see `StreamedDataset.read`."""
        hashing = self.hashing and not again
        return read_piece(self.load(piece), convention, hashing=hashing, with_masks=again)

    def check_destination(self, destination: Any) -> None:
        """Raise what writing there would raise at once; see `Dataset.check_destination`."""
        if self._is_list(destination):
            self.check_file(destination)
        else:
            self.check_shards(destination)

    def check_file(self, destination: Any) -> None:
        """Raise OutputError if a file cannot be written, or is one of those that are read."""
        check_output(destination)
        for about in self.files_read():
            refuse_to_overwrite(destination, about)

    def write_into(
        self, outputs: Outputs, destination: Any, keep: NDArray[np.bool_], drop_rows: NDArray[np.int64]
    ) -> int:
        """Write a list of file names, or new shards.

        Documents stay whole: what `drop_rows` says is checked, and makes no difference.
        """
        keep, _ = self.check_selection(keep, drop_rows)
        self.check_destination(destination)
        chosen = np.flatnonzero(keep)
        if self._is_list(destination):
            write_lines(outputs, destination, self._names(chosen))
        else:
            ends = np.searchsorted(self._shard[chosen], np.arange(1, self.shards))
            self._write_shards(outputs, destination, np.split(chosen, ends))
        return int(self._image_records[chosen].sum())

    def _write_shards(self, outputs: Outputs, destination: Any, kept: list[NDArray[np.int64]]) -> None:
        try:
            self.write_shards(outputs, destination, kept)
        except OSError as error:
            # What a file object raises is raised as it is.
            if isinstance(error, TfdpError) or not isinstance(destination, (str, os.PathLike)):
                raise
            raise OutputError(f"{destination}: {error.strerror or error}") from error

    def _is_list(self, destination: Any) -> bool:
        if isinstance(destination, (str, os.PathLike)):
            return not is_folder(destination) and Path(destination).suffix.lower() == ".txt"
        return not self.takes_files

    def _names(self, chosen: NDArray[np.int64]) -> Iterator[str]:
        for position in chosen.tolist():
            name = self.file_names[position]
            if name is None:
                record = f"image {self.image_ids[position]}"
                raise DataError(self.source, record, "has no file name, and cannot stand in a list")
            yield str(name)

    def _join(self, chunks: list[Chunk]) -> NDArray[np.int64]:
        counts = super()._join(chunks)
        ours = [chunk for chunk in chunks if isinstance(chunk, DocumentChunk)]
        if not len(self.image_ids) and not self.problems:
            raise DataError(self.source, None, self.nothing)
        self._shard = np.concatenate([NO_IDS, *(chunk.shards for chunk in ours)])
        self.positions = np.concatenate([NO_IDS, *(chunk.positions for chunk in ours)])
        self.versions = np.concatenate([NO_IDS, *(chunk.versions for chunk in ours)])
        self._image_records = np.concatenate([NO_IDS, *(chunk.image_records for chunk in ours)])
        if all(chunk.of_sa1b for chunk in ours) and self.category_ids.tolist() == [OBJECT]:
            self.category_names = ["object"]
        return counts


def is_folder(destination: str | os.PathLike[str]) -> bool:
    """Whether a path stands for a folder: it ends in a slash, or is there."""
    return os.fspath(destination).endswith("/") or Path(destination).is_dir()


def check_new_folder(destination: Any, otherwise: str) -> None:
    """Raise OptionError unless a destination is a folder, and OutputError unless it can be made."""
    if not isinstance(destination, (str, os.PathLike)) or not is_folder(destination):
        raise OptionError(f"{destination}: a subset goes to a .txt of file names, {otherwise}")
    check_folder(destination)
