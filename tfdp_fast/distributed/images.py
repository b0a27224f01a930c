"""Pass 2: image scores of a shard, from its boundary counts and the class totals of the run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tfdp_fast import __version__
from tfdp_fast.boundary import BoundaryCounts
from tfdp_fast.distributed.counts_reading import CountsBlock, CountsFile, counts_name
from tfdp_fast.distributed.footers import check_columns, footer_metadata, footer_text, reading_errors
from tfdp_fast.distributed.storage import Storage
from tfdp_fast.errors import DataError
from tfdp_fast.scores import Variant, class_balanced, scale_invariant
from tfdp_fast.tables import Ids
from tfdp_fast.totals import ClassTotals

__all__ = ["ImagesAbout", "ImagesFile", "RunTotals", "images_name", "score_images"]

_FORMAT = 1
_NAME = "tfdp-fast image scores"
_SCHEMA = [
    ("file_name", pa.string()),
    ("score", pa.float64()),
    ("annotation_count", pa.int64()),
    ("instance_count", pa.int64()),
]
_COLUMNS = {"image_id": (pa.int64(), pa.string()), **{name: (type_,) for name, type_ in _SCHEMA}}


def images_name(key: str) -> str:
    """The name of the file of image scores of a shard in its run folder."""
    return f"images/{key}.parquet"


@dataclass(frozen=True, eq=False)
class RunTotals:
    """The class totals of a run, and how they are used.

    Attributes
    ----------
    variant : {"tfdp", "si", "cb", "scs"}
        The method, or one of its ablations.
    category_ids : int64 or text [C]
        The classes, ascending.
    totals : float64 [C]
        T_c of each (Eq. 13).
    digest : str
        A hash of the exact totals and of the variant.
    """

    variant: Variant
    category_ids: Ids
    totals: NDArray[np.float64]
    digest: str

    @classmethod
    def of(cls, totals: ClassTotals, variant: Variant, digest: str) -> RunTotals:
        """From exact totals."""
        ids = np.array(totals.category_ids)
        order = np.argsort(ids, kind="stable")
        return cls(variant, ids[order], totals.totals[order], digest)

    def scores(self, counts: BoundaryCounts, category_ids: Ids) -> NDArray[np.float64]:
        """The score of each instance, float64 [N] (Eq. 13; Eq. 8 or 11 for variants without balance)."""
        values = counts.si_scs() if scale_invariant(self.variant) else counts.scs()
        if not class_balanced(self.variant):
            return values
        from tfdp_fast.kernels.sums import balance

        return balance(values, np.searchsorted(self.category_ids, category_ids), self.totals)


@dataclass(frozen=True)
class ImagesAbout:
    """What the footer of a file of image scores says.

    Attributes
    ----------
    shard : dict
        `Shard.identity` of the shard.
    totals : str
        `RunTotals.digest` of the totals that were used; where images are shared with other shards, it is
        `shared_digest`.
    images, annotated, scored : int
        How many images there are, how many have an annotation, and how many have a scored instance.
    version : str
        Of tfdp-fast.
    """

    shard: dict[str, Any]
    totals: str
    images: int
    annotated: int
    scored: int
    version: str = __version__

    @classmethod
    def from_json(cls, text: bytes, source: str) -> ImagesAbout:
        """From the metadata; DataError if they are something else."""
        try:
            found = json.loads(text)
            if found.pop("file") != _NAME or found.pop("format_version") != _FORMAT:
                raise ValueError
            return cls(**found)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(source, None, "is no file of image scores of a run") from error


def score_images(key: str, storage: Storage, totals: RunTotals, shared: str | None = None) -> ImagesAbout:
    """Score the images of a shard from its counts file, and write them.

    Columns: ``image_id`` (int64 or string), ``file_name`` (string, null where there is none), ``score``
    (double), ``annotation_count`` and ``instance_count`` (int64), in data-set order. The same counts and
    totals give the same file.

    Parameters
    ----------
    key : str
        Of the shard.
    storage : Storage
        The run folder.
    totals : RunTotals
        Of all shards.
    shared : str, optional
        If the shard has images that others have as well, the digest of the `Straddling`. Their scores have
        been summed; they are written where the shard is their owner.

    Raises
    ------
    DataError
        If the counts file, or what has been summed, cannot be read.
    OutputError
        If the file cannot be written.
    """
    source = counts_name(key)
    owned, digest = None, totals.digest
    if shared is not None:
        from tfdp_fast.distributed.exchanging import OwnedImages, shared_digest

        owned, digest = OwnedImages(key, storage, shared, totals), shared_digest(shared, totals)
    with storage.open(source) as file, storage.create(images_name(key)) as output, ExitStack() as stack:
        counts = CountsFile(file, storage.path_of(source))
        images = annotated = scored = 0
        writer = None
        for block in counts.blocks():
            batch = pa.RecordBatch.from_pydict(_image_columns(block, totals))
            if owned is not None:
                batch = owned.applied(batch)
            images += batch.num_rows
            annotated += int(np.count_nonzero(batch["annotation_count"]))
            scored += int(np.count_nonzero(batch["instance_count"]))
            writer = writer or stack.enter_context(_writer(output, batch.schema))
            writer.write_batch(batch, row_group_size=1 << 40)
        if writer is None:
            schema = pa.schema([("image_id", pa.int64()), *_SCHEMA])
            writer = stack.enter_context(_writer(output, schema))
        about = ImagesAbout(counts.about.shard, digest, images, annotated, scored)
        text = json.dumps({"file": _NAME, "format_version": _FORMAT, **asdict(about)})
        writer.add_key_value_metadata(footer_metadata(text))
    return about


def _image_columns(block: CountsBlock, totals: RunTotals) -> dict[str, Any]:
    """The columns of the images of a block."""
    from tfdp_fast.kernels.sums import sum_groups

    offsets, counts, categories = block.offsets, block.counts, block.category_ids
    if block.crowd.any():
        scored = ~block.crowd
        counts, categories = counts[scored], categories[scored]
        offsets = np.concatenate([[0], np.cumsum(scored)])[offsets]
    values = totals.scores(counts, categories)
    # Eq. 14
    scores = sum_groups(values, np.arange(len(values)), offsets)
    ids = block.image_ids
    return {
        "image_id": pa.array(ids.tolist() if ids.dtype.kind == "U" else ids),
        "file_name": block.file_names,
        "score": scores,
        "annotation_count": np.diff(block.offsets),
        "instance_count": np.diff(offsets),
    }


def _writer(file: Any, schema: Any) -> Any:
    whole = [one.name for one in schema if pa.types.is_integer(one.type)]
    return pq.ParquetWriter(
        file,
        schema,
        compression="zstd",
        use_dictionary=False,
        column_encoding={**dict.fromkeys(whole, "DELTA_BINARY_PACKED"), "score": "BYTE_STREAM_SPLIT"},
        write_page_checksum=True,
        store_schema=False,
    )


class ImagesFile:
    """A file of image scores that is open for reading.

    Parameters
    ----------
    file : file or pyarrow.NativeFile
        It, open for reading at any place.
    source : str
        What it is called in messages.

    Attributes
    ----------
    about : ImagesAbout
        What its footer says.
    """

    def __init__(self, file: Any, source: str) -> None:
        self.source = source
        with reading_errors(source):
            self._parquet = pq.ParquetFile(file, page_checksum_verification=True, pre_buffer=True)
        self.about = ImagesAbout.from_json(footer_text(self._parquet.metadata.metadata, source), source)
        check_columns(self._parquet, _COLUMNS, source)

    def batches(self, columns: list[str] | None = None) -> Iterator[Any]:
        """Some columns, or all, a row group at a time, as `pyarrow.Table` of one chunk each."""
        images = 0
        for group in range(self._parquet.num_row_groups):
            with reading_errors(self.source):
                table = self._parquet.read_row_group(group, columns, use_threads=False).combine_chunks()
            yield table
            images += table.num_rows
        if images != self.about.images:
            raise DataError(self.source, None, "is damaged: it has not as many rows as it says")
