"""Draws scores.svg: the same nine instances, scored in the three steps of the method.

Needs the extra ``docs``. ``python docs/figures/scores.py [file]`` writes beside this script unless it is told
where to; the suffix of the file says in which format.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

import tfdp_fast as tfdp

mpl.use("Agg")
mpl.rcParams["svg.hashsalt"] = "tfdp-fast"
mpl.rcParams["font.family"] = "DejaVu Sans"  # comes with matplotlib: the same letters everywhere

from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.path import Path as MplPath  # noqa: E402

Mask = NDArray[np.bool_]

WIDTH, HEIGHT = 428, 322
INK = "#1b1f24"
QUIET = "#57606a"
# Okabe and Ito's colours, told apart by colour-blind readers, too.
COLOURS = {"star": "#0072B2", "disc": "#D55E00", "bar": "#009E73"}


@dataclass(frozen=True)
class Shape:
    """An instance: its class, its mask, and where its score is written."""

    category: str
    mask: Mask
    label: tuple[float, float]


def _pixels() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return x, y


def disc(cx: int, cy: int, radius: float, hole: float = 0.0) -> Shape:
    """Draw a disc, or a ring."""
    x, y = _pixels()
    distance = np.hypot(x - cx, y - cy)
    return Shape("disc", (distance <= radius) & (distance >= hole), (cx, cy + radius))


def bar(cx: int, cy: int, width: int, height: int) -> Shape:
    """Draw a rectangle."""
    x, y = _pixels()
    mask = (2 * abs(x - cx) <= width) & (2 * abs(y - cy) <= height)
    return Shape("bar", mask, (cx, cy + height / 2))


def star(cx: int, cy: int, radius: float, points: int = 5, waist: float = 0.45) -> Shape:
    """Draw a star whose inner corners lie at `waist` times the radius."""
    angles = -math.pi / 2 + math.pi / points * np.arange(2 * points)
    radii = radius * np.where(np.arange(2 * points) % 2 == 0, 1.0, waist)
    corners = np.stack([cx + radii * np.cos(angles), cy + radii * np.sin(angles)], axis=1)
    x, y = _pixels()
    mask = MplPath(corners).contains_points(np.stack([x.ravel(), y.ravel()], axis=1)).reshape(x.shape)
    return Shape("star", mask, (cx, corners[:, 1].max()))


SHAPES = [
    star(100, 92, 88),
    star(232, 54, 44),
    star(222, 170, 24),
    star(304, 186, 34, points=6, waist=0.62),
    star(48, 252, 38, points=4, waist=0.4),
    disc(352, 72, 62.4, hole=30),
    disc(138, 254, 26.4),
    bar(272, 274, 164, 14),
    bar(392, 246, 26, 66),
]


def scores(counts: tfdp.BoundaryCounts) -> dict[str, NDArray[np.float64]]:
    """Score the instances in three ways."""
    classes = [shape.category for shape in SHAPES]
    totals = tfdp.ClassTotals()
    totals.add(classes, counts)
    total_of = dict(zip(totals.category_ids, totals.totals.tolist(), strict=True))
    si_scs = counts.si_scs()
    return {
        "SCS": counts.scs(),
        "SI-SCS": si_scs,
        "CB-SCS": si_scs / np.array([total_of[category] for category in classes]),
    }


PANELS = {
    "SCS": (r"$P\;/\;A$", "small shapes lead"),
    "SI-SCS": (r"$P\;/\;(2\,\sqrt{\pi A}\,)$", "size no longer counts, shape does"),
    "CB-SCS": (r"SI-SCS$\;/\;T_c$", "each class sums to 1: rare classes gain"),
}


def draw_shapes(axes: Any, values: NDArray[np.float64]) -> None:
    """Draw the instances, the darker the higher their scores, with contours and numbers."""
    picture = np.ones((HEIGHT, WIDTH, 3))
    for shape, value in zip(SHAPES, values, strict=True):
        strength = 0.1 + 0.75 * value / values.max()
        picture[shape.mask] = 1 - strength * (1 - np.array(mpl.colors.to_rgb(COLOURS[shape.category])))
    axes.imshow(picture, interpolation="nearest")
    for shape, value in zip(SHAPES, values, strict=True):
        contour = max(tfdp.trace(shape.mask.view(np.uint8)), key=len)
        closed = np.vstack([contour, contour[:1]])
        axes.plot(closed[:, 0], closed[:, 1], color=COLOURS[shape.category], linewidth=1.3)
        best = value == values.max()
        axes.text(
            shape.label[0],
            shape.label[1] + 7,
            f"{value:.2g}" if value < 0.1 else f"{value:.2f}",
            ha="center",
            va="top",
            fontsize=10,
            color=INK,
            fontweight="bold" if best else "normal",
        )
    axes.set_axis_off()


def draw_shares(axes: Any, values: NDArray[np.float64]) -> None:
    """Draw what share of the sum of all scores each class has."""
    left = 0.0
    for category, colour in COLOURS.items():
        share = float(values[members(category)].sum() / values.sum())
        axes.barh(0, share, left=left, height=1, color=colour, edgecolor="white", linewidth=1.5)
        axes.text(
            left + share / 2,
            -0.03,
            f"{share:.0%}",
            ha="center",
            va="center_baseline",
            fontsize=10,
            color="white",
            fontweight="bold",
        )
        left += share
    axes.set(xlim=(0, 1), ylim=(-0.5, 0.5))
    axes.set_axis_off()


def members(category: str) -> list[bool]:
    """Say which instances are of a class."""
    return [shape.category == category for shape in SHAPES]


def draw(path: Path) -> None:
    """Write the figure."""
    counts = tfdp.BoundaryCounts.concatenate(tfdp.measure(shape.mask) for shape in SHAPES)
    figure = plt.figure(figsize=(11, 4.3), facecolor="white")
    grid = figure.add_gridspec(
        2, 3, height_ratios=(13, 1), left=0.01, right=0.99, top=0.835, bottom=0.1, wspace=0.06, hspace=0.04
    )
    for column, (name, values) in enumerate(scores(counts).items()):
        formula, remark = PANELS[name]
        axes = figure.add_subplot(grid[0, column])
        draw_shapes(axes, values)
        axes.set_title(f"{name} = {formula}", fontsize=14, color=INK, pad=25)
        axes.text(0.5, 1.03, remark, transform=axes.transAxes, ha="center", fontsize=11, color=QUIET)
        draw_shares(figure.add_subplot(grid[1, column]), values)
    key = figure.add_axes((0, 0, 1, 0.085))
    key.set(xlim=(0, 1), ylim=(0, 1))
    key.set_axis_off()
    place = 0.168
    for category, colour in COLOURS.items():
        text = f"{sum(members(category))} {category}s"
        key.plot(place, 0.45, marker="s", markersize=9, color=colour)
        key.text(place + 0.011, 0.45, text, va="center_baseline", fontsize=10.5, color=INK)
        place += 0.078
    note = "The strip: each class's share in the sum of all scores. Holes do not count."
    key.text(place + 0.005, 0.45, note, va="center_baseline", fontsize=10.5, color=QUIET)
    metadata: dict[str, Any] = {"Date": None} if path.suffix == ".svg" else {}
    figure.savefig(path, dpi=150, metadata=metadata)
    plt.close(figure)


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".svg"))
