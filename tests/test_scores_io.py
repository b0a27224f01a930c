"""Score files, written, read back, and read by others."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tfdp_fast as tfdp
from tfdp_fast.formats.dataset import Problem
from tfdp_fast.formats.scores import SUFFIXES, load_scores, save_scores, write_scores
from tfdp_fast.scoring import Scores
from tfdp_fast.tables import ClassTable, ImageTable, InstanceTable

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=8)
WHOLE = ".parquet", ".npz"


def objects(values: list[str | None]) -> Any:
    column = np.empty(len(values), object)
    column[:] = values
    return column


@st.composite
def all_scores(draw: st.DrawFn) -> Scores:
    """Scores of anything: ids of either kind, odd file names, any finite doubles."""
    floats = st.floats(allow_nan=False, allow_infinity=False)

    def ids(n: int) -> Any:
        text = draw(st.booleans())
        found = draw(st.lists(TEXT if text else INT64, min_size=n, max_size=n, unique=True))
        return np.array(found, np.str_ if text and n else np.int64)

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
    return Scores(images, instances, classes, "si", "opencv", 3, 1, problems)


def assert_same(a: Any, b: Any) -> None:
    """Two tables are equal, bit for bit."""
    assert (a is None) == (b is None)
    if a is None:
        return
    for name, column in a.columns().items():
        other = b.columns()[name]
        if column.dtype.kind == "U":
            assert other.dtype.kind == "U" or not len(other)
            assert column.tolist() == other.tolist()
        else:
            assert column.dtype == other.dtype or not len(column), name
            assert column.tobytes() == other.tobytes() or column.tolist() == other.tolist(), name


@given(all_scores())
@pytest.mark.parametrize("suffix", WHOLE)
def test_everything_comes_back(tmp_path_factory: pytest.TempPathFactory, suffix: str, scores: Scores) -> None:
    path = tmp_path_factory.mktemp("scores") / f"scores{suffix}"
    scores.save(path)
    loaded = Scores.load(path)
    for table in ("images", "instances", "classes"):
        assert_same(getattr(scores, table), getattr(loaded, table))
    assert loaded.problems == scores.problems
    assert (loaded.variant, loaded.polygons, loaded.crowd, loaded.ignored) == ("si", "opencv", 3, 1)
    signs = np.signbit(scores.images.score) == np.signbit(loaded.images.score)
    assert signs.all()


@given(all_scores())
def test_images_come_back_from_csv(tmp_path_factory: pytest.TempPathFactory, scores: Scores) -> None:
    path = tmp_path_factory.mktemp("scores") / "scores.CSV"
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


@given(all_scores())
def test_positive_scores_come_back_from_json(
    tmp_path_factory: pytest.TempPathFactory, scores: Scores
) -> None:
    path = tmp_path_factory.mktemp("scores") / "scores.json"
    scores.save(path)
    positive = scores.images.score > 0
    expected = {
        str(i): s
        for i, s in zip(
            scores.images.id[positive].tolist(), scores.images.score[positive].tolist(), strict=True
        )
    }
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


@pytest.mark.parametrize(("package", "extra"), [("pyarrow", "parquet"), ("pandas", "pandas")])
def test_a_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, scores: Scores, package: str, extra: str
) -> None:
    monkeypatch.setitem(__import__("sys").modules, package, None)
    use: dict[str, Callable[[], object]] = {
        "pyarrow": lambda: scores.save(tmp_path / "scores.parquet"),
        "pandas": scores.to_pandas,
    }
    with pytest.raises(tfdp.MissingExtraError, match=rf"needs {package}: pip install 'tfdp-fast\[{extra}\]'"):
        use[package]()
    assert list(tmp_path.iterdir()) == []


BAD_FILES = [
    ("a.json", b"", "is empty"),
    ("a.json", b"{", "is not JSON"),
    ("a.json", b"\xff", "is not JSON"),
    ("a.json", b"[1]", "is not of the form"),
    ("a.json", b'{"1": "2"}', "the score of image 1 is no number"),
    ("a.json", b'{"1": true}', "the score of image 1 is no number"),
    ("a.json", b'{"1": NaN}', "not finite"),
    ("a.json", b'{"1": 2, "1": 3}', "has an image id twice"),
    ("a.csv", b"id,score\n1,2\n", "does not begin with image_id,file_name"),
    ("a.csv", b"image_id,file_name,score,annotations,instances\n1,a\n", "row 2 has 2 fields"),
    ("a.csv", b"image_id,file_name,score,annotations,instances\n1,a,x,1,1\n", "is no number"),
    ("a.csv", b"image_id,file_name,score,annotations,instances\n1,a,inf,1,1\n", "not finite"),
    ("a.csv", b"image_id,file_name,score,annotations,instances\n1,a,1,1,1\n1,b,1,1,1\n", "id twice"),
    ("a.csv", b"\xff\xfe", "is no .csv file"),
    ("a.npz", b"PK\x03\x04 and no more", "is no .npz file"),
    ("a.npz", b"nothing of the kind", "is no .npz file"),
    ("a.parquet", b"PAR1 and no more", "is no .parquet file"),
]


@pytest.mark.parametrize(("name", "data", "reason"), BAD_FILES)
def test_bad_files(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(tfdp.DataError) as caught:
        load_scores(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert reason in str(caught.value)


@pytest.mark.parametrize("suffix", WHOLE)
def test_damaged_and_newer_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scores: Scores, suffix: str
) -> None:
    path = tmp_path / f"scores{suffix}"
    scores.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(tfdp.DataError, match=r"is no \."):
        load_scores(path)
    monkeypatch.setattr("tfdp_fast.formats._scores_common.FORMAT", 2)
    scores.save(path)
    monkeypatch.undo()
    with pytest.raises(tfdp.DataError, match="is of format 2, and this version reads format 1"):
        load_scores(path)


def test_foreign_npz_and_parquet(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.arange(3))
    with pytest.raises(tfdp.DataError, match="is no file of scores"):
        load_scores(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", about=np.array('{"format": 99}'))
    with pytest.raises(tfdp.DataError, match="is of format 99"):
        load_scores(tmp_path / "b.npz")
    pq.write_table(__import__("pyarrow").table({"x": [1]}), tmp_path / "a.parquet")
    with pytest.raises(tfdp.DataError, match="is no file of scores"):
        load_scores(tmp_path / "a.parquet")


def test_names_and_places(tmp_path: Path, scores: Scores) -> None:
    with pytest.raises(tfdp.OptionError, match=r"a score file ends in \.parquet, \.npz, \.csv, \.json"):
        save_scores(scores, tmp_path / "scores.txt")
    with pytest.raises(tfdp.OutputError, match="does not exist"):
        save_scores(scores, tmp_path / "nowhere" / "scores.csv")
    with pytest.raises(tfdp.DataError, match="cannot be read: No such file"):
        load_scores(tmp_path / "scores.csv")
    assert list(tmp_path.iterdir()) == []
