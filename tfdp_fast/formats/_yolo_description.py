"""`data.yaml`: what a YOLO data set is called, where it is, and which classes it has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfdp_fast.errors import DataError, MissingExtraError
from tfdp_fast.formats._files import read_whole

SPLITS = ("train", "val", "validation", "test", "minival")
"""The keys that name images; ``validation`` stands for ``val`` where that is not there."""


@dataclass(frozen=True)
class Description:
    """A file ``data.yaml``.

    Attributes
    ----------
    path : Path
        The file.
    stored : bytes
        What it holds.
    content : dict
        The same, parsed.
    root : Path
        The folder that the splits are relative to, without symbolic links.
    names : list of str
        The classes, by number.
    pose_words : int
        How many words a line with keypoints has, if the data set has such; else 0.
    """

    path: Path
    stored: bytes
    content: dict[Any, Any]
    root: Path
    names: list[str]
    pose_words: int

    @property
    def prefix(self) -> str:
        """What the paths begin with that are inside of the root."""
        return f"{self.root}/".replace("//", "/")

    def key_of(self, split: str) -> str:
        """The key under which a split is found; DataError, with those that are there, if it is not."""
        present = [key for key in SPLITS if _given(self.content, key)]
        key = "validation" if split == "val" and "val" not in present else split
        if key not in present:
            there = ", ".join(present) or "none"
            raise DataError(str(self.path), None, f"has no split {split!r}; there are: {there}")
        return key

    def entries(self, key: str) -> list[Path]:
        """The folders and lists under a key, as Ultralytics finds them, without symbolic links."""
        value = self.content[key]
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(entry, str) and "\0" not in entry for entry in values):
            raise DataError(str(self.path), None, f"{key} must be a path or a list of paths")
        return [self._resolved(entry) for entry in values]

    def _resolved(self, entry: str) -> Path:
        path = (self.root / entry).resolve()
        if entry.startswith("../") and not path.exists():
            return (self.root / entry[3:]).resolve()
        return path

    def lists(self) -> Iterator[Path]:
        """The lists of images of all splits."""
        for key in SPLITS:
            if _given(self.content, key):
                yield from (path for path in self.entries(key) if path.is_file())


def read_description(source: str | os.PathLike[str]) -> Description:
    """Read a ``data.yaml``, or the one in a folder.

    Raises
    ------
    DataError
        If there is none, or it cannot be used.
    MissingExtraError
        If PyYAML is not installed.
    """
    path = _find(Path(source))
    stored = read_whole(path)
    content = _parse(path, stored)
    return Description(
        path, stored, content, _root(path, content), _class_names(path, content), _pose_words(path, content)
    )


def _find(source: Path) -> Path:
    if not source.is_dir():
        return source
    usual = source / "data.yaml"
    if usual.is_file():
        return usual
    found = sorted(path for path in source.iterdir() if path.suffix in {".yaml", ".yml"})
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise DataError(str(source), None, f"holds no data.yaml, and not one file *.yaml either: {names}")
    return found[0]


def _parse(path: Path, stored: bytes) -> dict[Any, Any]:
    try:
        import yaml
    except ImportError:
        raise MissingExtraError("pyyaml", "yolo") from None
    try:
        # Not libyaml, which ends the process over brackets nested too deep.
        content = yaml.safe_load(stored.decode("utf-8-sig"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataError(str(path), None, f"is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise DataError(str(path), None, "is not a YAML mapping")
    return content


def _given(content: dict[Any, Any], key: str) -> bool:
    """Whether a key has a value; Ultralytics takes the text None for none."""
    return content.get(key) not in (None, "None", "", [])


def _root(path: Path, content: dict[Any, Any]) -> Path:
    beside = path.absolute().parent
    if not _given(content, "path"):
        return beside.resolve()
    named = content["path"]
    if not isinstance(named, str) or "\0" in named:
        raise DataError(str(path), None, f"path must be text, not {named!r}")
    for folder in (beside / named, Path.cwd() / named):
        if folder.is_dir():
            return folder.resolve()
    raise DataError(
        str(path),
        None,
        f"its path {named!r} is no folder, neither beside it nor in the working directory "
        "(the datasets_dir of Ultralytics is not looked at: give the whole path)",
    )


def _class_names(path: Path, content: dict[Any, Any]) -> list[str]:
    number, names = content.get("nc"), content.get("names")
    if number is not None and (not isinstance(number, int) or isinstance(number, bool) or number < 1):
        raise DataError(str(path), None, f"nc must be a whole number of at least 1, not {number!r}")
    if names is None:
        if number is None:
            raise DataError(str(path), None, "has neither names nor nc")
        return [f"class_{i}" for i in range(number)]
    if isinstance(names, list):
        names = dict(enumerate(names))
    try:
        by_number = {int(key): str(name) for key, name in names.items()}
    except (AttributeError, TypeError, ValueError):
        raise DataError(str(path), None, "names must be a list, or a mapping from whole numbers") from None
    if sorted(by_number) != list(range(len(names))) or not names:
        raise DataError(str(path), None, "names must be those of the classes 0, 1, 2 and so on, without gaps")
    if number not in (None, len(names)):
        raise DataError(str(path), None, f"nc is {number}, but there are {len(names)} names")
    return [by_number[i] for i in range(len(names))]


def _pose_words(path: Path, content: dict[Any, Any]) -> int:
    shape = content.get("kpt_shape")
    if shape is None:
        return 0
    match shape:
        case [int(points), int(values)]:
            return 5 + points * values
    raise DataError(str(path), None, f"kpt_shape must be two whole numbers, not {shape!r}")
