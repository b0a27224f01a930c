"""The image scores of a run in memory, for whoever has room for them."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pyarrow as pa

from tfdp_fast.distributed.folder import RunFolder
from tfdp_fast.distributed.images import ImagesFile, images_name
from tfdp_fast.distributed.results import RESULT
from tfdp_fast.distributed.storage import Storage
from tfdp_fast.errors import DataError
from tfdp_fast.formats._arrow_columns import own_ids
from tfdp_fast.scores import Scores
from tfdp_fast.tables import ImageTable

__all__ = ["load_run_scores"]

_COLUMNS = ["image_id", "file_name", "score", "annotation_count", "instance_count"]


def load_run_scores(folder: str | os.PathLike[str]) -> Scores:
    """The scores of all images of a run that is complete, for `tfdp_fast.select`, `compare` and the like.

    Parameters
    ----------
    folder : str or path
        The run folder, here or on an object store.

    Returns
    -------
    Scores
        Of images only: `instances` and `classes` are None.

    Raises
    ------
    DataError
        If there is no run, it is not complete, or a file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from tfdp_fast import distributed, select
    >>> square = {"segmentation": [[0, 0, 9, 0, 9, 9, 0, 9]], "category_id": 1}
    >>> images = [{"image_id": i, "height": 10, "width": 10, "annotations": [square]} for i in range(6)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = distributed.run(distributed.pieces_of(images, 2), folder, engine="threads")
    ...     scores = distributed.load_run_scores(folder)
    >>> select(scores, rate=0.5, strategy="ccs").k
    3
    """
    storage = Storage(folder)
    there = RunFolder.read(storage)
    if there is None or not storage.exists(RESULT):
        reason = "holds no run" if there is None else "holds a run without a result yet"
        raise DataError(storage.location, None, reason)
    parts: list[Any] = []
    for shard in there.manifest.shards:
        name = images_name(shard.key)
        with storage.open(name) as file:
            parts += ImagesFile(file, storage.path_of(name)).batches(_COLUMNS)
    wanted, options = there.manifest.wanted, there.manifest.options
    return Scores(_images(parts), None, None, wanted.variant, options.polygons)


def _images(parts: list[Any]) -> ImageTable:
    filled = [part for part in parts if part.num_rows]  # the ids of none are of no type
    if not filled:
        nothing = np.empty(0, np.int64)
        return ImageTable(nothing, np.empty(0, np.object_), nothing, nothing, np.empty(0))
    table = pa.concat_tables(filled)
    return ImageTable(
        own_ids(table["image_id"]),
        np.array(table["file_name"].to_pylist(), np.object_),
        table["annotation_count"].to_numpy(),
        table["instance_count"].to_numpy(),
        table["score"].to_numpy(),
    )
