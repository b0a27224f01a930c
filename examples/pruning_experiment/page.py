"""Writes the figures and the tables of the page from the results: no figure on it is written by hand.

``python -m pruning_experiment.page`` in the folder ``examples``. It reads ``results.json`` beside README.md,
or the file that it is given.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from pruning_experiment.methods import METHODS
from pruning_experiment.results import Measure, Results, class_iou, instance_iou, instances

__all__ = ["RESULTS", "filled", "tables"]

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"


def main() -> None:
    """Draw the figures and fill the page."""
    from pruning_experiment.figures import draw_figures

    parser = argparse.ArgumentParser(prog="python -m pruning_experiment.page", description=main.__doc__)
    parser.add_argument("results", nargs="?", type=Path, default=RESULTS)
    results = json.loads(parser.parse_args().results.read_text("utf-8"))
    draw_figures(results, HERE)
    page = HERE / "README.md"
    page.write_text(filled(page.read_text("utf-8"), results), encoding="utf-8")


def filled(page: str, results: dict[str, Any]) -> str:
    """The page, with what stands between its markers written anew."""
    for name, text in (("setting", setting(results)), ("tables", tables(results))):
        begin, end = f"<!-- {name}: written by page.py -->", f"<!-- end of {name} -->"
        if page.count(begin) != 1 or page.count(end) != 1:
            raise ValueError(f"the page has no place for the {name}")
        before, after = page.partition(begin)[0], page.partition(end)[2]
        page = f"{before}{begin}\n\n{text}\n\n{end}{after}"
    return page


def setting(results: dict[str, Any]) -> str:
    """What the run was like."""
    settings, versions = results["settings"], results["versions"]
    rows = [[f"images for {use}", _contents(results["data"][what])] for what, use in USES.items()]
    rows += [
        ["repetitions", f"{len(settings['seeds'])}, of seeds {', '.join(map(str, settings['seeds']))}"],
        ["trainings", f"{len(results['runs'])}, of {settings['epochs']} epochs each"],
        ["a step", f"the instances of {settings['batch']} images"],
        ["optimiser", f"Adam, {settings['learning_rate']:g}, down to 0 as a cosine"],
        ["versions", ", ".join(f"{name} {number}" for name, number in versions.items())],
        ["machine", f"{results['machine']['architecture']}, {results['machine']['threads']} thread"],
        ["processor time", f"{results['seconds'] / 60:.1f} minutes"],
    ]
    return _markdown(["", ""], rows)


USES = {"train": "training", "test": "testing"}


def tables(results: dict[str, Any]) -> str:
    """IoU of every method, how it differs from Random, and how much there was to train on."""
    runs = Results(results)
    seeds, comparisons = len(runs.seeds), (len(runs.methods) - 1) * len(runs.rates)
    last = runs.rates[-1]
    difference = (
        "**Difference from Random of the same seed**, mean over the instances. Bold: the 95 % interval "
        f"of its mean (Student's t, {seeds} seeds) leaves out 0. Of {comparisons} comparisons, "
        f"about {comparisons / 20:.0f} would be bold if no method differed from Random."
    )
    parts = [
        f"**Mean mask IoU over the test instances**, × 100; mean ± standard deviation over {seeds} seeds.",
        _ious(runs, instance_iou),
        "**The same, as the mean over the classes**: a rare class counts as much as a frequent one.",
        _ious(runs, class_iou),
        difference,
        _differences(runs, instance_iou),
        "**Difference from Random of the same seed**, mean over the classes.",
        _differences(runs, class_iou),
        f"**Each class at {_percent(last)}**: mean IoU, and in brackets the instances that were trained on.",
        _classes(runs, last),
        "**Instances that were trained on**, mean over the seeds. A column has equally many images.",
        _table(runs, lambda method, rate: f"{runs.over_seeds(instances, method, rate).mean:.0f}"),
    ]
    return "\n\n".join(parts)


def _ious(runs: Results, measure: Measure) -> str:
    def cell(method: str, rate: float) -> str:
        spread = runs.over_seeds(measure, method, rate)
        return f"{spread.mean:.1f} ± {spread.deviation:.1f}"

    return _table(runs, cell)


def _differences(runs: Results, measure: Measure) -> str:
    def cell(method: str, rate: float) -> str:
        difference = runs.against_random(measure, method, rate)
        text = f"{_signed(difference.mean)} ± {difference.deviation:.1f}"
        return f"**{text}**" if difference.is_clear else text

    rows = [
        [METHODS[method].label, *(cell(method, rate) for rate in runs.rates)]
        for method in runs.methods
        if method != "random"
    ]
    return _markdown(_head(runs), rows)


def _classes(runs: Results, rate: float) -> str:
    names = list(runs.over_classes("iou_of_class", "all"))
    rows = []
    for method, dropped in [("all", 0.0), *((method, rate) for method in runs.methods)]:
        iou = runs.over_classes("iou_of_class", method, dropped)
        number = runs.over_classes("instances", method, dropped)
        cells = (f"{100 * iou[name]:.1f} ({number[name]:.0f})" for name in names)
        rows.append(["all images" if method == "all" else METHODS[method].label, *cells])
    return _markdown(["", *names], rows)


def _signed(value: float) -> str:
    """With one digit after the point, and a sign unless that is 0."""
    text = f"{value:+.1f}".replace("-", "−")
    return text[1:] if text[1:] == "0.0" else text


def _table(runs: Results, cell: Callable[[str, float], str]) -> str:
    """A row for each method and a column for each rate; one more of each for the whole data set."""
    whole = ["all images", cell("all", 0.0), *[""] * len(runs.rates)]
    rows = [[METHODS[m].label, "", *(cell(m, rate) for rate in runs.rates)] for m in runs.methods]
    first, *others = _head(runs)
    return _markdown([first, "none", *others], [whole, *rows])


def _head(runs: Results) -> list[str]:
    return ["images dropped", *map(_percent, runs.rates)]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _contents(data: dict[str, Any]) -> str:
    counts = data["instances"]
    names = ", ".join(f"{name} {count}" for name, count in counts.items())
    return f"{data['images']}, with {sum(counts.values())} instances: {names}"


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
