"""matplotlib without global state: a figure, its text, and its bytes, the same each time."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from tfdp_fast._text import one_line
from tfdp_fast.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, QUIET, FAINT = "#1b1f24", "#57606a", "#d0d7de"
BLUE, VERMILION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
"""Okabe and Ito's colours, told apart by colour-blind readers, too."""

SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "tfdp-fast",
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same letters everywhere
    "font.size": 9.0,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "legend.frameon": False,
}
DPI = 130


def require_matplotlib() -> None:
    """Raise MissingExtraError unless matplotlib is there."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise MissingExtraError("matplotlib", "figures") from None


@contextlib.contextmanager
def settings() -> Iterator[None]:
    """A context in which figures are made and written: with our settings, and none of the user's."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure; inches."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))


def figure_bytes(figure: Figure, kind: Literal["png", "svg"]) -> bytes:
    """A figure as a file; the same bytes each time, within `settings`."""
    metadata: dict[str, Any] = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    target = io.BytesIO()
    with warnings.catch_warnings():  # names may be in letters that the font lacks
        warnings.filterwarnings("ignore", message=r"Glyph \d+")
        _settle(figure)
        figure.savefig(target, format=kind, dpi=DPI, metadata=metadata)
    return target.getvalue()


def _settle(figure: Figure) -> None:
    """Lay it out for good: what the solver finds differs from run to run in the last bits."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        x, y, width, height = (round(float(side), 5) for side in axes.get_position().bounds)
        axes.set_position((x, y, width, height))


def label(text: str, most: int = 18) -> str:
    r"""The name of something, short enough for an axis, and nothing but text to matplotlib and XML.

    Examples
    --------
    >>> label("price in $ of $100"), label("a" * 30, most=5)
    ('price in \\$ of \\$100', 'aaaa…')
    """
    text = one_line(text)
    text = text if len(text) <= most else text[: most - 1] + "…"
    return text.replace("\ufffe", "?").replace("\uffff", "?").replace("$", r"\$")


def remark(axes: Axes, text: str) -> None:
    """Say something above a panel, to the right."""
    axes.set_title(text, loc="right", fontsize=9, fontweight="normal", color=QUIET)


def note(axes: Axes, text: str) -> None:
    """Say why a panel is empty."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=QUIET)
    axes.set(xticks=[], yticks=[])


def name_ticks(axes: Axes, names: Iterable[str], room: int) -> None:
    """Name the places 0, 1, ... of the x axis, upright unless there is room for that many letters."""
    labels = [label(name) for name in names]
    flat = len(labels) * (max(map(len, labels), default=0) + 2) <= room
    size = 9 if len(labels) <= room // 5 else 7
    axes.set_xticks(range(len(labels)), labels, rotation=0 if flat else 90, fontsize=size)
