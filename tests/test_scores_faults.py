"""Score files that are damaged, foreign or of another form: one clear reason each."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import strategies as st

import tfdp_fast as tfdp
from scores_support import HEADER, WHOLE, assert_same, edge_cases
from tfdp_fast.formats.scores import SUFFIXES, load_scores, save_scores, write_scores
from tfdp_fast.scores import Scores

INT64 = st.integers(-(2**63), 2**63 - 1)


@pytest.fixture(name="scores")
def scores_fixture(coco_dict: Any) -> Scores:
    return tfdp.score(coco_dict())


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
