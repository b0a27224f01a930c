"""Subsets of YOLO data sets: a list of images, and a ``data.yaml`` that names it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tfdp_fast.errors import OptionError, OutputError
from tfdp_fast.formats._yolo_description import Description

_COMMENT = """\
# {kept} of {all} images of the split {split}, chosen by tfdp-fast. The list that stands there is the whole
# subset. Ultralytics sorts it by path, so its order means nothing. Leave `fraction` at 1: it would take the
# front of the sorted list.
"""


def is_yaml(destination: Any) -> bool:
    """Whether a destination is a path like ``X.yaml``."""
    if not isinstance(destination, (str, os.PathLike)):
        return False
    return Path(destination).suffix.lower() in {".yaml", ".yml"}


def check_suffix(destination: Any) -> None:
    """OptionError for a path that says that something else is expected than a list or a ``data.yaml``."""
    if isinstance(destination, (str, os.PathLike)):
        suffix = Path(destination).suffix
        if suffix.lower() not in {"", ".txt", ".yaml", ".yml"}:
            raise OptionError(f"a subset of YOLO is a list, .txt, or a .yaml with one, not {suffix}")


def list_beside(destination: str | os.PathLike[str]) -> Path:
    """Where the list of ``X.yaml`` is: ``X.txt``."""
    return Path(destination).with_suffix(".txt")


def list_lines(destination: Any, description: Description, names: Iterable[str]) -> Iterator[str]:
    """The lines of a list of images.

    Ultralytics takes what begins with ``./`` from the folder of the list, and the rest from the working
    directory. Within the data set lines are of the first kind, so that it can move; elsewhere they are whole
    paths.

    Raises
    ------
    OutputError
        If a name has what Python takes for a line break in it: it would be read as two.
    """
    root, folder = description.root, description.prefix
    if isinstance(destination, (str, os.PathLike)):
        base = Path(destination).resolve().parent
        if base.is_relative_to(root):
            folder = "./" + "../" * len(base.relative_to(root).parts)
    for name in names:
        if name.splitlines() != [name]:
            raise OutputError(f"a list cannot hold a name with a line break: {name!r}")
        yield name if name.startswith("/") else folder + name


def subset_yaml(description: Description, split: str, destination: Path, kept: int, of: int) -> bytes:
    """A ``data.yaml`` like the source's, but with a list in place of a split.

    Everything else is kept. In the root of the data set, ``path`` is left out: the root is where the file is
    then, wherever that is.
    """
    import yaml

    root = description.root
    content = dict(description.content)
    list_path = list_beside(destination).resolve()
    inside = list_path.is_relative_to(root)
    content[split] = list_path.relative_to(root).as_posix() if inside else str(list_path)
    if destination.absolute().parent.resolve() == root:
        content.pop("path", None)
    else:
        content = {"path": None, **content}
        content["path"] = str(root)
    comment = _COMMENT.format(kept=kept, all=of, split=split)
    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    return (comment + text).encode()
