"""Pass 1: a shard is read and measured, and its boundary counts are written. One pure function."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfdp_fast._batches import fill_convention
from tfdp_fast.boundary import BoundaryCounts
from tfdp_fast.distributed.counts_about import CountsAbout, ShardClass, class_sums
from tfdp_fast.distributed.counts_reading import counts_name
from tfdp_fast.distributed.counts_writing import ShardCounts, write_counts
from tfdp_fast.distributed.inputs import identity, staged
from tfdp_fast.distributed.parquet_parts import ParquetPart, is_parquet
from tfdp_fast.distributed.shards import MeasuringOptions, Shard
from tfdp_fast.distributed.storage import Storage
from tfdp_fast.errors import DataError
from tfdp_fast.formats.dataset import Dataset, OpenOptions
from tfdp_fast.formats.documents import open_numbered
from tfdp_fast.formats.opening import Opening, open_dataset
from tfdp_fast.status import Status
from tfdp_fast.tables import Ids

__all__ = ["ShardScored", "score_shard"]


DEFAULTS = MeasuringOptions()


@dataclass(frozen=True)
class ShardScored:
    """What has become of a shard.

    Attributes
    ----------
    images, annotations, instances, problems : int
        How many there are; annotations with crowd regions, instances without.
    size : int
        Bytes of the shard.
    written : int
        Bytes of its counts file.
    seconds : float
        How long it took.
    """

    images: int
    annotations: int
    instances: int
    problems: int
    size: int
    written: int
    seconds: float


def score_shard(
    shard: Shard, storage: Storage, options: MeasuringOptions = DEFAULTS, threads: int = 1
) -> ShardScored:
    """Measure a shard, and write its counts file.

    The same shard and options give the same file, byte for byte, wherever and however often it is done. So
    it does not matter if it is done twice, or is begun and not finished: the file appears when it is
    complete.

    Parameters
    ----------
    shard : Shard
        What to measure.
    storage : Storage
        The run folder.
    options : MeasuringOptions
        How.
    threads : int
        Threads to use; the result does not depend on it.

    Returns
    -------
    ShardScored

    Raises
    ------
    DataError
        If the shard cannot be used, or is another one now than it was.
    OutputError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from tfdp_fast.distributed.counts_reading import CountsFile, counts_name
    >>> square = [[0, 0, 9, 0, 9, 9, 0, 9]]
    >>> image = {"image_id": 7, "height": 10, "width": 10}
    >>> image["annotations"] = [{"segmentation": square, "category_id": 3}]
    >>> shard = Shard("squares", make=lambda: [image])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     storage = Storage(folder)
    ...     scored = score_shard(shard, storage)
    ...     with storage.open(counts_name(shard.key)) as file:
    ...         [block] = CountsFile(file, "counts").blocks()
    >>> scored.instances, block.image_ids, block.counts.area
    (1, array([7]), array([64.]))
    """
    begun = time.perf_counter()
    _check_identity(shard)
    with _opened(shard, options) as dataset:
        counts, statuses = dataset.measure(fill_convention(options.polygons), threads=threads, progress=None)
        columns, about = _gathered(dataset, counts, statuses, shard, options)
    _check_identity(shard)
    with storage.create(counts_name(shard.key)) as file:
        write_counts(columns, about, file)
        written = file.tell()
    return ShardScored(
        about.images,
        about.annotations,
        about.instances,
        len(about.problems),
        shard.size,
        written,
        time.perf_counter() - begun,
    )


def _check_identity(shard: Shard) -> None:
    """Raise DataError if a file is not what it was when the run was planned."""
    if shard.path is None or (not shard.size and not shard.modified):
        return
    size, modified = identity(shard.path, shard.begin, shard.end)
    if (size, modified) != (shard.size, shard.modified):
        what = f"has {size:,} bytes" if size != shard.size else "was written to"
        raise DataError(shard.path, None, f"has changed since the run was planned: it {what} since")


@contextlib.contextmanager
def _opened(shard: Shard, options: MeasuringOptions) -> Iterator[Dataset]:
    """The data set that a shard is."""
    how: Opening = {
        "format": options.format,
        "split": options.split,
        "difficult": options.difficult,
        "image_size": options.image_size,
    }
    if shard.make is not None:
        yield open_dataset(shard.make(), on_error=options.on_error, **how)
        return
    assert shard.path is not None
    if is_parquet(shard.path, options.format):
        with ParquetPart.open(shard.path, shard.begin, shard.end) as part:
            yield open_dataset(part, on_error=options.on_error, **how)
        return
    with staged(shard.path) as local:
        try:
            if shard.prefix or shard.begin is not None:
                only = OpenOptions(options.on_error)
                yield open_numbered(str(local), only, shard.begin, shard.end, shard.prefix)
            else:
                yield open_dataset(local, on_error=options.on_error, **how)
        except DataError as error:
            if str(local) == shard.path:
                raise
            source = error.source.replace(str(local), shard.path)
            raise DataError(source, error.record, error.reason) from error


def _gathered(
    dataset: Dataset, counts: Any, statuses: Any, shard: Shard, options: MeasuringOptions
) -> tuple[ShardCounts, CountsAbout]:
    """The columns of a data set that has been measured, and what goes into the footer."""
    good = statuses == Status.OK
    problems = [dataset.problem_at(int(i), Status(statuses[i])) for i in np.flatnonzero(~good)]
    index, crowd = dataset.category_index, dataset.crowd
    image_index, instance_ids = dataset.image_index, dataset.annotation_ids
    if problems:
        index, crowd, counts = index[good], crowd[good], counts[good]
        image_index, instance_ids = image_index[good], instance_ids[good]
    columns = ShardCounts(
        dataset.image_ids,
        dataset.file_names,
        dataset.image_sizes,
        image_index,
        instance_ids,
        dataset.category_ids[index] if len(index) else np.empty(0, dataset.category_ids.dtype),
        crowd,
        counts,
    )
    scored = ~crowd if crowd.any() else slice(None)
    measured = BoundaryCounts.from_array(counts[scored])
    classes = _classes(dataset, index[scored], measured)
    lowest, highest = _bounds(dataset.image_ids)
    about = CountsAbout(
        shard=shard.identity,
        options=options.to_json(),
        options_sha256=options.sha256,
        format=dataset.format,
        images=len(dataset.image_ids),
        annotations=len(crowd),
        instances=len(measured),
        degenerate=int(np.count_nonzero(measured.area2 == 0)),
        crowd=int(np.count_nonzero(crowd)),
        ignored=dataset.ignored,
        lowest=lowest,
        highest=highest,
        continues=dataset.continues,
        classes=classes,
        problems=sorted([*dataset.problems, *problems], key=lambda problem: problem.row),
    )
    return columns, about


def _bounds(ids: Ids) -> tuple[int | str | None, int | str | None]:
    """The first and the last id in ascending order."""
    if not len(ids):
        return None, None
    if ids.dtype.kind == "U":  # NumPy 1 has no least text
        ids = np.sort(ids)
        return str(ids[0]), str(ids[-1])
    return int(ids.min()), int(ids.max())


def _classes(dataset: Dataset, index: Any, counts: BoundaryCounts) -> list[ShardClass]:
    n = len(dataset.category_ids)
    si_scs, scs = class_sums(index, n, counts)
    instances = np.bincount(index, minlength=n).tolist()
    named = zip(dataset.category_ids.tolist(), dataset.category_names, strict=True)
    return [
        ShardClass(category_id, None if name == str(category_id) else name, instances[c], si_scs[c], scs[c])
        for c, (category_id, name) in enumerate(named)
    ]
