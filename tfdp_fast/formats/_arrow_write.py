"""Tables into files: Parquet, Arrow's file format (which is Feather too), or its stream."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from tfdp_fast._output import output_errors
from tfdp_fast._text import one_line
from tfdp_fast.errors import OutputError
from tfdp_fast.formats._arrow_tables import STATE, FileTable, Table, read_json
from tfdp_fast.formats._arrow_types import schema_without_views
from tfdp_fast.tables import Ids

__all__ = ["write_file", "write_folder"]

Kind: TypeAlias = Literal["parquet", "file", "stream"]

GROUP_BYTES = 1 << 26
"""Rows are written when there are as many as in a row group of the source, or this many bytes."""
GROUP_ROWS = 1 << 16
"""The same where the source has no row groups."""

INFO = "dataset_info.json"
_OF_THE_WHOLE = ("download_checksums", "download_size", "dataset_size", "size_in_bytes", "splits")
"""What `INFO` says of the whole data set, and would be wrong of a part."""


def write_file(
    file: BinaryIO, destination: Any, tables: list[Table], selected: Iterable[Iterable[Any]]
) -> None:
    """Write what stays of all tables into one file.

    Its name says of which kind; without a name it is of the kind of the first table.
    """
    first = tables[0]
    kind = _kind(first)
    if isinstance(destination, (str, os.PathLike)):
        name = os.fsdecode(destination)
        if name.endswith(".parquet"):
            kind = "parquet"
        elif kind == "parquet" or name.endswith(".feather"):
            kind = "file"
    with _writer(file, first, kind) as writer:
        for batches in selected:
            writer.write_all(batches)


def write_folder(
    folder: Path,
    shown: Path,
    source: Path,
    tables: list[Table],
    selected: Iterable[Iterable[Any]],
    image_ids: Ids,
) -> None:
    """Write what stays of each table into a file of the same name, and what lists them.

    The folder will have the name `shown`; `source` is the one that the tables are from.
    """
    for table, batches in zip(tables, selected, strict=True):
        path = folder / table.name
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            output_errors(shown / table.name),
            path.open("wb") as file,
            _writer(file, table, _kind(table)) as writer,
        ):
            writer.write_all(batches)
    if (source / STATE).is_file():
        _write_state(folder, source, image_ids)


def _write_state(folder: Path, source: Path, image_ids: Ids) -> None:
    """What `datasets.load_from_disk` reads, with another fingerprint: results are kept by it."""
    state = read_json(source / STATE)
    ids = ",".join(map(str, image_ids.tolist()))
    state["_fingerprint"] = hashlib.sha256(f"{state.get('_fingerprint')} {ids}".encode()).hexdigest()[:16]
    (folder / STATE).write_text(json.dumps(state, indent=2, sort_keys=True))
    if (source / INFO).is_file():
        info = read_json(source / INFO)
        kept = {key: value for key, value in info.items() if key not in _OF_THE_WHOLE}
        (folder / INFO).write_text(json.dumps(kept, indent=2, sort_keys=True))


def _kind(table: Table) -> Kind:
    if isinstance(table, FileTable) and not table.is_parquet:
        return "stream" if table.is_stream else "file"
    return "parquet"


@contextlib.contextmanager
def _writer(file: BinaryIO, table: Table, kind: Kind) -> Iterator[_Writer]:
    """What writes batches with the columns of a table."""
    schema, rows = table.schema, GROUP_ROWS
    if kind == "parquet":
        schema = schema_without_views(schema)  # not every pyarrow writes them, and the format has none
        options: dict[str, Any] = {}
        if isinstance(table, FileTable) and table.is_parquet:
            rows, codecs = table.parquet_properties()
            # Else the items of lists are called element, whatever they are called in the source.
            options = {"compression": codecs, "use_compliant_nested_type": False}
        opened = pq.ParquetWriter(file, schema, **options)
    else:
        opened = (pa.ipc.new_stream if kind == "stream" else pa.ipc.new_file)(file, schema)
    with opened:
        writer = _Writer(opened, schema, rows or GROUP_ROWS)
        yield writer
        writer.flush()


class _Writer:
    """Gathers batches into groups of rows."""

    def __init__(self, writer: Any, schema: Any, rows: int) -> None:
        self._writer, self._schema, self._most = writer, schema, rows
        self._gathered: list[Any] = []
        self._rows = self._bytes = 0

    def write_all(self, batches: Iterable[Any]) -> None:
        """Take batches, and write them as soon as there is a group."""
        for batch in batches:
            if batch.num_rows:
                self._gathered.append(self._as_table(batch))
                self._rows += batch.num_rows
                self._bytes += batch.nbytes
            if self._rows >= self._most or self._bytes >= GROUP_BYTES:
                self.flush()

    def flush(self) -> None:
        """Write what has been taken."""
        if self._gathered:
            table = pa.concat_tables(self._gathered).combine_chunks()
            self._writer.write_table(table, self._rows)
        self._gathered, self._rows, self._bytes = [], 0, 0

    def _as_table(self, batch: Any) -> Any:
        """A batch with the columns and the metadata of the output."""
        table = pa.Table.from_batches([batch])
        try:
            return table.cast(self._schema)
        except (pa.ArrowException, ValueError) as error:
            reason = one_line(str(error).partition("\n")[0])
            raise OutputError(f"the tables differ, and go into a folder only: {reason}") from error
