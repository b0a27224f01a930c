"""Charts as inline SVG: small, the same bytes each time, coloured by the page's style sheet.

Each is an image with a title and a description; the numbers that it shows belong in a table beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tfdp_fast.report.markup import Child, Markup, element
from tfdp_fast.report.numbers import short

__all__ = ["Line", "Mark", "bars", "columns", "linear_marks", "lines", "logarithmic_marks", "ticks"]

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


def ticks(top: float, n: int = 4, *, whole: bool = False) -> list[float]:
    """Round numbers from 0 to at least `top`, about n steps of 1, 2, 2.5 or 5 times a power of ten.

    With `whole`, all of them are whole.

    Examples
    --------
    >>> ticks(87)
    [0.0, 25.0, 50.0, 75.0, 100.0]
    """
    if not top > 0:
        return [0.0, 1.0]
    raw = max(top / n, 1.0 if whole else 0.0)
    power = 10.0 ** math.floor(math.log10(raw))
    factors = (1, 2, 5, 10) if whole else (1, 2, 2.5, 5, 10)
    step = next(power * factor for factor in factors if power * factor >= raw * (1 - 1e-9))
    return [i * step for i in range(math.ceil(top / step - 1e-9) + 1)]


Mark: TypeAlias = tuple[float, str]
"""A label of the x axis, and where it is: 0 is the left end, 1 the right one."""


def linear_marks(low: float, high: float, unit: str = "") -> list[Mark]:
    """Round numbers on an axis from `low` to `high`."""
    step = ticks(high - low)[1]
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [((i * step - low) / (high - low), short(i * step) + unit) for i in range(first, last + 1)]


def logarithmic_marks(low: float, high: float) -> list[Mark]:
    """Powers of ten on a logarithmic axis, and what is between them if there are few."""
    begin, end = math.log10(low), math.log10(high)
    powers = range(math.floor(begin), math.ceil(end) + 1)
    every = max(1, len(powers) // 5)
    factors = (1.0,) if end - begin > 2 else (1.0, 2.0, 5.0)
    values = [factor * 10.0**power for power in powers if power % every == 0 for factor in factors]
    places = [((math.log10(value) - begin) / (end - begin), short(value)) for value in values]
    return [(place, label) for place, label in places if -1e-9 <= place <= 1 + 1e-9]


def columns(
    values: Sequence[float],
    marks: Sequence[Mark],
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
        Of n bins of equal width.
    marks : sequence of Mark
        Labels of the x axis, which goes from the first edge to the last.
    title, description : str
        For those who do not see it.
    x_label : str
        What the bins are of.
    unit : str
        After the numbers at the left.
    """
    heights = ticks(max(values, default=0.0), whole=not unit)
    step = _INNER / max(len(values), 1)
    shapes = []
    for i, value in enumerate(values):
        if value > 0:  # a bin that is not empty is seen
            y = min(_y(value / heights[-1]), _y(0) - 1)
            x, width = LEFT + i * step, step - min(2.0, step / 5)
            shapes.append(element("rect", x=_at(x), y=_at(y), width=_at(width), height=_at(_y(0) - y)))
    frame = [_y_axis([(mark / heights[-1], short(mark) + unit) for mark in heights]), _x_axis(marks, x_label)]
    return _chart(HEIGHT, title, description, frame, element("g", shapes, class_="first"))


def lines(
    series: Sequence[Line],
    marks: Sequence[Mark],
    *,
    title: str,
    description: str,
    x_label: str,
    unit: str = "",
    logarithmic: bool = False,
    cursor: str | None = None,
) -> Markup:
    """Lines over the same x, evenly spread over the width; see `columns`.

    With `logarithmic`, y is shown as its logarithm, from 1 on. With `cursor`, an upright line of that id
    stands at the first x, hidden; its attribute ``data-step`` says how far it is to the next.
    """
    top = max((value for line in series for value in line.values), default=0.0)
    steps = max((len(line.values) - 1 for line in series), default=0)
    step = _INNER / max(steps, 1)
    heights: list[Mark]
    if logarithmic:
        decades = max(1, math.ceil(math.log10(max(top, 1.0))))
        heights = [(i / decades, short(10.0**i) + unit) for i in range(decades + 1)]
        share = [[math.log10(max(value, 1.0)) / decades for value in line.values] for line in series]
    else:
        round_ones = ticks(top)
        heights = [(mark / round_ones[-1], short(mark) + unit) for mark in round_ones]
        share = [[value / round_ones[-1] for value in line.values] for line in series]
    paths: list[Child] = []
    for line, values in zip(series, share, strict=True):
        points = " ".join(f"{_at(LEFT + i * step)},{_at(_y(value))}" for i, value in enumerate(values))
        paths.append(element("polyline", points=points, class_=f"line {line.style}"))
    if cursor is not None:
        ends = {"x1": LEFT, "x2": LEFT, "y1": TOP, "y2": HEIGHT - BOTTOM}
        paths.append(
            element("line", **ends, id=cursor, class_="cursor", data_step=f"{step:.4f}", hidden=True)
        )
    return _chart(HEIGHT, title, description, _y_axis(heights), _x_axis(marks, x_label), *paths)


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
            element("rect", x=LABELS, y=_at(middle - 6), width=_at(width), height=12, rx=1.5, class_="first"),
            element("text", number, x=_at(LABELS + width + 6), y=_at(middle + 4), class_="value"),
        ]
    return _chart(ROW * len(values), title, description, shapes)


_INNER = WIDTH - LEFT - RIGHT


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _at(value: float) -> str:
    """A coordinate, to a tenth."""
    return f"{value:.1f}".removesuffix(".0")


def _cut(text: str, length: int = 16) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _y_axis(marks: Sequence[Mark]) -> Markup:
    parts: list[Child] = []
    for height, label in marks:
        y = _y(height)
        parts += [
            element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=_at(y), y2=_at(y), class_="grid"),
            element("text", label, x=LEFT - 6, y=_at(y + 4), class_="end"),
        ]
    return element("g", parts)


def _x_axis(marks: Sequence[Mark], label: str) -> Markup:
    parts: list[Child] = [
        element("text", mark, x=_at(LEFT + _INNER * place), y=HEIGHT - BOTTOM + 15, class_="middle")
        for place, mark in marks
    ]
    parts.append(element("text", label, x=_at(LEFT + _INNER / 2), y=HEIGHT - 3, class_="middle axis"))
    return element("g", parts)


def _chart(height: float, title: str, description: str, *shapes: Child) -> Markup:
    return element(
        "svg",
        element("title", title),
        element("desc", description),
        *shapes,
        viewBox=f"0 0 {WIDTH} {_at(height)}",
        class_="chart",
        role="img",
        aria_label=f"{title}. {description}",
    )
