"""The page of recipes for tables, run in the engines that it is about."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import recipe_support
import tfdp_fast as tfdp
from tfdp_fast.demo import make_demo

PAGE = Path(__file__).resolve().parents[1] / "docs" / "recipes" / "tables.md"
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FIELDS = ("straight", "diagonal", "area2")

# What other packages warn of is their own affair.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder that recipes run in: what `tfdp demo` leaves."""
    make_demo(tmp_path / "tfdp-demo")
    monkeypatch.chdir(tmp_path)


def run(section: str) -> dict[str, Any]:
    """Run the beginning of the page and one of its sections; the names that they leave."""
    beginning, *others = re.split(r"^## ", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    (chosen,) = (text for text in others if text.startswith(f"{section}\n"))
    # Functions go to other processes whole only if they are of `__main__`.
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in PYTHON.findall(beginning) + PYTHON.findall(chosen):
        exec(block, names)
    return names


def expected(names: dict[str, Any]) -> list[dict[str, int]]:
    """Of each instance its id and its counts."""
    rows: list[dict[str, Any]] = names["rows"]
    counts = tfdp.measure([{"counts": row["counts"], "size": [row["height"], row["width"]]} for row in rows])
    columns = zip(*(getattr(counts, name).tolist() for name in FIELDS), strict=True)
    assert len(rows) > 100
    return [
        {"id": row["id"], **dict(zip(FIELDS, values, strict=True))}
        for row, values in zip(rows, columns, strict=True)
    ]


def test_pyarrow() -> None:
    names = run("pyarrow")
    assert names["whole"].to_pylist() == expected(names)
    assert names["shapes"].tolist() == names["counts"].si_scs().tolist()
    assert names["measured"].column_names == ["id", "image_id", "height", "width", *FIELDS]
    empty = names["measure_table"](names["table"].schema.empty_table())
    assert empty.schema == names["measured"].schema


def test_polars() -> None:
    recipe_support.package("polars")
    names = run("Polars")
    assert names["measured"].select("id", *FIELDS).to_dicts() == expected(names)
    assert names["lazy"].to_dicts() == expected(names)


def test_duckdb() -> None:
    recipe_support.package("duckdb")
    names = run("DuckDB")
    assert names["measured"] == [tuple(row.values()) for row in expected(names)]


def test_datasets() -> None:
    recipe_support.package("datasets")
    names = run("Hugging Face datasets")
    measured = names["measured"].with_format(None).select_columns(["id", *FIELDS])
    assert measured.to_list() == expected(names)


@pytest.fixture
def ray() -> Iterator[None]:
    """Ray on one node, with two processors and no more than it needs."""
    package = recipe_support.package("ray")
    package.init(  # another one may be running on this machine
        "local",
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=100 << 20,
        log_to_driver=False,
    )
    yield
    package.shutdown()


@pytest.mark.usefixtures("ray")
def test_ray_data() -> None:
    names = run("Ray Data")
    assert names["found"] == expected(names)


@pytest.mark.skipif(
    shutil.which("java") is None and "JAVA_HOME" not in os.environ, reason="there is no Java for Spark"
)
def test_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe_support.package("pyspark")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    names = run("Spark")
    assert [row.asDict() for row in names["found"]] == expected(names)


def test_every_section_is_tested() -> None:
    sections = re.findall(r"^## (.*)$", PAGE.read_text("utf-8"), re.MULTILINE)
    tested = re.findall(r'run\("(.*)"\)', Path(__file__).read_text("utf-8"))
    assert sections == tested
