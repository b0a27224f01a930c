"""Pictures on a page: a small image as a data URI, with the contours over it as SVG."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tfdp_fast.report._wording import in_unit, unit_of
from tfdp_fast.report.markup import Child, Markup, element
from tfdp_fast.report.numbers import significant
from tfdp_fast.report.pictures import Outline, Picture
from tfdp_fast.scores import Scores

__all__ = ["Thumbnail", "drawn", "most_of", "thumbnail", "unit_below"]

FINENESS = 2
"""Units of the drawing for a pixel of the thumbnail, in which coordinates are whole."""

STRIDE = 3
"""Points of a contour that are nearer to the last one, in these units, are left out."""

QUALITY = 60
LABELLED = 8
"""How many instances of a picture bear their numbers: those that add most to its score."""


@dataclass(frozen=True)
class Thumbnail:
    """An image at a reduced size.

    Attributes
    ----------
    width, height : int
        Of the drawing, in its own units.
    source : str or None
        The pixels as a data URI; None for a blank canvas.
    scale : float
        Units for a pixel of the full image.
    """

    width: int
    height: int
    source: str | None
    scale: float

    def path(self, contours: Iterable[NDArray[np.int32]]) -> str:
        """Contours as data of an SVG path."""
        return "".join(_path(points, self.scale) for points in contours)


def thumbnail(picture: Picture, longest: int) -> Thumbnail:
    """Reduce a picture so that its longer side has at most so many pixels."""
    scale = FINENESS * min(1.0, longest / max(picture.height, picture.width, 1))
    width, height = (max(1, round(scale * side)) for side in (picture.width, picture.height))
    return Thumbnail(width, height, None if picture.pixels is None else _data_uri(picture.pixels), scale)


def _data_uri(pixels: Image.Image) -> str:
    buffer = io.BytesIO()
    pixels.save(buffer, "WEBP", quality=QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _path(points: NDArray[np.int32], scale: float) -> str:
    """One contour: whole numbers, relative to the point before. Centres of pixels are at (0.5, 0.5)."""
    scaled = np.rint((points + 0.5) * scale).astype(np.int64).tolist()
    x, y = scaled[0]
    steps = []
    for next_x, next_y in scaled[1:]:
        dx, dy = next_x - x, next_y - y
        if abs(dx) + abs(dy) >= STRIDE:
            steps.append(f"{dx} {dy}")
            x, y = next_x, next_y
    start = f"M{scaled[0][0]} {scaled[0][1]}"
    return f"{start}l{' '.join(steps)}z" if steps else f"{start}z"


def drawn(picture: Picture, scores: Scores, longest: int, label: str) -> Markup:
    """A picture with the contours of its annotations, and the scores of its instances.

    Parameters
    ----------
    picture : Picture
        With its pixels, or without.
    scores : Scores
        Of the variant whose scores are written over it.
    longest : int
        How many pixels the longer side has at most.
    label : str
        What it shows, for those who do not see it.
    """
    small = thumbnail(picture, longest)
    size = {"width": small.width, "height": small.height}
    shapes: list[Child] = [element("title", label)]
    canvas = element("rect", **size, class_="canvas")
    shapes.append(canvas if small.source is None else element("image", href=small.source, **size))
    for outline in picture.outlines:
        path = small.path(outline.contours)
        crowd = "" if outline.role == "scored" else " crowd"
        shapes.append(element("path", d=path, class_="halo"))
        shapes.append(
            element("path", element("title", _told(outline, scores)), d=path, class_=f"contour{crowd}")
        )
    return element(
        "svg",
        shapes,
        _written(picture, scores, small),
        viewBox=f"0 0 {small.width} {small.height}",
        class_="picture" if small.source else "picture blank",
        role="img",
        aria_label=label,
    )


def _told(outline: Outline, scores: Scores) -> str:
    assert scores.instances is not None
    if outline.row is None:
        return f"{outline.category_name}, {outline.role}"
    score = significant(float(scores.instances.score[outline.row]))
    return f"{outline.category_name}, score {score}"


def unit_below(picture: Picture, scores: Scores) -> int:
    """The power of ten that the numbers in a picture are multiples of."""
    return unit_of([value for value, _ in most_of(picture, scores)])


def most_of(picture: Picture, scores: Scores, n: int = LABELLED) -> list[tuple[float, Outline]]:
    """The instances that add most to a picture's score, and what they add."""
    assert scores.instances is not None
    values = scores.instances.score
    scored = [
        (float(values[outline.row]), outline) for outline in picture.outlines if outline.row is not None
    ]
    return sorted(scored, key=lambda pair: -pair[0])[:n]


def _written(picture: Picture, scores: Scores, small: Thumbnail) -> Child:
    """The scores of instances, in the middle of their contours; where two would overlap, the larger one."""
    unit = unit_below(picture, scores)
    size = max(small.width, small.height * 4 // 3) // 22
    texts: list[Child] = []
    taken: list[tuple[float, float, float]] = []
    for value, outline in most_of(picture, scores):
        if not outline.contours:
            continue
        text = in_unit(value, unit)
        half = 0.3 * size * len(text)
        low, high = (side(outline.contours[outline.primary], axis=0) for side in (np.min, np.max))
        x, y = ((low + high + 1) / 2 * small.scale).tolist()
        x = min(max(x, half), small.width - half)
        y = min(max(y, size / 2), small.height - size / 2)
        if all(
            abs(x - other_x) > half + other or abs(y - other_y) > size for other_x, other_y, other in taken
        ):
            taken.append((x, y, half))
            texts.append(element("text", text, x=round(x), y=round(y + 0.36 * size)))
    return element("g", texts, font_size=size, aria_hidden="true") if texts else None
