"""The statistics of a data set as a figure of panels, or as a folder with a file for each."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from tfdp_fast._output import Outputs, check_folder
from tfdp_fast.errors import OptionError
from tfdp_fast.report import _drawing as drawing
from tfdp_fast.report import _panels as panels
from tfdp_fast.report.statistics import Statistics

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

__all__ = ["check_figures", "is_figure_folder", "save_figures", "statistics_figure"]

WIDTH = 13.0
"""Of the figure, in inches."""

PANELS: dict[str, tuple[Callable[[SubFigure | Figure, Statistics], None], tuple[float, float]]] = {
    "areas": (panels.areas, (WIDTH / 2, 3.2)),
    "per_image": (panels.per_image, (WIDTH / 2, 3.2)),
    "classes": (panels.classes, (WIDTH, 3.8)),
    "scores": (panels.scores, (WIDTH, 4.6)),
    "balance": (panels.balance, (WIDTH, 3.6)),
}
"""By name, what draws a panel, and its width and height in inches."""


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
            (folder / f"{name}.svg").write_bytes(drawing.figure_bytes(_panel_figure(found, name), "svg"))


def statistics_figure(found: Statistics) -> Figure:
    """All panels in one `matplotlib.figure.Figure`."""
    shown = _shown(found)
    below = [name for name in shown if name not in {"areas", "per_image"}]
    heights = [PANELS["per_image"][1][1], *(PANELS[name][1][1] for name in below)]
    figure = drawing.new_figure(WIDTH, sum(heights))
    grid = figure.add_gridspec(len(heights), 2, height_ratios=heights)
    top = [name for name in shown if name not in below]
    for column, name in enumerate(top):
        PANELS[name][0](figure.add_subfigure(grid[0, column if len(top) > 1 else slice(None)]), found)
    for row, name in enumerate(below, start=1):
        PANELS[name][0](figure.add_subfigure(grid[row, :]), found)
    return figure


def _panel_figure(found: Statistics, name: str) -> Figure:
    draw, size = PANELS[name]
    figure = drawing.new_figure(*size)
    draw(figure, found)
    return figure


def _shown(found: Statistics) -> list[str]:
    return [name for name in PANELS if name != "areas" or found.areas is not None]


def _kind(path: str | os.PathLike[str]) -> Literal["png", "svg"]:
    suffix = Path(path).suffix.lower()
    if suffix not in {".png", ".svg"}:
        raise OptionError(f"{os.fspath(path)}: figures are .png or .svg files, or a new folder with a slash")
    return cast('Literal["png", "svg"]', suffix[1:])
