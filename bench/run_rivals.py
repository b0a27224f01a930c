"""What `tfdp run` is compared with: its kernels alone, one pass in memory, and the way over pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from child import Child, run_tfdp
from instance_tables import Tables
from over_pixels import Pairs
from run_process import RATE
from tfdp_fast._batches import measure_batch
from tfdp_fast._core import FillConvention, SegmentationBatch
from tfdp_fast.timing.over_pixels import decoded, primary_contour

OF_THE_RIVAL = 1000
"""Masks that the way over pixels gets."""
BATCH = 8192
"""Rows that are read at a time for the kernels alone: what is quickest."""


def kernels_alone(paths: Sequence[Path]) -> NDArray[np.int64]:
    """Read all columns and measure the masks; nothing is kept but their counts."""
    found = [np.empty((0, 3), np.int64)]
    for path in paths:
        for rows in pq.ParquetFile(path).iter_batches(BATCH, use_threads=False):
            masks = rows["counts"].cast(pa.large_binary())
            _, offsets, text = masks.buffers()
            ends = np.frombuffer(offsets, np.int64)[masks.offset : masks.offset + len(masks) + 1]
            sizes = np.stack([rows["height"].to_numpy(), rows["width"].to_numpy()], axis=1)
            spans = np.stack([ends[:-1], ends[1:]], axis=1)
            batch = SegmentationBatch.from_text(text, spans, np.full_like(sizes, -1), sizes)
            found.append(measure_batch(batch, FillConvention.COCO)[0])
    return np.concatenate(found)


def in_memory(made: Tables, folder: Path) -> Child:
    """One pass in memory, to a file of scores and a list of the subset."""
    scores = str(folder / "scores.parquet")
    first = run_tfdp("score", str(made.paths[0].parent), "-o", scores, "-q")
    second = run_tfdp("select", scores, "--rate", str(RATE), "-o", str(folder / "keep.txt"), "-q")
    return Child(first.seconds + second.seconds, max(first.peak, second.peak), "")


def over_pixels(made: Tables) -> Pairs:
    """Area and perimeter of the first masks."""
    rows = next(pq.ParquetFile(made.paths[0]).iter_batches(OF_THE_RIVAL)).to_pylist()
    rles = [{"size": [row["height"], row["width"]], "counts": row["counts"]} for row in rows]
    return np.array([primary_contour(decoded(rle)) for rle in rles])
