"""Data sets and pages for the tests of reports."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

import tfdp_fast as tfdp

VOID = {"br", "hr", "img", "input", "link", "meta"}
NASTY = (
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "\u202eright to left\u2069",
    "a lone \udc80 surrogate",
    "line\nbreak\u2028 & <!-- comment",
    "]]></style><b>",
)
"""Names that try to be something else."""


def made_data(images: int = 40, classes: int = 6, seed: int = 0) -> dict[str, Any]:
    """A data set of random rectangles; the later a class, the rarer it is. Some images have no instance."""
    rng = np.random.default_rng(seed)
    annotations: list[dict[str, Any]] = []
    for image in range(images):
        for _ in range(int(rng.integers(0, 5))):
            x, y = rng.integers(0, 50, 2).tolist()
            w, h = rng.integers(2, 40, 2).tolist()
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": 100 + image,
                    "bbox": [x, y, w, h],
                    "area": w * h,
                    "category_id": int(rng.integers(0, classes) * rng.random()) + 1,
                    "segmentation": [[x, y, x + w, y, x + w, y + h, x, y + h]],
                }
            )
    return {
        "images": [
            {"id": 100 + i, "file_name": f"{i:03}.png", "height": 100, "width": 120} for i in range(images)
        ],
        "categories": [{"id": c + 1, "name": f"class {c}"} for c in range(classes)],
        "annotations": annotations,
    }


def nasty_data() -> dict[str, Any]:
    """The same, whose classes and files have names that try to be markup."""
    data = made_data(images=20, classes=len(NASTY))
    for category, name in zip(data["categories"], NASTY, strict=True):
        category["name"] = name
    for image, name in zip(data["images"], NASTY, strict=False):
        image["file_name"] = name
    for annotation in data["annotations"]:
        annotation["category_id"] = annotation["id"] % len(NASTY) + 1
    return data


def page_of(data: Any, **options: Any) -> str:
    """The page about a data set."""
    file = io.BytesIO()
    tfdp.write_report(data, file, **options)
    return file.getvalue().decode()


class Tree(HTMLParser):
    """All elements of a page, in order; elements that are not closed, or closed twice, are an error."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"<{tag}> has an attribute twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self._open[-1] if self._open else "", data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of each element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    def inside(self, tag: str) -> list[str]:
        """The texts right inside elements of a kind."""
        return [text for name, text in self.texts if name == tag]


def slider_data(html: str) -> dict[str, Any]:
    """What the page's script reckons with."""
    found = re.search(r'<script type="application/json" id="pruning-data">(.*?)</script>', html)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def remaining(data: dict[str, Any], per_cent: int) -> tuple[int, dict[str, int]]:
    """How many images, and instances of each class, remain, as the script reckons it."""
    left = {name: counts[0] - sum(counts[1 : per_cent + 1]) for name, counts in data["classes"]}
    return data["images"][per_cent], left


def selected(scores: tfdp.Scores, per_cent: int) -> tuple[int, dict[str, int]]:
    """The same by `select`."""
    subset = tfdp.select(scores, rate=per_cent / 100)
    instances, classes = scores.instances, scores.classes
    assert instances is not None
    assert classes is not None
    kept = np.isin(instances.image_id, subset.image_ids)
    counts = {
        str(name): int(np.count_nonzero(instances.category_id[kept] == category))
        for category, name in zip(classes.id, classes.name, strict=True)
    }
    return subset.k, counts


def written(folder: Path, name: str, data: Any, **options: Any) -> Path:
    """The page about a data set, as a file."""
    path = folder / name
    tfdp.write_report(data, path, **options)
    return path
