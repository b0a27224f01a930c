"""Tables of Arrow: files, and objects of libraries. Each can be gone through in batches, in order."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from tfdp_fast._text import one_line
from tfdp_fast.errors import DataError
from tfdp_fast.formats._files import FileVersion, read_whole
from tfdp_fast.formats._folders import files_below

__all__ = ["FileTable", "ObjectTable", "Table", "tables_in"]

SUFFIXES = (".parquet", ".arrow", ".feather")
STATE = "state.json"
"""What `datasets.Dataset.save_to_disk` lists its files in."""

_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"


class Table(Protocol):
    """A table that can be read more than once, unless it says otherwise.

    Attributes
    ----------
    source : str
        The path, or what stands for it.
    name : str
        The path relative to the data set.
    once : bool
        Whether it can be read only once.
    """

    source: str
    name: str
    once: bool

    @property
    def schema(self) -> Any:
        """Its columns."""

    @property
    def rows(self) -> int | None:
        """How many rows it has, where that is known."""

    def batches(self, columns: list[str] | None, most: int, *, threaded: bool) -> Iterator[Any]:
        """Batches of some columns, or all, of at most so many rows, in order; decoded on several threads?"""


@contextlib.contextmanager
def arrow_errors(source: str, record: str | None = None) -> Iterator[None]:
    """Turn what pyarrow raises over a table into DataError."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = one_line(str(error).strip().partition("\n")[0].rstrip("."))
        raise DataError(source, record, f"cannot be read: {reason}") from error


class FileTable:
    """A file of Parquet, or of Arrow's IPC: the file format, which is Feather too, or a stream.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        Its path relative to the data set.
    """

    once = False

    def __init__(self, path: Path, name: str) -> None:
        self.source, self.name = str(path), name
        self._path = path
        with arrow_errors(self.source):
            self.version = FileVersion(self.source, path.stat())
            with path.open("rb") as file:
                magic = file.read(6)
            self.is_parquet = magic[:4] == b"PAR1"
            self.is_stream = not self.is_parquet and magic != b"ARROW1"
            self.schema, self.rows = self._read_schema()

    def _read_schema(self) -> tuple[Any, int | None]:
        if self.is_parquet:
            with self._open_parquet() as file:
                return file.schema_arrow, file.metadata.num_rows
        with self._open_ipc(None) as file:
            return file.schema, None

    def batches(self, columns: list[str] | None, most: int, *, threaded: bool) -> Iterator[Any]:
        """Batches of some columns, or all."""
        with arrow_errors(self.source):
            if not self.is_parquet:
                yield from self._batches_of_ipc(columns, most)
                return
            with self._open_parquet() as file:
                for group in range(file.num_row_groups):
                    with arrow_errors(self.source, f"row group {group}"):
                        yield from file.iter_batches(
                            most, row_groups=[group], columns=columns, use_threads=threaded
                        )

    def parquet_properties(self) -> tuple[int, Any]:
        """The rows of its largest row group, and the compression of its columns, as pyarrow takes it."""
        with arrow_errors(self.source), self._open_parquet() as file:
            about = file.metadata
            groups = [about.row_group(i) for i in range(about.num_row_groups)]
            if not groups:
                return 0, "snappy"
            chunks = [groups[0].column(i) for i in range(about.num_columns)]
            codecs = {
                chunk.path_in_schema: {"UNCOMPRESSED": "NONE", "LZ4_RAW": "LZ4"}.get(
                    chunk.compression, chunk.compression
                )
                for chunk in chunks
            }
            return max(group.num_rows for group in groups), codecs

    @contextlib.contextmanager
    def _open_parquet(self) -> Iterator[Any]:
        with pa.OSFile(os.fsencode(self._path)) as file:
            yield pq.ParquetFile(file, page_checksum_verification=True)

    @contextlib.contextmanager
    def _open_ipc(self, columns: list[str] | None) -> Iterator[Any]:
        options = pa.ipc.IpcReadOptions()
        with pa.memory_map(os.fsencode(self._path)) as mapped:
            opened = pa.ipc.open_stream if self.is_stream else pa.ipc.open_file
            if columns is not None:
                options.included_fields = [self.schema.get_field_index(name) for name in columns]
            yield opened(mapped, options=options)

    def _batches_of_ipc(self, columns: list[str] | None, most: int) -> Iterator[Any]:
        if self.is_stream and not self._ends_with(_END_OF_STREAM):
            raise DataError(self.source, None, "is cut short: the stream has no end")
        with self._open_ipc(columns) as file:
            found = file if self.is_stream else map(file.get_batch, range(file.num_record_batches))
            for batch in found:
                batch.validate(full=True)  # offsets are used as they are
                for begin in range(0, batch.num_rows, most):
                    part = batch.slice(begin, most)
                    yield part if columns is None else part.select(columns)

    def _ends_with(self, mark: bytes) -> bool:
        with self._path.open("rb") as file:
            file.seek(-min(len(mark), self.version.stat.st_size), os.SEEK_END)
            return file.read() == mark


class ObjectTable:
    """A table, data set or reader of pyarrow; a frame; a data set of Hugging Face's.

    So is any object with ``schema``, ``num_rows`` and ``to_batches(columns=..., batch_size=...)``. Messages
    call it by its attribute ``source``, if that is text, else by the name of its type.
    """

    def __init__(self, table: Any) -> None:
        called = getattr(table, "source", None)
        self.source = self.name = called if isinstance(called, str) else f"<{type(table).__name__}>"
        self.once = hasattr(table, "read_next_batch")
        self._is_hugging_face = hasattr(table, "with_format")
        if not self._is_hugging_face and not hasattr(table, "to_batches") and not self.once:
            with arrow_errors(self.source):
                reader = pa.RecordBatchReader.from_stream(table)  # of a frame
                table = reader.read_all()
        self._table = table
        self.schema = self._read_schema()

    @property
    def rows(self) -> int | None:
        """How many rows it has, where that is known."""
        return getattr(self._table, "num_rows", None)

    def _read_schema(self) -> Any:
        if not self._is_hugging_face:
            return self._table.schema
        if self._table.features is not None:
            return self._table.features.arrow_schema
        first = next(iter(self._table.with_format("arrow").iter(1)), None)
        return pa.schema([]) if first is None else first.schema

    def batches(self, columns: list[str] | None, most: int, *, threaded: bool) -> Iterator[Any]:
        """Batches of some columns, or all; it is the library's affair how they come to be."""
        del threaded
        with arrow_errors(self.source):
            for batch in self._found(columns, most):
                chosen = batch if columns is None else batch.select(columns)
                for begin in range(0, chosen.num_rows, most):
                    yield chosen.slice(begin, most)

    def _found(self, columns: list[str] | None, most: int) -> Iterator[Any]:
        table = self._table
        if self.once:
            yield from table
        elif self._is_hugging_face:
            chosen = table if columns is None else table.select_columns(columns)
            for part in chosen.with_format("arrow").iter(most):
                yield from part.combine_chunks().to_batches()
        elif hasattr(table, "num_columns"):  # a table
            yield from (table if columns is None else table.select(columns)).to_batches()
        else:
            yield from table.to_batches(columns=columns, batch_size=most)


def tables_in(folder: Path) -> Iterator[FileTable]:
    """The tables in a folder and in those below, in the order of their names.

    Of what `datasets.Dataset.save_to_disk` has written, those that its list names, in that order.

    Raises
    ------
    DataError
        If there is none, or the list is of no use.
    """
    names = listed_in(folder) if (folder / STATE).is_file() else files_below(folder, is_table)
    for name in names:
        yield FileTable(folder / name, name)


def is_table(name: str) -> bool:
    """Whether a file in a folder is one of its tables."""
    return name.endswith(SUFFIXES) and not name.startswith((".", "_"))


def listed_in(folder: Path) -> list[str]:
    """The names in the list of a folder by `datasets.Dataset.save_to_disk`; DataError if it is none."""
    path = folder / STATE
    try:
        names = [file["filename"] for file in read_json(path)["_data_files"]]
    except (KeyError, TypeError) as error:
        raise DataError(str(path), None, "is no list of files by datasets.Dataset.save_to_disk") from error
    for name in names:
        if not isinstance(name, str) or Path(name).name != name:
            raise DataError(str(path), None, f"names a file outside of the folder: {name!r}")
    return names


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises
    ------
    DataError
        If it cannot be read, or is none.
    """
    try:
        found = json.loads(read_whole(path))
    except ValueError as error:  # UnicodeDecodeError is one
        raise DataError(str(path), None, f"is not valid JSON: {error}") from error
    if not isinstance(found, dict):
        raise DataError(str(path), None, "is no JSON object")
    return found
