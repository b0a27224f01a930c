"""The figures of the page. Needs matplotlib (extra ``figures``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pruning_experiment.methods import METHODS
from pruning_experiment.results import Results, instance_iou, instances

__all__ = ["draw_figures"]

# Okabe and Ito's colours, told apart by colour-blind readers, too.
BASELINE, SHAPES, QUIET = "#D55E00", "#0072B2", "#57606a"
STYLE: Any = {
    "svg.hashsalt": "tfdp-fast",  # the same file from the same results
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters everywhere
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
}
FROM_TRAINING = ("entropy", "el2n", "forgetting", "aum", "ccs")


def draw_figures(results: dict[str, Any], folder: Path) -> None:
    """Write ``iou.svg`` and ``instances.svg``."""
    runs = Results(results)
    with mpl.rc_context(STYLE):
        for name, figure in (("iou.svg", _iou(runs)), ("instances.svg", _over_instances(runs))):
            figure.savefig(folder / name, metadata={"Date": None})


def _colour(method: str) -> str:
    return BASELINE if method in FROM_TRAINING else SHAPES


def _iou(runs: Results) -> Figure:
    """A panel for each method, beside Random."""
    methods = [method for method in runs.methods if method != "random"]
    figure = Figure(figsize=(11, 5), layout="constrained")
    panels = figure.subplots(2, -(-len(methods) // 2), sharex=True, sharey=True)
    for panel, method in zip(panels.flat, methods, strict=True):
        _panel(panel, runs, method)
    first: Axes = panels.flat[0]
    middle, last = runs.rates[len(runs.rates) // 2], runs.rates[-1]
    whole = runs.over_seeds(instance_iou, "all").mean
    first.annotate(
        "all images", (100 * last, whole), (0, 3), textcoords="offset points", ha="right", color=QUIET
    )
    first.annotate(
        "Random",
        (100 * middle, runs.over_seeds(instance_iou, "random", middle).mean),
        (6, 6),
        textcoords="offset points",
        color=QUIET,
    )
    figure.supxlabel("images dropped, %", fontsize=9)
    figure.supylabel("mean mask IoU of the test instances, × 100", fontsize=9)
    return figure


def _panel(panel: Axes, runs: Results, method: str) -> None:
    rates = [100 * rate for rate in runs.rates]
    panel.axhline(
        runs.over_seeds(instance_iou, "all").mean, color=QUIET, linewidth=0.8, linestyle=(0, (4, 3))
    )
    random = [runs.over_seeds(instance_iou, "random", rate) for rate in runs.rates]
    low, high = ([s.mean + sign * s.deviation for s in random] for sign in (-1, 1))
    panel.fill_between(rates, low, high, color=QUIET, alpha=0.2, linewidth=0)
    panel.plot(rates, [s.mean for s in random], color=QUIET, linewidth=1.2)
    ours = [runs.over_seeds(instance_iou, method, rate) for rate in runs.rates]
    panel.errorbar(
        rates,
        [s.mean for s in ours],
        [s.deviation for s in ours],
        color=_colour(method),
        marker="o",
        markersize=4,
        linewidth=1.6,
        capsize=2.5,
    )
    panel.set_title(METHODS[method].label, color=_colour(method), fontweight="bold")
    panel.set_xticks(rates)


def _over_instances(runs: Results) -> Figure:
    """All methods over the number of instances that they keep: Random is the line."""
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.subplots()
    for method in runs.methods:
        x = [runs.over_seeds(instances, method, rate).mean for rate in runs.rates]
        spreads = [runs.over_seeds(instance_iou, method, rate) for rate in runs.rates]
        y, error = [s.mean for s in spreads], [s.deviation for s in spreads]
        colour, marker, width = (QUIET, "s", 1.2) if method == "random" else (_colour(method), "o", 0)
        axes.errorbar(x, y, error, color=colour, marker=marker, markersize=4, linewidth=width, elinewidth=1.1)
        if method in {"random", "aum"}:  # the line, and what keeps fewer instances than it
            label = METHODS[method].label
            axes.annotate(label, (x[0], y[0]), (0, 13), textcoords="offset points", color=colour, ha="center")
    axes.text(0.98, 0.16, "from recorded training", color=BASELINE, transform=axes.transAxes, ha="right")
    axes.text(0.98, 0.08, "from shapes alone", color=SHAPES, transform=axes.transAxes, ha="right")
    axes.set_xlabel("instances trained on")
    axes.set_ylabel("mean mask IoU, × 100")
    return figure
