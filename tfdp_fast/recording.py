"""The record of a pruning: what was done to what, so that it can be repeated and checked."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
import platform
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from tfdp_fast import __version__, _core
from tfdp_fast._text import one_line
from tfdp_fast.boundary import BoundaryCounts
from tfdp_fast.errors import DataError
from tfdp_fast.formats._files import read_whole
from tfdp_fast.formats.dataset import Dataset, Difficult, Fingerprint, OnError
from tfdp_fast.masks import Polygons
from tfdp_fast.presets import PresetName
from tfdp_fast.scores import Scores, Variant, scale_invariant
from tfdp_fast.selection import Of, Subset
from tfdp_fast.strategies import Strategy
from tfdp_fast.totals import ClassTotals

__all__ = [
    "ClassRecord",
    "ListRecord",
    "Options",
    "Outcome",
    "Record",
    "load_record",
    "outcome_of",
    "record_of",
]


class SourceRecord(msgspec.Struct, frozen=True):
    """What was pruned.

    Attributes
    ----------
    path : str or None
        Relative to the folder of the record; None if it was no file or folder.
    format : str
        Of the data set.
    split, difficult, image_size, on_error, preset
        How it was opened; see `open_dataset`.
    fingerprint : Fingerprint or None
        What its annotation files held.
    """

    path: str | None
    format: str
    split: str | None
    difficult: Difficult
    image_size: tuple[int, int] | dict[str, tuple[int, int]] | None
    on_error: OnError
    fingerprint: Fingerprint | None
    preset: PresetName | None = None

    def opening(self) -> dict[str, Any]:
        """As arguments of `open_dataset`."""
        names = ("format", "split", "difficult", "image_size", "on_error", "preset")
        return {name: getattr(self, name) for name in names}


class ListRecord(msgspec.Struct, frozen=True):
    """Images that were listed.

    Attributes
    ----------
    name : str or None
        Of the file, without its folder; None if it was none.
    images : int
        How many it lists.
    sha256 : str
        Of the ids that it lists; see `Subset.sha256`.
    """

    name: str | None
    images: int
    sha256: str


class Options(msgspec.Struct, frozen=True, omit_defaults=True):
    """How images were chosen, and how they were scored: arguments of `prune`. Shares are fractions.

    There is no strategy if the best images were chosen, or if they were listed.
    """

    rate: str | None
    keep: str | None
    k: int | None
    of: Of
    variant: Variant
    polygons: Polygons
    strategy: Strategy | None = None
    ids: ListRecord | None = None

    def selection(self) -> dict[str, Any]:
        """Which images to keep, as arguments of `select`."""
        rate, keep = (None if share is None else Fraction(share) for share in (self.rate, self.keep))
        chosen = dataclasses.asdict(self.strategy or Strategy())
        chosen["strategy"] = chosen.pop("name")
        return {"rate": rate, "keep": keep, "k": self.k, "of": self.of, **chosen}

    @classmethod
    def of_arguments(cls, share: dict[str, Any], **options: Any) -> Options:
        """From rate, keep and k as they were given, and the rest."""
        rate, keep = (
            None if share[name] is None else str(Fraction(str(share[name]))) for name in ("rate", "keep")
        )
        return cls(rate, keep, None if share["k"] is None else int(share["k"]), **options)

    @property
    def format(self) -> Literal[1, 2]:
        """The oldest format of a record that can hold them."""
        return 1 if self.strategy is None and self.ids is None else 2


class ClassRecord(msgspec.Struct, frozen=True):
    """A class before and after: its instances, and its total T_c (Eq. 13) over them."""

    id: int | str
    name: str
    before: int
    after: int
    total_before: float
    total_after: float


class Outcome(msgspec.Struct, frozen=True):
    """What came out.

    Attributes
    ----------
    images : dict of str to int
        ``total``, ``candidates``, ``kept``, ``dropped``: the last two add up to the candidates.
    annotations : dict of str to int
        ``kept`` and ``dropped`` count records of the source; ``scored``, ``degenerate`` (no area), ``crowd``,
        ``ignored`` and ``set_aside`` say what they were.
    classes : list of ClassRecord
        In the data set's order.
    sha256 : str
        Of the ids that are kept; see `Subset.sha256`.
    """

    images: dict[str, int]
    annotations: dict[str, int]
    classes: list[ClassRecord]
    sha256: str


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """All of ``pruning.json``."""

    format: Literal[1, 2] = 1  # raised when an older version could not read what this one writes
    source: SourceRecord
    options: Options
    outcome: Outcome
    outputs: dict[str, str]
    versions: dict[str, str]

    def to_json(self) -> bytes:
        """As text, indented, with a line break at the end."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


def load_record(path: str | os.PathLike[str]) -> Record:
    """Read the record of a pruning.

    Raises
    ------
    DataError
        If it cannot be read, or is none.
    """
    try:
        return msgspec.json.decode(read_whole(path), type=Record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(os.fspath(path), None, f"is no record of a pruning: {error}") from error


def record_of(
    dataset: Dataset, options: Options, outcome: Outcome, outputs: dict[str, Path], folder: Path
) -> Record:
    """The record of a pruning, to be put into a folder: paths are relative to it."""
    opened = dataset.options
    size = opened.image_size
    source = SourceRecord(
        path=_relative(dataset.source, folder) if dataset.is_file else None,
        format=dataset.format,
        split=opened.split,
        difficult=opened.difficult,
        image_size=dict(size) if isinstance(size, Mapping) else size,
        on_error=dataset.on_error,
        fingerprint=dataset.fingerprint(),
        preset=opened.preset,
    )
    names = {what: _relative(path, folder) for what, path in outputs.items()}
    return Record(
        format=options.format,
        source=source,
        options=options,
        outcome=outcome,
        outputs=names,
        versions=_versions(),
    )


def _relative(path: str | os.PathLike[str], folder: Path) -> str:
    """A path seen from a folder. One that is no UTF-8 is spelt out, and will have to be said again."""
    found = os.path.relpath(Path(path).absolute(), folder.absolute())
    return found if _is_unicode(found) else one_line(found)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def outcome_of(scores: Scores, subset: Subset, annotations_kept: int, annotations_dropped: int) -> Outcome:
    """Count what was kept and dropped."""
    images, instances, classes = scores.images, scores.instances, scores.classes
    assert instances is not None
    assert classes is not None
    kept = np.isin(instances.image_id, subset.image_ids)
    totals = ClassTotals(
        "si_scs" if scale_invariant(scores.variant or "tfdp") else "scs", classes.id.tolist()
    )
    totals.add(
        instances.category_id[kept],
        BoundaryCounts(instances.straight[kept], instances.diagonal[kept], instances.area2[kept]),
    )
    columns = (classes.id, classes.name, classes.instances, totals.instances, classes.total, totals.totals)
    return Outcome(
        images={
            "total": len(images),
            "candidates": subset.candidates,
            "kept": subset.k,
            "dropped": subset.candidates - subset.k,
        },
        annotations={
            "kept": annotations_kept,
            "dropped": annotations_dropped,
            "scored": len(instances),
            "degenerate": int(np.count_nonzero(instances.area2 == 0)),
            "crowd": scores.crowd,
            "ignored": scores.ignored,
            "set_aside": len(scores.problems),
        },
        classes=[ClassRecord(*row) for row in zip(*(c.tolist() for c in columns), strict=True)],
        sha256=subset.sha256,
    )


def _versions() -> dict[str, str]:
    """Of everything that a result might depend on."""
    packages = ("numpy", "numba", "msgspec")
    return {
        "tfdp-fast": __version__,
        "build": _core.build,
        "Python": platform.python_version(),
        **{package: importlib.metadata.version(package) for package in packages},
    }
