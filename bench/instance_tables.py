"""Write tables of instances, of any size: ``python bench/instance_tables.py -o FOLDER --instances 20000000``.

Parquet files with a row for each instance: ``image_id``, ``file_name``, ``height``, ``width``, ``id``,
``category_id``, ``iscrowd`` and ``counts``, the text of a mask as compressed RLE. zstd of level 1, row groups
of some 200,000 rows that end where an image ends, as files do.

What it imitates are the figures of COCO train2017: sizes of images, instances of an image (7.2 on average)
and of each category, categories of an image, crowd regions (1.2 %). Masks are the polygons of COCO-100 and a
few of LVIS-100, put into other images (`tfdp_fast.timing.coco_shapes`): 277 characters of RLE on average,
where COCO-100's own have 273. Without these files they are blobs, of 250 characters. SA-1B's masks, in
larger images, have some 474 characters, and 239 bytes in such a file.

What it does not: there are 36,864 different masks, 2,048 for each of 18 sizes of images, and rows draw from
them. That hardly helps zstd, which sees a page at a time, some 4,000 masks: it makes 131.8 bytes of a drawn
mask, and 132.6 where each is written once. Crowd regions have masks like the others. Images without an
instance have no row.

Image ids and annotation ids ascend, and no two files share one. The same seed, sizes and shapes give the
same bytes, however many processes write them.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

import tfdp_fast as tfdp
from bench_data import REAL
from tfdp_fast.timing.coco_shapes import load_shapes, place
from tfdp_fast.timing.coco_statistics import ANNOTATIONS, CROWDS, MOST_IN_AN_IMAGE, SIZES, draw_categories

Ints = NDArray[np.int64]

PER_FILE, ROW_GROUP = 1_000_000, 200_000
MASKS_OF_SIZE = 2048
DIGITS = 12
"""Of a file name."""
SCHEMA = pa.schema(
    {
        "image_id": pa.int64(),
        "file_name": pa.string(),
        "height": pa.int32(),
        "width": pa.int32(),
        "id": pa.int64(),
        "category_id": pa.int32(),
        "iscrowd": pa.int8(),
        "counts": pa.string(),
    }
)
REPEATED = ["file_name", "height", "width", "category_id", "iscrowd"]


@dataclass(frozen=True)
class Tables:
    """What was written.

    Attributes
    ----------
    paths : list of Path
        The files, in order.
    instances, images : int
        Rows, and how many different images they are of.
    text : int
        Characters of RLE.
    bytes : int
        Of the files.
    """

    paths: list[Path]
    instances: int
    images: int
    text: int
    bytes: int


TableSets = Callable[[int, int], Tables]
"""Writes so many instances, so many a file."""


@dataclass(frozen=True)
class Part:
    """One of the files.

    Attributes
    ----------
    path : Path
    first, rows : int
        How many instances the files before it have, and how many it has.
    seed, number : int
        What its random numbers come from.
    masks_of_size : int
        Different masks for each size of images.
    shapes_from : Path or None
        Where the polygons are from.
    """

    path: Path
    first: int
    rows: int
    seed: int
    number: int
    masks_of_size: int
    shapes_from: Path | None


def write_tables(
    folder: Path,
    instances: int,
    per_file: int = PER_FILE,
    seed: int = 0,
    *,
    processes: int = 1,
    masks_of_size: int = MASKS_OF_SIZE,
    shapes_from: Path | None = REAL,
) -> Tables:
    """Write a table of so many instances.

    Parameters
    ----------
    folder : Path
        Where to; it is made. Files are called ``instances-00000.parquet`` and so on.
    instances, per_file : int
        How many in all, and in each file but the last; 0 or more, and 1 or more.
    seed : int
        Same seed, same bytes.
    processes : int
        How many write at the same time.
    masks_of_size : int
        How many different masks there are for each of the 18 sizes of images.
    shapes_from : Path, optional
        A folder with COCO-100 and LVIS-100, whose polygons are taken; blobs without it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts = [
        Part(
            folder / f"instances-{number:05d}.parquet",
            first,
            min(per_file, instances - first),
            seed,
            number,
            masks_of_size,
            shapes_from,
        )
        for number, first in enumerate(range(0, instances, per_file))
    ]
    if processes > 1:
        with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
            written = list(pool.map(_write_part, parts))
    else:
        written = [_write_part(part) for part in parts]
    images, text, size = np.sum(written or [(0, 0, 0)], axis=0).tolist()
    return Tables([part.path for part in parts], instances, images, text, size)


def _write_part(part: Part) -> tuple[int, int, int]:
    """Write a file, which appears whole; images, characters of RLE and bytes."""
    rng = np.random.default_rng((part.seed, part.number))
    masks = mask_pool(part.seed, part.masks_of_size, part.shapes_from)
    ends = image_ends(rng, part.rows)
    unfinished = part.path.with_suffix(".part")
    text = 0
    with pq.ParquetWriter(
        unfinished,
        SCHEMA,
        compression="zstd",
        compression_level=1,
        use_dictionary=REPEATED,
        write_statistics=SCHEMA.names[:-1],
        column_encoding={"image_id": "DELTA_BINARY_PACKED", "id": "DELTA_BINARY_PACKED", "counts": "PLAIN"},
    ) as writer:
        for some in _row_groups(ends):
            table = _rows(rng, part, masks, some)
            text += pc.sum(pc.binary_length(table["counts"])).as_py()
            writer.write_table(table, row_group_size=len(table))
    unfinished.replace(part.path)
    return len(ends) - 1, text, part.path.stat().st_size


def image_ends(rng: np.random.Generator, rows: int) -> Ints:
    """Where the instances of each image begin, and the end; the last image may have been cut."""
    drawn = np.rint(rng.lognormal(np.log(4), 1.1, rows)).astype(np.int64).clip(1, MOST_IN_AN_IMAGE)
    ends = np.concatenate([[0], np.cumsum(drawn)]).clip(max=rows)
    return ends[: np.searchsorted(ends, rows) + 1]


def _row_groups(ends: Ints) -> Iterator[Ints]:
    """The ends of the images of each row group."""
    cuts = np.searchsorted(ends, np.arange(0, ends[-1] + ROW_GROUP, ROW_GROUP)).clip(max=len(ends) - 1)
    for first, last in pairwise(cuts.tolist()):
        if first < last:
            yield ends[first : last + 1]


def _rows(rng: np.random.Generator, part: Part, masks: Any, ends: Ints) -> Any:
    """Some images as rows of the table."""
    image = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
    shares = np.array(SIZES)[:, 2] / np.sum(SIZES, axis=0)[2]
    size = rng.choice(len(SIZES), len(ends) - 1, p=shares)
    chosen = size[image] * part.masks_of_size + rng.integers(0, part.masks_of_size, len(image))
    image_ids = part.first + ends[:-1] + 1
    columns = {
        "image_id": image_ids[image],
        "file_name": file_names(image_ids).take(pa.array(image)),
        "height": np.array(SIZES, np.int32)[size, 0][image],
        "width": np.array(SIZES, np.int32)[size, 1][image],
        "id": part.first + np.arange(ends[0], ends[-1]) + 1,
        "category_id": draw_categories(rng, image).astype(np.int32),
        "iscrowd": (rng.random(len(image)) < CROWDS / ANNOTATIONS).astype(np.int8),
        "counts": masks.take(pa.array(chosen)),
    }
    return pa.table(columns, SCHEMA)


@cache
def mask_pool(seed: int, masks_of_size: int, shapes_from: Path | None) -> Any:
    """The masks to draw from as text, the same number for each size of images, in the order of the sizes."""
    rng = np.random.default_rng(seed)
    _, shapes = load_shapes(rng, shapes_from)
    heights, widths = np.repeat(np.array(SIZES)[:, :2], masks_of_size, axis=0).T
    polygons = list(place(rng, shapes, heights, widths).segmentations())
    rles = tfdp.to_rle(polygons, np.stack([heights, widths], axis=1))
    return pa.array([rle["counts"] for rle in rles], pa.string())


def file_names(image_ids: Ints) -> Any:
    """``000000000042.jpg`` for 42, as COCO calls its images."""
    digits = image_ids[:, None] // 10 ** np.arange(DIGITS - 1, -1, -1) % 10 + ord("0")
    ending = np.broadcast_to(np.frombuffer(b".jpg", np.uint8), (len(image_ids), 4))
    text = np.hstack([digits.astype(np.uint8), ending])
    offsets = np.arange(len(image_ids) + 1, dtype=np.int32) * text.shape[1]
    return pa.StringArray.from_buffers(len(image_ids), pa.py_buffer(offsets), pa.py_buffer(text))


def main() -> None:
    """Write files as the command line says."""
    parser = argparse.ArgumentParser(description="Write tables of instances in the likeness of COCO.")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--instances", type=int, default=PER_FILE)
    parser.add_argument("--per-file", type=int, default=PER_FILE)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    written = write_tables(
        options.output, options.instances, options.per_file, options.seed, processes=options.processes
    )
    print(json.dumps(asdict(written) | {"paths": len(written.paths)}))


if __name__ == "__main__":
    main()
