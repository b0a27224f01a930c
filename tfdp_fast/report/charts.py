"""Charts as inline SVG: small, the same bytes each time, coloured by the page's style sheet.

Each is an image with a title and a description; the numbers that it shows belong in a table beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tfdp_fast.report.markup import Child, Markup, element

__all__ = ["Line", "bars", "columns", "lines", "ticks"]

WIDTH, HEIGHT = 360, 200
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 8, 34
"""Space for the labels of the axes."""

ROW = 20
LABELS = 112
"""Of bars: the height of a row, and the width of the labels."""


@dataclass(frozen=True)
class Line:
    """A line of a chart: its points have the chart's x, in order.

    Attributes
    ----------
    label : str
        What it shows.
    values : sequence of float
        y of each point.
    style : str
        A class of the style sheet: ``"first"``, ``"second"``, ``"third"`` or ``"fourth"``.
    """

    label: str
    values: Sequence[float]
    style: str


def ticks(top: float, n: int = 4) -> list[float]:
    """Round numbers from 0 to at least `top`, about n steps of 1, 2 or 5 times a power of ten.

    Examples
    --------
    >>> ticks(87)
    [0.0, 25.0, 50.0, 75.0, 100.0]
    """
    if not top > 0:
        return [0.0, 1.0]
    raw = top / n
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * (1 - 1e-9))
    return [i * step for i in range(math.ceil(top / step - 1e-9) + 1)]


def short(value: float) -> str:
    """A number for an axis.

    Examples
    --------
    >>> short(12000), short(2500000), short(0.25), short(0), short(0.00002)
    ('12k', '2.5M', '0.25', '0', '2e-05')
    """
    for limit, suffix in ((1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.4g}{suffix}"
    return f"{value:.3g}"


def columns(
    values: Sequence[float],
    edges: Sequence[str],
    *,
    title: str,
    description: str,
    x_label: str,
    unit: str = "",
) -> Markup:
    """A histogram: a column for each bin.

    Parameters
    ----------
    values : sequence of float
        Of n bins.
    edges : sequence of str
        Labels below, evenly spread from the left end to the right one.
    title, description : str
        For those who do not see it.
    x_label : str
        What the bins are of.
    unit : str
        After the numbers at the left.
    """
    marks = ticks(max(values, default=0.0))
    step = _INNER / max(len(values), 1)
    shapes = []
    for i, value in enumerate(values):
        y = _y(value / marks[-1])
        if value > 0:  # a bin that is not empty is seen
            y = min(y, _y(0) - 1)
            x, width = LEFT + i * step, step - min(2.0, step / 5)
            shapes.append(element("rect", x=_at(x), y=_at(y), width=_at(width), height=_at(_y(0) - y)))
    frame = [
        _y_axis(marks, [_labelled(mark, unit) for mark in marks]),
        _x_axis(edges, x_label),
    ]
    return _chart(HEIGHT, title, description, frame, element("g", shapes, class_="first"))


def lines(
    series: Sequence[Line],
    edges: Sequence[str],
    *,
    title: str,
    description: str,
    x_label: str,
    unit: str = "",
    logarithmic: bool = False,
) -> Markup:
    """Lines over the same x, evenly spread over the width; see `columns`.

    With `logarithmic`, y is shown as its logarithm, from 1 on.
    """
    top = max((value for line in series for value in line.values), default=0.0)
    if logarithmic:
        decades = max(1, math.ceil(math.log10(max(top, 1.0))))
        marks = [10.0**power for power in range(decades + 1)]
        heights = [i / decades for i in range(decades + 1)]
    else:
        marks = ticks(top)
        heights = [mark / marks[-1] for mark in marks]

    def height(value: float) -> float:
        return math.log10(max(value, 1.0)) / decades if logarithmic else value / marks[-1]

    paths = []
    for line in series:
        step = _INNER / max(len(line.values) - 1, 1)
        points = (f"{_at(LEFT + i * step)},{_at(_y(height(v)))}" for i, v in enumerate(line.values))
        paths.append(element("polyline", points=" ".join(points), class_=f"line {line.style}"))
    frame = [_y_axis(marks, [_labelled(m, unit) for m in marks], heights), _x_axis(edges, x_label)]
    return _chart(HEIGHT, title, description, frame, *paths)


def bars(
    labels: Sequence[str],
    values: Sequence[float],
    shown: Sequence[str],
    *,
    title: str,
    description: str,
) -> Markup:
    """Horizontal bars, one below the other, with their labels before and their numbers behind them."""
    top = max(values, default=0.0) or 1.0
    numbers = 7 * max(map(len, shown), default=0) + 8
    room = WIDTH - LABELS - numbers
    shapes: list[Child] = []
    for i, (label, value, number) in enumerate(zip(labels, values, shown, strict=True)):
        middle = i * ROW + ROW / 2
        width = max(room * value / top, 1.0 if value > 0 else 0.0)
        shapes += [
            element("text", _cut(label), x=LABELS - 8, y=_at(middle + 4), class_="end"),
            element(
                "rect", x=LABELS, y=_at(middle - 6), width=_at(width), height=12, rx=1.5, class_="first"
            ),
            element("text", number, x=_at(LABELS + width + 6), y=_at(middle + 4), class_="value"),
        ]
    return _chart(ROW * len(values), title, description, shapes)


_INNER = WIDTH - LEFT - RIGHT


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _at(value: float) -> str:
    """A coordinate, to a tenth."""
    return f"{value:.1f}".removesuffix(".0")


def _labelled(mark: float, unit: str) -> str:
    return short(mark) + unit


def _cut(text: str, length: int = 16) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _y_axis(marks: Sequence[float], labels: Sequence[str], heights: Sequence[float] | None = None) -> Markup:
    found = heights or [mark / marks[-1] for mark in marks]
    parts: list[Child] = []
    for label, height in zip(labels, found, strict=True):
        y = _y(height)
        parts += [
            element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=_at(y), y2=_at(y), class_="grid"),
            element("text", label, x=LEFT - 6, y=_at(y + 4), class_="end"),
        ]
    return element("g", parts)


def _x_axis(edges: Sequence[str], label: str) -> Markup:
    parts: list[Child] = []
    for i, edge in enumerate(edges):
        x = LEFT + _INNER * i / max(len(edges) - 1, 1)
        anchor = "start" if i == 0 else "end" if i == len(edges) - 1 else "middle"
        parts.append(element("text", edge, x=_at(x), y=HEIGHT - BOTTOM + 15, class_=anchor))
    parts.append(element("text", label, x=_at(LEFT + _INNER / 2), y=HEIGHT - 3, class_="middle axis"))
    return element("g", parts)


def _chart(height: float, title: str, description: str, *shapes: Child | Iterable[Child]) -> Markup:
    return element(
        "svg",
        element("title", title),
        element("desc", description),
        *shapes,
        viewBox=f"0 0 {WIDTH} {_at(height)}",
        class_="chart",
        role="img",
        # Both are read by assistive technology where the role is that of an image; the label makes it sure.
        aria_label=f"{title}. {description}",
    )
