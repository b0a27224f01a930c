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
from tfdp_fast.formats.dataset import Problem
from tfdp_fast.formats.scores import SUFFIXES, load_scores, save_scores, write_scores
from tfdp_fast.presets import AppliedPreset
from tfdp_fast.scores import Scores
from tfdp_fast.tables import ClassTable, ImageTable, InstanceTable

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=8)
WHOLE = ".parquet", ".npz"
HEADER = b"image_id,file_name,score,annotations,instances\n"
relaxed = settings(deadline=None)  # the machine is shared


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


def assert_same(a: Any, b: Any) -> None:
    """Two tables are equal, bit for bit; the width of a text column may differ."""
    assert (a is None) == (b is None)
    for name, column in a.columns().items() if a is not None else ():
        other = b.columns()[name]
        if column.dtype.kind in "iU" and not len(column):  # the classes of Parquet: no id, no type
            assert other.dtype.kind in "iU", name
        elif column.dtype.kind == "U":
            assert other.dtype.kind == "U", name
        else:
            assert column.dtype == other.dtype, name
        same = column.tolist() == other.tolist() if column.dtype.kind in "UO" else None
        assert same or column.tobytes() == other.tobytes(), name


def edge_cases() -> Scores:
    """Ids at both ends, doubles of every kind, file names that want quoting, instances in no order."""
    ids = np.array([2**63 - 1, -(2**63), 0, 7], np.int64)
    names = objects(['a,"b"', "c\r\nd", None, " \u00e9\U0001f600;'\t"])
    images = ImageTable(
        ids,
        names,
        np.array([2, 1, 0, -1]),
        np.array([2, 0, 0, 1]),
        np.array([5e-324, sys.float_info.max, -0.0, 0.1 + 0.2]),
    )
    doubles = np.array([2.2250738585072014e-308, 1 / 3, 1e22])
    n = np.array([3, 2**62, 1])
    instances = InstanceTable(
        n, ids[[3, 0, 0]], np.array(["\u732b", "b", "\u732b"]), n, n, n, doubles, doubles[::-1].copy()
    )
    classes = ClassTable(np.array(["\u732b", "b"]), objects(["", "dog, big"]), np.array([2, 1]), doubles[:2])
    return Scores(images, instances, classes, "tfdp", "coco", 1, 2, [Problem("annotation \u00e9", "r", 4)])


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


BAD_FILES = [
    ("a.json", b"", "is empty"),
    ("a.json", b"{", "is not JSON"),
    ("a.json", b"\xff", "is not JSON"),
    ("a.json", b"[1]", "is not of the form"),
    ("a.json", b'{"1": "2"}', "the score of image 1 is no number"),
    ("a.json", b'{"images": []}', "is not of the form {\"<image id>\": score}: 'images' is none"),
    ("a.json", b'{"1": true}', "the score of image 1 is no number"),
    ("a.json", b'{"1": NaN}', "not finite"),
    ("a.json", b'{"1": 1e999}', "not finite"),
    ("a.json", b'{"1": 1' + b"0" * 400 + b"}", "not finite"),
    ("a.json", b'{"1": ' + b"[" * 100_000, "is not JSON"),
    ("a.json", b'{"1": null}', "the score of image 1 is no number"),
    ("a.json", b'{"1": 2, "1": 3}', "has an image id twice"),
    ("a.csv", b"", "is empty"),
    ("a.csv", b"\xef\xbb\xbf", "has no column of image ids"),
    ("a.csv", b"\n", "has no column of image ids"),
    ("a.csv", HEADER + b"1,a,1,1" + b"0" * 30 + b",1\n", "is no number"),
    ("a.csv", HEADER + b'1,"a', "is no .csv file"),
    ("a.csv", b"id;score\n1;2\n", "has no column of image ids, which would be one of image_id, id, image"),
    ("a.csv", b"id,el2n,aum\n1,2,3\n", "does not say which column holds the scores: name one of el2n, aum"),
    ("a.csv", b"id,file_name\n1,a.jpg\n", "has no column of scores"),
    ("a.csv", b"id,id,score\n1,2,3\n", "has two columns of one name"),
    ("a.csv", b"id,score\n1,2\n\n3,\n", "row 4 has a score that is no number: ''"),
    ("a.csv", b"id,score\n1,nan\n", "row 2 has a score that is not finite: 'nan'"),
    ("a.csv", b"id,score\n1,2,3\n", "row 2 has 3 fields, and the header 2"),
    ("a.csv", HEADER + b"1,a\n", "row 2 has 2 fields"),
    ("a.csv", HEADER + b"1,a,x,1,1\n", "is no number"),
    ("a.csv", HEADER + b"1,a,inf,1,1\n", "not finite"),
    ("a.csv", HEADER + b"1,a,1,1,1\n1,b,1,1,1\n", "id twice"),
    ("a.csv", b"\xff\xfe", "is no .csv file"),
    ("a.npz", b"PK\x03\x04 and no more", "is no .npz file"),
    ("a.npz", b"nothing of the kind", "is no .npz file"),
    ("a.npz", b"", "is empty"),
    ("a.parquet", b"", "is empty"),
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
    assert "\n" not in str(caught.value)


FOREIGN: list[tuple[bytes, str | None, list[Any], list[float], list[str | None]]] = [
    (b"id,score\n7,0.5\n3,-2\n", None, [7, 3], [0.5, -2], [None, None]),
    (b"\xef\xbb\xbfImage_ID,el2n\r\n7,0.5\r\n\r\n", None, [7], [0.5], [None]),
    (b"image,AUM,EL2N\na.jpg,1e-3,2\n", "EL2N", ["a.jpg"], [2], [None]),
    (b",file_name,height,loss,id\n0,a b.jpg,480,1,07\n", "loss", ["07"], [1], ["a b.jpg"]),
    (b'image,id,forgetting\n"a,b.jpg",1,4\n,2,5\n', None, [1, 2], [4, 5], ["a,b.jpg", None]),
    (b"score,area,name\n1,2,a\n", None, ["a"], [1], [None]),
    (b"id,score,area\n1,2,3\n", "area", [1], [3], [None]),
    (HEADER + b"1,a,2,3,4\n", "instances", [1], [4], ["a"]),
    (b"id,score\n", None, [], [], []),
]


@pytest.mark.parametrize(("data", "column", "ids", "values", "names"), FOREIGN)
def test_tables_of_others(
    data: bytes,
    column: str | None,
    ids: list[Any],
    values: list[float],
    names: list[str | None],
    tmp_path: Path,
) -> None:
    path = tmp_path / "theirs.CSV"
    path.write_bytes(data)
    images = Scores.load(path, column=column).images
    assert (images.id.tolist(), images.score.tolist(), images.file_name.tolist()) == (ids, values, names)
    if not data.startswith(HEADER):
        assert images.instances.tolist() == images.annotations.tolist() == [-1] * len(ids)


def test_a_column_that_is_not_there(tmp_path: Path, scores: Scores) -> None:
    path = tmp_path / "theirs.csv"
    path.write_bytes(b"id,el2n,aum\n1,2,3\n")
    with pytest.raises(
        tfdp.DataError, match=r"theirs\.csv: has no column of scores 'x'; there are el2n, aum"
    ):
        Scores.load(path, column="x")
    with pytest.raises(tfdp.DataError, match="has no column of scores 'id'"):
        Scores.load(path, column="id")
    scores.save(tmp_path / "scores.json")
    with pytest.raises(tfdp.OptionError, match=r"column names the scores of a \.csv file, and .* is none"):
        Scores.load(tmp_path / "scores.json", column="score")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_damage_is_a_data_error_in_one_line(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"scores{suffix}"
    edge_cases().save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    damaged = [whole[:end] for end in rng.integers(1, len(whole), 60).tolist()]
    for place, byte in rng.integers(0, (len(whole), 256), (200, 2)).tolist():
        damaged.append(whole[:place] + bytes([byte]) + whole[place + 1 :])
    for data in damaged:
        path.write_bytes(data)
        try:
            load_scores(path)  # a digit more or less is no error
        except tfdp.DataError as error:
            assert "\n" not in str(error)  # noqa: PT017


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
    monkeypatch.setattr("tfdp_fast.formats._scores_common.FORMAT", 3)
    scores.save(path)
    monkeypatch.undo()
    with pytest.raises(tfdp.DataError, match="is of format 3, and this version reads formats up to 2"):
        load_scores(path)


def test_foreign_npz_and_parquet(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.arange(3))
    with pytest.raises(tfdp.DataError, match="is no file of scores"):
        load_scores(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", about=np.array('{"format": 99}'))
    with pytest.raises(tfdp.DataError, match="is of format 99"):
        load_scores(tmp_path / "b.npz")
    pq.write_table(pa.table({"x": [1]}), tmp_path / "a.parquet")
    with pytest.raises(tfdp.DataError, match="is no file of scores"):
        load_scores(tmp_path / "a.parquet")


WRONG_COLUMNS: list[tuple[dict[str, Any], str]] = [
    ({"images.score": None}, 'no column "images.score"'),
    ({"images.score": np.arange(4)}, "images.score.* is of the wrong type: int64"),
    ({"images.score": np.zeros(4, np.float32)}, "wrong type: float32"),
    ({"images.score": np.full(4, np.nan)}, "images.score.* not finite"),
    ({"images.score": np.zeros(3)}, "not equally long"),
    ({"images.score": np.zeros((4, 1))}, "not equally long"),
    ({"images.id": np.zeros(4, np.int64)}, "has an image id twice"),
    ({"images.id": np.array([b"a", b"b", b"c", b"d"])}, "wrong type"),
    ({"images.has_file_name": None}, "no column"),
    ({"images.has_file_name": np.array(True)}, r"is no \.npz file"),
    ({"images.has_file_name": np.array([True])}, r"is no \.npz file"),
    ({"images.file_name": np.arange(4)}, "images.file_name.* wrong type"),
    ({"instances.area2": None}, 'no column "instances.area2"'),
    ({"instances.image_id": np.arange(3) + 50}, "an image that is not there"),
    ({"instances.shape": np.array([1, np.inf, 1])}, "instances.shape.* not finite"),
    ({"classes.name": np.array(1)}, r"is no \.npz file"),
    ({"classes.name": np.array([None, None])}, r"is no \.npz file"),
    ({"about": np.array("[1]")}, "is no file of scores"),
    ({"about": np.array('{"format": 1}')}, "is no file of scores"),
]


@pytest.mark.parametrize(("changes", "reason"), WRONG_COLUMNS)
def test_wrong_columns_of_npz(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    edge_cases().save(tmp_path / "scores.npz")
    with np.load(tmp_path / "scores.npz") as archive:
        columns = {name: column for name, column in {**archive, **changes}.items() if column is not None}
    np.savez(tmp_path / "scores.npz", **columns)
    with pytest.raises(tfdp.DataError, match=reason):
        load_scores(tmp_path / "scores.npz")


@pytest.mark.parametrize(
    "change", [{"variant": "x"}, {"polygons": 3}, {"crowd": "1"}, {"ignored": None}, {"problems": [{}]}]
)
@pytest.mark.parametrize("suffix", WHOLE)
def test_wrong_metadata(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scores: Scores, suffix: str, change: dict[str, Any]
) -> None:
    dumps = json.dumps
    monkeypatch.setattr(json, "dumps", lambda about: dumps(about | change))
    scores.save(tmp_path / f"scores{suffix}")
    monkeypatch.undo()
    with pytest.raises(tfdp.DataError, match="is no file of scores of this package"):
        load_scores(tmp_path / f"scores{suffix}")


WRONG_PRESETS: list[dict[str, Any]] = [
    {"name": "x"},
    {"images": "1"},
    {"images": -1},
    {"data_set": "LVIS"},
    {"data_set": []},
    {"skipped": []},
    {"dropped": {"small": 1.5}},
    {"more": 1},
]


@pytest.mark.parametrize("wrong", [*WRONG_PRESETS, None])
@pytest.mark.parametrize("suffix", WHOLE)
def test_wrong_presets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scores: Scores, suffix: str, wrong: dict[str, Any] | None
) -> None:
    right = {"name": "official", "images": 1, "data_set": None, "skipped": {}, "dropped": {}}
    preset = None if wrong is None else right | wrong
    dumps = json.dumps
    monkeypatch.setattr(json, "dumps", lambda about: dumps(about | {"format": 2, "preset": preset}))
    scores.save(tmp_path / f"scores{suffix}")
    monkeypatch.undo()
    with pytest.raises(tfdp.DataError, match=r"is no .* of scores"):
        load_scores(tmp_path / f"scores{suffix}")


def test_a_file_is_of_the_oldest_format_that_can_hold_it(tmp_path: Path, coco_dict: Any) -> None:
    data = coco_dict()
    for annotation in data["annotations"]:
        annotation |= {"bbox": [1, 1, 7, 7], "area": 20}
    for scores, version in ((tfdp.score(data), 1), (tfdp.score(data, preset="official"), 2)):
        scores.save(tmp_path / "scores.npz")
        with np.load(tmp_path / "scores.npz") as archive:
            assert json.loads(str(archive["about"]))["format"] == version


@pytest.mark.parametrize(
    ("name", "column", "reason"),
    [
        ("score", ["a", "b", "c"], "wrong type"),
        ("score", [1.0, None, 1.0], "not finite"),
        ("score", None, "is no .parquet file of scores"),
        ("annotation_count", [1, None, 1], "wrong type"),
        ("image_id", [1, 1, 1], "has an image id twice"),
        ("file_name", [1, 2, 3], "wrong type"),
        ("instances", [1, 2, 3], "is no .parquet file of scores"),
        ("instances", [[1], [2], []], "is no .parquet file of scores"),
    ],
)
def test_wrong_columns_of_parquet(
    tmp_path: Path, scores: Scores, name: str, column: list[Any] | None, reason: str
) -> None:
    path = tmp_path / "scores.parquet"
    scores.save(path)
    table = pq.read_table(path)
    place = table.column_names.index(name)
    changed = table.drop([name]) if column is None else table.set_column(place, name, pa.array(column))
    pq.write_table(changed, path)
    with pytest.raises(tfdp.DataError, match=reason):
        load_scores(path)


def test_parquet_in_pieces_and_with_other_metadata(tmp_path: Path, scores: Scores) -> None:
    path = tmp_path / "scores.parquet"
    scores.save(path)
    table = pq.read_table(path)
    pq.write_table(table, path, row_group_size=1)
    assert_same(load_scores(path).instances, scores.instances)
    pq.write_table(table.replace_schema_metadata({"tfdp_fast": b"\xff"}), path)
    with pytest.raises(tfdp.DataError, match=r"is no \.parquet file of scores"):
        load_scores(path)


def test_an_array_or_a_pickle_is_no_npz(tmp_path: Path) -> None:
    with (tmp_path / "a.npz").open("wb") as file:
        np.save(file, np.arange(3))
    with pytest.raises(tfdp.DataError, match="it is a single array"):
        load_scores(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", about=np.array([None]))
    with pytest.raises(tfdp.DataError, match=r"is no \.npz file of scores: .*allow_pickle=False"):
        load_scores(tmp_path / "b.npz")


@pytest.mark.parametrize(
    ("suffix", "text"), [(".parquet", "a\ud800"), (".csv", "a\ud800"), (".npz", "a\0"), (".npz", "\0")]
)
def test_text_that_a_format_cannot_hold(tmp_path: Path, suffix: str, text: str) -> None:
    path = tmp_path / f"scores{suffix}"
    path.write_bytes(b"before")
    scores = edge_cases()
    scores.images.file_name[1] = text
    with pytest.raises(tfdp.OutputError, match=rf"\{suffix} cannot hold a text"):
        scores.save(path)
    assert path.read_bytes() == b"before"
    buffer = io.BytesIO()
    with pytest.raises(tfdp.OutputError):
        write_scores(scores, buffer, suffix)
    assert not buffer.closed  # it may be the standard output
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_names_and_places(tmp_path: Path, scores: Scores) -> None:
    with pytest.raises(tfdp.OptionError, match=r"a score file ends in \.parquet, \.npz, \.csv, \.json"):
        save_scores(scores, tmp_path / "scores.txt")
    with pytest.raises(tfdp.OutputError, match="does not exist"):
        save_scores(scores, tmp_path / "nowhere" / "scores.csv")
    with pytest.raises(tfdp.DataError, match="cannot be read: No such file"):
        load_scores(tmp_path / "scores.csv")
    with pytest.raises(tfdp.OptionError, match=r"a score file ends in"):
        load_scores(tmp_path / "scores")
    with pytest.raises(tfdp.OptionError, match=r"'x\.npz': a score file ends in"):
        write_scores(scores, io.BytesIO(), "x.npz")
    with pytest.raises(tfdp.DataError, match="null"):
        load_scores("a\0.csv")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(tfdp.DataError, match="cannot be read: Is a directory"):
        load_scores(tmp_path / "folder.npz")
