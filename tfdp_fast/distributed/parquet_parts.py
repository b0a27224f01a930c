"""Parquet files on any file system, and ranges of their row groups."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq

from tfdp_fast.distributed.storage import filesystem_of
from tfdp_fast.formats._arrow_layout import layout_of
from tfdp_fast.formats._arrow_tables import arrow_errors

__all__ = ["ParquetPart", "is_parquet", "row_group_ranges"]


def is_parquet(path: str, format: str | None) -> bool:
    """Is it a file of Parquet, by its name?"""
    return format in {None, "arrow"} and path.endswith(".parquet")


class ParquetPart:
    """Some row groups of a Parquet file, as a table that `open_dataset` takes.

    Attributes
    ----------
    source : str
        The path.
    schema : pyarrow.Schema
        The columns.
    num_rows : int
        How many rows there are in these row groups.
    """

    def __init__(self, file: Any, source: str, begin: int | None, end: int | None) -> None:
        self._file = file
        self._groups = range(begin or 0, file.num_row_groups if end is None else end)
        self.source = source
        self.schema = file.schema_arrow
        with arrow_errors(source):
            self.num_rows = sum(file.metadata.row_group(group).num_rows for group in self._groups)

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: str, begin: int | None = None, end: int | None = None) -> Iterator[ParquetPart]:
        """The row groups from `begin` to `end` - 1 of a file, by default all; DataError if it is none."""
        with _opened(path) as file:
            yield cls(file, path, begin, end)

    def to_batches(self, columns: list[str] | None = None, batch_size: int = 1 << 16) -> Iterator[Any]:
        """Batches of some columns, or all, of at most so many rows, in order."""
        for group in self._groups:
            with arrow_errors(self.source, f"row group {group}"):
                yield from self._file.iter_batches(batch_size, [group], columns, use_threads=False)


@contextlib.contextmanager
def _opened(path: str) -> Iterator[Any]:
    filesystem, name = filesystem_of(path)
    with arrow_errors(path):
        file = filesystem.open_input_file(name)
    with file:
        with arrow_errors(path):
            parquet = pq.ParquetFile(file, page_checksum_verification=True, pre_buffer=True)
        yield parquet


def row_group_ranges(path: str, instances: int) -> list[tuple[int, int]]:
    """Cut a Parquet file of annotations into ranges of row groups.

    A range ends where so many instances are reached. With a row per instance it ends there only if no image
    goes on in the next row group, as far as the file says it, unless the range has grown to twice the number.

    Parameters
    ----------
    path : str
        The file.
    instances : int
        How many a range has, about.

    Returns
    -------
    list of (int, int)
        The first row group of each range, and the one after its last. A single range if it is not cut.

    Raises
    ------
    DataError
        If it cannot be read, or has not the columns that are needed.
    """
    with _opened(path) as file, arrow_errors(path):
        layout = layout_of(file.schema_arrow, path)
        about = file.metadata
        leaves = [file.schema.column(i).path for i in range(len(file.schema))]
        counted = 0
        id_column = None
        if layout.nested is None:
            assert layout.image_id is not None
            id_column = (
                leaves.index(".".join(layout.image_id)) if ".".join(layout.image_id) in leaves else None
            )
        else:
            nested = [i for i, leaf in enumerate(leaves) if leaf.split(".")[0] == layout.nested]
            counted = nested[0]
        ranges: list[tuple[int, int]] = []
        begin = size = 0
        for group in range(about.num_row_groups):
            row_group = about.row_group(group)
            size += row_group.num_rows if layout.nested is None else row_group.column(counted).num_values
            last = group + 1 == about.num_row_groups
            if last or (
                size >= instances
                and (
                    size >= 2 * instances
                    or layout.nested is not None
                    or _is_clean_cut(about, group, id_column)
                )
            ):
                ranges.append((begin, group + 1))
                begin, size = group + 1, 0
        return ranges or [(0, 0)]


def _is_clean_cut(about: Any, group: int, column: int | None) -> bool:
    """Whether the ids of a row group and those of the next are known not to overlap."""
    if column is None:
        return False
    before, after = (about.row_group(g).column(column).statistics for g in (group, group + 1))
    if before is None or after is None or not before.has_min_max or not after.has_min_max:
        return False
    return bool(before.max < after.min or after.max < before.min)
