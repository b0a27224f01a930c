"""Tables with a row per instance: from Parquet to boundary counts, and in memory."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

import over_pixels
import tfdp_fast as tfdp
from bench_data import Masks, as_rle, rle_masks
from contest import OURS, Contender, claim, contest
from drawn import draw_masks
from tfdp_fast._batches import measure_batch
from tfdp_fast._core import FillConvention, SegmentationBatch
from tfdp_fast.formats.opening import open_dataset
from tfdp_fast.integrations.arrow import measure_table

ROWS = {True: 500_000, False: 2_000}
SHAPES = 4_000
PER_IMAGE = 7
ROUND = 8_192
KERNEL = "columns read, and the kernel alone"

Counts = NDArray[np.int64]


def table_of(masks: Masks, rows: int) -> pa.Table:
    """Rows like COCO's, seven for each image, with compressed counts; masks come again and again."""
    rng = np.random.default_rng(0)
    images = np.arange(rows) // PER_IMAGE
    chosen = rng.integers(0, len(masks), rows)
    texts = pa.array([rle["counts"] for rle in masks.segmentations])
    names = pa.array([f"{image:012}.jpg" for image in range(images[-1] + 1)])
    sizes = masks.sizes[chosen]
    return pa.table(
        {
            "image_id": images,
            "file_name": names.take(pa.array(images)),
            "height": np.ascontiguousarray(sizes[:, 0]),
            "width": np.ascontiguousarray(sizes[:, 1]),
            "id": np.arange(rows),
            "category_id": rng.zipf(1.5, rows).clip(1, 80),
            "iscrowd": np.zeros(rows, np.int8),
            "counts": texts.take(pa.array(chosen)),
        }
    )


@pytest.fixture(scope="module")
def parquet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of rows like COCO's: drawn shapes in images of one size."""
    rows = ROWS[request.config.getoption("--benchmark-enable")]
    path = tmp_path_factory.mktemp("tables") / "instances.parquet"
    masks = as_rle(draw_masks(min(SHAPES, rows), 480, 640))
    few = ["file_name", "height", "width", "category_id", "iscrowd"]
    table = table_of(masks, rows)
    pq.write_table(table, path, compression="zstd", row_group_size=200_000, use_dictionary=few)
    return path


def ours(path: Path, threads: int = 1) -> Counts:
    """Open, read and measure everything."""
    counts, _ = open_dataset(path).measure(FillConvention.COCO, threads=threads, progress=None)
    return counts


def kernel(path: Path) -> Counts:
    """Read all columns, and hand the masks to the kernel: what nobody can do without."""
    counts = []
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        for batch in file.iter_batches(ROUND, use_threads=False):
            sides = [batch.column(name).to_numpy() for name in ("height", "width")]
            sizes = np.stack(sides, axis=1).astype(np.int32)
            column = batch.column("counts")
            _, offsets, text = column.buffers()
            ends = np.frombuffer(offsets, np.int32)[column.offset :][: len(column) + 1].astype(np.int64)
            spans = np.stack([ends[:-1], ends[1:]], axis=1)
            masks = SegmentationBatch.from_text(text, spans, np.full_like(sizes, -1), sizes)
            counts.append(measure_batch(masks, FillConvention.COCO)[0])
    return np.concatenate(counts)


def work(path: Path) -> dict[str, int]:
    return {"instances": pq.read_metadata(path).num_rows, "bytes": path.stat().st_size}


def test_parquet(benchmark: BenchmarkFixture, parquet: Path) -> None:
    what = "Parquet of compressed counts, one thread"
    counts, answers = contest(
        benchmark,
        what,
        partial(ours, parquet),
        [Contender(KERNEL, partial(kernel, parquet))],
        work=work(parquet),
        note="What is left is ids, classes and file names, and looking up which image a row belongs to.",
    )
    np.testing.assert_array_equal(counts, answers[KERNEL])
    assert counts.any()
    if benchmark.enabled:
        claim(benchmark, what, KERNEL, 1 / benchmark.extra_info["entries"][1]["ratio"], at_most=1.3, unit="×")


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor")
def test_parquet_two_threads(benchmark: BenchmarkFixture, parquet: Path) -> None:
    one = f"{OURS}, one thread"
    two, answers = contest(
        benchmark,
        "two threads, Parquet of compressed counts",
        Contender(f"{OURS}, two threads", partial(ours, parquet, 2)),
        [Contender(one, partial(ours, parquet))],
        work=work(parquet),
        at_least=1.4,
    )
    np.testing.assert_array_equal(two, answers[one])


def measured(table: pa.Table) -> tfdp.BoundaryCounts:
    """Our function, its columns as counts."""
    found = measure_table(table, columns=[])
    return tfdp.BoundaryCounts(*(column.to_numpy() for column in found.columns))


def over(route: Any, table: pa.Table) -> NDArray[np.float64]:
    """The way over pixels, from the same table."""
    texts, heights, widths = (table[name].to_pylist() for name in ("counts", "height", "width"))
    rles = [
        {"counts": text, "size": [height, width]}
        for text, height, width in zip(texts, heights, widths, strict=True)
    ]
    found: NDArray[np.float64] = route(Masks("table", rles, np.array([heights, widths], np.int32).T))
    return found


def test_measure_table(benchmark: BenchmarkFixture) -> None:
    masks = rle_masks()
    columns = {"counts": [rle["counts"] for rle in masks.segmentations]}
    sides = dict(zip(("height", "width"), np.ascontiguousarray(masks.sizes.T), strict=True))
    table = pa.table({**columns, **sides})
    routes = {
        over_pixels.NAME: over_pixels.measure_rle,
        over_pixels.TRANSPOSED: over_pixels.measure_transposed_rle,
    }
    counts, answers = contest(
        benchmark,
        f"measure_table, {masks.name}",
        partial(measured, table),
        [Contender(name, partial(over, route, table)) for name, route in routes.items()],
        work={"masks": len(masks), "bytes": table["counts"].nbytes},
        at_least=10,
    )
    for found in answers.values():
        np.testing.assert_array_equal(counts.area, found[:, 0])
    np.testing.assert_allclose(counts.perimeter, answers[over_pixels.NAME][:, 1], rtol=1e-7)
