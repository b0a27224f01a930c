"""What goes wrong with ``tfdp bench paper``: one line says it, and nothing stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tfdp_fast import cli
from tfdp_fast.errors import DataError
from tfdp_fast.timing import data_set


@pytest.fixture(name="folder")
def folder_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a folder for temporary files in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TFDP_TEST_DATA", raising=False)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(["bench", "paper", *arguments])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


WRONG: list[tuple[list[str], str]] = [
    (["--voc", "no.json"], "no.json: cannot be read: No such file or directory"),
    (["--coco", "."], ".: is a folder: give a COCO file, as the authors' code reads it"),
    (["--cityscapes", "a.json"], "a.json: is no folder: give the one that holds gtFine"),
    (["--cityscapes", "voc"], "voc: is a data set of the format voc, not cityscapes"),
    (["--cityscapes", "temporary"], "temporary: is no data set that is known"),
    (["--scale", "0"], "scale is a share of the data sets' size, 0 < scale <= 1, got 0.0"),
    (["--scale", "2"], "0 < scale <= 1, got 2.0"),
    (["--scale", "nan"], "0 < scale <= 1, got nan"),
    (["--scale", "all"], "'all' is not a share: write 0.1"),
    (["--rounds", "0"], "rounds must be a whole number of at least 1, got 0"),
    (["--threads", "0"], "threads must be a whole number of at least 1, got 0"),
    (["-o", "no/page.md"], "does not exist"),
    (["-o", "temporary"], "temporary: is a folder"),
    (["-o", "a.json", "--coco", "a.json"], "a.json: is the file that is being read"),
    (["-o", "-", "--json"], "-o - and --json cannot both have standard output"),
]


@pytest.mark.parametrize(("arguments", "reason"), WRONG)
def test_wrong_arguments(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    (folder / "a.json").write_text("{}")
    (folder / "voc/SegmentationObject").mkdir(parents=True)
    (folder / "voc/ImageSets/Segmentation").mkdir(parents=True)
    (folder / "voc/ImageSets/Segmentation/train.txt").write_text("a\n")
    code, shown, errors = run(capsys, *arguments)
    assert (code, shown) == (2, "")
    assert errors.count("\n") == 1
    assert reason in errors
    assert (folder / "a.json").read_text() == "{}"


def test_bench_needs_a_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench"]) == 2
    assert capsys.readouterr().err == (
        "tfdp bench: error: say what to compare with: paper (see tfdp bench --help)\n"
    )
    assert cli.main(["bench", "paper", "--help"]) == 0
    assert "tfdp bench paper --scale 0.01" in capsys.readouterr().out


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (DataError("a", None, "why"), 2)])
def test_nothing_is_left(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
) -> None:
    seen: list[Any] = []

    def fail(trial: data_set.Trial, _: Any) -> None:
        seen.extend((folder / "temporary").iterdir())
        assert trial.source.path.exists()
        raise error

    monkeypatch.setattr(data_set.Trial, "run", fail)
    (folder / "page.md").write_text("before")
    assert run(capsys, "--scale", "0.002", "-o", "page.md")[0] == code
    assert len(seen) == 1
    assert not list((folder / "temporary").iterdir())
    assert (folder / "page.md").read_text() == "before"


def test_ctrl_c(folder: Path) -> None:
    command = "import sys; from tfdp_fast.cli import run; sys.exit(run())"
    process = subprocess.Popen(
        [sys.executable, "-c", command, "bench", "paper", "--scale", "0.1", "-o", "page.md"],
        env=os.environ | {"TMPDIR": str(folder / "temporary")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    deadline = time.monotonic() + 100
    while not list((folder / "temporary").glob("tfdp-bench-*/*")) and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to its children as well
    shown, errors = process.communicate(timeout=100)
    assert (process.returncode, shown, errors) == (130, b"", b"tfdp: interrupted\n")
    assert not list((folder / "temporary").iterdir())
    assert not (folder / "page.md").exists()
