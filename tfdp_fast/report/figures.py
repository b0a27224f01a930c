"""The statistics of a data set as a figure of panels, or as a folder with a file for each."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from tfdp_fast._output import Outputs, check_folder
from tfdp_fast.errors import OptionError
from tfdp_fast.report import _drawing as drawing
from tfdp_fast.report import _panels as panels
from tfdp_fast.report.statistics import Statistics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["check_figures", "is_figure_folder", "save_figures", "statistics_figure"]

WIDTH = 13.0
"""Of the figure, in inches."""


class Panel(NamedTuple):
    """What draws a panel into axes side by side, how wide they are, and its size in inches."""

    draw: Callable[[list[Axes], Statistics], None]
    ratios: tuple[float, ...]
    width: float
    height: float


PANELS = {
    "areas": Panel(panels.areas, (1,), WIDTH / 2, 3.2),
    "per_image": Panel(panels.per_image, (1,), WIDTH / 2, 3.2),
    "classes": Panel(panels.classes, (1,), WIDTH, 3.8),
    "scores": Panel(panels.scores, (1, 1, 1, 1), WIDTH, 4.6),
    "balance": Panel(panels.balance, (1.9, 1), WIDTH, 3.6),
}
"""By name."""
TOP = ("areas", "per_image")
"""The panels that share a row."""


def is_figure_folder(path: str | os.PathLike[str]) -> bool:
    """Whether a path stands for a folder: it ends in a slash, or is one."""
    return os.fspath(path).endswith("/") or Path(path).is_dir()


def check_figures(path: str | os.PathLike[str]) -> None:
    """Refuse, before anything is read, what `save_figures` would refuse, except for what is there already.

    Raises
    ------
    OptionError
        If the suffix is neither ``.png`` nor ``.svg``, and it is no folder.
    OutputError
        If the folder is there already, with something in it.
    MissingExtraError
        If matplotlib is not installed.
    """
    if is_figure_folder(path):
        check_folder(path)
    else:
        _kind(path)
    drawing.require_matplotlib()


def save_figures(found: Statistics, path: str | os.PathLike[str]) -> None:
    """Draw statistics: one figure as ``.png`` or ``.svg``, or a new folder with an SVG file for each panel.

    The same statistics give the same bytes.

    Raises
    ------
    OptionError, OutputError, MissingExtraError
        As for `check_figures`, and if the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import tfdp_fast as tfdp
    >>> square = [[0, 0, 8, 0, 8, 8, 0, 8]]
    >>> images = [{"height": 9, "width": 9, "annotations": [{"segmentation": square, "category_id": 1}]}]
    >>> found = tfdp.statistics(images, areas=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_figures(found, f"{folder}/figures/")
    ...     sorted(path.name for path in Path(folder, "figures").iterdir())
    ['balance.svg', 'classes.svg', 'per_image.svg', 'scores.svg']
    """
    check_figures(path)
    with Outputs() as outputs, drawing.settings():
        if not is_figure_folder(path):
            outputs.open(path).write(drawing.figure_bytes(statistics_figure(found), _kind(path)))
            return
        folder = outputs.folder(path)
        for name in _shown(found):
            (folder / f"{name}.svg").write_bytes(drawing.figure_bytes(_figure_of(found, [[name]]), "svg"))


def statistics_figure(found: Statistics) -> Figure:
    """All panels in one `matplotlib.figure.Figure`."""
    shown = _shown(found)
    rows = [[name for name in TOP if name in shown], *([name] for name in shown if name not in TOP)]
    return _figure_of(found, rows)


def _figure_of(found: Statistics, rows: list[list[str]]) -> Figure:
    heights = [PANELS[row[0]].height for row in rows]
    width = max(sum(PANELS[name].width for name in row) for row in rows)
    figure = drawing.new_figure(width, sum(heights))
    grid = figure.add_gridspec(len(rows), 1, height_ratios=heights)
    for i, row in enumerate(rows):
        parts = grid[i, 0].subgridspec(1, len(row))
        for j, name in enumerate(row):
            panel = PANELS[name]
            inner = parts[0, j].subgridspec(1, len(panel.ratios), width_ratios=panel.ratios)
            panel.draw([figure.add_subplot(inner[0, n]) for n in range(len(panel.ratios))], found)
    return figure


def _shown(found: Statistics) -> list[str]:
    return [name for name in PANELS if name != "areas" or found.areas is not None]


def _kind(path: str | os.PathLike[str]) -> Literal["png", "svg"]:
    suffix = Path(path).suffix.lower()
    if suffix not in {".png", ".svg"}:
        raise OptionError(f"{os.fspath(path)}: figures are .png or .svg files, or a new folder with a slash")
    return cast('Literal["png", "svg"]', suffix[1:])
