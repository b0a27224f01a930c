"""The panels of the figure of statistics, each drawn into one or several axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tfdp_fast.report._drawing import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    QUIET,
    VERMILION,
    label,
    name_ticks,
    note,
    remark,
)
from tfdp_fast.report.areas import BINS
from tfdp_fast.report.distributions import Histogram
from tfdp_fast.report.statistics import Statistics

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAMED = 100
"""Up to so many classes have their names on the axis."""
SPREAD = 50
"""Classes of which the largest is that many times the smallest are drawn on a logarithmic scale."""

VARIANTS = {
    "tfdp": ("tfdp: CB-SCS", "score"),
    "scs": ("scs: SCS", "score, 1/pixels"),
    "si": ("si: SI-SCS", "score"),
    "cb": ("cb: SCS / class total", "score"),
}
"""Title, and label with unit of the x axis."""


def areas(place: list[Axes], found: Statistics) -> None:
    """How large instances are, as a share of their image (Fig. 2 of the paper)."""
    [axes] = place
    axes.set_title("Instance area")
    axes.set(xlabel="share of the image, %", ylabel="share of the instances, %")
    shares = found.areas
    assert shares is not None
    if not shares.counts.sum():
        note(axes, "no instances")
        return
    axes.bar(shares.edges[:-1], shares.percent, width=100 / BINS, align="edge", color=BLUE, edgecolor="white")
    axes.set(xlim=(0, 100), xticks=range(0, 101, 10))
    axes.grid(axis="y")
    parts = [number / found.instances for number in (shares.small, shares.medium, shares.large)]
    remark(axes, "COCO sizes: small {:.1%}, medium {:.1%}, large {:.1%}".format(*parts))


def per_image(place: list[Axes], found: Statistics) -> None:
    """How many instances an image has."""
    from matplotlib.ticker import MaxNLocator

    [axes] = place
    axes.set_title("Instances per image")
    axes.set(xlabel="instances in the image", ylabel="images")
    values = found.instances_per_image
    if not values.n:
        note(axes, "no instances")
        return
    edges, counts = values.histogram.edges, values.histogram.counts
    single = edges[1] - edges[0] == 1  # a bar for each number stands over it
    shift = 0.5 if single else 0.0
    axes.bar(edges[:-1] - shift, counts, width=np.diff(edges), align="edge", color=BLUE, edgecolor="white")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y")
    remark(axes, f"mean {values.mean:.3g}, median {values.median:g}, most {values.max:,.0f}")


def classes(place: list[Axes], found: Statistics) -> None:
    """Instances of each class, and images with one (Fig. 8 of the paper)."""
    [axes] = place
    axes.set_title("Classes, by number of instances", pad=22)
    table = found.classes
    order = table.by_instances()[: found.balance.classes]
    if not len(order):
        note(axes, "no instances")
        return
    instances, images = table.instances[order], table.images[order]
    places = np.arange(len(order))
    if len(order) <= NAMED:
        axes.bar(places, instances, width=0.8, color=BLUE, label="instances")
        axes.plot(places, images, linestyle="none", marker="D", markersize=4, **_over(ORANGE), label="images")
    else:
        axes.fill_between(places, instances, step="mid", color=BLUE, linewidth=0, label="instances")
        axes.plot(places, images, linestyle="none", marker=".", markersize=3, color=ORANGE, label="images")
    _class_axis(axes, [str(name) for name in table.name[order]], room=130)
    if without := len(table) - len(order):
        remark(axes, f"{without:,} more without an instance")
    if instances[0] >= SPREAD * instances[-1]:
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.5)
    axes.set_ylabel("instances, images")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.grid(axis="y")
    _legend_above(axes)


def scores(place: list[Axes], found: Statistics) -> None:
    """The scores of instances and of images, by all variants."""
    for axes, (variant, values) in zip(place, found.scores.items(), strict=True):
        title, unit = VARIANTS[variant]
        axes.set_title(title, pad=22)
        axes.set(xlabel=unit, ylabel="share of the scores above 0, %")
        if not values.instances.total:
            note(axes, "no score above 0")
            continue
        _stairs(axes, values.instances.histogram, "instances", BLUE, filled=True)
        _stairs(axes, values.images.histogram, "images", VERMILION, filled=False)
        if values.instances.histogram.scale == "log":
            axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.grid(axis="y")
        _legend_above(axes)


def balance(place: list[Axes], found: Statistics) -> None:
    """What each class keeps at the pruning rates, and how even the classes are."""
    left, right = place
    prunings = found.balance.prunings
    left.set_title(f"Instances kept of each class, pruned by {found.variant}", pad=22)
    right.set_title("Evenness of the classes", pad=22)
    kept = np.array([100 * after.kept for after in prunings])
    if not found.instances:
        note(left, "no instances")
    elif len(prunings) == 1:
        _kept_at_one_rate(left, found, kept[0])
    else:
        _kept_at_rates(left, found, kept[:, found.classes.instances > 0])
    _evenness(right, found)


def _kept_at_one_rate(axes: Axes, found: Statistics, kept: NDArray[np.float64]) -> None:
    after = found.balance.prunings[0]
    order = found.classes.by_instances()[: found.balance.classes]
    size = 6 if len(order) <= NAMED else 2
    axes.plot(kept[order], linestyle="none", marker="o", markersize=size, color=BLUE, label="class")
    axes.axhline(100 * after.random, color=QUIET, linestyle="--", label="random choice")
    _class_axis(axes, [str(name) for name in found.classes.name[order]], room=70)
    axes.set(ylabel=f"kept at {100 * after.rate:.4g} % pruned, %", ylim=(-3, 103))
    axes.grid(axis="y")
    _legend_above(axes)


def _kept_at_rates(axes: Axes, found: Statistics, kept: NDArray[np.float64]) -> None:
    rates = [100 * after.rate for after in found.balance.prunings]
    worst, lower, median, upper, best = np.quantile(kept, (0, 0.25, 0.5, 0.75, 1), axis=1)
    axes.fill_between(rates, worst, best, color=BLUE, alpha=0.15, linewidth=0, label="all classes")
    axes.fill_between(rates, lower, upper, color=BLUE, alpha=0.3, linewidth=0, label="half of the classes")
    axes.plot(rates, median, color=BLUE, marker="o", markersize=4, label="median class")
    random = [100 * after.random for after in found.balance.prunings]
    axes.plot(rates, random, color=QUIET, linestyle="--", label="random choice")
    axes.set(xlabel="images pruned, %", ylabel="instances kept, %", ylim=(-3, 103))
    axes.grid()
    _legend_above(axes)
    present = np.flatnonzero(found.classes.instances)
    last = found.balance.prunings[-1]
    names = [label(str(found.classes.name[present[kept[-1].argmin()]])), f"{len(last.vanished)} classes"]
    axes.annotate(
        f"{names[len(last.vanished) > 1]} {worst[-1]:.1f}",
        (rates[-1], worst[-1]),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        color=QUIET,
        fontsize=8,
        annotation_clip=False,
    )


def _evenness(axes: Axes, found: Statistics) -> None:
    before = found.balance.evenness
    points = [
        (100 * after.rate, after.evenness) for after in found.balance.prunings if after.evenness is not None
    ]
    if before is None or not points:
        note(axes, "fewer than two classes")
        return
    axes.axhline(before, color=QUIET, linestyle="--", label="before, and by chance")
    rates, values = zip(*points, strict=True)
    axes.plot(rates, values, color=GREEN, marker="o", markersize=4, label="after")
    axes.set(xlabel="images pruned, %", ylabel="entropy / ln(classes)")
    margin = max(0.01, 0.25 * (max(before, *values) - min(before, *values)))
    axes.set_ylim(min(before, *values) - margin, min(1.005, max(before, *values) + margin))
    if len(points) == 1:
        axes.set_xlim(0, 100)
    axes.grid()
    _legend_above(axes)


def _stairs(axes: Axes, histogram: Histogram, name: str, colour: str, *, filled: bool) -> None:
    percent = 100 * histogram.counts / histogram.counts.sum()
    if filled:
        axes.stairs(percent, histogram.edges, fill=True, color=colour, alpha=0.45, label=name)
    else:
        axes.stairs(percent, histogram.edges, color=colour, linewidth=1.6, label=name)


def _class_axis(axes: Axes, names: list[str], room: int) -> None:
    """Classes along the x axis, which has room for that many letters."""
    axes.set_xlim(-0.7, len(names) - 0.3)
    if len(names) <= room * 3 // 4:
        name_ticks(axes, names, room)
        return
    axes.set_xlabel(f"{len(names):,} classes, from {label(names[0])} to {label(names[-1])}")
    axes.set_xticks([0, *range(99, len(names), -(-len(names) // 800) * 100)])
    axes.set_xticklabels([f"{place + 1:,.0f}" for place in axes.get_xticks()])


def _legend_above(axes: Axes) -> None:
    """Between a panel and its title, which stands higher."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.01), ncols=4, borderaxespad=0, columnspacing=1.4)


def _over(colour: str) -> dict[str, Any]:
    """Marks that stand out from what they are drawn over."""
    return {"markerfacecolor": colour, "markeredgecolor": "white", "markeredgewidth": 0.6, "color": INK}
