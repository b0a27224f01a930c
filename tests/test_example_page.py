"""The page of the experiment in ``examples/`` says what its results say. Needs no PyTorch."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from pruning_experiment.methods import METHODS
from pruning_experiment.page import RESULTS, filled
from pruning_experiment.results import Results, Spread, class_iou, instance_iou, instances
from pruning_experiment.settings import FULL
from tfdp_fast.scores import Variant

PAGE = RESULTS.with_name("README.md")


@pytest.fixture(scope="module")
def results() -> Any:
    return json.loads(RESULTS.read_text("utf-8"))


def test_the_page_has_the_numbers_of_the_results(results: Any) -> None:
    page = PAGE.read_text("utf-8")
    assert filled(page, results) == page


def test_the_results_are_those_of_the_protocol(results: Any) -> None:
    assert results["settings"] == json.loads(json.dumps(asdict(FULL)))
    found = [(run["seed"], run["method"], run["rate"]) for run in results["runs"]]
    assert len(set(found)) == len(found) == len(FULL.seeds) * (1 + len(METHODS) * len(FULL.rates))
    assert {method for _, method, _ in found} == {"all", *METHODS}


def test_what_needs_no_training_has_one_subset_for_all_seeds(results: Any) -> None:
    subsets: dict[tuple[str, float], set[str]] = {}
    for run in results["runs"]:
        if run["method"] != "all":
            subsets.setdefault((run["method"], run["rate"]), set()).add(run["subset"])
    for (name, _), hashes in subsets.items():
        method = METHODS[name]
        once = not method.seeded and method.scores in get_args(Variant)
        assert (len(hashes) == 1) == once, name


def test_a_page_without_a_place_for_the_tables_is_refused(results: Any) -> None:
    with pytest.raises(ValueError, match="no place for the tables"):
        filled(PAGE.read_text("utf-8").replace("<!-- tables", "<!-- table"), results)


def test_spreads() -> None:
    spread = Spread(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert (spread.mean, spread.deviation) == (3.0, np.sqrt(2.5))
    # scipy.stats.t.interval(0.95, 4, 3, sqrt(2.5 / 5)) is 3 +- 1.9632
    assert spread.half_interval == pytest.approx(1.9632, abs=1e-3)
    assert spread.is_clear
    assert not Spread(spread.values - 1.5).is_clear


def test_differences_are_taken_within_a_seed() -> None:
    def run(method: str, seed: int, iou: float) -> dict[str, Any]:
        of_class = {"disc": iou, "bar": 0.0}
        return {
            "method": method,
            "rate": 0.5,
            "seed": seed,
            "iou": iou,
            "iou_of_class": of_class,
            "instances": {"disc": 4, "bar": 3},
        }

    runs = [run("random", 0, 0.5), run("random", 1, 0.7), run("tfdp", 1, 0.8), run("tfdp", 0, 0.7)]
    results = Results({"settings": {"seeds": [0, 1], "rates": [0.5]}, "runs": runs})
    assert results.methods == ["random", "tfdp"]
    assert results.against_random(instance_iou, "tfdp", 0.5).values == pytest.approx([20.0, 10.0])
    assert results.against_random(class_iou, "tfdp", 0.5).values == pytest.approx([10.0, 5.0])
    assert results.over_seeds(instances, "tfdp", 0.5).mean == 7


def test_figures_name_every_method(results: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra figures)")
    from pruning_experiment.figures import draw_figures

    draw_figures(results, tmp_path)
    first = (tmp_path / "iou.svg").read_bytes()
    draw_figures(results, tmp_path)
    assert (tmp_path / "iou.svg").read_bytes() == first
    for name in ("iou.svg", "instances.svg"):
        assert ET.parse(tmp_path / name).getroot().tag.endswith("svg")
        assert f"]({name})" in PAGE.read_text("utf-8")
    # Letters are drawn as shapes; what they say stands in comments.
    assert all(f"<!-- {method.label} -->".encode() in first for method in METHODS.values())
