"""What a run reads: from the paths and wildcards that the user gives to files and folders, in order."""

from __future__ import annotations

import os
import re
import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tfdp_fast.distributed.listings import (
    Entry,
    RemotePlace,
    Stat,
    entries,
    files_below,
    has_wildcards,
    look,
    matches,
)
from tfdp_fast.distributed.staging import staged
from tfdp_fast.distributed.storage import Storage, filesystem_of, is_remote, joined, parted
from tfdp_fast.errors import DataError, OptionError
from tfdp_fast.formats._arrow_tables import STATE, is_table, listed_in
from tfdp_fast.formats._folders import files_below as files_below_here
from tfdp_fast.formats._numbered_files import found_among, is_shard, number_of
from tfdp_fast.formats._places import LocalPlace, Place
from tfdp_fast.formats.opening import fitting, recognised

__all__ = ["Input", "expand", "identities", "identity", "staged"]

_FILES_OF: dict[str, Callable[[str], object]] = {
    "webdataset": re.compile(r".*(?:\.tar|\.tar\.gz|\.tgz)", re.DOTALL).fullmatch,
    "jsonl": re.compile(r".*\.(?:jsonl|ndjson)(?:\.gz)?", re.DOTALL).fullmatch,
    "coco": re.compile(r".*\.json(?:\.gz)?", re.DOTALL).fullmatch,
}
"""Formats whose folders are their files, in the order of their names."""
_SUFFIXES = {"webdataset": "*.tar", "jsonl": "*.jsonl", "coco": "*.json"}


@dataclass(frozen=True)
class Input:
    """A file or a folder that is a data set of its own.

    Attributes
    ----------
    path : str
        Its location; absolute, if it is on this machine.
    size : int
        Bytes of a file; 0 for a folder, into which nobody has looked yet.
    modified : int
        When a file was changed last, in nanoseconds; 0 for a folder, and where that is not known.
    is_folder : bool
        Whether it is a folder.
    prefix : str
        What comes before the file names of its images, because it is a folder in one that was named.
    """

    path: str
    size: int
    modified: int
    is_folder: bool = False
    prefix: str = ""


def expand(sources: Sequence[str], format: str | None = None) -> list[Input]:
    """The files and folders that paths stand for.

    A path that exists is taken as it is. Else it may have wildcards, ``*``, ``?``, ``[...]`` and ``**``, as
    in a shell. A folder that consists of data sets becomes what is in it, in the order in which
    `tfdp_fast.open_dataset` reads it: tars, sub-folders ``sa_<n>``, tables, and files of lines of JSON. Other
    folders (of documents ``sa_<n>.json``, of VOC, Cityscapes or YOLO) stay one.

    Parameters
    ----------
    sources : sequence of str
        Local paths, or addresses; see `tfdp_fast.distributed.storage.filesystem_of`.
    format : str, optional
        Of all of them, where it is not recognised; see `tfdp_fast.open_dataset`. With ``"coco"`` a folder
        stands for its ``*.json`` and ``*.json.gz``.

    Returns
    -------
    list of Input
        In the order of the sources; what a wildcard stands for by the order of its characters.

    Raises
    ------
    DataError
        If there is nothing, it cannot be read, or a folder is no data set.
    OptionError
        If something is given twice.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("sa_10.tar", "sa_9.tar", "notes.txt"):
    ...         written = Path(folder, name).write_text(name)
    ...     by_folder = [Path(found.path).name for found in expand([folder])]
    ...     by_names = [Path(found.path).name for found in expand([f"{folder}/*.tar"])]
    >>> by_folder, by_names
    (['sa_9.tar', 'sa_10.tar'], ['sa_10.tar', 'sa_9.tar'])
    """
    found: list[Input] = []
    for source in sources:
        for location, entry in _named(source):
            if entry.is_dir():
                found += _inside(location, format)
            else:
                found.append(_file(location, entry))
    _check_once(found)
    return found


def identity(path: str, begin: int | None = None, end: int | None = None) -> tuple[int, int]:
    """What a file or a folder is now: bytes, and when it was changed last, in nanoseconds.

    Of a folder with documents ``sa_<n>.json`` these count, of another one all files in it and below: the sum
    of their bytes, and the latest change.

    Parameters
    ----------
    path : str
        Where it is.
    begin, end : int, optional
        Only documents whose numbers are from `begin` to `end` - 1.

    Returns
    -------
    size, modified : int
        The latter is 0 where it is not known.

    Raises
    ------
    DataError
        If there is nothing, or it cannot be read.
    """
    found = look(path)
    if found is None:
        raise DataError(path, None, "cannot be read: No such file or directory")
    if not found.is_dir():
        return _sum([_stat(path, found)])
    if begin is not None and end is not None:
        return identities(path, [(begin, end)])[0]
    documents = _sum(_stat(path, entry) for entry in entries(path) if number_of(entry.name) is not None)
    return documents if documents[0] else _sum(_stat(path, entry) for _, entry in files_below(path))


def identities(folder: str, ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same of documents ``sa_<n>.json`` by ranges of their numbers, by one look at the folder.

    Parameters
    ----------
    folder : str
        Where they are.
    ranges : sequence of (int, int)
        The first number of each range, and the first after it; ascending, none overlaps another one.

    Raises
    ------
    DataError
        If the folder cannot be read.
    """
    begins = [begin for begin, _ in ranges]
    sums = [(0, 0)] * len(ranges)
    for entry in entries(folder):
        number = number_of(entry.name)
        at = -1 if number is None else bisect_right(begins, number) - 1
        if number is not None and at >= 0 and number < ranges[at][1]:
            size, modified = _sum([_stat(folder, entry)])
            sums[at] = (sums[at][0] + size, max(sums[at][1], modified))
    return sums


def _sum(found: Iterable[Stat]) -> tuple[int, int]:
    size = modified = 0
    for one in found:
        size += one.st_size
        modified = max(modified, one.st_mtime_ns)
    return size, modified


def _stat(location: str, entry: Entry) -> Stat:
    """The size and time of an entry of a folder, or of what is at a location itself."""
    try:
        return entry.stat()
    except OSError as error:
        raise DataError(location, entry.name, f"cannot be read: {error.strerror}") from error


def _file(location: str, entry: Entry) -> Input:
    return Input(location, *_sum([_stat(location, entry)]))


def _named(source: str) -> list[tuple[str, Entry]]:
    """What a path of the user's stands for."""
    if not source or "\0" in source:
        raise OptionError(f"{source!r} is not the name of a file or a folder")
    location = source.rstrip("/") if is_remote(source) else _absolute(filesystem_of(source)[1])
    found = look(location)
    if found is not None:
        return [(location, found)]
    if not has_wildcards(location):
        raise DataError(source, None, "cannot be read: No such file or directory")
    named = matches(location)
    if not named:
        raise DataError(source, None, "stands for no file and no folder")
    return named


def _absolute(path: str) -> str:
    """The same, whatever the working directory; a link is not followed where nothing depends on it."""
    return os.path.realpath(path) if ".." in path.split("/") else os.path.abspath(path)  # noqa: PTH100


def _inside(folder: str, format: str | None) -> list[Input]:
    """The data sets in a folder, or the folder itself, if it is one."""
    found: Iterable[Entry] = entries(folder)
    place: Place = LocalPlace(folder)
    if is_remote(folder):
        place = RemotePlace(folder, found := list(found))
    if format is None and not fitting(place) and any(map(_FILES_OF["jsonl"], place.names)):
        format = "jsonl"
    format = format or recognised(folder, place)
    if format == "sa1b":
        return _numbered(folder, found)
    if format == "arrow":
        return _tables(folder)
    if format in _FILES_OF:
        chosen = {entry.name: entry for entry in found if _FILES_OF[format](entry.name)}
        if not chosen:
            raise DataError(folder, None, f"holds no {_SUFFIXES[format]}")
        return [_file(joined(folder, name), chosen[name]) for name in sorted(chosen)]
    if is_remote(folder):
        raise DataError(folder, None, f"{format} is read from a folder of this machine only: copy it here")
    return [Input(folder, 0, 0, is_folder=True)]


def _numbered(folder: str, found: Iterable[Entry]) -> list[Input]:
    """What is in a folder with the layout of SA-1B."""
    shards: dict[str, Entry] = {}

    def noted() -> Iterator[Entry]:
        for entry in found:
            if is_shard(entry.name):
                shards[entry.name] = entry
            yield entry

    layout = found_among(noted(), folder)
    layout.check_layout()
    if len(layout.numbers):
        return [Input(folder, 0, 0, is_folder=True)]
    return [
        *(_file(joined(folder, name), shards[name]) for name in layout.tars),
        *(Input(joined(folder, name), 0, 0, True, f"{name}/") for name in layout.folders),
    ]


def _tables(folder: str) -> list[Input]:
    if is_remote(folder):
        files = dict(files_below(folder))
        if STATE in files:
            names = _listed_elsewhere(folder)
        else:
            tables = (name for name in files if is_table(name.rpartition("/")[2]))
            names = sorted(tables, key=lambda name: name.split("/"))
    else:
        files = {}
        here = Path(folder)
        names = listed_in(here) if (here / STATE).is_file() else list(files_below_here(here, is_table))
    if not names:
        raise DataError(folder, None, "holds no *.parquet, *.arrow or *.feather")
    inputs = []
    for name in names:
        location = joined(folder, name)
        entry = files.get(name) or look(location)
        if entry is None:
            raise DataError(location, None, "cannot be read: No such file or directory")
        inputs.append(_file(location, entry))
    return inputs


def _listed_elsewhere(folder: str) -> list[str]:
    content = Storage(folder).read_bytes(STATE)
    with tempfile.TemporaryDirectory() as here:
        Path(here, STATE).write_bytes(content)
        try:
            return listed_in(Path(here))
        except DataError as error:
            raise DataError(joined(folder, STATE), None, error.reason) from error


def _check_once(inputs: Sequence[Input]) -> None:
    """Raise OptionError if a file or a folder is there twice, by whatever spelling, or in another one."""

    @cache
    def real(folder: str) -> str:
        return os.path.realpath(folder)

    seen: dict[tuple[str, str], bool] = {}
    for one in inputs:
        root, path, _ = parted(one.path)
        if not root:
            folder, _, name = path.rpartition("/")
            path = f"{real(folder or '/').rstrip('/')}/{name}"
        if (root, path) in seen:
            raise OptionError(f"{one.path} is given twice")
        seen[root, path] = one.is_folder
    if not any(seen.values()):
        return
    for root, path in seen:
        above = path
        while above := above.rpartition("/")[0]:
            if seen.get((root, above)):
                raise OptionError(f"{root}{path} is given twice: {root}{above} holds it")
