"""What the tests and benchmarks of Cityscapes share: its folders, made of label maps or polygons."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Labels = NDArray[np.uint16]

MAPS, POLYGONS = "_gtFine_instanceIds.png", "_gtFine_polygons.json"


def make_cityscapes(root: Path, images: Mapping[str, Labels | dict[str, Any]], split: str = "train") -> Path:
    """Write gtFine: for each ``<city>/<image>`` a label map, or polygons."""
    folder = root / "gtFine" / split
    for stem, labels in images.items():
        (folder / stem).parent.mkdir(parents=True, exist_ok=True)
        if isinstance(labels, dict):
            (folder / f"{stem}{POLYGONS}").write_text(json.dumps(labels), "utf-8")
        else:
            Image.fromarray(labels).save(folder / f"{stem}{MAPS}")
            # of no interest here
            Image.fromarray(labels.astype(np.uint8)).save(folder / f"{stem}_gtFine_labelIds.png")
    return root


def street(seed: int, height: int = 60, width: int = 120) -> Labels:
    """Instances, crowd regions, caravans and stuff, in rectangles over each other."""
    rng = np.random.default_rng(seed)
    label_map = np.zeros((height, width), np.uint16)
    label_map[height // 2 :] = 7
    ids = [
        *(24000 + i for i in range(4)),
        25000,
        *(26000 + i for i in range(9)),
        31007,
        33999,
        24,
        26,
        29,
        29001,
    ]
    for number in rng.permutation(ids).tolist():
        top, left = int(rng.integers(0, height - 3)), int(rng.integers(0, width - 3))
        label_map[top : top + int(rng.integers(1, 20)), left : left + int(rng.integers(1, 30))] = number
    return label_map


def polygons(seed: int, labels: list[str], height: int = 60, width: int = 120) -> dict[str, Any]:
    """Random polygons, some beyond the picture, some with fractions, some deleted."""
    rng = np.random.default_rng(seed)
    objects: list[dict[str, Any]] = []
    for label in rng.choice(labels, 40).tolist():
        points = rng.uniform(-15, 15, (int(rng.integers(2, 9)), 2)) + rng.uniform(0, [width, height])
        polygon = points.tolist() if rng.random() < 0.3 else points.astype(int).tolist()
        objects.append({"label": label, "polygon": polygon})
        if rng.random() < 0.2:
            objects[-1] |= {"deleted": int(rng.integers(0, 2)), "user": "somebody", "date": "1-Jan-2015"}
    return {"imgHeight": height, "imgWidth": width, "objects": objects}
