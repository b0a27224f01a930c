"""The page and the README's table say what was measured, the losses included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from report import BEGIN, END, THEMES, page, readme_table, with_table
from tfdp_fast.timing.text import duration, number


def entry(name: str, seconds: float, ratio: float = 1) -> dict[str, Any]:
    spread = {"low": seconds / 2, "high": seconds * 2, "ratio_low": ratio / 2, "ratio_high": ratio * 2}
    return {"name": name, "seconds": seconds, "rounds": 5, "ratio": ratio, **spread}


@pytest.fixture
def results() -> dict[str, Any]:
    goals = [
        {"what": "COCO-100, RLE", "against": "slow", "measured": 100.0, "unit": "×", "at_least": 60},
        {"what": "its memory", "against": "the file", "measured": 2.0, "unit": "×", "at_most": 1},
    ]
    info = {
        "what": "COCO-100, RLE",
        "work": {"masks": 1000, "bytes": 2_500_000},
        "entries": [entry("tfdp-fast", 0.002), entry("slow", 0.2, 100), entry("quick", 0.001, 0.5)],
        "note": "It is a made one.",
        "goals": goals,
        "tables": [{"columns": ["part", "ms"], "rows": [["all", "2"]]}],
    }
    machine = dict.fromkeys(["os", "python_version", "core", "c_compiler", "real_annotations"], "this one")
    machine |= {"python_implementation": "CPython", "python_compiler": "GCC", "machine": "x86_64"}
    return {
        "datetime": "2020-02-02T02:02:02",
        "machine_info": machine
        | {"cpu": {}, "processors": 2, "memory": 2**34, "seed": 0, "versions": {"numpy": "2"}},
        "benchmarks": [{"fullname": "bench/test_measure.py::test_rle", "extra_info": info}],
    }


def test_page(results: dict[str, Any]) -> None:
    lines = page(results).splitlines()
    assert "| COCO-100, RLE | slow | ≥ 60 × | 100 × | met |" in lines
    assert "| its memory | the file | ≤ 1 × | 2 × | missed by 50 % |" in lines
    lost = "quick takes 0.5 × our time; its memory: 2 × against the file, the goal is ≤ 1 ×"
    assert f"- **COCO-100, RLE**: {lost}. It is a made one." in lines
    assert (
        "| COCO-100, RLE | 1,000 masks, 2.5 M bytes | tfdp-fast | 2 ms | 2 µs | 5 | 1 ms – 4 ms |  |" in lines
    )
    assert "|  |  | slow | 200 ms | 200 µs | 5 | 100 ms – 400 ms | **100 ×** (50 – 200) |" in lines
    assert "| all | 2 |" in lines


def test_readme(results: dict[str, Any]) -> None:
    table = readme_table(results)
    assert table.splitlines()[2:] == ["| a mask of COCO, RLE | slow | 2 µs | 200 µs | 100 × |"]
    assert with_table(f"a\n{BEGIN}\nold\n{END}\nb\n", table) == f"a\n{BEGIN}\n\n{table}\n\n{END}\nb\n"
    with pytest.raises(SystemExit, match="marks"):
        with_table("a page without them", table)


@pytest.mark.parametrize(
    ("value", "text"), [(1234.6, "1,235 ×"), (99.6, "100 ×"), (12.3, "12 ×"), (1.234, "1.23 ×"), (0, "0 ×")]
)
def test_number(value: float, text: str) -> None:
    assert number(value, "×") == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(75, "75 s"), (1, "1 s"), (0.25, "250 ms"), (2e-6, "2 µs"), (3e-10, "0.3 ns")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_every_benchmark_is_on_the_page() -> None:
    modules = {path.stem for path in Path(__file__).parent.glob("test_*.py")}
    assert modules - {"test_report"} == {theme.module for theme in THEMES}
