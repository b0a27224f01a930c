"""A file like COCO train2017's: ``python bench/coco_like.py -o FILE``; see `tfdp_fast.timing.coco_like`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from bench_data import REAL
from tfdp_fast.timing.coco_like import CocoFile, write_coco_like
from tfdp_fast.timing.coco_statistics import IMAGES

CocoFiles = Callable[[int], CocoFile]
"""Makes a file of so many images."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a file in the likeness of COCO train2017.")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    parser.add_argument("--images", type=int, default=IMAGES, help=f"(default: {IMAGES})")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    written = write_coco_like(options.output, options.images, options.seed, REAL)
    print(json.dumps(asdict(written), default=str))


if __name__ == "__main__":
    main()
