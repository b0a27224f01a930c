"""An image with its contours, and labels at its instances."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tfdp_fast.report._canvas import PAPER, elided, text_width
from tfdp_fast.report._drawing import INK, QUIET
from tfdp_fast.report._labels import Layout
from tfdp_fast.report.pictures import Outline, Picture, Role

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import PathPatch

STRONG, THIN = 1.2, 0.55
"""Widths of a primary contour and of other parts, in points."""
_NOTE = 10.0
"""Height of the note at the bottom of a blank canvas, in points."""


def fit(picture: Picture, width: float, height: float) -> tuple[float, float]:
    """Width and height, in points, at which an image fits into a rectangle."""
    full_width, full_height = max(picture.width, 1), max(picture.height, 1)
    scale = min(width / full_width, height / full_height)
    # A strip of a panorama has to be seen at all.
    return max(full_width * scale, 3.0), max(full_height * scale, 3.0)


def draw_picture(axes: Axes, picture: Picture, colours: Mapping[int, str], width: float) -> None:
    """Draw pixels, or a blank canvas, and contours; the axes are in pixels afterwards.

    Parameters
    ----------
    axes : Axes
        Of the shape of the image.
    picture : Picture
        What to draw.
    colours : dict of int to str
        By class.
    width : float
        Of the axes, in points.
    """
    from matplotlib.patches import Rectangle

    full_width, full_height = max(picture.width, 1), max(picture.height, 1)
    axes.set(xlim=(0, full_width), ylim=(full_height, 0))
    if picture.pixels is not None:
        axes.imshow(np.asarray(picture.pixels), extent=(0, full_width, full_height, 0), aspect="auto")
    edge = Rectangle(
        (0, 0),
        full_width,
        full_height,
        facecolor="none" if picture.pixels is not None else PAPER,
        edgecolor="#c9c6c0",
        linewidth=0.5,
        clip_on=False,
        zorder=1,
    )
    axes.add_artist(edge)
    outlines = sorted(picture.outlines, key=_drawn_first)
    for order, outline in enumerate(outlines):
        zorder = 2 + order / max(len(outlines), 1)
        for patch in _patches(outline, colours[outline.category], width / full_width, picture.pixels is None):
            patch.set_zorder(zorder)
            axes.add_artist(patch)  # `add_patch` would look for the limits of each, which are known
    if picture.note is not None:
        note = elided(picture.note, 5.5, width - 6)
        text = axes.annotate(
            note,
            (0.5, 0),
            (0, 3),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="center",
            fontsize=5.5,
            color=QUIET,
            zorder=6,
        )
        _halo(text)


def _drawn_first(outline: Outline) -> tuple[bool, float]:
    """Crowd regions before instances, large things before small ones."""
    points = closed(outline)
    extent = float(np.prod(np.ptp(points, axis=0))) if len(points) else 0.0
    return outline.role == "scored", -extent


def closed(outline: Outline) -> NDArray[np.float64]:
    """The primary contour in pixels from the corner of the image, float64 [n, 2]; n = 0 if there is none."""
    if outline.primary < 0:
        return np.empty((0, 2))
    return outline.contours[outline.primary].astype(np.float64) + 0.5


def _patches(outline: Outline, colour: str, scale: float, is_filled: bool) -> Iterator[PathPatch]:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    for number, contour in enumerate(outline.contours):
        points = contour + 0.5
        if len(points) == 1:  # a single pixel: its square
            points = contour + np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
        path = Path(np.vstack([points, points[:1]]), closed=True)
        thickness = float(np.ptp(points, axis=0).min()) * scale
        for style in _styles(outline.role, colour, thickness, number == outline.primary, is_filled):
            yield PathPatch(path, joinstyle="round", **style)


def _styles(
    role: Role, colour: str, thickness: float, is_primary: bool, is_filled: bool
) -> list[dict[str, Any]]:
    """How a contour is drawn, one over the other: what is thin itself gets thin lines."""
    from matplotlib.colors import to_rgba

    line: dict[str, Any] = {"facecolor": "none", "edgecolor": colour}
    if role != "scored":
        hatch = {"hatch": "/////"} if role == "crowd" else {}
        return [line | {"linewidth": 0.8, "linestyle": (0, (3, 2))} | hatch]
    fill = {"facecolor": to_rgba(colour, 0.25 if is_primary else 0.12), "edgecolor": "none"}
    width = STRONG * min(1.0, max(0.45, thickness / 8)) if is_primary else THIN
    casing = line | {"edgecolor": (1, 1, 1, 0.75), "linewidth": 2 * width}
    return [
        *([fill] if is_filled else []),
        *([casing] if is_primary and thickness > 4 else []),
        line | {"linewidth": width},
    ]


def draw_labels(
    axes: Axes,
    picture: Picture,
    labels: Sequence[tuple[Outline, str]],
    size: tuple[float, float],
    *,
    font: float,
    colours: Mapping[int, str],
    far: bool = False,
    most: int | None = None,
) -> int:
    """Write labels at instances, so that none covers another; those that come first take what room there is.

    Parameters
    ----------
    axes : Axes
        On which the picture has been drawn.
    picture : Picture
        Whose instances they are.
    labels : sequence of (Outline, str)
        What to write where.
    size : (float, float)
        Width and height of the axes, in points.
    font : float
        The size of the letters, in points.
    colours : dict of int to str
        By class, for lines to labels.
    far : bool
        Whether a label may be far from its instance, with a line to it, rather than be left out.
    most : int, optional
        How many to write at most.

    Returns
    -------
    int
        How many were written.
    """
    scale = np.array(size) / (max(picture.width, 1), max(picture.height, 1))
    layout, written = Layout(size[0], size[1] - (_NOTE if picture.note else 0), far=far), 0
    for index, (outline, text) in enumerate(labels):
        points = closed(outline)
        if written == most or not len(points):
            continue
        place = layout.place(index, (text_width(text, font) + 1.5, 0.95 * font), points * scale)
        if place is None:
            continue
        written += 1
        x, y = np.array([place.x, place.y]) / scale
        if place.outside and far:
            anchor = np.array(place.anchor) / scale
            _draw_leader(axes, (x, y), anchor, colours[outline.category])
        drawn = axes.text(
            x,
            y,
            text,
            fontsize=font,
            color=INK,
            ha="center",
            va="center_baseline",
            zorder=6,
            fontweight="bold",
        )
        _halo(drawn)
    return written


def _draw_leader(axes: Axes, start: Iterable[float], end: Iterable[float], colour: str) -> None:
    from matplotlib.patheffects import Normal, Stroke

    effects = [Stroke(linewidth=1.8, foreground="white"), Normal()]
    xs, ys = zip(start, end, strict=True)
    axes.plot(xs, ys, color=colour, linewidth=0.7, zorder=4, path_effects=effects)
    axes.plot(xs[1:], ys[1:], marker="o", markersize=1.8, color=colour, zorder=4)


def _halo(text: Any) -> None:
    """Letters that are read on anything."""
    from matplotlib.patheffects import Normal, Stroke

    text.set_path_effects([Stroke(linewidth=1.8, foreground="white", alpha=0.9), Normal()])
