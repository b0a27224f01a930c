"""What the comparison with the paper's times is made of: figures, rounds, made data, samples, answers."""

from __future__ import annotations

import gc
import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import tfdp_fast as tfdp
from tfdp_fast.errors import DataError, OutputError
from tfdp_fast.timing import agreement, machine, ours, rounds, sources
from tfdp_fast.timing.city_like import HEIGHT, INSTANCES, PER_CLASS, WIDTH, write_city_like
from tfdp_fast.timing.coco_like import write_coco_like
from tfdp_fast.timing.opencv_route import main as opencv_route
from tfdp_fast.timing.paper import REPORTED, DataSetName
from tfdp_fast.timing.sources import Source, files_of, opened, sample_of
from tfdp_fast.timing.voc_like import write_voc_like


@pytest.fixture(autouse=True)
def _nothing_real(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TFDP_TEST_DATA", raising=False)


@pytest.mark.parametrize("name", REPORTED)
def test_the_paper_agrees_with_itself(name: DataSetName) -> None:
    reported = REPORTED[name]
    assert [one.name for one in reported.baselines] == ["EL2N", "Entropy", "AUM", "Forgetting", "CCS"]
    assert reported.mean / reported.tfdp == pytest.approx(reported.speed_up, rel=0.005)


# --- rounds -------------------------------------------------------------------------------------------------


def test_jobs_take_turns_with_the_collector_on() -> None:
    log: list[tuple[str, bool]] = []

    def job(name: str) -> rounds.Stopwatch:
        log.append((name, gc.isenabled()))
        return {"all": float(len(log))}

    gc.disable()
    try:
        found = rounds.run_rounds({"a": lambda: job("a"), "b": lambda: job("b")}, 3)
        left_on = gc.isenabled()
    finally:
        gc.enable()
    assert left_on is False
    assert log == [("a", True), ("b", True)] * 3
    assert list(found["a"]["all"].rounds) == [1, 3, 5]
    times = found["b"]["all"]
    assert [times.low, times.seconds, times.high] == [2, 4, 6]


def test_the_first_round_is_finished_whatever_the_budget() -> None:
    found = rounds.run_rounds({"a": lambda: {"all": 1.0}, "b": lambda: {"all": 2.0}}, 5, budget=0)
    assert [found[name]["all"].rounds for name in "ab"] == [(1,), (2,)]


def test_laps_add_up() -> None:
    watch: rounds.Stopwatch = {"a": 1.0}
    with rounds.lap(watch, "a"):
        pass
    assert 1 < watch["a"] < 2


# --- made data ----------------------------------------------------------------------------------------------


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.png")}


def test_cityscapes_is_the_same_for_any_number_of_threads(tmp_path: Path) -> None:
    one = write_city_like(tmp_path / "one", 21, threads=1)
    write_city_like(tmp_path / "two", 21, threads=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    other = write_city_like(tmp_path / "other", 21, seed=1)
    assert contents(other.path) != contents(one.path)
    assert one.bytes == sum(map(len, contents(one.path).values()))
    assert len(list((one.path / "gtFine/train").iterdir())) == 18


def test_cityscapes_is_like_cityscapes(tmp_path: Path) -> None:
    made = write_city_like(tmp_path, 40, threads=2)
    for name in contents(made.path):
        with Image.open(made.path / name) as picture:
            assert (picture.size, picture.mode) == ((WIDTH, HEIGHT), "I;16")
    scores = tfdp.score(made.path)
    assert scores.instances is not None
    assert 8 < len(scores.instances) / 40 < 30
    assert set(scores.instances.category_id.tolist()) <= set(INSTANCES)
    assert (scores.problems, len(scores.images)) == ([], 40)
    assert scores.crowd > 0
    labels = np.unique(np.asarray(Image.open(next(made.path.rglob("*.png")))))
    assert (labels < PER_CLASS).sum() > 5


def test_voc_is_like_voc(tmp_path: Path) -> None:
    made = write_voc_like(tmp_path / "a.json", 100)
    assert (made.images, made.instances) == (100, 240)
    write_voc_like(tmp_path / "b.json", 100)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    data = json.loads((tmp_path / "a.json").read_text())
    assert all(isinstance(row["segmentation"]["counts"], str) for row in data["annotations"])
    counts = Counter(row["category_id"] for row in data["annotations"])
    assert counts.most_common(1)[0][0] == 15  # person
    assert tfdp.score(made.path).images.instances.min() >= 1


def test_shapes_of_real_annotations_are_taken(tmp_path: Path, shared_data: Path) -> None:
    blobs = write_coco_like(tmp_path / "blobs.json", 20)
    real = write_coco_like(tmp_path / "real.json", 20, shapes_from=shared_data)
    assert (blobs.shapes, real.shapes) == ("made polygons", "polygons of COCO-100 and LVIS-100")
    assert blobs.points != real.points


# --- sources ------------------------------------------------------------------------------------------------


def test_real_voc_is_taken_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / sources.VOC_FILE).write_text("{}")
    monkeypatch.setenv("TFDP_TEST_DATA", str(tmp_path))
    with opened("voc", None, 0.01, 1) as (source, folder):
        assert source == Source("voc", tmp_path / sources.VOC_FILE, "real", 1.0)
        assert source.real
        assert not list(folder.iterdir())
    with opened("voc", tmp_path / "given.json", 0.01, 1) as (source, _):
        assert source.path.name == "given.json"


def test_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=5_000_000))
    with (
        pytest.raises(OutputError, match=r"1,065 MB are needed, 5 MB are free"),
        opened("coco", None, 1.0, 1),
    ):
        pass


def test_sample_of_a_file(tmp_path: Path) -> None:
    path = write_coco_like(tmp_path / "a.json", 50).path
    source = Source("coco", path, "made", 1.0)
    assert sample_of(source, 50, tmp_path) == path
    whole, part = tfdp.score(path), tfdp.score(sample_of(source, 10, tmp_path))
    assert part.images.id.tolist() == whole.images.id[::5].tolist()
    assert part.images.instances.tolist() == whole.images.instances[::5].tolist()


def test_sample_of_a_folder(tmp_path: Path) -> None:
    path = write_city_like(tmp_path / "a", 8).path
    source = Source("cityscapes", path, "made", 1.0)
    assert len(files_of(source)) == 8
    assert sample_of(source, 8, tmp_path) == path
    whole, part = tfdp.score(path), tfdp.score(sample_of(source, 4, tmp_path))
    assert part.images.id.tolist() == whole.images.id[::2].tolist()


# --- answers ------------------------------------------------------------------------------------------------


@pytest.fixture(name="answered")
def answered_fixture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[ours.OurSteps, Path]:
    """Our steps, and the answers of the authors' route on the same file."""
    path = write_coco_like(tmp_path / "a.json", 60).path
    steps = ours.OurSteps(path, 1)
    watch = steps()
    assert watch["all"] == pytest.approx(sum(watch.values()) - watch["all"])
    answers = tmp_path / "answers.npz"
    opencv_route("coco", str(path), "0.3", str(answers))
    assert set(json.loads(capsys.readouterr().out)) == set(watch)
    return steps, answers


def test_answers_agree(answered: tuple[ours.OurSteps, Path]) -> None:
    steps, answers = answered
    found = agreement.compare_answers(steps.scores, steps.subset, answers)
    assert found.same
    assert (found.instances, found.kept) == (int(steps.scores.images.instances.sum()), len(steps.subset))
    assert 0 < found.scores < 1e-7


@pytest.mark.parametrize(
    ("column", "words"),
    [("area", "DIFFERENT for 1"), ("image_scores", "to 5e-01"), ("kept", "1 of 41 images kept DIFFER")],
)
def test_answers_that_differ(answered: tuple[ours.OurSteps, Path], column: str, words: str) -> None:
    steps, answers = answered
    theirs = dict(np.load(answers))
    if column == "kept":
        theirs[column] = theirs[column][1:]
    else:
        theirs[column][theirs[column].argmax()] *= 2
    np.savez(answers, **theirs)
    found = agreement.compare_answers(steps.scores, steps.subset, answers)
    assert not found.same
    assert words in found.in_words()


def test_answers_of_other_data(answered: tuple[ours.OurSteps, Path]) -> None:
    steps, answers = answered
    theirs = dict(np.load(answers))
    np.savez(answers, **(theirs | {"area": theirs["area"][1:]}))
    with pytest.raises(ValueError, match="other instances"):
        agreement.compare_answers(steps.scores, steps.subset, answers)


def test_a_process_that_fails() -> None:
    with pytest.raises(DataError, match=r"ended with exit code 3: no message"):
        ours.run_python("-c", "raise SystemExit(3)")
    with pytest.raises(DataError, match=r"exit code 1: ValueError: why"):
        ours.run_python("-c", "raise ValueError('why')")


def test_machine() -> None:
    found = machine.describe_machine()
    assert found["versions"]["numpy"] == np.__version__
    assert found["processors"] >= 1
    assert json.loads(json.dumps(found)) == found
