"""A data set pruned as one would without this package: ``python bench/rival_prune.py WAY FILE RATE OUTPUT``.

pycocotools loads the file, OpenCV measures each mask, NumPy adds up, `json` writes the subset. It follows
the formulas and the selection of the README, so that the subset is the same.

The `usual` way is the one that comes to mind: `annToMask`, `json.dump`. The `quick` way is what someone who
knows the libraries would do: `cv2.fillPoly` (the other polygon convention), and `json.dumps`, which unlike
`json.dump` encodes in C.

Prints the seconds that loading, scoring and writing took, as JSON.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from typing import Any

import cv2
import numpy as np
from pycocotools.coco import COCO

from tfdp_fast.timing.opencv_route import best, image_scores, si_scs
from tfdp_fast.timing.over_pixels import by_opencv, primary_contour


def score_images(coco: COCO, way: str) -> dict[int, float]:
    """S of each image that has a scored instance."""
    shapes: list[tuple[int, int, float]] = []
    for annotation in coco.dataset["annotations"]:
        if annotation["iscrowd"]:
            continue
        image = coco.imgs[annotation["image_id"]]
        if way == "usual":
            mask = coco.annToMask(annotation)
        else:
            mask = by_opencv(annotation["segmentation"], image["height"], image["width"])
        shapes.append((annotation["image_id"], annotation["category_id"], si_scs(*primary_contour(mask))))
    return image_scores(iter(shapes))


def subset_of(data: dict[str, Any], scores: dict[int, float], rate: float) -> dict[str, Any]:
    """The part of the data set that is kept."""
    kept = set(best([image["id"] for image in data["images"]], scores, rate))
    return data | {
        "images": [image for image in data["images"] if image["id"] in kept],
        "annotations": [row for row in data["annotations"] if row["image_id"] in kept],
    }


def main(way: str, path: str, rate: str, output: str) -> None:
    cv2.setNumThreads(1)
    times = [time.perf_counter()]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(path)
    times.append(time.perf_counter())
    subset = subset_of(coco.dataset, score_images(coco, way), float(rate))
    times.append(time.perf_counter())
    with open(output, "w") as file:  # noqa: PTH123
        if way == "usual":
            json.dump(subset, file)
        else:
            file.write(json.dumps(subset))
    times.append(time.perf_counter())
    print(json.dumps(dict(zip(["load", "score", "write"], np.diff(times).tolist(), strict=True))))


if __name__ == "__main__":
    main(*sys.argv[1:])
