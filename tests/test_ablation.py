"""The four variants side by side."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfdp_fast as tfdp
from cli_support import changed, process
from golden_support import KEPT, SHA, VARIANTS
from tfdp_fast import DataError, OptionError, cli, comparing
from tfdp_fast.formats.dataset import Dataset
from tfdp_fast.measuring import MeasuredDataset, measure_dataset

PAIRS = list(combinations(VARIANTS, 2))


def test_the_subsets_of_the_paper(shared_data: Path) -> None:
    found = tfdp.ablation(shared_data / "voc2012_train.json", preset="official")
    assert [step.rate for step in found.steps] == [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    for step, (position, (k, rate)) in zip(found.steps, enumerate(KEPT.items()), strict=False):
        assert (step.k, step.rate) == (k, rate)
        assert {variant: step.subsets[variant].sha256[:16] for variant in VARIANTS} == {
            variant: SHA[variant][position] for variant in VARIANTS
        }
    assert [step.k for step in found.steps[4:]] == [585, 439, 293, 146]


@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize("preset", [None, "official"])
def test_the_same_as_one_by_one(preset: Any, threads: int, shared_data: Path) -> None:
    path = shared_data / "coco_val2014_100.json"
    found = tfdp.ablation(path, rates=[0.35, 0.6], preset=preset, threads=threads)
    alone = {variant: tfdp.score(path, variant, preset=preset) for variant in VARIANTS}
    for step in found.steps:
        for variant in VARIANTS:
            expected = tfdp.select(alone[variant], rate=step.rate)
            assert step.subsets[variant].ranking.tolist() == expected.ranking.tolist()
            assert step.subsets[variant].reckoning == expected.reckoning
        for a, b in PAIRS:
            ids_a, ids_b = (set(step.subsets[variant].image_ids.tolist()) for variant in (a, b))
            assert step.overlaps[a, b] == len(ids_a & ids_b) / step.k
    for pair in PAIRS:
        compared = tfdp.compare(*(alone[variant] for variant in pair))
        assert found.spearman[pair] == compared.spearman


def test_it_is_measured_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources: list[str] = []

    def measure(dataset: Dataset, **how: Any) -> MeasuredDataset:
        sources.append(dataset.source)
        return measure_dataset(dataset, **how)

    monkeypatch.setattr("tfdp_fast.ablating.measure_dataset", measure)
    assert len(tfdp.ablation(folder / "data.json").steps) == 8
    assert sources == [str(folder / "data.json")]


def test_candidates(folder: Path) -> None:
    found = tfdp.ablation(folder / "data.json", rates=(0.5,), of="all")
    subset = found.steps[0].subsets["si"]
    assert (subset.k, subset.candidates, subset.of) == (3, 6, "all")
    images = found.scores["scs"].images
    assert found.spearman["scs", "si"] == comparing.spearman(
        images.score[images.instances > 0], found.scores["si"].images.score[images.instances > 0]
    )


def test_no_image_at_all(coco_dict: Any) -> None:
    found = tfdp.ablation(coco_dict(images=0), rates=[0.5])
    assert found.steps[0].k == 0
    assert set(found.steps[0].overlaps.values()) == {1.0}
    assert set(found.spearman.values()) == {None}


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"rates": []}, "say at least one rate"),
        ({"rates": [0.5, 1]}, "0 <= rate < 1, got 1"),
        ({"rates": ["0.5"]}, "rate must be a finite number"),
        ({"preset": "official", "of": "all"}, "the preset 'official' says which images"),
        ({"polygons": "x"}, "polygons"),
    ],
)
def test_what_makes_no_sense(options: dict[str, Any], what: str) -> None:
    with pytest.raises(OptionError, match=what):
        tfdp.ablation("never read.json", **options)


# --- the command line ---------------------------------------------------------------------------------------


def test_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "data.json"
    assert cli.main(["ablation", str(path), "--rate", "50%", "--rate", "0.25", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    found = tfdp.ablation(path, rates=[0.5, 0.25])
    assert report["source"] == str(path)
    assert report["images"] == {"total": 6, "candidates": 4, "candidates_are": "scored"}
    assert [(step["rate"], step["k"]) for step in report["steps"]] == [(0.5, 2), (0.25, 3)]
    for step, expected in zip(report["steps"], found.steps, strict=True):
        assert step["sha256"] == {variant: expected.subsets[variant].sha256 for variant in VARIANTS}
        assert {tuple(o["variants"]): o["share"] for o in step["overlaps"]} == expected.overlaps
    assert {tuple(o["variants"]): o["value"] for o in report["spearman"]} == found.spearman


def test_lines_and_tables(shared_data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    arguments = ["ablation", str(shared_data / "voc2012_train.json"), "--preset", "official", "--rate", "0.5"]
    assert cli.main(arguments) == 0
    shown = capsys.readouterr().out
    hashes = ", ".join(f"{variant} {SHA[variant][3]}" for variant in VARIANTS)
    assert f"\nsubsets at 50 %: kept 732, {hashes}\n" in shown
    assert "\noverlaps at 50 %: scs-si 87.3%, scs-cb 74.0%, " in shown
    assert "\nrank correlation of scs: si 0.8972, " in shown
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main(arguments) == 0
    table = capsys.readouterr().out.splitlines()
    [row] = [line.split() for line in table if line.startswith("50 %") and "732" in line]
    assert row == ["50", "%", "732", *(SHA[variant][3][:12] for variant in VARIANTS)]
    assert "cb-tfdp" in "".join(table)


def test_annotations_that_are_set_aside(folder: Path) -> None:
    changed(folder, lambda data: data["annotations"][0].update(segmentation=[[1, 2, 3]]))
    with pytest.raises(DataError, match="annotation 1"):
        tfdp.ablation(folder / "data.json")
    done = process("ablation", "data.json", cwd=folder)
    assert (done.returncode, done.stdout) == (2, b"")
    done = process("ablation", "data.json", "--on-error", "skip", cwd=folder)
    assert done.returncode == 1
    assert b"set aside: 1 record\n" in done.stdout


def test_bad_usage(folder: Path) -> None:
    for arguments, what in (
        (["--variant", "si"], b"unrecognized arguments: --variant si"),
        (["--rate", "2"], b"the share to drop is below 1"),
        (["--preset", "official", "--of", "all"], b"the preset 'official' says which images"),
    ):
        done = process("ablation", "data.json", *arguments, cwd=folder)
        assert (done.returncode, done.stdout) == (2, b"")
        assert what in done.stderr
        assert done.stderr.count(b"\n") == 1


def test_correlations_are_those_of_ranks() -> None:
    """Of scores whose ranks are 1 to n, the formula with squared differences."""
    rng = np.random.default_rng(0)
    a, b = rng.permutation(50).astype(np.float64), rng.permutation(50).astype(np.float64)
    expected = 1 - 6 * ((a - b) ** 2).sum() / (50 * (50**2 - 1))
    assert comparing.spearman(a * 2, b / 3) == pytest.approx(expected, abs=1e-14)
