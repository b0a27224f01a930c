"""Write documents like those of SA-1B: ``python bench/sa1b_like.py -o FOLDER``.

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
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

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


@cache
def shapes(seed: int) -> list[dict[str, Any]]:
    """Masks of an image, as compressed RLE; blobs with rough outlines, most of them small."""
    rng = np.random.default_rng(seed)
    n = 160
    angles = np.linspace(0, 2 * np.pi, n, endpoint=False)
    polygons: list[list[list[float]]] = []
    for _ in range(SHAPES):
        waves = rng.normal(0, 0.5, 6) / np.arange(1, 7)
        phases = rng.uniform(0, 2 * np.pi, 6)
        smooth = np.exp(waves @ np.cos(np.arange(1, 7)[:, None] * angles + phases[:, None]))
        radii = rng.lognormal(3.85, 0.8) * smooth * rng.uniform(0.94, 1.06, n)
        outline = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1) * rng.uniform(0.4, 1, 2)
        centre = rng.uniform((0, 0), (WIDTH, HEIGHT))
        points = (centre + outline).clip(0, (WIDTH - 1, HEIGHT - 1))
        polygons.append([points.ravel().tolist()])
    return tfdp.to_rle(polygons, (HEIGHT, WIDTH))


def document(rng: np.random.Generator, number: int, masks: list[dict[str, Any]]) -> bytes:
    """The text of a document."""
    chosen = rng.integers(0, len(masks), MASKS)
    annotations = [_annotation(rng, number * MASKS + k, masks[i]) for k, i in enumerate(chosen.tolist())]
    image = {"image_id": number, "width": WIDTH, "height": HEIGHT, "file_name": f"sa_{number}.jpg"}
    return json.dumps({"image": image, "annotations": annotations}).encode()


def _annotation(rng: np.random.Generator, number: int, mask: dict[str, Any]) -> dict[str, Any]:
    x, y, w, h = rng.uniform(0, 1000, 4).round(1).tolist()
    return {
        "bbox": [x, y, w, h],
        "area": int(w * h),
        "segmentation": {"size": [HEIGHT, WIDTH], "counts": mask["counts"]},
        "predicted_iou": float(rng.uniform(0.88, 1)),
        "point_coords": [rng.uniform(0, 1000, 2).tolist()],
        "crop_box": [0, 0, WIDTH, HEIGHT],
        "id": 500_000_000 + number,
        "stability_score": float(rng.uniform(0.92, 1)),
    }


def write_sa1b_like(folder: Path, documents: int, seed: int = 0, shard: int = 200) -> Sa1b:
    """Write documents as files, as shards of that many documents, and as lines.

    The same seed and numbers give the same bytes.
    """
    rng = np.random.default_rng(seed)
    masks = shapes(seed)
    made = Sa1b(
        folder / "files", folder / "tars", folder / "documents.jsonl", documents, documents * MASKS, 0
    )
    made.folder.mkdir(parents=True)
    made.tars.mkdir()
    size = 0
    with made.lines.open("wb") as lines:
        for first in range(0, documents, shard):
            with tarfile.open(made.tars / f"sa_{first // shard:06d}.tar", "w") as tar:
                for number in range(first, min(first + shard, documents)):
                    text = document(rng, number, masks)
                    size += len(text)
                    (made.folder / f"sa_{number}.json").write_bytes(text)
                    lines.write(text + b"\n")
                    for suffix, content in (("jpg", IMAGE), ("json", text)):
                        member = tarfile.TarInfo(f"sa_{number}.{suffix}")
                        member.size = len(content)
                        tar.addfile(member, io.BytesIO(content))
    return Sa1b(made.folder, made.tars, made.lines, documents, made.masks, size)


def main() -> None:
    """Write files as the command line says."""
    parser = argparse.ArgumentParser(description="Write documents in the likeness of SA-1B.")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    made = write_sa1b_like(arguments.output, arguments.documents, arguments.seed)
    print(f"{made.documents:,} documents, {made.masks:,} masks, {made.bytes / 1e6:.1f} MB of JSON")


if __name__ == "__main__":
    main()
