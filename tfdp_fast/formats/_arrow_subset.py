"""Which rows of a table stay, and what stays of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tfdp_fast.formats._arrow_columns import lists, offsets_of
from tfdp_fast.formats._arrow_rows import Rows, image_ids_of, lists_of_annotations
from tfdp_fast.formats._arrow_types import is_list
from tfdp_fast.tables import Ids

__all__ = ["Selection"]


class Selection:
    """Which rows stay.

    Parameters
    ----------
    image_ids : int64 or text [k]
        Of the images that stay.
    drop_rows : int64 [d]
        Positions of annotations that do not.

    Attributes
    ----------
    annotations : int
        How many annotations there are in what `of` has returned.
    """

    def __init__(self, image_ids: Ids, drop_rows: NDArray[np.int64]) -> None:
        self._image_ids = np.sort(image_ids)
        self._drop_rows = np.sort(drop_rows)
        self._seen = 0
        self.annotations = 0

    def of(self, rows: Rows) -> Any:
        """What stays of some rows, which follow those of the call before."""
        stays = self._stays(rows)
        if rows.layout.nested is None:
            stays &= ~self._dropped(len(stays))
            self.annotations += int(np.count_nonzero(stays))
            return rows.batch.filter(pa.array(stays))
        lengths, _, _ = lists_of_annotations(rows.batch, rows.layout)
        dropped = self._dropped(int(lengths.sum()))
        of_kept = np.repeat(stays, lengths)
        self.annotations += int(np.count_nonzero(of_kept & ~dropped))
        kept = rows.batch.filter(pa.array(stays))
        dropped = dropped[of_kept]
        return _without(kept, rows.layout.nested, lengths[stays], dropped) if dropped.any() else kept

    def _stays(self, rows: Rows) -> NDArray[np.bool_]:
        ids, faults = image_ids_of(rows)
        if len(self._image_ids) == 0:
            return np.zeros(len(ids), np.bool_)
        at = np.minimum(np.searchsorted(self._image_ids, ids), len(self._image_ids) - 1)
        stays: NDArray[np.bool_] = self._image_ids[at] == ids
        stays[list(faults)] = False
        return stays

    def _dropped(self, n: int) -> NDArray[np.bool_]:
        """Which of the next n annotations are dropped."""
        begin, end = np.searchsorted(self._drop_rows, [self._seen, self._seen + n])
        dropped = np.zeros(n, np.bool_)
        dropped[self._drop_rows[begin:end] - self._seen] = True
        self._seen += n
        return dropped


def _without(batch: Any, name: str, lengths: NDArray[np.int64], dropped: NDArray[np.bool_]) -> Any:
    """A batch without some of the annotations in a column."""
    column = batch.column(name)
    if pa.types.is_struct(column.type):
        fields = []
        for field in column.type:
            values = pc.struct_field(column, field.name)
            goes_with = is_list(field.type) and (lists(values)[0] == lengths).all()
            fields.append(_shorter(values, lengths, dropped) if goes_with else values)
        shorter = pa.StructArray.from_arrays(fields, fields=list(column.type), mask=column.is_null())
    else:
        shorter = _shorter(column, lengths, dropped)
    return batch.set_column(batch.schema.get_field_index(name), batch.schema.field(name), shorter)


def _shorter(values: Any, lengths: NDArray[np.int64], dropped: NDArray[np.bool_]) -> Any:
    """Lists without some of their items."""
    row = np.repeat(np.arange(len(lengths)), lengths)
    left = lengths - np.bincount(row[dropped], minlength=len(lengths))
    items = values.flatten().filter(pa.array(~dropped))
    offsets = pa.array(offsets_of(left))
    return pa.LargeListArray.from_arrays(offsets, items, mask=values.is_null()).cast(values.type)
