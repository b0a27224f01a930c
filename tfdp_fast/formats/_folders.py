"""Folders of files."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from tfdp_fast.errors import DataError


def files_below(root: Path, wanted: Callable[[str], bool]) -> Iterator[str]:
    """The files in a folder and all folders below whose names are wanted.

    In the order of their names, folder by folder, the same on every file system. Symbolic links are followed.

    Parameters
    ----------
    root : Path
        The folder.
    wanted : callable
        Called with the name of each file.

    Yields
    ------
    str
        The path relative to the folder, with ``/``.

    Raises
    ------
    DataError
        If a folder cannot be read, or a symbolic link leads to a folder above it.
    """
    yield from _files_below(str(root), "", wanted, [])


def _files_below(
    folder: str, prefix: str, wanted: Callable[[str], bool], above: list[tuple[int, int]]
) -> Iterator[str]:
    try:
        about = Path(folder).stat()
        with os.scandir(folder) as found:
            entries = sorted(((entry.name, entry.is_dir()) for entry in found), key=lambda entry: entry[0])
    except OSError as error:
        raise DataError(folder, None, f"cannot be read: {error.strerror}") from error
    here = (about.st_dev, about.st_ino)
    if here in above:
        raise DataError(folder, None, "is a symbolic link to a folder above it")
    for name, is_folder in entries:
        if is_folder:
            yield from _files_below(f"{folder}/{name}", f"{prefix}{name}/", wanted, [*above, here])
        elif wanted(name):
            yield prefix + name


def folders_in(folder: Path) -> list[str]:
    """The names of the folders in a folder, ascending; DataError if it cannot be read."""
    try:
        with os.scandir(folder) as found:
            return sorted(entry.name for entry in found if entry.is_dir())
    except OSError as error:
        raise DataError(str(folder), None, f"cannot be read: {error.strerror}") from error


def is_folder(path: Path) -> bool:
    """Whether there is a folder by that name, as far as one can see: folders above may be closed to us."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):
        return False
