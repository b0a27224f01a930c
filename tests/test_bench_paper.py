"""``tfdp bench paper`` on a few images: every row says where it is from."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from pathlib import Path
from typing import get_args

import pytest

from tfdp_fast import cli
from tfdp_fast._reports_bench import paper_report
from tfdp_fast.timing import compare, data_set, sources
from tfdp_fast.timing.coco_like import write_coco_like
from tfdp_fast.timing.compare import time_against_paper
from tfdp_fast.timing.page import page_of
from tfdp_fast.timing.paper import REPORTED, SOURCE
from tfdp_fast.timing.results import DataSetTiming, Kind, PaperTiming, Ratio, Row

SCALE = 0.002


@pytest.fixture(scope="module")
def timing() -> PaperTiming:
    """One round on a few images of each data set."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TFDP_TEST_DATA", raising=False)
        patch.setattr(data_set, "SAMPLE", {"coco": 40, "cityscapes": 3})
        return time_against_paper({}, scale=SCALE, threads=2, rounds=1)


@pytest.fixture(name="folder")
def folder_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder; nothing real is known."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TFDP_TEST_DATA", raising=False)
    return tmp_path


@pytest.fixture
def _timed_already(timing: PaperTiming, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "time_against_paper", lambda *_, **__: timing)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(["bench", "paper", *arguments])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def rows_by_group(one: DataSetTiming) -> dict[str, list[Row]]:
    return {row.group: [r for r in one.rows if r.group == row.group] for row in one.rows}


# --- what is measured ---------------------------------------------------------------------------------------


def check_row(row: Row) -> None:
    assert row.kind in get_args(Kind)
    if row.kind == "measured":
        assert row.seconds is not None
        assert row.low is not None
        assert row.high is not None
        assert 0 < row.low <= row.seconds <= row.high
        assert row.rounds == 1
    else:
        assert (row.low, row.high, row.rounds) == (None, None, 0)
        assert (row.seconds is None) == (row.kind == "not measured")
        assert row.note
    assert (row.kind == "quoted") == (row.note == SOURCE)


def test_every_row_says_where_it_is_from(timing: PaperTiming) -> None:
    assert [one.name for one in timing.data_sets] == list(REPORTED)
    for row in [*timing.pixels, *(row for one in timing.data_sets for row in one.rows)]:
        check_row(row)


def test_what_is_quoted_is_what_the_paper_reports(timing: PaperTiming) -> None:
    for one in timing.data_sets:
        reported = REPORTED[one.name]
        quoted = [row.seconds for row in one.rows if row.kind == "quoted" and row.group == "the paper"]
        assert sum(quoted) == pytest.approx(reported.tfdp + 5 * reported.mean)  # type: ignore[arg-type]


def test_steps_add_up(timing: PaperTiming) -> None:
    for one in timing.data_sets:
        for group, rows in rows_by_group(one).items():
            if group.startswith(("ours", "authors")):
                *steps, total = [row.seconds for row in rows[:5]]
                assert rows[4].what == "all steps"
                assert total == pytest.approx(sum(steps))  # type: ignore[arg-type]


def test_the_sample_is_stated(timing: PaperTiming) -> None:
    voc, *sampled = timing.data_sets
    assert not any(row.note for row in rows_by_group(voc)["authors' route here, 1 thread"])
    for one in sampled:
        *steps, total, process, whole = rows_by_group(one)["authors' route here, 1 thread"]
        assert all(f" of {one.instances:,} instances" in row.note for row in (*steps, total, process))
        assert one.agreement is not None
        assert whole.kind == "extrapolated"
        assert total.seconds is not None
        assert process.seconds is not None
        more = total.seconds * (one.instances / one.agreement.instances - 1)
        assert whole.seconds == pytest.approx(process.seconds + more)


def test_answers_are_the_same(timing: PaperTiming) -> None:
    assert timing.same
    assert [one.agreement.same for one in timing.data_sets if one.agreement] == [True] * 3


def test_a_small_data_set_is_not_held_against_the_paper(timing: PaperTiming) -> None:
    for one in timing.data_sets:
        assert one.scale == SCALE
        for ratio in one.ratios:
            assert (ratio.value is None) == (not ratio.same_machine)


def test_a_data_set_of_the_papers_size_is(timing: PaperTiming, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TFDP_TEST_DATA", raising=False)
    voc = timing.data_sets[0]
    like_it = dataclasses.replace(REPORTED["voc"], images=voc.images)
    monkeypatch.setattr("tfdp_fast.timing.tables.REPORTED", {**REPORTED, "voc": like_it})
    alone = time_against_paper({}, scale=SCALE, threads=1, rounds=1).data_sets[0]
    process = next(row.seconds for row in alone.rows if row.what == "tfdp prune, whole process")
    first = next(ratio for ratio in alone.ratios if ratio.what == "TFDP in the paper")
    assert first.value == pytest.approx(7.19 / process)  # type: ignore[operator]
    assert not any("2 threads" in row.group for row in alone.rows)


def test_without_opencv(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "cv2" else find(name))
    path = write_coco_like(folder / "a.json", 20).path
    source = sources.Source("coco", path, "real", 1.0)
    one = data_set.Trial(source, folder, 1, 1, {}).run(lambda _: None)
    rows = rows_by_group(one)["authors' route here, 1 thread"]
    assert len(rows) == 6
    assert {(row.kind, row.note) for row in rows} == {
        ("not measured", "needs OpenCV: pip install 'tfdp-fast[test]'")
    }
    assert one.agreement is None
    assert [ratio.value for ratio in one.ratios if ratio.kind == "not measured"] == [None, None]


def test_data_that_the_authors_route_cannot_read(folder: Path) -> None:
    path = write_coco_like(folder / "a.json", 20).path
    data = json.loads(path.read_text())
    data["annotations"][0]["segmentation"] = None  # no mask at all, which we take for an empty one
    path.write_text(json.dumps(data))
    one = data_set.Trial(sources.Source("coco", path, "real", 1.0), folder, 1, 1, {}).run(lambda _: None)
    assert {row.note for row in rows_by_group(one)["authors' route here, 1 thread"]} == {
        "it failed: ended with exit code 1: TypeError: 'NoneType' object is not subscriptable"
    }


# --- what is shown ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_timed_already")
def test_lines_in_a_pipe(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, _ = run(capsys, "-o", "page.md")
    assert code == 0
    assert "\nCOCO train2017: the paper: TFDP, all of it: time 50.4 s, from quoted: paper, Tab. 6\n" in shown
    assert "\nVOC 2012 train: ours, 2 threads: all steps: time " in shown
    assert "; 0.002 of the size of COCO train2017, and all times are of that\n" in shown
    assert "it is no measurement of software alone" in shown
    assert "spread ," not in shown
    assert (folder / "page.md").is_file()


@pytest.mark.usefixtures("_timed_already")
def test_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, errors = run(capsys, "--json", "-o", "page.md")
    assert (code, errors) == (0, "")
    data = json.loads(shown)
    assert set(data) == {
        *("machine", "threads", "rounds", "scale", "pixels", "data_sets", "seconds", "same", "page")
    }
    assert (data["page"], data["scale"], data["rounds"], data["same"]) == ("page.md", SCALE, 1, True)
    for one in data["data_sets"]:
        assert set(one) == {field.name for field in dataclasses.fields(DataSetTiming)} | {"losses"}
        assert {frozenset(row) for row in one["rows"]} == {
            frozenset(field.name for field in dataclasses.fields(Row))
        }
        assert {frozenset(ratio) for ratio in one["ratios"]} == {
            frozenset(field.name for field in dataclasses.fields(Ratio))
        }
    assert (folder / "page.md").is_file()


def check_markdown(text: str) -> None:
    """Headings and tables stand by themselves, and the rows of a table have equally many cells."""
    assert text.startswith("# ")
    assert text.endswith("\n")
    assert "\n\n\n" not in text
    for block in text.strip().split("\n\n"):
        lines = block.split("\n")
        if block.startswith("#"):
            assert len(lines) == 1
        if block.startswith("|"):
            assert lines[1].replace("| --- ", "") == "|"
            assert len({line.count("|") for line in lines}) == 1
            assert len(lines) > 2


@pytest.mark.usefixtures("_timed_already")
def test_page(folder: Path, capsys: pytest.CaptureFixture[str], timing: PaperTiming) -> None:
    code, shown, errors = run(capsys, "-o", "-")
    assert code == 0
    check_markdown(shown)
    assert errors.startswith("when: ")
    for one in timing.data_sets:
        assert f"\n## {one.title}\n" in shown
    assert "\ntfdp bench paper --scale 0.002 --threads 2 --rounds 1 -o paper-timing.md\n" in shown
    assert shown.count("| quoted | paper, Tab. 6 |") == 3 * 10
    run(capsys, "-o", "page.md")
    assert (folder / "page.md").read_text() == shown


def test_a_busy_machine_is_mentioned(timing: PaperTiming) -> None:
    for load in (0.2, 3.5):
        found = dataclasses.replace(timing, machine={**timing.machine, "load": load})
        assert ("Other programs used the machine" in page_of(found)) is (load > 1)


def test_every_column_has_a_name(timing: PaperTiming) -> None:
    """One without would be left out on a narrow terminal."""
    for listing in paper_report(timing, None).listings:
        assert all(listing.header)
        assert {len(row) for row in listing.rows} == {len(listing.header)}


def test_losses_are_shown(
    folder: Path, capsys: pytest.CaptureFixture[str], timing: PaperTiming, monkeypatch: pytest.MonkeyPatch
) -> None:
    voc, *others = timing.data_sets
    assert voc.agreement is not None
    lost = Ratio("somebody", "measured", "ours", 0.5, same_machine=True)
    differing = dataclasses.replace(voc.agreement, areas_differ=1)
    worse = dataclasses.replace(voc, ratios=[*voc.ratios, lost], agreement=differing)
    found = dataclasses.replace(timing, data_sets=[worse, *others])
    monkeypatch.setattr(compare, "time_against_paper", lambda *_, **__: found)
    code, shown, _ = run(capsys, "-o", "page.md")
    assert code == 1
    page = (folder / "page.md").read_text()
    *_, loss, difference = worse.losses
    assert loss == "VOC 2012 train: somebody (measured) takes 0.5 × the time of ours"
    assert "DIFFERENT for 1" in difference
    for line in (loss, difference):
        assert f"\nslower, or different: {line}\n" in shown
        assert f"\n- {line}\n" in page
