"""Write documents like those of SA-1B: ``python bench/sa1b_like.py -o FOLDER``, or only ``--tars``.

What it imitates: images of 1500 x 2250, a hundred masks each, as compressed RLE of about 474 characters on
average, in the order of the keys and with the spaces of the real files, so that a mask is about 776 bytes of
JSON. An image and its document follow each other in a shard.

What it does not: there are only a few hundred different masks, drawn with rough outlines and given to many
images; and the images are a thousand bytes each, for nobody decodes them.
"""

from __future__ import annotations

import argparse
import io
import json
import tarfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np

import tfdp_fast as tfdp

HEIGHT, WIDTH = 1500, 2250
MASKS = 100
"""Of an image."""
SHAPES = 400
"""Different masks."""
IMAGE = bytes(1000)


@dataclass(frozen=True)
class Sa1b:
    """The same documents in three layouts.

    Attributes
    ----------
    folder, tars, lines : Path
        A folder of files, a folder of shards, and a file of lines.
    documents, masks, bytes : int
        How much there is; `bytes` of JSON.
    """

    folder: Path
    tars: Path
    lines: Path
    documents: int
    masks: int
    bytes: int


Sa1bSets = Callable[[int], Sa1b]


@dataclass(frozen=True)
class Sa1bTars:
    """Documents in shards.

    Attributes
    ----------
    paths : list of Path
        The shards, in order.
    documents, masks, bytes : int
        How much there is; `bytes` of JSON.
    """

    paths: list[Path]
    documents: int
    masks: int
    bytes: int


@cache
def shapes(seed: int) -> list[str]:
    """Counts of the masks of an image as JSON; blobs with rough outlines, most of them small."""
    rng = np.random.default_rng(seed)
    n = 160
    angles = np.linspace(0, 2 * np.pi, n, endpoint=False)
    polygons: list[list[list[float]]] = []
    for _ in range(SHAPES):
        waves = rng.normal(0, 0.5, 6) / np.arange(1, 7)
        phases = rng.uniform(0, 2 * np.pi, 6)
        smooth = np.exp(waves @ np.cos(np.arange(1, 7)[:, None] * angles + phases[:, None]))
        radii = rng.lognormal(3.95, 0.8) * smooth * rng.uniform(0.94, 1.06, n)
        outline = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1) * rng.uniform(0.4, 1, 2)
        centre = rng.uniform((0, 0), (WIDTH, HEIGHT))
        points = (centre + outline).clip(0, (WIDTH - 1, HEIGHT - 1))
        polygons.append([points.ravel().tolist()])
    return [json.dumps(rle["counts"]) for rle in tfdp.to_rle(polygons, (HEIGHT, WIDTH))]


def document(number: int, seed: int, counts: list[str]) -> bytes:
    """The text of a document; it depends on nothing else, whatever file it goes to.

    Parameters
    ----------
    number, seed : int
        Which one it is.
    counts : list of str
        The masks to draw from, as JSON.
    """
    rng = np.random.default_rng((seed, number))
    chosen = rng.integers(0, len(counts), MASKS).tolist()
    boxes = rng.uniform(0, 1000, (MASKS, 4)).round(1).tolist()
    points = rng.uniform(0, 1000, (MASKS, 2)).tolist()
    scores = rng.uniform((0.88, 0.92), 1, (MASKS, 2)).tolist()
    first = 500_000_000 + number * MASKS
    annotations = ", ".join(
        f'{{"bbox": [{x}, {y}, {w}, {h}], "area": {int(w * h)}, "segmentation": '
        f'{{"size": [{HEIGHT}, {WIDTH}], "counts": {counts[chosen[k]]}}}, "predicted_iou": {scores[k][0]}, '
        f'"point_coords": [{points[k]}], "crop_box": [0, 0, {WIDTH}, {HEIGHT}], "id": {first + k}, '
        f'"stability_score": {scores[k][1]}}}'
        for k, (x, y, w, h) in enumerate(boxes)
    )
    image = f'{{"image_id": {number}, "width": {WIDTH}, "height": {HEIGHT}, "file_name": "sa_{number}.jpg"}}'
    return f'{{"image": {image}, "annotations": [{annotations}]}}'.encode()


def write_sa1b_like(folder: Path, documents: int, seed: int = 0, shard: int = 200) -> Sa1b:
    """Write documents as files, as shards of that many documents, and as lines.

    The same seed and numbers give the same bytes.
    """
    made = Sa1b(
        folder / "files", folder / "tars", folder / "documents.jsonl", documents, documents * MASKS, 0
    )
    made.folder.mkdir(parents=True)
    size = write_tars(made.tars, documents, seed, shard).bytes
    counts = shapes(seed)
    with made.lines.open("wb") as lines:
        for number in range(documents):
            text = document(number, seed, counts)
            (made.folder / f"sa_{number}.json").write_bytes(text)
            lines.write(text + b"\n")
    return replace(made, bytes=size)


def write_tars(
    folder: Path, documents: int, seed: int = 0, shard: int = 1000, *, processes: int = 1
) -> Sa1bTars:
    """Write documents as shards of that many documents, and nothing else.

    Image ids and the ids of annotations ascend, and no two shards share one. The same seed and numbers give
    the same bytes, however many processes write them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    numbers = [range(first, min(first + shard, documents)) for first in range(0, documents, shard)]
    paths = [folder / f"sa_{i:06d}.tar" for i in range(len(numbers))]
    if processes > 1:
        with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
            sizes = list(pool.map(_write_tar, paths, numbers, [seed] * len(paths)))
    else:
        sizes = [_write_tar(path, some, seed) for path, some in zip(paths, numbers, strict=True)]
    return Sa1bTars(paths, documents, documents * MASKS, sum(sizes))


def _write_tar(path: Path, numbers: range, seed: int) -> int:
    """Write one shard, which appears whole; bytes of JSON."""
    counts = shapes(seed)
    unfinished = path.with_suffix(".part")
    size = 0
    with tarfile.open(unfinished, "w") as tar:
        for number in numbers:
            text = document(number, seed, counts)
            size += len(text)
            for suffix, content in (("jpg", IMAGE), ("json", text)):
                member = tarfile.TarInfo(f"sa_{number}.{suffix}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    unfinished.replace(path)
    return size


def main() -> None:
    """Write files as the command line says."""
    parser = argparse.ArgumentParser(description="Write documents in the likeness of SA-1B.")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tars", action="store_true", help="shards only, straight into the folder")
    parser.add_argument("--shard", type=int, default=1000, help="documents of a shard (default: 1000)")
    parser.add_argument("--processes", type=int, default=1, help="of those that write shards")
    options = parser.parse_args()
    made: Sa1b | Sa1bTars
    if options.tars:
        made = write_tars(
            options.output, options.documents, options.seed, options.shard, processes=options.processes
        )
    else:
        made = write_sa1b_like(options.output, options.documents, options.seed, options.shard)
    print(f"{made.documents:,} documents, {made.masks:,} masks, {made.bytes / 1e6:.1f} MB of JSON")


if __name__ == "__main__":
    main()
