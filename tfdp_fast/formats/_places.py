"""What is seen of a path from outside: its name, and names in it. Formats are recognised by that."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Protocol

from tfdp_fast.errors import DataError

__all__ = ["LocalPlace", "Place"]

FEW = 1000
"""Names of a folder that are looked at: there may be millions."""


class Place(Protocol):
    """A file or a folder, here or elsewhere."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The names on the way to it, its own last."""

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, as far as one can see."""

    @property
    def names(self) -> Mapping[str, bool]:
        """Some of the names in it, and whether each is a folder; DataError if it cannot be read."""

    def inside(self, name: str) -> Place:
        """What is of that name in it; it need not exist."""


class LocalPlace:
    """A path of this machine.

    Parameters
    ----------
    path : str or path
        It need not exist.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    @property
    def parts(self) -> tuple[str, ...]:
        """The names on the way to it."""
        return self._path.absolute().parts

    @cached_property
    def is_folder(self) -> bool:
        """Whether it is a folder: folders above may be closed to us."""
        try:
            return self._path.is_dir()
        except (OSError, ValueError):
            return False

    @cached_property
    def names(self) -> Mapping[str, bool]:
        """Some of the names in it."""
        if not self.is_folder:
            return {}
        try:
            with os.scandir(self._path) as entries:
                return {entry.name: _is_folder(entry) for entry in itertools.islice(entries, FEW)}
        except OSError as error:
            raise DataError(str(self._path), None, f"cannot be read: {error.strerror}") from error

    def inside(self, name: str) -> LocalPlace:
        """What is of that name in it."""
        return LocalPlace(self._path / name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in circles
        return False
