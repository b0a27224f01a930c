"""Shards: the pieces of a data set that are scored one by one, each of them by one task."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any, get_args

from tfdp_fast._batches import fill_convention
from tfdp_fast.errors import OptionError
from tfdp_fast.formats.dataset import Difficult, OnError
from tfdp_fast.formats.opening import FORMATS
from tfdp_fast.masks import Polygons

__all__ = ["MeasuringOptions", "Shard"]

COUNTS_FORMAT = 1
"""Of counts files: raised when the same shard would give other rows, or an older version cannot read them."""

_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_STEM = 60


@dataclass(frozen=True)
class MeasuringOptions:
    """What boundary counts depend on, beside the shards themselves. All shards of a run share them.

    Attributes
    ----------
    polygons : {"coco", "opencv"}
        How polygons become masks.
    on_error : {"raise", "skip"}
        Whether an annotation that cannot be used fails its shard, or is set aside.
    format : str or None
        The format of the shards, where their paths do not say it; see `tfdp_fast.open_dataset`.
    split, difficult, image_size
        For some formats; see `tfdp_fast.open_dataset`.

    Examples
    --------
    >>> MeasuringOptions(polygons="opencv").differences(MeasuringOptions())
    ["polygons: 'coco' now, 'opencv' before"]
    """

    polygons: Polygons = "coco"
    on_error: OnError = "raise"
    format: str | None = None
    split: str | None = None
    difficult: Difficult = "include"
    image_size: tuple[int, int] | None = None

    def check(self) -> None:
        """Raise OptionError if one of them makes no sense."""
        fill_convention(self.polygons)
        if self.on_error not in get_args(OnError):
            raise OptionError(f"on_error must be 'raise' or 'skip', got {self.on_error!r}")
        if self.format is not None and self.format not in FORMATS:
            raise OptionError(f"format must be one of {', '.join(FORMATS)}, got {self.format!r}")
        if self.difficult not in get_args(Difficult):
            raise OptionError(f"difficult must be 'include' or 'exclude', got {self.difficult!r}")

    def to_json(self) -> dict[str, Any]:
        """As what JSON has."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> MeasuringOptions:
        """From what `to_json` returns; KeyError or TypeError if it is something else."""
        values = {field.name: found[field.name] for field in fields(cls)}
        size = values["image_size"]
        return cls(**values | {"image_size": None if size is None else (int(size[0]), int(size[1]))})

    @property
    def sha256(self) -> str:
        """SHA-256 in hex of all of them, and of the format of counts files."""
        text = json.dumps([COUNTS_FORMAT, self.to_json()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def differences(self, now: MeasuringOptions) -> list[str]:
        """What is different now, a line each."""
        before, other = self.to_json(), now.to_json()
        return [
            f"{name}: {other[name]!r} now, {value!r} before"
            for name, value in before.items()
            if other[name] != value
        ]


@dataclass(frozen=True)
class Shard:
    """A piece of a data set: a data set of its own, as a rule a file, or a part of one.

    Attributes
    ----------
    name : str
        What it is called in messages and files; no other shard of the run has the name.
    path : str or None
        Where it is; None if `make` makes it.
    size : int
        Its bytes; 0 where that is not known.
    modified : int
        When it was changed last, in nanoseconds; 0 where that is not known.
    begin, end : int or None
        Which part of it: of a Parquet file the row groups from `begin` to `end` - 1, of a folder of
        ``sa_<n>.json`` the numbers from `begin` to `end` - 1. None for all of it.
    prefix : str
        What comes before the file names of its images, for a folder of ``sa_<n>.json`` in a larger one.
    version : str
        What tells it from another one of the same name, where size and time do not.
    make : callable, optional
        Returns what `tfdp_fast.open_dataset` takes. Engines other than threads send it to another process, so
        it must be possible to pickle it.

    Examples
    --------
    >>> Shard("sa1b/sa_000017.tar", "sa1b/sa_000017.tar").key
    'sa_000017.tar-994c3bb00f86'
    >>> pieces = [[{"image_id": 1, "height": 9, "width": 9, "annotations": []}]]
    >>> Shard("piece 0", make=lambda: pieces[0]).name
    'piece 0'
    """

    name: str
    path: str | None = None
    size: int = 0
    modified: int = 0
    begin: int | None = None
    end: int | None = None
    prefix: str = ""
    version: str = ""
    make: Callable[[], Any] | None = None

    def __post_init__(self) -> None:
        """Check that it is one or the other."""
        if (self.path is None) == (self.make is None):
            raise OptionError(f"shard {self.name!r} needs a path, or a function that makes it")

    @property
    def key(self) -> str:
        """What its files are called, without their suffix: letters, digits, dots, dashes, underscores."""
        stem = _UNFIT.sub("_", self.name.rstrip("/").rpartition("/")[2])[-_LONGEST_STEM:].strip("._")
        digest = hashlib.sha256(self.name.encode("utf-8", "surrogateescape")).hexdigest()
        return f"{stem or 'shard'}-{digest[:12]}"

    @property
    def identity(self) -> dict[str, Any]:
        """What it is, for a file of JSON: all but how it is made."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "make"}

    @classmethod
    def from_identity(cls, found: dict[str, Any], make: Callable[[], Any] | None = None) -> Shard:
        """From its identity, and how it is made if it has no path; KeyError or TypeError if it is none."""
        names = [field.name for field in fields(cls) if field.name != "make"]
        return cls(**{name: found[name] for name in names}, make=make)
