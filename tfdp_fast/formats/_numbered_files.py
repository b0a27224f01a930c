"""SA-1B as files: folders of ``sa_<n>.json``, a document each. There are eleven million."""

from __future__ import annotations

import io
import os
import re
import shutil
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._output import Outputs
from tfdp_fast.errors import DataError, OutputError
from tfdp_fast.formats._document_dataset import DocumentDataset, check_new_folder
from tfdp_fast.formats._documents import LARGEST, Document, Piece
from tfdp_fast.formats.dataset import OpenOptions, Problem

FILES = 32
"""Documents for each task: 2 to 3 MB, as a rule."""
_DOCUMENT = re.compile(r"sa_(\d{1,18})\.json").fullmatch
_SHARD = re.compile(r"sa_(\d+)(\.tar|\.tar\.gz|\.tgz)?").fullmatch


def number_of(name: str) -> int | None:
    """The number of a document by the name of its file; None if it is none."""
    match = _DOCUMENT(name)
    return None if match is None else int(match[1])


def is_shard(name: str) -> bool:
    """Whether something of that name is a shard, a tar or a folder."""
    return bool(_SHARD(name))


@dataclass
class Found:
    """What is in a folder.

    Attributes
    ----------
    path, name : str
        The folder's path, and what comes before the names of files to make them relative to the data set.
    numbers, digits : array
        Of each document its number, and how many digits it is written with.
    tars, folders : list of str
        Names of shards, in the order of their numbers.
    """

    path: str
    name: str = ""
    numbers: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    digits: NDArray[np.int8] = field(default_factory=lambda: np.empty(0, np.int8))
    tars: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)

    @classmethod
    def one(cls, path: str) -> Found:
        """A single document; DataError if it is none."""
        folder, name = os.path.split(path)
        match = _DOCUMENT(name)
        if match is None:
            raise DataError(path, None, "is no sa_<n>.json and no tar")
        if not Path(path).exists():
            raise DataError(path, None, "cannot be read: No such file or directory")
        return cls(
            folder or ".", numbers=np.array([int(match[1])]), digits=np.array([len(match[1])], np.int8)
        )

    def check_layout(self) -> None:
        """Raise DataError unless there is one of the three layouts, and no other."""
        layouts = {
            "sa_<n>.json": len(self.numbers),
            "sa_<n>.tar": len(self.tars),
            "folders sa_<n>": len(self.folders),
        }
        there = [layout for layout, n in layouts.items() if n]
        if len(there) != 1:
            reason = f"holds {' and '.join(there)}: which?" if there else f"holds no {', no '.join(layouts)}"
            raise DataError(self.path, None, reason)

    def document(self, position: int) -> str:
        """The name of a document's file."""
        return f"sa_{self.numbers[position]:0{self.digits[position]}d}.json"


class Entry(Protocol):
    """What is in a folder, as `os.scandir` tells it."""

    @property
    def name(self) -> str:
        """Its name in the folder."""

    def is_dir(self) -> bool:
        """Whether it is a folder."""

    def is_symlink(self) -> bool:
        """Whether it is a link to something else."""


def find(path: str, name: str = "") -> Found:
    """What is in a folder, by one look at all of its names.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    try:
        with os.scandir(path) as entries:
            return found_among(entries, path, name)
    except OSError as error:
        raise DataError(path, None, f"cannot be read: {error.strerror}") from error


def found_among(entries: Iterable[Entry], path: str, name: str = "") -> Found:
    """The same of a folder that somebody else has looked into."""
    found = Found(path, name)
    numbers, digits = array("q"), array("b")
    for entry in entries:
        if match := _DOCUMENT(entry.name):
            numbers.append(int(match[1]))
            digits.append(len(match[1]))
        elif match := _SHARD(entry.name):
            if match[2]:
                found.tars.append(entry.name)
            elif entry.is_symlink() or entry.is_dir():  # a link that leads nowhere will be told
                found.folders.append(entry.name)
    order = np.lexsort((digits, numbers))
    found.numbers = np.frombuffer(numbers, np.int64)[order]
    found.digits = np.frombuffer(digits, np.int8)[order]
    for names in (found.tars, found.folders):
        names.sort(key=lambda shard: (int(shard[3:].partition(".")[0]), shard))
    return found


class NumberedFiles(DocumentDataset[tuple[int, int, int]]):
    """Files in a folder, or in several; a piece is which of them, and the documents from where to where."""

    nothing = "holds no sa_<n>.json"

    def __init__(self, source: str, options: OpenOptions, folders: list[Found], root: str) -> None:
        super().__init__("sa1b", source, options)
        self._folders = folders
        self._root = root
        self.shards = len(folders)
        self.image_folder = Path(root)
        self.all_images = sum(len(folder.numbers) for folder in folders)

    def pieces(self) -> Iterator[tuple[int, int, int]]:
        """Some documents after the other."""
        for shard, folder in enumerate(self._folders):
            n = len(folder.numbers)
            for begin in range(0, n, FILES):
                yield shard, begin, min(begin + FILES, n)

    def load(self, piece: tuple[int, int, int]) -> Piece:
        """Read the files."""
        shard, first, last = piece
        folder = self._folders[shard]
        items: list[Document | Problem] = []
        texts: list[bytes] = []
        at = 0
        for position in range(first, last):
            name = folder.document(position)
            try:
                text, about = _content(f"{folder.path}/{name}")
            except OSError as error:
                reason = f"cannot be read: {error.strerror or error}"
                items.append(Problem("document", reason, 0, f"{folder.path}/{name}"))
                continue
            version = _version(about)
            items.append(Document(folder.name + name, position, at, at + len(text), version=version))
            texts.append(text)
            at += len(text)
        return Piece(b"".join(texts), items, shard, f"{self._root}/", folder.name)

    def files_read(self) -> Iterable[os.stat_result]:
        """None: a subset of files goes to a folder of its own, and a list has another suffix than they."""
        return ()

    def check_shards(self, destination: Any) -> None:
        """A folder."""
        check_new_folder(destination, "or to a folder (ends in /)")

    def write_shards(self, outputs: Outputs, destination: Any, kept: list[NDArray[np.int64]]) -> None:
        """Copy the documents that stay. Their images stay where they are."""
        target = outputs.folder(destination)
        for folder, images in zip(self._folders, kept, strict=True):
            if not len(images):
                continue
            into = target / folder.name
            into.mkdir(exist_ok=True)
            for position, version in zip(
                self.positions[images].tolist(), self.versions[images].tolist(), strict=True
            ):
                path = f"{folder.path}/{folder.document(position)}"
                if _copied(path, into) != version:
                    raise DataError(path, None, "has changed since it was read")


def _content(path: str) -> tuple[bytes, os.stat_result]:
    with io.FileIO(path) as file:
        about = os.fstat(file.fileno())
        if about.st_size > LARGEST:
            raise OSError(f"it has {about.st_size:,} bytes")
        return file.readall(), about


def _version(about: os.stat_result) -> int:
    """A number that is another one, most likely, when the file has changed."""
    return hash((about.st_size, about.st_mtime_ns))


def _copied(path: str, folder: Path) -> int:
    """Copy a file; its version."""
    try:
        about = Path(path).stat()
    except OSError as error:
        raise DataError(path, None, f"cannot be read any more: {error.strerror}") from error
    target = folder / Path(path).name
    try:
        shutil.copy2(path, target)
    except OSError as error:
        raise OutputError(f"{path}: cannot be copied: {error.strerror}") from error
    return _version(about)
