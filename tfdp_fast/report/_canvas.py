"""A sheet to draw on, measured in points from its top left corner, and how it becomes a file."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfdp_fast._output import atomic_output, check_output
from tfdp_fast.errors import OptionError
from tfdp_fast.report._drawing import INK, require_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

PAPER = "#f2f1ee"
DPI = 200
_METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}
_STYLE = {
    "svg.hashsalt": "tfdp-fast",
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same letters everywhere
    "text.parse_math": False,  # names may have dollars
    "hatch.linewidth": 0.6,
    "path.simplify": False,
}


def check_picture(destination: str | os.PathLike[str]) -> None:
    """Raise what drawing to a file would raise at once.

    Raises
    ------
    OptionError
        If the suffix is none that is known.
    OutputError
        If the file cannot be written.
    MissingExtraError
        If matplotlib is not installed.
    """
    if os.fspath(destination) == "-":
        raise OptionError("a picture goes to a file, not to standard output")
    if _suffix(destination) not in _METADATA:
        known = ", ".join(_METADATA)
        raise OptionError(f"{os.fspath(destination)}: the suffix of a picture is one of {known}")
    check_output(destination)
    require_matplotlib()


def _suffix(destination: str | os.PathLike[str]) -> str:
    return Path(destination).suffix.lower()


@contextmanager
def drawing_style() -> Iterator[None]:
    """What is drawn in the block looks the same whatever the user's settings are.

    Names that the font has no letters for are no reason to complain.
    """
    from matplotlib import style

    with style.context(["default", _STYLE]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from")
        yield


class Sheet:
    """A figure of a size in points; x to the right and y down, from its top left corner."""

    def __init__(self, width: float, height: float) -> None:
        from matplotlib.figure import Figure

        self.width, self.height = width, height
        self._figure = Figure(figsize=(width / 72, height / 72), facecolor="white")

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        """A rectangle to draw in, without ticks and frame."""
        bottom = 1 - (y + height) / self.height
        axes = self._figure.add_axes((x / self.width, bottom, width / self.width, height / self.height))
        axes.set_axis_off()
        return axes

    def text(self, x: float, y: float, text: str, size: float, **options: Any) -> Text:
        """Write text; (x, y) is the left end of its base line, unless the options say otherwise."""
        options = {"ha": "left", "va": "baseline", "color": INK} | options
        return self._figure.text(x / self.width, 1 - y / self.height, text, fontsize=size, **options)

    def line(self, xs: list[float], ys: list[float], **options: Any) -> None:
        """Draw a line through points."""
        from matplotlib.lines import Line2D

        x, y = [x / self.width for x in xs], [1 - y / self.height for y in ys]
        self._figure.add_artist(Line2D(x, y, transform=self._figure.transFigure, **options))

    def box(self, x: float, y: float, width: float, height: float, **options: Any) -> None:
        """Draw a rectangle."""
        from matplotlib.patches import Rectangle

        corner = x / self.width, 1 - (y + height) / self.height
        size = width / self.width, height / self.height
        self._figure.add_artist(Rectangle(corner, *size, transform=self._figure.transFigure, **options))

    def save(self, destination: str | os.PathLike[str]) -> None:
        """Write it, whole or not at all; the same sheet gives the same bytes."""
        suffix = _suffix(destination)
        with atomic_output(destination) as file:
            self._figure.savefig(file, format=suffix[1:], dpi=DPI, metadata=_METADATA[suffix])


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """How wide a text is, in points."""
    if not text.strip():
        return 0.3 * size * len(text)
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    font = FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")
    return float(TextPath((0, 0), text, size=size, prop=font).get_extents().x1)


def elided(text: str, size: float, width: float) -> str:
    """The text, without its middle if it is wider than there is room for."""
    width *= 0.98  # a renderer rounds each letter's place
    if text_width(text, size) <= width:
        return text
    for length in range(min(len(text) - 1, 200), 1, -1):
        head = (length + 1) // 2
        shorter = f"{text[:head]}…{text[len(text) - (length - head) :]}"
        if text_width(shorter, size) <= width:
            return shorter
    return "…"
