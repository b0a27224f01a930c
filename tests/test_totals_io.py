"""Files of class totals, and when two totals are equal."""

from __future__ import annotations

import hashlib
import json
import pickle
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tfdp_fast as tfdp
from tfdp_fast.formats.totals import sum_of_text, sum_text
from tfdp_fast.kernels.sums import LIMBS, canonicalise

number = st.integers(0, 2**40) | st.integers(0, 30)
counts = st.tuples(number, number, st.integers(0, 2**62) | st.integers(0, 30))
whole_numbers = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 9)
texts = st.text(max_size=5).filter(lambda text: not text.endswith("\0"))
ids_and_counts = st.lists(st.tuples(whole_numbers, counts), max_size=30) | st.lists(
    st.tuples(texts, counts), max_size=30
)


def totals_of(drawn: list[tuple[Any, tuple[int, int, int]]], shape: Any = "si_scs") -> tfdp.ClassTotals:
    totals = tfdp.ClassTotals(shape)
    array = np.array([c for _, c in drawn], np.int64).reshape(-1, 3)
    totals.add([i for i, _ in drawn], tfdp.BoundaryCounts.from_array(array))
    return totals


def same(a: tfdp.ClassTotals, b: tfdp.ClassTotals) -> bool:
    """Also in the same order."""
    return a == b and a.category_ids == b.category_ids and np.array_equal(a.limbs, b.limbs)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "totals.json"


@pytest.fixture
def saved(path: Path) -> Path:
    totals_of([(3, (40, 0, 162)), (5, (30, 10, 99)), (3, (1, 0, 0))]).save(path)
    return path


@given(ids_and_counts, st.sampled_from(["si_scs", "scs"]))
def test_nothing_is_lost(drawn: list[Any], shape: Any) -> None:
    totals = totals_of(drawn, shape)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "totals")
        totals.save(path)
        loaded, content = tfdp.ClassTotals.load(path), json.loads(path.read_bytes())
    assert same(loaded, totals)
    assert loaded.totals.tobytes() == totals.totals.tobytes()
    assert [float.fromhex(entry["sum"]) for entry in content["classes"]] == totals.totals.tolist()


@given(st.lists(st.integers(-(2**61), 2**61), min_size=LIMBS, max_size=LIMBS))
def test_every_accumulator_can_be_written(limbs: list[int]) -> None:
    row = np.array([limbs], np.int64)
    canonicalise(row)
    if row[0, -1] >= 0:  # scores are not negative
        assert np.array_equal(sum_of_text(sum_text(row[0])), row[0])


def test_loaded_totals_go_on(saved: Path) -> None:
    more = totals_of([(5, (7, 8, 9)), (6, (8, 9, 10))])
    whole = totals_of([(3, (40, 0, 162)), (5, (30, 10, 99)), (3, (1, 0, 0)), (5, (7, 8, 9)), (6, (8, 9, 10))])
    loaded = tfdp.ClassTotals.load(saved)
    loaded.merge(more)
    assert same(loaded, whole)


def test_the_file_is_the_same_each_time(saved: Path, tmp_path: Path) -> None:
    tfdp.ClassTotals.load(saved).save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == saved.read_bytes()


def test_a_file_appears_whole_or_not_at_all(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()

    def fails(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fails)
    with pytest.raises(tfdp.OutputError, match="No space left on device"):
        totals_of([(1, (4, 0, 2))]).save(saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]
    with pytest.raises(tfdp.OutputError, match="does not exist"):
        tfdp.ClassTotals().save(saved.parent / "nowhere" / "totals.json")


def refusal(path: Path) -> str:
    with pytest.raises(tfdp.DataError) as caught:
        tfdp.ClassTotals.load(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


def test_every_truncated_file_is_refused(saved: Path) -> None:
    whole = saved.read_bytes()
    for length in range(len(whole.rstrip())):
        saved.write_bytes(whole[:length])
        assert refusal(saved).startswith("is no file of class totals")


def test_every_changed_byte_is_noticed(saved: Path) -> None:
    whole, totals = saved.read_bytes(), tfdp.ClassTotals.load(saved)
    for i in range(len(whole)):
        saved.write_bytes(whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :])
        try:
            loaded = tfdp.ClassTotals.load(saved)
        except tfdp.DataError as error:
            assert "\n" not in str(error)  # noqa: PT017
        else:  # white space
            assert whole[i : i + 1] in b" \n"
            assert same(loaded, totals)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"5", b"{}", b'{"file": "other"}', b"\xff\xfe", b"[" * 100_000, b"PK\3\4"]
)
def test_other_files_are_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    assert refusal(path).startswith("is no file of class totals")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none") == "cannot be read: No such file or directory"
    assert refusal(tmp_path) == "cannot be read: Is a directory"
    assert refusal(Path("nu\0ll")).startswith("cannot be read: ")


def test_a_newer_format_is_refused_for_that(saved: Path) -> None:
    content = json.loads(saved.read_bytes())
    saved.write_text(json.dumps({**content, "format": 2, "more": "of it"}))
    assert refusal(saved) == "is of format 2, and this version reads format 1"


@pytest.mark.parametrize(
    "changed",
    [
        {"shape": "round"},
        {"classes": None},
        {"classes": [{}]},
        {"classes": [{"id": 1.0, "instances": 1, "sum": "0x1p0"}]},
        {"classes": [{"id": None, "instances": 1, "sum": "0x1p0"}]},
        {"classes": [{"id": [1], "instances": 1, "sum": "0x1p0"}]},
        {"classes": [{"id": 1, "instances": 1, "sum": "0x1p0"}] * 2},
        {"classes": [{"id": 1, "instances": -1, "sum": "0x1p0"}]},
        {"classes": [{"id": 1, "instances": 1.5, "sum": "0x1p0"}]},
        {"classes": [{"id": 1, "instances": 2**70, "sum": "0x1p0"}]},
        *(
            {"classes": [{"id": 1, "instances": 1, "sum": text}]}
            for text in ("-0x1p0", "0x1p-1075", "0x1p9999", "1.5", "0x1.8p0", "nan", 1.5)
        ),
    ],
)
def test_contents_that_make_no_sense(saved: Path, changed: dict[str, Any]) -> None:
    """Whoever writes such a file by hand can write a checksum, too."""
    content = {**json.loads(saved.read_bytes()), **changed}
    del content["sha256"]
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    saved.write_text(json.dumps({**content, "sha256": digest}))
    assert refusal(saved).startswith("is no file of class totals: ")


# --- equality, pickling -------------------------------------------------------------------------------------


def test_equality_does_not_depend_on_order() -> None:
    a = totals_of([(3, (40, 0, 162)), (5, (30, 10, 99)), (3, (1, 2, 3))])
    b = totals_of([(5, (30, 10, 99)), (3, (1, 2, 3))])
    assert a != b
    b.merge(totals_of([(3, (40, 0, 162))]))
    assert a == b
    assert b.totals.tolist() != tfdp.ClassTotals("si_scs", [5, 3]).totals.tolist()
    assert a != tfdp.ClassTotals("si_scs", [5, 3])
    assert tfdp.ClassTotals("si_scs", [5, 3]) == tfdp.ClassTotals("si_scs", [3, 5])
    assert tfdp.ClassTotals("si_scs") != tfdp.ClassTotals("scs")
    assert tfdp.ClassTotals("si_scs", [3]) != tfdp.ClassTotals("si_scs", ["3"])
    assert tfdp.ClassTotals() != {}
    with pytest.raises(TypeError):
        hash(a)


def test_the_smallest_difference_counts() -> None:
    a = totals_of([(3, (40, 0, 162)), (3, (2**40, 0, 1))])
    b = totals_of([(3, (40, 0, 164)), (3, (2**40, 0, 1))])
    assert a.totals == pytest.approx(b.totals, rel=1e-11)
    assert a != b


def test_totals_can_be_pickled() -> None:
    totals = totals_of([("cat", (40, 0, 162)), ("dog", (30, 10, 99))])
    again = pickle.loads(pickle.dumps(totals))
    assert same(again, totals)
    again.add(["cat"], tfdp.BoundaryCounts.from_array(np.array([[4, 0, 2]])))
    assert again != totals
