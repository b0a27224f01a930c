"""Statistics as figures of a page: a chart, what it shows, and its numbers in a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfdp_fast._text import number
from tfdp_fast.report.areas import BINS, Areas
from tfdp_fast.report.charts import Line, bars, columns, linear_marks, lines, logarithmic_marks
from tfdp_fast.report.distributions import Distribution
from tfdp_fast.report.markup import Child, Markup, element, joined
from tfdp_fast.report.numbers import per_cent, plural, significant
from tfdp_fast.report.rates import RATES, Remains
from tfdp_fast.report.statistics import Statistics
from tfdp_fast.report.tables import Column, name, scrolled, table
from tfdp_fast.report.words import VARIANTS

__all__ = ["figure", "kept_shares", "statistics_figures"]

MANY_CLASSES = 30
"""From how many on classes are a curve, and not a bar each."""


def figure(
    heading: str,
    note: str,
    chart: Markup,
    columns_: Sequence[Column],
    rows: Sequence[Sequence[Child]],
    legend: Markup | None = None,
    *,
    long: bool = False,
) -> Markup:
    """A chart with its caption, and its numbers in a table that can be opened."""
    data = scrolled(table(columns_, rows), f"Numbers of: {heading}", tall=len(rows) > 20)
    return element(
        "figure",
        element("figcaption", heading, element("span", note, class_="note")),
        chart,
        legend,
        element("details", element("summary", "Numbers"), data),
        class_="long" if long else None,
    )


def statistics_figures(found: Statistics) -> Markup:
    """All charts of the statistics."""
    of_image = _distribution(
        "Instances of an image", "images with a scored instance", found.instances_per_image, "instances"
    )
    if found.areas is None:
        figures = [_classes(found), of_image]
    else:
        figures = [_classes(found), _area_shares(found.areas), of_image, _sizes(found.areas)]
    scores = [
        _distribution(f"By {variant}", VARIANTS[variant], of_variant.images, "image score")
        for variant, of_variant in found.scores.items()
    ]
    is_long = len(_order(found)) <= MANY_CLASSES  # then there is room beside it
    return joined(
        element("div", figures, class_="grid" if is_long else "grid pairs"),
        element("h3", "Image scores"),
        element("div", scores, class_="grid pairs"),
    )


def _order(found: Statistics) -> list[int]:
    """The classes with an instance, most first."""
    classes = found.classes
    return [i for i in classes.by_instances().tolist() if classes.instances[i]]


def _classes(found: Statistics) -> Markup:
    classes = found.classes
    order = _order(found)
    values = classes.instances[order].tolist()
    labels = [str(classes.name[i]) for i in order]
    heading = "Instances of each class"
    what = f"{plural(len(order), 'class', 'classes')} with instances"
    if values:
        what += f": from {number(values[-1])} to {number(values[0])} instances, half of the classes have"
        what += f" {significant(float(np.median(values)))} or more"
    if len(order) <= MANY_CLASSES:
        note = "most first"
        chart = bars(labels, values, [number(v) for v in values], title=heading, description=what)
    else:
        note = "classes by rank, most first; logarithmic"
        chart = lines(
            [Line("instances", values, "first")],
            linear_marks(1, len(order)),
            title=heading,
            description=what,
            x_label="rank of the class",
            logarithmic=True,
        )
    rows = [
        (name(label), number(value), number(int(classes.images[i])))
        for i, label, value in zip(order, labels, values, strict=True)
    ]
    heads = [Column("class", False), Column("instances"), Column("images")]
    return figure(heading, note, chart, heads, rows, long=10 < len(order) <= MANY_CLASSES)


def _area_shares(areas: Areas) -> Markup:
    heading = "Area of an instance, as a share of its image"
    percents = areas.percent.tolist()
    what = f"{BINS} bins of equal width; {significant(percents[0], 3)} % of the instances are in the first"
    if areas.median is not None:
        what += f", and the median is {significant(areas.median, 3)} % of the image"
    chart = columns(
        percents,
        linear_marks(0, 100, " %"),
        title=heading,
        description=what,
        x_label="share of the image",
        unit=" %",
    )
    rows = [
        (f"{low:g}–{high:g} %", number(count), f"{percent:.2f} %")
        for low, high, count, percent in zip(
            areas.edges[:-1].tolist(), areas.edges[1:].tolist(), areas.counts.tolist(), percents, strict=True
        )
    ]
    heads = [Column("share of the image", False), Column("instances"), Column("of all")]
    note = f"{BINS} equal bins" + (
        f"; median {significant(areas.median, 3)} %" if areas.median is not None else ""
    )
    return figure(heading, note, chart, heads, rows)


def _sizes(areas: Areas) -> Markup:
    heading = "Sizes, as COCO has them"
    labels = ("small", "medium", "large")
    values = [areas.small, areas.medium, areas.large]
    total = sum(values)
    shares = [per_cent(value, total) for value in values]
    what = ", ".join(f"{label}: {share}" for label, share in zip(labels, shares, strict=True))
    chart = bars(labels, values, shares, title=heading, description=what)
    bounds = ("below 32² pixels", "below 96² pixels", "96² pixels or more")
    rows = [
        (f"{label}, {bound}", number(value), share)
        for label, bound, value, share in zip(labels, bounds, values, shares, strict=True)
    ]
    return figure(
        heading,
        "small: below 32² pixels; medium: below 96²",
        chart,
        [Column("size", False), Column("instances"), Column("of all")],
        rows,
    )


def _distribution(heading: str, note: str, found: Distribution, what: str) -> Markup:
    histogram = found.histogram
    edges, counts = histogram.edges.tolist(), histogram.counts.tolist()
    told = (
        f"{number(found.n)} values; from {significant(found.min)} to {significant(found.max)}, "
        f"quartiles {significant(found.lower)}, {significant(found.median)} and {significant(found.upper)}"
    )
    marks = (
        (logarithmic_marks if histogram.scale == "log" else linear_marks)(edges[0], edges[-1])
        if counts
        else []
    )
    scale = "; logarithmic" if histogram.scale == "log" else ""
    chart = columns(counts, marks, title=heading, description=told, x_label=what + scale)
    rows: list[Sequence[Child]] = [
        (f"{significant(low)} to below {significant(high)}", number(count))
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    if found.zeros:
        rows.insert(0, ("0", number(found.zeros)))
    return figure(heading, note, chart, [Column(what, False), Column("images")], rows)


KEPT = (("most", "first"), ("median", "second"), ("least", "third"), ("random choice", "fourth"))
"""The lines of `kept_shares` and their styles."""


def kept_shares(left: Remains) -> Markup:
    """What shares of their instances the classes keep, over the pruning rate."""
    present = left.by_class[0] > 0
    shares = 100 * left.by_class[:, present] / np.maximum(left.by_class[0, present], 1)
    if not present.any():
        shares = np.zeros((RATES, 1))
    random = 100 * left.images / max(1, left.candidates)
    values = [shares.max(axis=1), np.median(shares, axis=1), shares.min(axis=1), random]
    series = [Line(label, found.tolist(), style) for (label, style), found in zip(KEPT, values, strict=True)]
    heading = "Share of its instances that a class keeps"
    half = [f"{line.label} {line.values[50]:.1f} %" for line in series]
    chart = lines(
        series,
        linear_marks(0, RATES - 1, " %"),
        title=heading,
        description=f"Falls from 100 % as the pruning rate rises. At 50 %: {', '.join(half)}",
        x_label="pruning rate",
        unit=" %",
        cursor="cursor",
    )
    legend = element(
        "ul",
        [
            element(
                "li",
                element(
                    "svg",
                    element("line", x1=0, x2=22, y1=5, y2=5, class_=f"key {style}"),
                    viewBox="0 0 22 10",
                    aria_hidden="true",
                ),
                label,
            )
            for label, style in KEPT
        ],
        class_="legend",
    )
    rows = [
        (f"{rate} %", *(f"{line.values[rate]:.1f} %" for line in series))
        for rate in (*range(0, RATES, 10), 99)
    ]
    heads = [Column("pruning rate", False), *(Column(label) for label, _ in KEPT)]
    note = "the class that keeps most, the median class, and the one that keeps least"
    return figure(heading, note, chart, heads, rows, legend)
