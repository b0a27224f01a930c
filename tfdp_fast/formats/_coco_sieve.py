"""The good records of a list apart from those that have a fault: ids, and what refers to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdp_fast.errors import DataError
from tfdp_fast.formats._coco_columns import Columns, IdColumn
from tfdp_fast.formats._coco_records import Kind, shown, unfit_ids
from tfdp_fast.formats.dataset import OnError, Problem


class Sieve:
    """Keeps the good records of a list apart from those that have a fault.

    Attributes
    ----------
    good : bool [R]
        Which of the records are good so far.
    problems : list of Problem
        What was found so far.
    """

    def __init__(self, source: str, kind: Kind, columns: Columns, on_error: OnError) -> None:
        self._source = source
        self._kind = kind
        self._rows = columns.rows
        self._ids = columns.ids
        self._stop = on_error == "raise"
        self.good = np.ones(len(columns.rows), np.bool_)
        self.problems: list[Problem] = []
        for problem in columns.failures:
            self._report(problem)
        self.set_aside(columns.faults)

    def set_aside(self, faults: Iterable[tuple[int, str]]) -> None:
        """Take in positions of records and what is wrong with them."""
        for position, reason in faults:
            if self.good[position]:
                self.good[position] = False
                name = self._kind.name_of(_python(self._ids[position]))
                self._report(Problem(name, reason, int(self._rows[position])))

    def ids(self) -> NDArray[Any]:
        """The ids, [R]: all of one kind and no two the same, but for those of records that are set aside."""
        if isinstance(self._ids, np.ndarray):
            self.set_aside(self._given_before(_repeats(self._ids, self.good)))
            return self._ids
        self.set_aside(unfit_ids(self._ids))
        self.set_aside(self._given_before(_repeats_of_any_kind(self._ids, self.good)))
        good = np.flatnonzero(self.good)
        kept = [self._ids[i] for i in good.tolist()]
        column = np.array(kept, dtype=np.str_ if kept and isinstance(kept[0], str) else np.int64)
        ids = np.zeros(len(self._ids), column.dtype)
        ids[good] = column
        return ids

    def look_up(self, key: str, wanted: IdColumn, ids: IdColumn) -> NDArray[np.int64]:
        """The positions of the records that are referred to, [R]; that there is none is a fault."""
        found = positions(wanted, ids)
        self.set_aside(
            (position, f"{key} {shown(_python(wanted[position]))} does not exist")
            for position in np.flatnonzero(found < 0).tolist()
        )
        return found

    def _given_before(self, repeats: Iterable[tuple[int, int]]) -> Iterator[tuple[int, str]]:
        for position, first in repeats:
            place = self._kind.place(int(self._rows[first]))
            yield position, f"its id is given twice, first to {place}"

    def _report(self, problem: Problem) -> None:
        if self._stop:
            raise DataError(self._source, problem.record, problem.reason)
        self.problems.append(problem)


def positions(wanted: IdColumn, ids: IdColumn) -> NDArray[np.int64]:
    """Where each of the wanted ids stands among all ids, which are distinct; -1 where it does not."""
    if isinstance(wanted, np.ndarray) and isinstance(ids, np.ndarray):
        return _positions_of_numbers(wanted, ids)
    index = {record_id: position for position, record_id in enumerate(_as_list(ids))}
    return np.fromiter(map(index.get, _as_list(wanted), repeat(-1)), np.int64, len(wanted))


def _as_list(ids: IdColumn) -> list[Any]:
    return ids.tolist() if isinstance(ids, np.ndarray) else ids


def _python(value: Any) -> Any:
    return value.item() if isinstance(value, np.integer) else value


def _repeats(ids: NDArray[np.int64], good: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Positions of good records whose id an earlier one has, ascending, each with the first that has it."""
    ascending = np.sort(ids)
    if not (ascending[1:] == ascending[:-1]).any():
        return []
    positions = np.flatnonzero(good)
    order = positions[np.argsort(ids[positions], kind="stable")]
    again = np.zeros(len(order), np.bool_)
    again[1:] = ids[order[1:]] == ids[order[:-1]]
    first = order[np.maximum.accumulate(np.where(again, 0, np.arange(len(order))))]
    return sorted(zip(order[again].tolist(), first[again].tolist(), strict=True))


def _repeats_of_any_kind(ids: list[int | str], good: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """The same for ids that are no whole numbers of 64 bits."""
    if len(set(ids)) == len(ids):
        return
    first: dict[int | str, int] = {}
    for position in np.flatnonzero(good).tolist():
        before = first.setdefault(ids[position], position)
        if before != position:
            yield position, before


def _positions_of_numbers(wanted: NDArray[np.int64], ids: NDArray[np.int64]) -> NDArray[np.int64]:
    if not len(ids):
        return np.full(len(wanted), -1)
    lowest, highest = int(ids.min()), int(ids.max())
    if highest - lowest < 8 * (len(ids) + len(wanted)):
        # The ids of COCO are small numbers: a table of all between the lowest and the highest.
        table = np.full(highest - lowest + 1, -1, np.int32)
        table[ids - lowest] = np.arange(len(ids), dtype=np.int32)
        within = (wanted >= lowest) & (wanted <= highest)
        found = table[np.where(within, wanted, lowest) - lowest].astype(np.int64)
        return np.where(within, found, -1)
    order = np.argsort(ids)
    at = order[np.minimum(np.searchsorted(ids, wanted, sorter=order), len(ids) - 1)]
    return np.where(ids[at] == wanted, at, -1)
