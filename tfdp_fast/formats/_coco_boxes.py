"""Boxes and areas that annotations state: only presets look at them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tfdp_fast._core import join_spans
from tfdp_fast.formats._coco_records import plain, shown

BLOCK = 1 << 22
"""Bytes of records that are decoded together."""
NOTHING = (math.nan,) * 5


class _Boxed(msgspec.Struct, gc=False):
    bbox: tuple[float, float, float, float]
    area: float


_BOXED_LIST = msgspec.json.Decoder(list[_Boxed])


@dataclass(frozen=True)
class Boxes:
    """What R annotations state.

    Attributes
    ----------
    table : float64 [R, 5]
        x, y, width, height and area; NaN where there is a fault.
    faults : list of (int, str)
        Positions of annotations that state nothing that can be used, and why.
    """

    table: NDArray[np.float64]
    faults: list[tuple[int, str]] = field(default_factory=list)

    @property
    def boxes(self) -> NDArray[np.float64]:
        """x, y, width, height: float64 [R, 4]."""
        return self.table[:, :4]

    @property
    def areas(self) -> NDArray[np.float64]:
        """Areas: float64 [R]."""
        return self.table[:, 4]

    @classmethod
    def of(cls, outcomes: Iterable[tuple[float, ...] | str]) -> Boxes:
        """From what became of each: five numbers, or the reason why there are none."""
        found = list(outcomes)
        faults = [(position, reason) for position, reason in enumerate(found) if isinstance(reason, str)]
        values = [NOTHING if isinstance(outcome, str) else outcome for outcome in found]
        return cls(np.array(values, np.float64).reshape(-1, 5), faults)

    @classmethod
    def joined(cls, parts: Iterable[Boxes]) -> Boxes:
        """Several, one after the other."""
        tables = [np.empty((0, 5))]
        faults: list[tuple[int, str]] = []
        begin = 0
        for part in parts:
            tables.append(part.table)
            faults += [(begin + position, reason) for position, reason in part.faults]
            begin += len(part.table)
        return cls(np.concatenate(tables), faults)


def boxes_in_text(
    text: Any, source: memoryview, spans: NDArray[np.int64], let_go: Callable[[int, int], None]
) -> Boxes:
    """The boxes of records in JSON text.

    Parameters
    ----------
    text : bytes-like
        What msgspec can read.
    source : memoryview
        The same as it stands in the file.
    spans : int64 [R, 2]
        Where the records are.
    let_go : callable
        Called with the beginning and the end of what has been passed over.
    """
    ends = np.cumsum(spans[:, 1] - spans[:, 0])
    cuts = np.flatnonzero(np.diff(ends // BLOCK)) + 1
    return Boxes.joined(_block(text, source, part, let_go) for part in np.split(spans, cuts) if len(part))


def _block(
    text: Any, source: memoryview, spans: NDArray[np.int64], let_go: Callable[[int, int], None]
) -> Boxes:
    spans = np.ascontiguousarray(spans)
    try:
        records = _BOXED_LIST.decode(b"[%b]" % join_spans(text, spans, b","))
    except msgspec.DecodeError:
        return Boxes.of(_read_one(source, begin, end) for begin, end in spans.tolist())
    let_go(int(spans[0, 0]), int(spans[-1, 1]))
    values = chain.from_iterable((*record.bbox, record.area) for record in records)
    return Boxes(np.fromiter(values, np.float64, 5 * len(records)).reshape(-1, 5))


def _read_one(source: memoryview, begin: int, end: int) -> tuple[float, ...] | str:
    try:
        return box_of(json.loads(bytes(source[begin:end])))
    except (ValueError, RecursionError) as error:  # more digits than Python takes
        return str(error)


def box_of(record: Mapping[Any, Any]) -> tuple[float, ...] | str:
    """What a record states: x, y, width, height and area; or why that cannot be used.

    Examples
    --------
    >>> box_of({"bbox": [1, 2, 30, 40], "area": 600})
    (1.0, 2.0, 30.0, 40.0, 600.0)
    >>> box_of({"bbox": [1, 2, 30], "area": 600})
    '"bbox" is not four numbers'
    """
    for name in ("bbox", "area"):
        if name not in record:
            return f'has no "{name}", which the preset asks for'
    box, area = record["bbox"], plain(record["area"])
    box = box.tolist() if isinstance(box, np.ndarray) else box
    if not isinstance(box, (list, tuple)) or len(box) != 4 or not all(map(_is_finite, map(plain, box))):
        return '"bbox" is not four numbers'
    if not _is_finite(area):
        return f'"area" is {shown(area)}, not a number'
    return (*map(float, box), float(area))


def _is_finite(value: Any) -> bool:
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number beyond any double
        return False
