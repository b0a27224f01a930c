"""Arrow: tables of masks, measured where they lie. For pyarrow, Polars, DuckDB, Spark, Ray Data, datasets.

Needs the extra ``parquet``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._batches import fill_convention
from tfdp_fast._core import FillConvention
from tfdp_fast._threads import chunk_size, map_in_order, resolve_threads
from tfdp_fast.errors import DataError, MissingExtraError, OptionError
from tfdp_fast.masks import Polygons
from tfdp_fast.status import Status

try:
    import pyarrow as pa
except ModuleNotFoundError as error:
    raise MissingExtraError("pyarrow", "parquet") from error

from tfdp_fast.formats import _arrow_columns as columns_of
from tfdp_fast.formats._arrow_columns import Faults
from tfdp_fast.formats._arrow_masks import MaskColumn
from tfdp_fast.formats._arrow_types import is_counts, is_mask, is_number, is_size, plain_type, without_views
from tfdp_fast.formats._coco_records import side_key

__all__ = ["BadRows", "measure_column", "measure_table"]

BadRows: TypeAlias = Literal["raise", "null"]
"""What becomes of rows that cannot be used: an error, or nulls and the reason."""

MEASURED = ("straight", "diagonal", "area2")
PROBLEM = "problem"

ROWS = 8192
"""Rows of a task, at most."""


def measure_table(
    table: pa.Table | pa.RecordBatch,
    *,
    masks: str | None = None,
    columns: Sequence[str] | None = None,
    polygons: Polygons = "coco",
    threads: int | None = 1,
    on_error: BadRows = "raise",
) -> Any:
    """Measure a table with a row per instance.

    Masks are read where they lie: the text of a column is not copied, unless it is one of views or has a
    dictionary. The result does not depend on how the table is cut into chunks.

    Parameters
    ----------
    table : pyarrow.Table or pyarrow.RecordBatch
        Rows with masks: a column ``segmentation`` (text with compressed counts or JSON; structs of ``size``
        and ``counts``; lists of polygons) or ``counts`` (text, bytes or lists of run lengths). ``height`` and
        ``width`` are the size of the image; masks that state their own, as in structs and in JSON, or by a
        column ``size`` beside counts, do without. A null among them is a size that is not known. A null mask
        has no pixel.
    masks : str, optional
        The name of the column of masks, where it has another one.
    columns : sequence of str, optional
        The columns of the argument that the result has too; all but the masks if not given.
    polygons : {"coco", "opencv"}
        How a polygon becomes a mask; see `measure`.
    threads : int or None
        Threads to use; None for all processors. The result does not depend on it.
    on_error : {"raise", "null"}
        What becomes of a row that cannot be used: the first one is an error, or all have nulls, and why in a
        column ``problem``, text, that is null elsewhere.

    Returns
    -------
    pyarrow.Table or pyarrow.RecordBatch
        Like the argument, with the same rows in the same order, and after its columns ``straight``,
        ``diagonal`` and ``area2``, int64: the boundary counts of the primary contours; see `BoundaryCounts`.

    Raises
    ------
    DataError
        If a column is not there or is of no use, or, unless ``on_error="null"``, if a row cannot be used; the
        error names the row, from 0, and what it has in a column ``id``.
    OptionError
        If an argument makes no sense.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from tfdp_fast.integrations.arrow import measure_table
    >>> table = pa.table({"id": [1, 2], "height": [4, 4], "width": [4, 4], "counts": ["52203", "52206"]})
    >>> measure_table(table.slice(0, 1)).to_pylist()
    [{'id': 1, 'height': 4, 'width': 4, 'straight': 4, 'diagonal': 0, 'area2': 2}]
    >>> measured = measure_table(table, columns=["id"], on_error="null")
    >>> measured["area2"].to_pylist(), measured["problem"][1]
    ([2, None], <pyarrow.StringScalar: 'the runs do not sum to height * width'>)
    """
    if not isinstance(table, (pa.Table, pa.RecordBatch)):
        raise OptionError(f"a table is a pyarrow.Table or RecordBatch, not a {type(table).__name__}")
    convention, threads = fill_convention(polygons), resolve_threads(threads)
    if on_error not in get_args(BadRows):
        raise OptionError(f"on_error must be 'raise' or 'null', got {on_error!r}")
    source = f"<{type(table).__name__}>"
    names = _Names.of(table.schema, masks, source)
    added = MEASURED + (PROBLEM,) * (on_error == "null")
    kept = _kept(table.schema.names, names.masks, columns, added)
    rows = table if isinstance(table, pa.Table) else pa.Table.from_batches([table])
    counts, faults = _measured(rows, names, convention, threads, source if on_error == "raise" else None)
    fields = [table.schema.field(name) for name in kept]
    arrays = [table.column(name) for name in kept] + _as_columns(counts, faults, on_error)
    fields += [pa.field(name, array.type) for name, array in zip(added, arrays[len(kept) :], strict=True)]
    return type(table).from_arrays(arrays, schema=pa.schema(fields, table.schema.metadata))


def measure_column(
    masks: Any,
    height: Any = None,
    width: Any = None,
    *,
    polygons: Polygons = "coco",
    threads: int | None = 1,
    on_error: BadRows = "raise",
) -> Any:
    """Measure a column of masks into a column of structs: what a function of a query language is made of.

    Parameters
    ----------
    masks : pyarrow.Array or pyarrow.ChunkedArray
        As the column ``segmentation`` of `measure_table`. Also a column of another library that gives itself
        as one of Arrow's, such as a Series of Polars.
    height, width : int, or as masks, optional
        The size of the images: of all, or of each. Masks that state their own size do without.
    polygons, threads, on_error
        As for `measure_table`.

    Returns
    -------
    pyarrow.StructArray, or pyarrow.ChunkedArray if one of the arguments is one
        Fields ``straight``, ``diagonal`` and ``area2``, int64, and ``problem`` as for `measure_table`.

    Raises
    ------
    DataError, OptionError
        As for `measure_table`.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from tfdp_fast.integrations.arrow import measure_column
    >>> measure_column(pa.array(["52203", None]), 4, 4).to_pylist()
    [{'straight': 4, 'diagonal': 0, 'area2': 2}, {'straight': 0, 'diagonal': 0, 'area2': 0}]
    """
    found = _as_arrow(masks, "masks")
    given = {"segmentation": found}
    for name, sides in (("height", height), ("width", width)):
        if isinstance(sides, (int, np.integer)) and not isinstance(sides, bool):
            given[name] = pa.repeat(pa.scalar(int(sides), pa.int64()), len(found))
        elif sides is not None:
            given[name] = _as_arrow(sides, name)
            if len(given[name]) != len(found):
                raise OptionError(f"{name} has {len(given[name])} values for {len(found)} masks")
    table = pa.table(given)
    measured = measure_table(table, columns=[], polygons=polygons, threads=threads, on_error=on_error)
    structs = measured.combine_chunks().to_struct_array()
    if any(isinstance(column, pa.ChunkedArray) for column in given.values()):
        return structs
    return structs.combine_chunks() if len(structs) else pa.array([], structs.type)


@dataclass(frozen=True)
class _Names:
    """The columns that are read; None where there is none.

    Attributes
    ----------
    masks : str
        The masks.
    height, width, size, id : str or None
        The image's size, the masks' own, and what rows are called in messages.
    """

    masks: str
    height: str | None
    width: str | None
    size: str | None
    id: str | None

    @classmethod
    def of(cls, schema: Any, masks: str | None, source: str) -> _Names:
        """Look them up; DataError if the masks are not there, or if a column is of no use."""
        types = {field.name: plain_type(field.type) for field in schema}
        if len(types) < len(schema):
            twice = next(name for name in types if schema.names.count(name) > 1)
            raise DataError(source, None, f"has two columns {twice}")
        name = masks or ("counts" if "segmentation" not in types else "segmentation")
        if name not in types:
            missing = masks or "segmentation (or counts)"
            known = ", ".join(types) or "none"
            raise DataError(source, None, f"has no column {missing}; its columns are {known}")

        def named(column: str, fits: Callable[[Any], bool], what: str) -> str | None:
            if column in types and not fits(types[column]):
                reason = f"column {column} is of type {types[column]}, and should hold {what}"
                raise DataError(source, None, reason)
            return column if column in types else None

        bare = is_counts(types[name])
        if not bare:
            named(name, is_mask, "text, {size, counts}, or lists of polygons")
        return cls(
            name,
            named("height", is_number, "numbers"),
            named("width", is_number, "numbers"),
            "size" if bare and "size" in types and is_size(types["size"]) else None,
            "id" if "id" in types else None,
        )

    @property
    def read(self) -> list[str]:
        """Those that say what masks are."""
        names = (self.masks, self.height, self.width, self.size)
        return [name for name in names if name is not None]


def _kept(there: list[str], masks: str, columns: Sequence[str] | None, added: Sequence[str]) -> list[str]:
    """The columns of the argument that the result has."""
    if isinstance(columns, str):
        raise OptionError(f"columns is a sequence of names, got {columns!r}")
    kept = [name for name in there if name != masks] if columns is None else list(columns)
    for name in kept:
        if name not in there:
            raise OptionError(f"there is no column {name!r} to keep; the columns are {', '.join(there)}")
        if name in added:
            raise OptionError(f"there is a column {name!r} already: leave it out, with columns")
    return kept


def _measured(
    table: Any, names: _Names, convention: FillConvention, threads: int, source: str | None
) -> tuple[NDArray[np.int64], Faults]:
    """Boundary counts int64 [n, 3] and which rows cannot be used; the first is an error with a source."""
    rows = chunk_size(table.num_rows, threads, ROWS)
    parts = table.select(names.read).to_batches(max_chunksize=rows)
    counts: list[NDArray[np.int64]] = [np.empty((0, 3), np.int64)]
    faults: Faults = {}
    first = 0
    with closing(map_in_order(lambda part: _measured_part(part, names, convention), parts, threads)) as tasks:
        for measured, unfit in tasks:
            if unfit and source is not None:
                row = first + min(unfit)
                called = f"row {row}"
                if names.id is not None:
                    called += f" (id {table.column(names.id)[row].as_py()})"
                raise DataError(source, called, unfit[row - first])
            faults |= {first + i: reason for i, reason in unfit.items()}
            counts.append(measured)
            first += len(measured)
    return np.concatenate(counts), faults


def _measured_part(batch: Any, names: _Names, convention: FillConvention) -> tuple[NDArray[np.int64], Faults]:
    batch = without_views(batch)
    masks = columns_of.plain(batch.column(names.masks))
    sizes = np.full((batch.num_rows, 2), -1, np.int32)
    faults: Faults = {}
    for i, side in enumerate((names.height, names.width)):
        if side is None:
            continue
        column = columns_of.plain(batch.column(side))
        known = column.is_valid().to_numpy(zero_copy_only=False)
        values, unfit = columns_of.sides(column, side_key(side))
        sizes[:, i] = np.where(known, values, -1)
        faults |= {row: reason for row, reason in unfit.items() if known[row]}
    sizes[(sizes == -1).any(axis=1)] = -1  # one side is no size
    own = None if names.size is None else batch.column(names.size)
    column_of_masks = MaskColumn.of(masks, own, sizes, bare_counts=names.masks == "counts")
    counts, statuses = column_of_masks.measure(convention)
    for row in np.flatnonzero(statuses != Status.OK).tolist():
        faults.setdefault(row, Status(statuses[row]).reason)
    counts[list(faults)] = 0
    return counts, faults


def _as_columns(counts: NDArray[np.int64], faults: Faults, on_error: BadRows) -> list[Any]:
    """Columns of Arrow, null where something cannot be used."""
    bad = np.zeros(len(counts), np.bool_)
    bad[list(faults)] = True
    mask = bad if faults else None
    arrays = [pa.array(np.ascontiguousarray(counts[:, i]), mask=mask) for i in range(3)]
    if on_error == "null":
        reasons = pa.array([faults[row] for row in sorted(faults)], pa.string())
        which = pa.array(np.cumsum(bad) - 1, mask=~bad)
        arrays.append(reasons.take(which))
    return arrays


def _as_arrow(column: Any, name: str) -> Any:
    """A column of Arrow."""
    if isinstance(column, (pa.Array, pa.ChunkedArray)):
        return column
    if hasattr(column, "__arrow_c_stream__"):
        return pa.chunked_array(column)
    if hasattr(column, "__arrow_c_array__"):
        return pa.array(column)
    raise OptionError(f"{name} must be a column of Arrow, got a {type(column).__name__}")
