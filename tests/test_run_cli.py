"""``tfdp run`` and ``tfdp run status``."""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import tfdp_fast as tfdp
from cli_support import buffered, process
from run_support import coco_parts, content, done, events, lines_of, manifest_of, odd_coco, times, write_coco
from tfdp_fast.cli import main

RUN = ["-o", "run", "--engine", "threads", "--workers", "2"]
CODE = "import sys; from tfdp_fast.cli import main; sys.exit(main({!r}))"


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Three parts of a data set, and the folder that they are in as working directory."""
    paths = coco_parts(odd_coco(), [2, 4], tmp_path)
    monkeypatch.chdir(tmp_path)
    return [Path(path).name for path in paths]


def subset(**choice: Any) -> Any:
    return tfdp.select(tfdp.score(odd_coco()), **choice)


def error_line(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that is said about arguments that are refused."""
    assert main(["run", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("tfdp")
    assert err.count("\n") == 1
    return err


# --- Output -------------------------------------------------------------------------------------------------


def test_what_it_says(parts: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["run", *parts, *RUN, "--rate", "0.5"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for text in ("shards", "scored now", "images", "instances", "kept", "dropped", "subset: "):
        assert text in out
    expected = subset(rate=0.5)
    assert expected.sha256[:16] in out
    assert [line.partition("\t")[0] for line in lines_of(tmp_path / "run" / "keep.txt")] == [
        str(i) for i in expected.image_ids
    ]


def test_json(parts: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["run", *parts, *RUN, "--keep", "3", "--of", "all", "--order", "lowest", "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    found = json.loads(out)
    assert found == json.loads((tmp_path / "run" / "result.json").read_bytes())
    assert found["chosen"]["sha256"] == subset(k=3, of="all", order="lowest").sha256
    assert found["wanted"]["order"] == "lowest"
    assert main(["run", *parts, *RUN, "-q"]) == 0
    assert capsys.readouterr() == ("", "")


def test_options_go_through(parts: list[str], tmp_path: Path) -> None:
    options = ["--variant", "cb", "--polygons", "opencv", "--on-error", "skip", "--format", "coco"]
    options += ["--strategy", "random", "--seed", "5", "--keep", "50%", "--of", "annotated"]
    options += ["--retries", "0", "--shard-instances", "77", "-q"]
    assert main(["run", *parts, *RUN, *options]) == 0
    manifest = manifest_of(tmp_path / "run")
    assert manifest["options"] == {
        "polygons": "opencv",
        "on_error": "skip",
        "format": "coco",
        "split": None,
        "difficult": "include",
        "image_size": None,
    }
    assert manifest["shard_instances"] == 77
    assert manifest["wanted"] == {
        "share": "1/2",
        "of": "annotated",
        "strategy": "random",
        "order": None,
        "seed": 5,
        "variant": "cb",
    }
    assert events(tmp_path / "run")[-1]["event"] == "end"


def test_going_on_and_status(parts: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    assert main(["run", *parts, *RUN, "--rate", "0.5", "-q"]) == 0
    before, expected = times(run), content(run)
    assert main(["run", "status", "run"]) == 0
    out = capsys.readouterr().out
    assert "scored: 3 (100.0%)" in out
    assert times(run) == before
    assert main(["run", "status", "run", "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["shards"], status["done"], status["missing"], status["complete"]) == (3, 3, 0, True)
    assert status["result"]["chosen"]["sha256"] == subset(rate=0.5).sha256
    assert status["size"] == status["done_size"] == sum(Path(part).stat().st_size for part in parts)
    next((run / "counts").iterdir()).unlink()
    assert main(["run", "status", "-o", "run", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["done"] == 2
    assert main(["run", *RUN, "-q"]) == 0
    assert content(run) == expected
    assert len(done(run)) == 4
    with (run / ".lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert main(["run", "status", "run", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["running"] is True


def test_a_source_called_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_coco(odd_coco(), tmp_path / "status")
    assert main(["run", "./status", *RUN, "--format", "coco", "-q"]) == 0
    assert [shard["name"] for shard in manifest_of(tmp_path / "run")["shards"]] == [f"{tmp_path}/status"]


# --- Exit codes ---------------------------------------------------------------------------------------------


def test_shards_that_fail(parts: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = Path(parts[1]).read_bytes()
    Path(parts[1]).write_text("[")
    assert main(["run", *parts, *RUN, "--rate", "0.5", "--retries", "1"]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    for text in ("failed: 1", "nothing was chosen", f"{tmp_path}/{parts[1]}", "(tried 2 times)"):
        assert text in " ".join(out.split())
    assert main(["run", "status", "run", "--json"]) == 1
    status = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in status["failed"]] == [f"{tmp_path}/{parts[1]}"]
    assert main(["run", "status", "run"]) == 1
    assert "not yet" in capsys.readouterr().out
    Path(parts[1]).write_bytes(good)
    assert main(["run", *RUN, "--changed", "rescore", "--rate", "0.5", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["scored"], found["chosen"]["sha256"]) == (1, subset(rate=0.5).sha256)


def test_what_is_set_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_coco(odd_coco(bad=True), tmp_path / "a.json")
    run = ["-o", str(tmp_path / "run"), "--engine", "threads"]
    assert main(["run", path, *run, "--on-error", "skip"]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    assert "2, listed in " in " ".join(out.split())
    assert len((tmp_path / "run" / "problems.jsonl").read_text().splitlines()) == 2


def test_bad_usage(parts: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(tmp_path.iterdir())
    for arguments, reason in {
        (parts[0],): "required: -o/--output",
        ("-o", "run"): "run holds no run yet: say what the source is",
        ("-", "-o", "run"): "- makes no sense here",
        (parts[0], "-o", "-"): "- makes no sense here",
        ("no.json", "-o", "run"): "no.json: cannot be read: No such file or directory",
        ("*.tar", "-o", "run"): "*.tar",
        (parts[0], parts[0], "-o", "run"): "is given twice",
        (parts[0], "-o", ""): "is not the name of a folder",
        (parts[0], "-o", parts[1]): parts[1],
        (parts[0], "-o", f"{parts[1]}/run"): parts[1],
        (parts[0], "-o", "/proc/run"): "/proc/run",
        (parts[0], *RUN, "--rate", "1"): "rate",
        (parts[0], *RUN, "--rate", "0.5", "--keep", "0.5"): "--keep",
        (parts[0], *RUN, "--rate", "0.5", "--seed", "1"): "seed",
        (parts[0], *RUN, "--strategy", "ccs"): "--strategy",
        (parts[0], *RUN, "--workers", "0"): "workers",
        (parts[0], *RUN, "--retries", "-1"): "retries",
        (parts[0], *RUN, "--shard-instances", "0"): "shard_instances",
        (parts[0], *RUN, "--engine", "x"): "--engine",
        (parts[0], "-o", "run", "--address", "auto"): "address",
        (parts[0], *RUN, "--image-size", "x"): "--image-size",
        (parts[0], *RUN, "--no-such-option"): "unrecognized arguments: --no-such-option",
        ("status",): "status is of one run folder",
        ("status", "a", "b"): "status is of one run folder",
        ("status", "run"): "run: holds no run",
        ("status", "/proc/run"): "/proc/run: holds no run",
    }.items():
        assert reason in error_line(capsys, *arguments), arguments
        assert sorted(tmp_path.iterdir()) == before, arguments


def test_another_run_in_the_folder(
    parts: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *parts, *RUN, "--rate", "0.5", "-q"]) == 0
    before = content(tmp_path / "run"), times(tmp_path / "run")
    for arguments, reason in {
        (*parts, "--polygons", "opencv"): "polygons: 'opencv' now, 'coco' before",
        ("--on-error", "skip"): "on_error: 'skip' now, 'raise' before",
        (*parts[:2],): f"not in the source any more: {tmp_path}/{parts[2]}",
    }.items():
        assert reason in error_line(capsys, *arguments, *RUN)
    Path(parts[0]).touch()
    assert "(written to since)" in error_line(capsys, *parts, *RUN)
    with (tmp_path / "run" / ".lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        reason = error_line(capsys, *parts, *RUN, "--changed", "rescore")
        assert "another run is at work in this folder" in reason
    assert (content(tmp_path / "run"), times(tmp_path / "run")) == before


# --- In a process of its own --------------------------------------------------------------------------------


def test_in_a_pipe(parts: list[str], tmp_path: Path) -> None:
    """No bar and no line for each shard, and nothing but the report on standard output."""
    command = ["run", *parts, "-o", "run", "--workers", "1", "--rate", "0.5"]
    found = process(*command, cwd=tmp_path)
    assert (found.returncode, found.stderr) == (0, b"")
    assert subset(rate=0.5).sha256[:16].encode() in found.stdout
    assert b"\r" not in found.stdout
    assert b"\x1b" not in found.stdout
    found = process(*command, "-v", "--json", cwd=tmp_path)
    assert found.returncode == 0
    json.loads(found.stdout)


def test_help_is_quick(tmp_path: Path) -> None:
    code = (
        "import sys; from tfdp_fast.cli import main; code = main(['run', '--help'])\n"
        "heavy = {'numpy', 'numba', 'msgspec', 'rich', 'pyarrow', 'ray', 'distributed', 'fsspec'}\n"
        "heavy &= set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else code)"
    )
    found = process(cwd=tmp_path, code=code)
    assert (found.returncode, found.stderr) == (0, b"")
    for text in (b"exit codes:", b"130", b"tfdp run status run/", b"--engine"):
        assert text in found.stdout


def test_without_pyarrow(
    parts: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith("tfdp_fast.distributed")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    line = error_line(capsys, *parts, *RUN)
    assert line == "tfdp: error: this needs pyarrow: pip install 'tfdp-fast[parquet]'\n"
    assert not Path("run").exists()


@pytest.mark.parametrize("engine", ["local", "threads"])
def test_interrupted(tmp_path: Path, engine: str) -> None:
    """Ctrl-C: a line, nothing half-written, and the next one goes on."""
    (tmp_path / "parts").mkdir()
    write_numbered(tmp_path / "parts", 250)
    command = ["run", "parts/*.json", "-o", "run", "--engine", engine, "--workers", "1", "--rate", "0.5"]
    child = subprocess.Popen(
        [sys.executable, "-c", CODE.format(command)],
        cwd=tmp_path,
        env=buffered() | {"NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    counts = tmp_path / "run" / "counts"
    deadline = time.monotonic() + 60
    while not (counts.exists() and any(not one.name.startswith(".") for one in counts.iterdir())):
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out, err) == (130, b"", b"tfdp: interrupted\n")
    there = len(list(counts.iterdir()))
    assert 0 < there < 250
    assert not list((tmp_path / "run").rglob("*.tmp"))
    assert not (tmp_path / "run" / "keep.txt").exists()
    found = process(*command, "--json", cwd=tmp_path)
    assert found.returncode == 0
    result = json.loads(found.stdout)
    assert (result["shards"], result["scored"], result["failed"]) == (250, 250 - there, [])


def write_numbered(folder: Path, n: int) -> None:
    """Files of one image each, whose ids are numbers from 0 on."""
    square = [[1, 1, 9, 1, 9, 9, 1, 9]]
    for number in range(n):
        one = {"id": number, "image_id": number, "category_id": 1, "segmentation": square}
        image = {"id": number, "height": 20, "width": 20}
        data = {"images": [image], "annotations": [one], "categories": [{"id": 1, "name": "x"}]}
        (folder / f"{number:03}.json").write_text(json.dumps(data))
