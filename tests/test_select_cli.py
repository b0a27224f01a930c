"""``tfdp select``, and pruning by a strategy or by a list."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfdp_fast as tfdp
from cli_support import process
from tfdp_fast import DataError, OptionError, OutputError, cli
from tfdp_fast.recording import load_record
from tfdp_fast.strategies import Strategy

SUFFIXES = [".parquet", ".npz", ".csv", ".json"]


@pytest.fixture(name="here")
def here_fixture(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with ``data.json``, and the scores of it in each form; the current one."""
    scores = tfdp.score(folder / "data.json")
    for suffix in SUFFIXES:
        scores.save(folder / f"scores{suffix}")
    monkeypatch.chdir(folder)
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, str]:
    assert cli.main(list(arguments)) == code
    shown = capsys.readouterr()
    return shown.out, shown.err


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    out, err = run(capsys, *arguments, "--json")
    assert err == ""
    found: dict[str, Any] = json.loads(out)
    return found


def ids(path: str) -> list[int]:
    return [int(line.split("\t")[0]) for line in Path(path).read_text("utf-8").splitlines()]


# --- what is chosen -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("strategy", ["top", "random", "ccs"])
@pytest.mark.usefixtures("here")
def test_select(suffix: str, strategy: Any, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("select", f"scores{suffix}", "--rate", "50%", "--strategy", strategy, "-o", "keep.txt")
    report = run_json(capsys, *arguments, "--drop-output", "drop.txt")
    scores = tfdp.Scores.load(f"scores{suffix}")
    subset = tfdp.select(scores, rate=0.5, strategy=strategy)
    assert ids("keep.txt") == subset.image_ids.tolist()
    assert ids("drop.txt") == subset.dropped_ids.tolist()
    assert (report["output"], report["drop_output"]) == ("keep.txt", "drop.txt")
    assert report["strategy"] == vars(Strategy(strategy))
    assert report["images"] == {
        "total": len(scores.images),
        "candidates": 4,
        "candidates_are": "scored",
        "kept": 2,
        "dropped": 2,
    }
    assert (report["rate"], report["keep"], report["sha256"]) == (0.5, 0.5, subset.sha256)


@pytest.mark.usefixtures("here")
def test_a_list_is_the_one_beside_a_subset(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "select", "scores.parquet", "--rate", "0.5", "-o", "list.txt", "--drop-output", "rest.txt")
    run(capsys, "prune", "data.json", "--rate", "0.5", "-o", "out.json")
    assert Path("list.txt").read_bytes() == Path("out.json.keep.txt").read_bytes()
    assert Path("rest.txt").read_bytes() == Path("out.json.drop.txt").read_bytes()


@pytest.mark.usefixtures("here")
def test_to_standard_output(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "select", "scores.npz", "--k", "2", "-o", "keep.txt")
    done = process("select", "scores.npz", "--k", "2", "-o", "-", cwd=here)
    assert done.returncode == 0
    assert done.stdout == Path("keep.txt").read_bytes()
    assert done.stderr.startswith(b"source: scores.npz\noutput: -\nstrategy: top, highest first\n")
    quiet = process("select", "scores.npz", "--k", "2", "-o", "-", "-q", cwd=here)
    assert (quiet.stdout, quiet.stderr) == (done.stdout, b"")


@pytest.mark.usefixtures("here")
def test_what_people_read(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--rate", "0", "--strategy", "ccs", "--beta", "0.25", "--strata", "3", "--seed", "9")
    shown, _ = run(capsys, "select", "scores.csv", *arguments, "--of", "annotated", "-o", "k.txt")
    sha = tfdp.select(
        tfdp.Scores.load("scores.csv"), rate=0, of="annotated", strategy="ccs", beta=0.25, strata=3, seed=9
    ).sha256
    assert shown.splitlines() == [
        "source: scores.csv",
        "output: k.txt",
        "strategy: ccs, highest first, seed 9, beta 0.25, strata 3",
        "images: 6",
        "candidates: 5 with an annotation",
        "kept: 4 (80.0%) of the candidates",
        "dropped: 1 (20.0%) of the candidates",
        "k: 4: all that are left once beta has dropped 1, as 5 are not there",
        f"subset: {sha[:16]}",
    ]


@pytest.mark.usefixtures("here")
def test_scores_of_others(capsys: pytest.CaptureFixture[str]) -> None:
    Path("theirs.csv").write_text("image,el2n,aum\nb.jpg,3,-1\na.jpg,1,-5\nc.jpg,2,4.5\n")
    run(capsys, "select", "theirs.csv", "--column", "aum", "--order", "lowest", "--k", "2", "-o", "k.txt")
    assert Path("k.txt").read_text() == "b.jpg\t\na.jpg\t\n"
    _, error = run(capsys, "select", "theirs.csv", "--k", "2", code=2)
    assert (
        error
        == "tfdp: error: theirs.csv: does not say which column holds the scores: name one of el2n, aum\n"
    )
    Path("theirs.json").write_text('{"7": -0.5, "8": 0.25}')
    assert (
        run_json(capsys, "select", "theirs.json", "--k", "1", "--order", "lowest", "-o", "k.txt")["rate"]
        == 0.5
    )
    assert ids("k.txt") == [7]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["scores.npz"], "one of the arguments --rate --keep --k is required (see tfdp select --help)"),
        (
            ["scores.npz", "--rate", "0.5", "-o", "-", "--json"],
            "-o - and --json cannot both have standard output",
        ),
        (["scores.npz", "--rate", "0.5", "--drop-output", "-"], "--drop-output names a file"),
        (["scores.npz", "--k", "1", "-o", "a", "--drop-output", "./a"], "cannot be the same file"),
        (["scores.npz", "--k", "1", "-o", "scores.npz"], "scores.npz: is the file that is being read"),
        (["scores.npz", "--k", "1", "--drop-output", "./scores.npz"], "is the file that is being read"),
        (["scores.npz", "--k", "1", "-o", "no/k.txt"], "does not exist"),
        (["scores.npz", "--k", "5"], "5 images cannot be kept: 4 are scored"),
        (["scores.npz", "--k", "1", "--seed", "1"], "strategy 'top' has no seed, got seed=1"),
        (["scores.npz", "--k", "1", "--strategy", "best"], "invalid choice: 'best'"),
        (["scores.csv", "--k", "1", "--strategy", "stratified-by-class"], "needs instances"),
        (["scores.npz", "--k", "1", "--column", "score"], "column names the scores of a .csv file"),
        (["data.txt", "--k", "1"], "data.txt: a score file ends in .parquet, .npz, .csv, .json"),
        (["missing.npz", "--k", "1"], "missing.npz: cannot be read: No such file or directory"),
        (["data.json", "--k", "1"], "data.json: is not of the form {\"<image id>\": score}: 'info' is none"),
    ],
)
def test_bad_usage(arguments: list[str], what: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path.name for path in here.iterdir()}
    out, error = run(capsys, "select", *arguments, code=2)
    assert out == ""
    (line,) = error.splitlines()
    assert what in line
    assert {path.name for path in here.iterdir()} == before


# --- prune by a strategy ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"strategy": "random", "seed": 2**64 - 1},
        {"strategy": "ccs", "order": "lowest", "beta": 0.25, "strata": 7},
        {"strategy": "stratified-by-class"},
        {"order": "lowest"},
    ],
)
def test_prune_by_a_strategy_and_again(options: dict[str, Any], folder: Path) -> None:
    first = tfdp.prune(folder / "data.json", folder / "out.json", rate=0.5, **options)
    alone = tfdp.select(tfdp.score(folder / "data.json"), rate=0.5, **options)
    assert first.subset.ranking.tolist() == alone.ranking.tolist()
    assert first.beside is not None
    record = json.loads(first.beside.record.read_bytes())
    assert record["format"] == 2
    assert record["options"]["strategy"] == vars(alone.strategy)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert tfdp.repeat(first.beside.record).outcome == first.outcome
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.usefixtures("here")
def test_prune_says_which_strategy(capsys: pytest.CaptureFixture[str]) -> None:
    shown, _ = run(capsys, "prune", "data.json", "--rate", "0.5", "-o", "a.json")
    assert "strategy" not in shown
    arguments = ("--rate", "0.5", "--strategy", "random", "--seed", "7", "-o", "b.json")
    shown, _ = run(capsys, "prune", "data.json", *arguments)
    assert "\nstrategy: random, seed 7\n" in shown
    again, _ = run(capsys, "prune", "--from", "b.json.pruning.json")
    assert again.partition("\n")[2] == shown.partition("\n")[2]
    report = run_json(capsys, "prune", "data.json", *arguments)
    assert report["strategy"] == vars(Strategy("random", seed=7))


def test_records_are_of_the_oldest_format_that_can_hold_them(folder: Path) -> None:
    pruned = tfdp.prune(folder / "data.json", folder / "out.json", rate=0.5, strategy="top", order="highest")
    assert pruned.beside is not None
    record = json.loads(pruned.beside.record.read_bytes())
    assert record["format"] == 1
    assert set(record["options"]) == {"rate", "keep", "k", "of", "variant", "polygons"}
    for strategy in ({"name": "best"}, {"name": "top", "seed": 1}, {"seed": 1}):
        record["options"]["strategy"] = strategy
        (folder / "bad.json").write_text(json.dumps(record))
        with pytest.raises(DataError, match=r"bad\.json: is no record of a pruning: .*strategy"):
            load_record(folder / "bad.json")


# --- prune by a list ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("here")
def test_prune_by_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(Path("data.json").read_text())
    kept = [13, 91, 10]
    Path("some.txt").write_text("".join(f"{i}\n" for i in kept))
    report = run_json(capsys, "prune", "data.json", "--ids", "some.txt", "-o", "out.json")
    pruned = json.loads(Path("out.json").read_text())
    assert pruned["images"] == [image for image in data["images"] if image["id"] in kept]
    assert pruned["annotations"] == [a for a in data["annotations"] if a["image_id"] in kept]
    assert ids("out.json.keep.txt") == [10, 13, 91]
    assert ids("out.json.drop.txt") == [11, 12, 90]
    assert report["images"] | {"without_annotations": 0, "with_crowd_regions_only": 0} == {
        "total": 6,
        "candidates": 6,
        "candidates_are": "all",
        "kept": 3,
        "dropped": 3,
        "without_annotations": 0,
        "with_crowd_regions_only": 0,
    }
    assert report["reckoning"] == "as some.txt lists them, told by id"
    assert "strategy" not in report
    record = json.loads(Path("out.json.pruning.json").read_bytes())
    assert record["format"] == 2
    assert record["options"]["ids"] == {"name": "some.txt", "images": 3, "sha256": report["sha256"]}
    assert record["outcome"]["sha256"] == report["sha256"]


@pytest.mark.usefixtures("here")
def test_a_list_again_without_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The list beside the subset is enough; it has to be the one that was written."""
    Path("some.txt").write_text("13\n91\n10\n")
    first = tfdp.prune("data.json", "out.json", ids="some.txt")
    Path("some.txt").unlink()
    moved = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(Path(), moved / "x")
    again = tfdp.repeat(moved / "x" / "out.json.pruning.json")
    assert again.outcome == first.outcome
    for suffix in ("", ".keep.txt", ".drop.txt", ".pruning.json"):
        assert (moved / "x" / f"out.json{suffix}").read_bytes() == Path(f"out.json{suffix}").read_bytes()
    Path("out.json.keep.txt").write_text("13\n10\n")
    with pytest.raises(DataError, match=r"keep\.txt: is not the list that .* was written with"):
        tfdp.repeat("out.json.pruning.json")


@pytest.mark.parametrize(
    ("text", "told_by"),
    [
        ("10\t\n12\tsomething else\n", "id"),
        ("\ufeff12\r\n10\r\n\r\n", "id"),
        ("0.jpg\n2.jpg\n", "file name"),
        ("a\t0.jpg\nb\t2.jpg\n", "file name"),
        ("0.png\n2.png\n", "stem"),
    ],
)
@pytest.mark.usefixtures("here")
def test_how_images_are_told(text: str, told_by: str) -> None:
    Path("some.txt").write_bytes(text.encode())
    pruned = tfdp.prune("data.json", io.BytesIO(), ids="some.txt")
    assert pruned.subset.image_ids.tolist() == [10, 12]
    assert pruned.subset.reckoning == f"as some.txt lists them, told by {told_by}"
    assert (pruned.subset.of, pruned.subset.strategy, pruned.subset.candidates) == ("all", None, 6)


def test_ids_in_python(folder: Path) -> None:
    source = folder / "data.json"
    subset = tfdp.select(tfdp.score(source), k=2, strategy="random")
    numbers = subset.ranking.tolist()
    for given in (subset, numbers, tuple(map(str, numbers)), np.array(numbers, np.uint32), iter(numbers)):
        pruned = tfdp.prune(source, folder / "out.json", ids=given)
        assert pruned.subset.image_ids.tolist() == subset.image_ids.tolist()
        assert pruned.subset.ranking.tolist() == numbers
        assert pruned.subset.sha256 == subset.sha256
    tfdp.prune(source, folder / "again.json", ids=folder / "out.json")  # a subset is a list, too
    assert (folder / "again.json").read_bytes() == (folder / "out.json").read_bytes()
    tfdp.prune(source, folder / "again.json", ids=folder / "out.json.pruning.json")
    assert (folder / "again.json").read_bytes() == (folder / "out.json").read_bytes()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("10\n77\n11\n78\n79\n", r"some\.txt: image 77: is not in data\.json, and neither are 2 more$"),
        ("10\n77\n", r"some\.txt: image 77: is not in data\.json$"),
        ("0.jpg\n7.jpg\n", r"some\.txt: image 7\.jpg: is not in data\.json$"),
        ("x\n", r"some\.txt: image x: is not in data\.json$"),
        ("10\n11\n10\n", r"some\.txt: image 10: is given twice"),
        ("", r"some\.txt: lists no images"),
        ("\n\n", r"some\.txt: lists no images"),
    ],
)
@pytest.mark.usefixtures("here")
def test_lists_that_do_not_fit(text: str, what: str, here: Path) -> None:
    Path("some.txt").write_text(text)
    before = {path.name for path in here.iterdir()}
    with pytest.raises(DataError, match=what):
        tfdp.prune("data.json", "out.json", ids="some.txt")
    assert {path.name for path in here.iterdir()} == before


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"rate": 0.5}, "ids says which images are kept: rate does not go with it"),
        ({"k": 1}, "k does not go with it"),
        ({"of": "all"}, "of does not go with it"),
        ({"strategy": "random"}, "a strategy does not go with it"),
        ({"order": "lowest"}, "a strategy does not go with it"),
        ({"seed": 1}, "strategy 'top' has no seed"),
        ({"ids": [10, "11"]}, "all whole numbers or all text"),
        ({"ids": [1.5]}, "all whole numbers or all text"),
        ({"ids": [True]}, "all whole numbers or all text"),
        ({"ids": 10}, "all whole numbers or all text"),
        ({"ids": np.zeros((2, 2), int)}, "all whole numbers or all text"),
    ],
)
def test_what_makes_no_sense(options: dict[str, Any], what: str) -> None:
    with pytest.raises(OptionError, match=what):
        tfdp.prune("never read.json", io.BytesIO(), **{"ids": [10]} | options)


@pytest.mark.usefixtures("here")
def test_scores_are_no_list() -> None:
    with pytest.raises(
        DataError, match=r"scores\.npz: is a file of scores: tfdp select chooses images by them"
    ):
        tfdp.prune("data.json", io.BytesIO(), ids="scores.npz")


@pytest.mark.parametrize(
    "name", ["out.json", "out.json.keep.txt", "out.json.drop.txt", "out.json.pruning.json"]
)
@pytest.mark.usefixtures("here")
def test_a_list_is_not_written_over(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("some.txt").write_text("10\n")
    Path(name).hardlink_to("some.txt")
    with pytest.raises(OutputError, match=f"{name}: is the file that is being read"):
        tfdp.prune("data.json", "out.json", ids="some.txt")
    assert Path("some.txt").read_text() == "10\n"
    _, error = run(capsys, "prune", "data.json", "--ids", "some.txt", "-o", name, code=2)
    assert error == f"tfdp: error: {name}: is the file that is being read\n"


@pytest.mark.usefixtures("here")
def test_list_and_rate(capsys: pytest.CaptureFixture[str]) -> None:
    _, error = run(capsys, "prune", "data.json", "--ids", "a", "--rate", "0.5", "-o", "x.json", code=2)
    assert "argument --rate: not allowed with argument --ids" in error
    _, error = run(capsys, "prune", "data.json", "--ids", "missing", "-o", "x.json", code=2)
    assert error == "tfdp: error: missing: cannot be read: No such file or directory\n"


def test_voc_by_a_list(shared_data: Path, tmp_path: Path) -> None:
    """From scores to a subset by two commands is the same as by one."""
    source = shared_data / "voc2012_train.json"
    tfdp.score(source).save(tmp_path / "scores.parquet")
    arguments = [
        "select",
        str(tmp_path / "scores.parquet"),
        "--rate",
        "0.5",
        "-o",
        str(tmp_path / "keep.txt"),
    ]
    assert cli.main(arguments) == 0
    one = tfdp.prune(source, tmp_path / "one.json", rate=0.5)
    two = tfdp.prune(source, tmp_path / "two.json", ids=tmp_path / "keep.txt")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    assert one.subset.sha256[:16] == two.subset.sha256[:16] == "2f47c3ede7398991"
