"""Score files, written, read back, and read by others."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfdp_fast as tfdp
from scores_support import WHOLE, assert_same, edge_cases, objects
from tfdp_fast.formats.dataset import Problem
from tfdp_fast.formats.scores import SUFFIXES, load_scores, write_scores
from tfdp_fast.presets import AppliedPreset
from tfdp_fast.scores import Scores
from tfdp_fast.tables import ClassTable, ImageTable, InstanceTable

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=8)
relaxed = settings(deadline=None)  # the machine is shared


@st.composite
def all_scores(draw: st.DrawFn) -> Scores:
    """Scores of anything: ids of either kind, odd file names, any finite doubles."""
    floats = st.floats(allow_nan=False, allow_infinity=False)

    def ids(n: int) -> Any:
        text = draw(st.booleans())
        found = draw(st.lists(TEXT if text else INT64, min_size=n, max_size=n, unique=True))
        return np.array(found, np.str_ if text else np.int64)

    def ints(n: int) -> Any:
        return np.array(draw(st.lists(INT64, min_size=n, max_size=n)), np.int64)

    def doubles(n: int) -> Any:
        return np.array(draw(st.lists(floats, min_size=n, max_size=n)), np.float64)

    i, c = draw(st.integers(0, 4)), draw(st.integers(0, 3))
    n = draw(st.integers(0, 6)) if i and c else 0
    names = draw(st.lists(st.none() | TEXT.filter(bool), min_size=i, max_size=i))
    images = ImageTable(ids(i), objects(list(names)), ints(i), ints(i), doubles(i))
    classes = ClassTable(
        ids(c), objects(list(draw(st.lists(TEXT, min_size=c, max_size=c)))), ints(c), doubles(c)
    )
    image = np.array(draw(st.lists(st.integers(0, max(i - 1, 0)), min_size=n, max_size=n)), np.int64)
    label = np.array(draw(st.lists(st.integers(0, max(c - 1, 0)), min_size=n, max_size=n)), np.int64)
    instances = InstanceTable(
        ids(n), images.id[image], classes.id[label], ints(n), ints(n), ints(n), doubles(n), doubles(n)
    )
    problems = [Problem("annotation 3", "some reason", 2)] * draw(st.integers(0, 2))
    counts = st.dictionaries(TEXT, st.integers(0, 2**53), max_size=3)
    presets = st.builds(
        AppliedPreset,
        st.just("official"),
        st.integers(0, 2**53),
        st.sampled_from([None, "COCO", "Cityscapes", "VOC"]),
        counts,
        counts,
    )
    return Scores(images, instances, classes, "si", "opencv", 3, 1, problems, draw(st.none() | presets))


@pytest.fixture(name="folder", scope="module")
def folder_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all examples of a property."""
    return tmp_path_factory.mktemp("scores")


@pytest.mark.parametrize("suffix", WHOLE)
def test_edge_cases_come_back(tmp_path: Path, suffix: str) -> None:
    scores = edge_cases()
    scores.save(tmp_path / f"scores{suffix.upper()}")
    loaded = Scores.load(tmp_path / f"scores{suffix.upper()}")
    for table in ("images", "instances", "classes"):
        assert_same(getattr(scores, table), getattr(loaded, table))
    assert loaded.problems == scores.problems


@relaxed
@given(all_scores())
@pytest.mark.parametrize("suffix", WHOLE)
def test_everything_comes_back(folder: Path, suffix: str, scores: Scores) -> None:
    path = folder / f"scores{suffix}"
    scores.save(path)
    loaded = Scores.load(path)
    for table in ("images", "instances", "classes"):
        assert_same(getattr(scores, table), getattr(loaded, table))
    assert loaded.problems == scores.problems
    assert (loaded.variant, loaded.polygons, loaded.crowd, loaded.ignored) == ("si", "opencv", 3, 1)
    assert loaded.preset == scores.preset


@relaxed
@given(all_scores())
def test_images_come_back_from_csv(folder: Path, scores: Scores) -> None:
    path = folder / "scores.CSV"
    scores.save(path)
    loaded = Scores.load(path)
    assert list(map(str, loaded.images.id.tolist())) == list(map(str, scores.images.id.tolist()))
    assert loaded.images.file_name.tolist() == scores.images.file_name.tolist()
    assert loaded.images.score.tobytes() == scores.images.score.tobytes()
    assert loaded.images.instances.tolist() == scores.images.instances.tolist()
    assert (loaded.instances, loaded.classes, loaded.variant) == (None, None, None)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["score"]) for row in rows] == scores.images.score.tolist()


@relaxed
@given(all_scores())
def test_positive_scores_come_back_from_json(folder: Path, scores: Scores) -> None:
    path = folder / "scores.json"
    scores.save(path)
    columns = (scores.images.id, scores.images.score, scores.images.instances)
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    if any(score < 0 for _, score, _ in rows):
        expected = {str(i): score for i, score, instances in rows if score or instances > 0}
    else:
        expected = {str(i): score for i, score, _ in rows if score > 0}
    assert json.loads(path.read_text()) == expected
    loaded = Scores.load(path)
    assert list(map(str, loaded.images.id.tolist())) == list(expected)
    assert loaded.images.score.tolist() == list(expected.values())
    assert set(loaded.images.instances.tolist()) <= {-1}


@pytest.fixture(name="scores")
def scores_fixture(coco_dict: Any) -> Scores:
    return tfdp.score(coco_dict())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_loaded_file_selects_the_same(tmp_path: Path, scores: Scores, suffix: str) -> None:
    scores.save(tmp_path / f"a{suffix}")
    loaded = Scores.load(tmp_path / f"a{suffix}")
    assert tfdp.select(loaded, k=2).ranking.tolist() == tfdp.select(scores, k=2).ranking.tolist()
    loaded.save(tmp_path / f"b{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
    buffer = io.BytesIO()
    write_scores(scores, buffer, suffix)
    assert buffer.getvalue() == (tmp_path / f"a{suffix}").read_bytes()


@pytest.mark.parametrize("suffix", WHOLE)
def test_images_alone_can_be_saved(tmp_path: Path, scores: Scores, suffix: str) -> None:
    scores.save(tmp_path / "scores.csv")
    images_only = Scores.load(tmp_path / "scores.csv")
    images_only.save(tmp_path / f"scores{suffix}")
    loaded = Scores.load(tmp_path / f"scores{suffix}")
    assert_same(loaded.images, images_only.images)
    assert loaded.instances is None
    assert loaded.classes is None


def test_parquet_is_a_row_per_image_with_its_instances(tmp_path: Path, scores: Scores) -> None:
    assert scores.instances is not None
    scores.save(tmp_path / "scores.parquet")
    rows = pq.read_table(tmp_path / "scores.parquet").to_pylist()
    assert [row["image_id"] for row in rows] == [10, 11, 12]
    assert [row["file_name"] for row in rows] == ["0.jpg", "1.jpg", "2.jpg"]
    assert [[i["id"] for i in row["instances"]] for row in rows] == [[1, 2], [3, 4], [5, 6]]
    assert rows[1]["instances"][0]["area2"] == int(scores.instances.area2[2])


def test_others_read_the_files(tmp_path: Path) -> None:
    scores = edge_cases()
    assert scores.instances is not None
    for suffix in SUFFIXES:
        scores.save(tmp_path / f"scores{suffix}")
    table = pq.read_table(tmp_path / "scores.parquet")
    assert [str(field.type) for field in table.schema][:5] == ["int64", "string", "double", "int64", "int64"]
    columns = ["image_id", "file_name", "score", "annotation_count", "instance_count", "instances"]
    assert table.column_names == columns
    instances = pa.table({"i": table["instances"].combine_chunks().flatten()}).flatten()
    assert [name.removeprefix("i.") for name in instances.column_names] == [
        *("id", "category_id", "straight", "diagonal", "area2", "shape", "score", "row")
    ]
    assert instances["i.row"].to_pylist() == [1, 2, 0]
    about = json.loads(table.schema.metadata[b"tfdp_fast"])
    assert (about["format"], about["version"], about["variant"]) == (1, tfdp.__version__, "tfdp")

    frame = pd.read_parquet(tmp_path / "scores.parquet")
    assert frame["score"].tolist() == scores.images.score.tolist()
    assert [len(instances) for instances in frame["instances"]] == [2, 0, 0, 1]
    frame = pd.read_csv(tmp_path / "scores.csv", dtype={"score": str})
    assert list(frame.columns) == ["image_id", "file_name", "score", "annotations", "instances"]
    assert frame["image_id"].tolist() == scores.images.id.tolist()
    assert frame["score"].astype(float).tolist() == scores.images.score.tolist()
    assert frame["file_name"].isna().tolist() == [False, False, True, False]

    with (tmp_path / "scores.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[2] == [str(-(2**63)), "c\r\nd", "1.7976931348623157e+308", "1", "0"]
    pairs = json.loads((tmp_path / "scores.json").read_text(), object_pairs_hook=list)
    assert pairs == [(str(2**63 - 1), 5e-324), (str(-(2**63)), sys.float_info.max), ("7", 0.1 + 0.2)]
    with np.load(tmp_path / "scores.npz", allow_pickle=False) as archive:
        assert archive["instances.area2"].tolist() == scores.instances.area2.tolist()


def test_tables_as_arrow_and_pandas(scores: Scores) -> None:
    table = scores.to_arrow()
    assert table.column_names == ["id", "file_name", "annotations", "instances", "score"]
    assert table["score"].to_pylist() == scores.images.score.tolist()
    frame = scores.to_pandas()
    assert frame["file_name"].tolist() == ["0.jpg", "1.jpg", "2.jpg"]
    assert frame["id"].dtype == np.int64
    assert scores.instances is not None
    assert scores.instances.to_arrow()["category_id"].to_pylist() == [5, 6] * 3
    assert scores.classes is not None
    assert scores.classes.to_pandas()["name"].tolist() == ["cat", "dog"]


def test_tables_of_edge_cases_as_arrow_and_pandas() -> None:
    scores = edge_cases()
    arrow, frame = scores.to_arrow(), scores.to_pandas()
    types = {field.name: str(field.type) for field in arrow.schema}
    expected = {"id": "int64", "annotations": "int64", "instances": "int64", "score": "double"}
    assert types == expected | {"file_name": "string"}
    assert arrow["file_name"].to_pylist() == scores.images.file_name.tolist()
    assert arrow["file_name"].null_count == 1
    assert frame["file_name"].isna().tolist() == [False, False, True, False]
    assert {name: str(frame[name].dtype) for name in expected} == {
        name: kind.replace("double", "float64") for name, kind in expected.items()
    }
    assert scores.instances is not None
    text = ["\u732b", "b", "\u732b"]
    assert str(scores.instances.to_arrow()["category_id"].type) == "string"
    assert scores.instances.to_pandas()["category_id"].tolist() == text
    assert frame["score"].to_numpy().tobytes() == scores.images.score.tobytes()


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["1", "-2"], [1, -2]),
        (["0", str(2**63 - 1), str(-(2**63))], [0, 2**63 - 1, -(2**63)]),
        (["1", "x"], ["1", "x"]),
        (["1", "01"], ["1", "01"]),  # would be one id
        (["0", "-0"], ["0", "-0"]),
        ([str(2**63)], [str(2**63)]),
        (["1_0", " 1", "\u0661", ""], ["1_0", " 1", "\u0661", ""]),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_ids_from_text(tmp_path: Path, suffix: str, ids: list[str], expected: list[Any]) -> None:
    column = np.array(ids, np.str_)
    ones = np.ones(len(ids), np.int64)
    images = ImageTable(column, objects([None] * len(ids)), ones, ones, ones.astype(np.float64))
    Scores(images, None, None, None, None).save(tmp_path / f"scores{suffix}")
    loaded = Scores.load(tmp_path / f"scores{suffix}").images.id
    assert loaded.tolist() == expected
    assert loaded.dtype.kind == ("i" if isinstance(expected[0], int) else "U")


@pytest.mark.parametrize(("package", "extra"), [("pyarrow", "parquet"), ("pandas", "pandas")])
def test_a_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, scores: Scores, package: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    use: dict[str, Callable[[], object]] = {
        "pyarrow": lambda: scores.save(tmp_path / "scores.parquet"),
        "pandas": scores.to_pandas,
    }
    with pytest.raises(tfdp.MissingExtraError, match=rf"needs {package}: pip install 'tfdp-fast\[{extra}\]'"):
        use[package]()
    if package == "pyarrow":
        (tmp_path / "there.parquet").write_bytes(b"PAR1")
        with pytest.raises(tfdp.MissingExtraError):
            write_scores(scores, io.BytesIO(), ".parquet")
        with pytest.raises(tfdp.MissingExtraError):
            load_scores(tmp_path / "there.parquet")
    assert not (tmp_path / "scores.parquet").exists()
