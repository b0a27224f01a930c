"""The data set that is a table, or several."""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Iterator
from dataclasses import replace
from itertools import compress, repeat
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._core import FillConvention
from tfdp_fast._output import Outputs, check_folder, check_output, refuse_to_overwrite
from tfdp_fast.errors import DataError, OptionError
from tfdp_fast.formats._arrow_chunks import chunk_of
from tfdp_fast.formats._arrow_columns import packed_sides
from tfdp_fast.formats._arrow_layout import Layout, layout_of
from tfdp_fast.formats._arrow_rows import Rows
from tfdp_fast.formats._arrow_subset import Selection
from tfdp_fast.formats._arrow_tables import SUFFIXES, FileTable, ObjectTable, Table, arrow_errors, tables_in
from tfdp_fast.formats._arrow_types import without_views
from tfdp_fast.formats._arrow_write import write_file, write_folder
from tfdp_fast.formats._class_names import Categories, classes_of_features
from tfdp_fast.formats._coco_records import IMAGE
from tfdp_fast.formats._hashing import FileHash
from tfdp_fast.formats._record_forms import ONE_CLASS
from tfdp_fast.formats._streamed import Chunk, FileRead, StreamedDataset
from tfdp_fast.formats.dataset import OnProgress, OpenOptions

__all__ = ["ArrowDataset"]

IMAGE_ROWS, INSTANCE_ROWS = 256, 8192
"""Rows of a piece, at most, where each is an image, or an instance."""
MASK_BYTES = 1 << 22
"""Bytes of masks in a piece, roughly, at most: what they are decoded to is some times as much."""
FEW_IMAGES, FEW_INSTANCES = 16, 256
"""Rows of a piece, at least, however large their masks are."""

Piece: TypeAlias = "Rows | FileTable"
"""Rows to be measured, or a file to be hashed."""


class ArrowDataset(StreamedDataset[Piece]):
    """Tables are decoded on the calling thread, and measured on others meanwhile."""

    format = "arrow"

    def __init__(self, source: Any, options: OpenOptions) -> None:
        self._folder: Path | None = None
        self._tables: list[Table]
        if isinstance(source, (str, os.PathLike)):
            name, path = os.fsdecode(source), Path(os.fsdecode(source))
            self._folder = path if path.is_dir() else None
            self._tables = list(tables_in(path) if path.is_dir() else [FileTable(path, path.name)])
            if not self._tables:
                raise DataError(name, None, f"has no file in it that ends with {', '.join(SUFFIXES)}")
        else:
            self._tables = [ObjectTable(source)]
            name = self._tables[0].source
        self._layouts = []
        for table in self._tables:
            with arrow_errors(table.source):  # names that are no UTF-8
                self._layouts.append(layout_of(table.schema, table.source))
        self._by_image = self._layouts[0].nested is not None
        self.continues = not self._by_image
        self._check_layouts()
        super().__init__(
            name,
            options.on_error,
            categories=self._known_classes(),
            fingerprint=options.fingerprint and isinstance(self._tables[0], FileTable),
        )
        known = self._categories
        self._classes = None if known is None else np.array([i for i, _ in known], np.int64)
        rows = [table.rows for table in self._tables]
        if self._by_image and None not in rows:
            self.all_images = sum(n for n in rows if n is not None)
        self._was_read = False
        self._threaded = False
        self._positions: dict[int | str, int] = {}
        self._sides = array("q")

    def measure(
        self, convention: FillConvention, *, threads: int, progress: OnProgress | None
    ) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Read and measure everything; on one thread, pyarrow decodes on that one too."""
        self._threaded = threads > 1
        return super().measure(convention, threads=threads, progress=progress)

    def pieces(self) -> Iterator[Piece]:
        """Files to be hashed, and some rows each."""
        if self._was_read and self._tables[0].once:
            raise DataError(self.source, None, "is a reader that has been read: it can be read once")
        self._was_read = True
        self._positions, self._sides = {}, array("q")
        first = 0
        for number, table in enumerate(self._tables):
            if self.hashing and isinstance(table, FileTable):
                yield table
            columns = self._layouts[number].columns
            for rows in self._rows(number, first, columns, threaded=self._threaded):
                yield rows
                first = rows.first_of_all + rows.batch.num_rows

    def read(self, piece: Piece, convention: FillConvention, *, again: bool) -> Chunk:
        """Measure some rows, or hash a file."""
        if isinstance(piece, FileTable):
            with FileHash(piece.version.pieces()) as hashed:
                pass
            assert hashed.fingerprint is not None
            found = hashed.fingerprint
            return Chunk.empty(files=[FileRead(piece.name, found.size, found.sha256)])
        with arrow_errors(piece.source):
            return chunk_of(piece, self._classes, convention, with_masks=again)

    def taken(self, chunk: Chunk) -> Chunk:
        """With a row per instance, images that are there already are not there again."""
        if self._by_image:
            return chunk
        before, n = len(self._positions), len(chunk.image_ids)
        ids, sides = chunk.image_ids.tolist(), packed_sides(chunk.image_sizes)
        # Each is in the chunk once, so all that are found were in one before.
        index = np.fromiter(map(self._positions.get, ids, repeat(-1)), np.int64, n)
        known = np.flatnonzero(index >= 0)
        if known.size:
            differ = known[np.frombuffer(self._sides, np.int64)[index[known]] != sides[known]]
            if differ.size:
                record = IMAGE.name_of(ids[differ[0]])
                raise DataError(self.source, record, "its rows have different heights or widths")
        new = np.flatnonzero(index < 0)
        index[new] = np.arange(before, before + len(new))
        self._sides.frombytes(sides[new].tobytes())
        is_new = (index >= before).tolist()
        self._positions.update(zip(compress(ids, is_new), range(before, before + len(new)), strict=True))
        return replace(
            chunk,
            image_ids=chunk.image_ids[new],
            image_sizes=chunk.image_sizes[new],
            file_names=list(compress(chunk.file_names, is_new)),
            image_index=index[chunk.image_index] - before,
        )

    def check_destination(self, destination: Any) -> None:
        """Refuse what is no table, the source itself, or a source that cannot be read again."""
        if self._tables[0].once:
            raise OptionError("a reader can be read only once: a subset of it cannot be written")
        if self._to_folder(destination):
            check_folder(destination)
            return
        check_output(destination)
        if isinstance(destination, (str, os.PathLike)) and not os.fsdecode(destination).endswith(SUFFIXES):
            raise OptionError(
                f"a table is written to {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}, "
                f"not to {os.fsdecode(destination)}"
            )
        for table in self._tables:
            if isinstance(table, FileTable):
                refuse_to_overwrite(destination, table.version.stat)

    def write_into(
        self, outputs: Outputs, destination: Any, keep: NDArray[np.bool_], drop_rows: NDArray[np.int64]
    ) -> int:
        """Write the rows of the images with ``keep[i]``, batch by batch."""
        keep, drop_rows = self.check_selection(keep, drop_rows)
        self.check_destination(destination)
        ids = self.image_ids[keep]
        selection = Selection(ids, drop_rows)
        selected = self._selected(selection)
        self.check_unchanged()
        if self._folder is not None and self._to_folder(destination):
            made = outputs.folder(destination)
            write_folder(made, Path(destination), self._folder, self._tables, selected, ids)
        else:
            write_file(outputs.open(destination), destination, self._tables, selected)
        self.check_unchanged()
        return selection.annotations

    def _selected(self, selection: Selection) -> Iterator[Iterator[Any]]:
        """Of each table, batches of the rows that stay."""
        first = 0

        def batches(number: int) -> Iterator[Any]:
            nonlocal first
            for rows in self._rows(number, first, None, threaded=True):
                yield selection.of(rows)
                first = rows.first_of_all + rows.batch.num_rows

        for number in range(len(self._tables)):
            yield batches(number)

    def _rows(
        self, number: int, first_of_all: int, columns: list[str] | None, *, threaded: bool
    ) -> Iterator[Rows]:
        """A table in pieces, the first row of which has this position in the data set."""
        table, layout = self._tables[number], self._layouts[number]
        file = table.source if len(self._tables) > 1 else None
        first = 0
        most = IMAGE_ROWS if self._by_image else INSTANCE_ROWS
        for batch in table.batches(columns, most, threaded=threaded):
            for part in self._parts(without_views(batch), layout):
                yield Rows(part, layout, first, first_of_all + first, table.source, file)
                first += part.num_rows

    def _parts(self, batch: Any, layout: Layout) -> Iterator[Any]:
        """A batch, or parts of it where its masks are large."""
        size = batch.column(layout.nested or layout.segmentation).nbytes
        most = batch.num_rows * MASK_BYTES // max(size, 1)
        most = max(most, FEW_IMAGES if self._by_image else FEW_INSTANCES)
        for begin in range(0, batch.num_rows, most):
            yield batch.slice(begin, most)

    def _to_folder(self, destination: Any) -> bool:
        is_path = isinstance(destination, (str, os.PathLike))
        return self._folder is not None and is_path and not os.fsdecode(destination).endswith(SUFFIXES)

    def check_unchanged(self) -> None:
        """Raise DataError if a file is not what it was when it was opened."""
        for table in self._tables:
            if isinstance(table, FileTable):
                table.version.check()

    def _check_layouts(self) -> None:
        """Raise DataError unless all tables are of one kind."""
        first = self._layouts[0]
        for table, layout in zip(self._tables, self._layouts, strict=True):
            for differ, what in (
                ((layout.nested is None) != (first.nested is None), "a row per image"),
                ((layout.category is None) != (first.category is None), "classes"),
            ):
                if differ:
                    raise DataError(
                        table.source,
                        None,
                        f"does not go with {self._tables[0].source}: only one of them has {what}",
                    )

    def _known_classes(self) -> Categories | None:
        """The classes, where Hugging Face's metadata names them, or where there is only one."""
        if self._layouts[0].category is None:
            return [ONE_CLASS]
        for table in self._tables:
            stored = (table.schema.metadata or {}).get(b"huggingface")
            try:
                classes = classes_of_features(json.loads(stored)["info"]["features"]) if stored else None
            except (ValueError, KeyError, TypeError):  # of no concern to us
                continue
            if classes is not None:
                return classes
        return None
