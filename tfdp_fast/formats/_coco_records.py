"""The records of COCO's three lists: the keys that count, their types, and what is wrong with a record."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from tfdp_fast._core import max_side
from tfdp_fast.formats.dataset import Problem

INT64 = range(-(2**63), 2**63)
MAX_TEXT_ID = 1024


class Record(msgspec.Struct, gc=False):
    """An element of a list."""

    id: int | str


class Image(Record, gc=False):
    """An element of ``images``."""

    height: int | float
    width: int | float
    file_name: str | None = None
    coco_url: str | None = None


class Category(Record, gc=False):
    """An element of ``categories``."""

    name: str | None = None


class Annotation(Record, gc=False):
    """An element of ``annotations``, all but its segmentation."""

    image_id: int | str
    category_id: int | str
    iscrowd: bool | int | float | None = 0
    ignore: bool | int | float | None = 0


class JsonAnnotation(Annotation, gc=False, kw_only=True):
    """One in JSON text, where the segmentation is a piece of the text."""

    segmentation: msgspec.Raw


class ObjectAnnotation(Annotation, gc=False, kw_only=True):
    """One among Python objects."""

    segmentation: Any


RecordT_co = TypeVar("RecordT_co", bound=Record, covariant=True)


def _is_id(value: Any) -> bool:
    return isinstance(value, (int, str)) and not isinstance(value, bool)


def _is_side(value: Any) -> bool:
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return whole and not isinstance(value, bool) and 0 <= value <= max_side


def _is_flag(value: Any) -> bool:
    return value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


@dataclass(frozen=True)
class Key:
    """A key of a record: whether a value is what it holds, and what that is."""

    name: str
    holds: Callable[[Any], bool]
    what: str
    needed: bool = True

    def reason(self, value: Any) -> str:
        """Why a value cannot be used."""
        return f'"{self.name}" is {shown(value)}, not {self.what}'


def id_key(name: str, *, needed: bool = True) -> Key:
    """A key that holds an id."""
    return Key(name, _is_id, "a whole number or text", needed)


def side_key(name: str) -> Key:
    """A key that holds a height or a width."""
    return Key(name, _is_side, f"a whole number from 0 to {max_side}")


def flag_key(name: str) -> Key:
    """A key that may hold a flag."""
    return Key(name, _is_flag, "true, false or a number", needed=False)


def text_key(name: str) -> Key:
    """A key that may hold text."""
    return Key(name, _is_text, "text", needed=False)


@dataclass(frozen=True)
class Kind:
    """A kind of records: one of the three lists, or what another format has instead."""

    list_name: str
    record_name: str
    keys: tuple[Key, ...]
    id_name: str = "id"

    def name_of(self, record_id: int | str) -> str:
        """The name of a record in messages, always a single line."""
        text = str(record_id)
        return f"{self.record_name} {text if text.isprintable() else json.dumps(text)}"

    def place(self, row: int) -> str:
        """The name of a record that has no id."""
        return f"{self.list_name}[{row}]"

    def problem(self, record: Any, row: int, otherwise: str) -> Problem:
        """What is wrong with a record that is not of this kind's type; `otherwise` if it cannot be seen."""
        if not isinstance(record, Mapping):
            return Problem(self.place(row), f"is {shown(record)}, not an object", row)
        record_id = plain(record.get(self.id_name))
        name = self.name_of(record_id) if _is_id(record_id) else self.place(row)
        for key in self.keys:
            if key.name not in record:
                if key.needed:
                    return Problem(name, f'has no "{key.name}"', row)
            elif not key.holds(value := plain(record[key.name])):
                return Problem(name, key.reason(value), row)
        return Problem(name, otherwise, row)

    def unwrapped(self, record: Any) -> Any:
        """The keys that count of a record, with NumPy's numbers as Python's."""
        if not isinstance(record, Mapping):
            return record
        return {key.name: plain(record[key.name]) for key in self.keys if key.name in record}


IMAGE = Kind(
    "images",
    "image",
    (id_key("id"), side_key("height"), side_key("width"), text_key("file_name"), text_key("coco_url")),
)
CATEGORY = Kind("categories", "category", (id_key("id"), text_key("name")))
SEGMENTATION = Key("segmentation", lambda _: True, "anything")
ANNOTATION = Kind(
    "annotations",
    "annotation",
    (
        id_key("id"),
        id_key("image_id"),
        id_key("category_id"),
        SEGMENTATION,
        flag_key("iscrowd"),
        flag_key("ignore"),
    ),
)
LISTS = tuple(kind.list_name for kind in (IMAGE, ANNOTATION, CATEGORY))


@dataclass(frozen=True)
class Table(Generic[RecordT_co]):
    """The records of a list.

    Attributes
    ----------
    records : sequence of R
        Those that have what they need, in order.
    rows : int64 [R]
        Their positions in the list.
    failures : list of Problem
        The others.
    """

    records: Sequence[RecordT_co]
    rows: NDArray[np.int64]
    failures: list[Problem]

    @classmethod
    def whole(cls, records: Sequence[RecordT_co]) -> Table[RecordT_co]:
        """A list without failures."""
        return cls(records, np.arange(len(records)), [])

    @classmethod
    def sifted(cls, results: Iterable[RecordT_co | Problem]) -> Table[RecordT_co]:
        """What became of each row, sorted out."""
        records: list[RecordT_co] = []
        rows: list[int] = []
        failures: list[Problem] = []
        for row, result in enumerate(results):
            if isinstance(result, Problem):
                failures.append(result)
            else:
                records.append(result)
                rows.append(row)
        return cls(records, np.array(rows, np.int64), failures)

    def __len__(self) -> int:
        return len(self.records) + len(self.failures)


def plain(value: Any) -> Any:
    """A number of NumPy's as one of Python's; anything else as it is."""
    return value.item() if isinstance(value, (np.integer, np.floating, np.bool_)) else value


def shown(value: Any) -> str:
    """A value for a message: JSON where it can be, one line, not long."""
    if isinstance(value, (list, tuple)):
        return "an array"
    if isinstance(value, Mapping):
        return "an object"
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = type(value).__name__
    return text if len(text) <= 60 else text[:57] + "..."


def unfit_ids(ids: list[int | str]) -> Iterator[tuple[int, str]]:
    """Which ids cannot stand in a column together with most of the others, and why.

    Yields
    ------
    int, str
        Position and reason.
    """
    kinds = set(map(type, ids))
    if not ids or (kinds == {int} and min(ids) in INT64 and max(ids) in INT64):
        return
    whole = sum(isinstance(i, int) for i in ids)
    text_rules = 2 * whole < len(ids)
    for position, i in enumerate(ids):
        if isinstance(i, str) != text_rules:
            one, other = ("a whole number", "text") if text_rules else ("text", "a whole number")
            yield position, f"its id is {one}, where other ids are {other}"
        elif isinstance(i, int):
            if i not in INT64:
                yield position, "its id is beyond 64 bits"
        elif i.endswith("\0") or len(i) > MAX_TEXT_ID:
            yield position, f"its id ends with a NUL or is longer than {MAX_TEXT_ID} characters"


def unfit_sides(images: Sequence[Image]) -> Iterator[tuple[int, str]]:
    """Which images have a size that no image has: position and reason."""
    for key, sides in zip(
        IMAGE.keys[1:3],
        ([image.height for image in images], [image.width for image in images]),
        strict=True,
    ):
        if images and set(map(type, sides)) == {int} and min(sides) >= 0 and max(sides) <= max_side:
            continue
        for position, side in enumerate(sides):
            if not key.holds(side):
                yield position, key.reason(side)


def flag_column(name: str, flags: list[Any]) -> tuple[NDArray[np.bool_], list[tuple[int, str]]]:
    """A column of flags, and which are none: NaN, as pandas writes what is missing, or infinite.

    Returns
    -------
    column : bool [R]
        True where the flag is true.
    unfit : list of (int, str)
        Position and reason.
    """
    unfit: list[tuple[int, str]] = []
    if float in set(map(type, flags)):
        key = flag_key(name)
        unfit = [(i, key.reason(flag)) for i, flag in enumerate(flags) if not key.holds(flag)]
    return np.fromiter(map(bool, flags), np.bool_, len(flags)), unfit


def missing_list(name: str) -> str:
    """The reason if one of the three lists is not there."""
    return f'has no "{name}" (needed are "images", "annotations" and "categories")'
