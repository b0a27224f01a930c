"""The command line, as a process where streams and exit codes count, else through `main`."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest

import tfdp_fast as tfdp
from cli_support import changed, process
from tfdp_fast import _arguments, cli
from tfdp_fast.formats.dataset import OnError
from tfdp_fast.masks import Polygons
from tfdp_fast.reference import KERNELS
from tfdp_fast.scores import Variant
from tfdp_fast.selection import Of
from tfdp_fast.strategies import Order, StrategyName


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    assert cli.main([*arguments, "--json"]) == code
    captured = capsys.readouterr()
    assert captured.err == ""
    found: dict[str, Any] = json.loads(captured.out)
    return found


def test_prune_says_what_it_did(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    report = run_json(capsys, "prune", "data.json", "--rate", "0.5", "-o", "pruned.json")
    kept = json.loads((folder / "pruned.json").read_text())
    assert report["images"] == {
        "total": 6,
        "candidates": 4,
        "candidates_are": "scored",
        "kept": 2,
        "dropped": 2,
        "without_annotations": [91],
        "with_crowd_regions_only": [90],
    }
    assert report["annotations"] == {
        "kept": len(kept["annotations"]),
        "dropped": 11 - len(kept["annotations"]),
        "scored": 9,
        "degenerate": 1,
        "crowd": 1,
        "ignored": 1,
        "set_aside": 0,
    }
    assert (report["rate"], report["keep"]) == (0.5, 0.5)
    assert [c["before"] for c in report["classes"]] == [4, 5]
    instances = [a for a in kept["annotations"] if not a.get("iscrowd") and not a.get("ignore")]
    assert [c["after"] for c in report["classes"]] == [
        sum(a["category_id"] == i for a in instances) for i in (5, 6)
    ]
    expected = tfdp.select(tfdp.score("data.json"), rate=0.5)
    assert [image["id"] for image in kept["images"]] == expected.image_ids.tolist()
    assert report["sha256"] == expected.sha256


@pytest.mark.parametrize(
    ("option", "kept"),
    [
        (["--rate", "0.25"], 3),
        (["--rate", "25%"], 3),
        (["--rate", "0"], 4),
        (["--keep", "0.5"], 2),
        (["--keep", "50%"], 2),
        (["--keep", "1.0"], 4),
        (["--keep", "3"], 3),
        (["--k", "1"], 1),
        (["--k", "6", "--of", "all"], 6),
        (["--keep", "5", "--of", "annotated"], 5),
    ],
)
def test_how_many(folder: Path, capsys: pytest.CaptureFixture[str], option: list[str], kept: int) -> None:
    arguments = ["prune", str(folder / "data.json"), *option, "-o", str(folder / "pruned.json")]
    assert run_json(capsys, *arguments)["images"]["kept"] == kept
    assert len(json.loads((folder / "pruned.json").read_text())["images"]) == kept


USAGE = [
    ([], "tfdp: error: say what to do: prune, score, "),
    (["prun"], "invalid choice: 'prun'"),
    (
        ["prune", "data.json", "-o", "x.json"],
        "one of the arguments --rate --keep --k --ids --from is required",
    ),
    (["prune", "data.json", "--rate", "0.5"], "the following arguments are required: -o/--output"),
    (["prune", "data.json", "--rate", "0.5", "--keep", "0.5", "-o", "x.json"], "not allowed with argument"),
    (["prune", "data.json", "--rate", "50", "-o", "x.json"], "write 0.5 or 50%"),
    (["prune", "data.json", "--rate", "1", "-o", "x.json"], "the share to drop is below 1"),
    (["prune", "data.json", "--rate", "1.0", "-o", "x.json"], "0 <= rate < 1"),
    (["prune", "data.json", "--rate", "-0.5", "-o", "x.json"], "'-0.5' is not a share"),
    (["prune", "data.json", "--rate", "half", "-o", "x.json"], "'half' is not a share"),
    (
        ["prune", "data.json", "--keep", "1", "-o", "x.json"],
        "write 1.0 or 100% for all images, --k 1 for one",
    ),
    (["prune", "data.json", "--keep", "0", "-o", "x.json"], "0 would keep nothing"),
    (
        ["prune", "data.json", "--keep", "01", "-o", "x.json"],
        "'01' is neither a share (0.5, 50%) nor a count",
    ),
    (["prune", "data.json", "--keep", "1.5", "-o", "x.json"], "0 < keep <= 1"),
    (["prune", "data.json", "--k", "5", "-o", "x.json"], "5 images cannot be kept: 4 are scored"),
    (["prune", "data.json", "--k", "0", "-o", "x.json"], "k must be a whole number of at least 1"),
    (["prune", "data.json", "--rat", "0.5", "-o", "x.json"], "unrecognized arguments: --rat 0.5"),
    (["prune", "data.json", "--rate", "0.5", "-o", "-", "--json"], "-o - and --json cannot both"),
    (["prune", "data.json", "--rate", "0.5", "-o", "data.json"], "is the file that is being read"),
    (["prune", "data.json", "--rate", "0.5", "-o", "link.json"], "is the file that is being read"),
    (["prune", "data.json", "--rate", "0.5", "-o", "no/x.json"], "does not exist"),
    (["prune", "data.json", "--rate", "0.5", "-o", "."], "is a folder"),
    (
        ["prune", "data.json", "--rate", "0.5", "-o", "x.json", "--threads", "0"],
        "threads must be a whole number",
    ),
    (
        ["prune", "missing.json", "--rate", "0.5", "-o", "x.json"],
        "missing.json: cannot be read: No such file",
    ),
    (["score", "data.json", "-o", "scores.txt"], "a score file ends in .parquet, .npz, .csv, .json"),
    (["score", "data.json", "-o", "data.json"], "is the file that is being read"),
    (["score", "data.json", "-o", "link.json"], "is the file that is being read"),
    (["score", "data.json", "-o", "-"], "-o - needs --output-format"),
    (["score", "data.json", "--output-format", "csv"], "--output-format goes with -o -"),
    (["score", "."], ".: is no data set that is known; looked in it for SegmentationObject/"),
    (["score", "data.json", "--variant", "best"], "invalid choice: 'best'"),
    (["demo", "-o", "."], "is there already, and is no earlier demo"),
    (["demo", "-o", "data.json"], "is there already, and is no earlier demo"),
    (["demo", "-o", "-"], "cannot go to standard output"),
    (["prune", "data.json", "--k", "1", "-o", "/dev/full"], "/dev/full: No space left on device"),
    (
        ["prune", "data.json", "--k", "1", "-o", "x.json", "--foo"],
        "unrecognized arguments: --foo (see tfdp prune --help)",
    ),
    (["score", "data.json", "a\nb"], "unrecognized arguments: a\\nb (see tfdp score --help)"),
    (["completion", "fish"], "invalid choice: 'fish'"),
]


@pytest.mark.parametrize(("arguments", "message"), USAGE)
def test_bad_usage_is_one_line(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(folder)
    (folder / "link.json").symlink_to("data.json")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    code = cli.main(arguments)
    captured = capsys.readouterr()
    assert code == 2
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("tfdp")
    assert message in captured.err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def short_runs(data: dict[str, Any]) -> None:
    data["annotations"][2]["segmentation"] = {"size": [20, 30], "counts": [1, 2, 3]}


def no_image(data: dict[str, Any]) -> None:
    data["annotations"][2]["image_id"] = 77


def nan_coordinate(data: dict[str, Any]) -> None:
    data["annotations"][2]["segmentation"] = [[1, 1, float("nan"), 1, 9, 9]]


BAD_DATA = [
    (short_runs, "data.json: annotation 3: the runs do not sum to height * width"),
    (no_image, "data.json: annotation 3: image_id 77 does not exist"),
    (nan_coordinate, "data.json: annotation 3: a polygon coordinate is NaN or infinite"),
]


@pytest.mark.parametrize(("change", "message"), BAD_DATA)
def test_bad_data_stops_or_is_set_aside(folder: Path, change: Any, message: str) -> None:
    changed(folder, change)
    before = sorted(path.name for path in folder.iterdir())
    arguments = ("prune", "data.json", "--rate", "0.5", "-o", "x.json")
    stopped = process(*arguments, cwd=folder)
    assert (stopped.returncode, stopped.stdout) == (2, b"")
    assert stopped.stderr.decode() == f"tfdp: error: {message}\n"
    assert sorted(path.name for path in folder.iterdir()) == before

    skipped = process(*arguments, "--on-error", "skip", cwd=folder)
    assert (skipped.returncode, skipped.stderr) == (1, b"")
    assert "set aside: 1 record, listed in x.json.problems.jsonl" in skipped.stdout.decode()
    (line,) = (folder / "x.json.problems.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "record": "annotation 3",
        "reason": message.split(": ", 2)[2],
        "row": 2,
        "file": None,
    }


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"images": []}', b"\xff\xfe{}", b'{"images": 1}'])
def test_what_is_no_data_set(folder: Path, data: bytes) -> None:
    (folder / "bad.json").write_bytes(data)
    done = process("score", "bad.json", "-o", "scores.csv", cwd=folder)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"tfdp: error: bad.json: ")
    assert done.stderr.count(b"\n") == 1
    assert sorted(path.name for path in folder.iterdir()) == ["bad.json", "data.json"]


@pytest.mark.parametrize("suffix", ["parquet", "npz", "csv", "json"])
def test_score_writes_every_format(folder: Path, capsys: pytest.CaptureFixture[str], suffix: str) -> None:
    path = folder / f"scores.{suffix}"
    report = run_json(capsys, "score", str(folder / "data.json"), "-o", str(path), "--variant", "si")
    assert report["variant"] == "si"
    loaded = tfdp.Scores.load(path)
    expected = tfdp.score(folder / "data.json", "si")
    assert tfdp.select(loaded, k=4).ranking.tolist() == tfdp.select(expected, k=4).ranking.tolist()
    assert report["best"][0]["image_id"] == tfdp.select(expected, k=1).ranking[0]


def test_a_missing_package_is_named_before_anything_is_read(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert cli.main(["score", str(folder / "missing.json"), "-o", str(folder / "scores.parquet")]) == 2
    assert capsys.readouterr().err == "tfdp: error: this needs pyarrow: pip install 'tfdp-fast[parquet]'\n"


def test_json_of_every_verb(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert run_json(capsys, "--version")["tfdp-fast"] == tfdp.__version__
    assert run_json(capsys, "completion", "bash")["shell"] == "bash"
    assert run_json(capsys, "score", "data.json")["scored_images"] == 4
    assert cli.main(["--json", "score", "data.json"]) == 0
    assert json.loads(capsys.readouterr().out)["scored_images"] == 4
    assert run_json(capsys, "demo")["images"]["total"] == 60
    assert run_json(capsys, "warmup")["kernels"] == sum(row.signatures for row in KERNELS)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_completion_in_bash(folder: Path) -> None:
    script = process("completion", "bash", cwd=folder).stdout.decode()
    for words, expected in [
        (["tfdp", "pr"], {"prune"}),
        (["tfdp", "score", "--var"], {"--variant"}),
        (["tfdp", "prune", "--of", ""], {"scored", "annotated", "all"}),
        (["tfdp", "score", "da"], {"data.json"}),
    ]:
        ask = (
            f"{script}\nCOMP_WORDS=({' '.join(shlex.quote(word) for word in words)})\n"
            f"COMP_CWORD={len(words) - 1}\n_shtab_tfdp\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
        )
        done = subprocess.run(["bash"], input=ask, capture_output=True, text=True, cwd=folder, check=False)
        assert set(done.stdout.split()) == expected, (words, done.stderr)


def test_demo_makes_prunes_and_can_be_repeated(folder: Path) -> None:
    first = process("demo", "-o", "my shapes", cwd=folder)
    assert (first.returncode, first.stderr) == (0, b"")
    pruned = (folder / "my shapes" / "pruned.json").read_bytes()
    by_hand = next(line for line in first.stdout.decode().splitlines() if line.startswith("by hand: tfdp "))
    again = process(*shlex.split(by_hand.removeprefix("by hand: tfdp ")), cwd=folder)
    assert again.returncode == 0
    assert (folder / "my shapes" / "pruned.json").read_bytes() == pruned
    assert process("demo", "-o", "my shapes", cwd=folder).stdout == first.stdout


def test_demo_spares_what_is_no_demo(folder: Path) -> None:
    mine = folder / "mine"
    (mine / "images").mkdir(parents=True)
    (mine / "images" / "0001.png").write_bytes(b"a picture")
    (folder / "data.json").rename(mine / "annotations.json")
    before = {path: path.read_bytes() for path in mine.rglob("*") if path.is_file()}
    done = process("demo", "-o", "mine", cwd=folder)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"tfdp: error: mine: is there already, and is no earlier demo\n"
    assert {path: path.read_bytes() for path in mine.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("arguments", [["--help"], ["prune", "--help"], ["score", "--help"], ["--version"]])
def test_help_is_light(folder: Path, arguments: list[str]) -> None:
    code = (
        f"import sys\nfrom tfdp_fast.cli import main\nassert main({arguments!r}) == 0\n"
        "heavy = {'numpy', 'numba', 'msgspec', 'rich', 'shtab', 'PIL', 'pyarrow'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = process(cwd=folder, code=code)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"tfdp" in done.stdout


def test_interruption_leaves_nothing(folder: Path) -> None:
    code = (
        "import sys\nimport tfdp_fast.pruning as pruning\nfrom tfdp_fast.cli import main\n"
        "def stop(*_, **__): raise KeyboardInterrupt\npruning.select = stop\n"
        "sys.exit(main(['prune', 'data.json', '--rate', '0.5', '-o', 'x.json']))"
    )
    done = process(cwd=folder, code=code)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"tfdp: interrupted\n")
    assert sorted(path.name for path in folder.iterdir()) == ["data.json"]


def test_traceback_only_where_it_is_wanted(folder: Path) -> None:
    done = process("score", "missing.json", "-vv", cwd=folder)
    assert done.returncode == 2
    assert b"Traceback" in done.stderr
    assert b"Traceback" not in process("score", "missing.json", "-v", cwd=folder).stderr


def test_verbose_says_how_long_each_stage_took(folder: Path) -> None:
    done = process("prune", "data.json", "--rate", "0.5", "-o", "x.json", "-v", cwd=folder)
    stages = [line.split(": ")[1] for line in done.stderr.decode().splitlines()]
    assert stages == ["read", "measured", "scored 9 instances", "wrote the subset"]
    assert "without annotations, ids: 91\nwith crowd regions only, ids: 90\n" in done.stdout.decode()


def test_choices_are_those_of_the_library() -> None:
    assert get_args(Variant) == _arguments.VARIANTS
    assert get_args(Polygons) == _arguments.POLYGONS
    assert get_args(OnError) == _arguments.ON_ERROR
    assert get_args(Of) == _arguments.OF
    assert get_args(StrategyName) == _arguments.STRATEGIES
    assert get_args(Order) == _arguments.ORDERS
