"""The examples of the README and of the decision records do what they say."""

from __future__ import annotations

import contextlib
import doctest
import io
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

import tfdp_fast as tfdp
from loader_support import Detection
from tfdp_fast.cli import main
from tfdp_fast.demo import make_demo

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PAPER = ROOT / "docs" / "paper.md"
PAGES = [
    path
    for path in sorted((ROOT / "docs").glob("*.md"))
    if path != PAPER and ">>>" in path.read_text("utf-8")
]
RECORDS = sorted((ROOT / "docs" / "adr").glob("*.md"))
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CONSOLE = re.compile(r"^```console\n\$ (tfdp [^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder that the examples run in: what `tfdp demo` leaves, and a file with a fault."""
    annotations = make_demo(tmp_path / "tfdp-demo")
    bad = json.loads(annotations.read_text("utf-8"))
    bad["annotations"][16]["segmentation"] = [[1, 2, 3]]
    (tmp_path / "bad.json").write_text(json.dumps(bad), "utf-8")
    monkeypatch.chdir(tmp_path)


def run_examples(path: Path) -> int:
    """Run all Python examples of a page, one after the other; how many there were."""
    examples = doctest.DocTestParser().get_doctest(path.read_text("utf-8"), {}, path.name, str(path), 0)
    result = doctest.DocTestRunner().run(examples)
    assert result.failed == 0
    return result.attempted


def output_of(command: str) -> str:
    """What a command prints, wherever to."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        main(shlex.split(command)[1:])
    return shown.getvalue()


@pytest.mark.usefixtures("demo")
def test_python() -> None:
    assert run_examples(README) > 10


@pytest.mark.usefixtures("demo")
def test_torch() -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed (extra torch)", exc_type=ImportError)
    [example] = PYTHON.findall(README.read_text("utf-8"))
    scores = tfdp.score("tfdp-demo/annotations.json")
    names: dict[str, Any] = {
        "scores": scores,
        "subset": tfdp.select(scores, rate=0.5),
        "scorer": tfdp.Scorer(scores),
        "dataset": Detection(json.loads(Path("tfdp-demo/annotations.json").read_bytes())),
    }
    seen: list[Any] = []
    exec(example.replace("...", "seen.extend(batch)"), names | {"seen": seen})
    assert len(seen) == 2 * len(names["subset"])
    of_image = dict(zip(scores.images.id.tolist(), scores.images.score.tolist(), strict=True))
    for image, target in seen:
        assert {annotation["image_score"] for annotation in target} == {of_image[int(image[0, 0])]}


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize(("command", "expected"), CONSOLE.findall(README.read_text("utf-8")))
def test_console(command: str, expected: str) -> None:
    assert output_of(command) == expected


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages(page: Path) -> None:
    for command, expected in CONSOLE.findall(page.read_text("utf-8")):
        assert output_of(command) == expected
    assert run_examples(page) > 3


def test_paper(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is about real annotations; lines of three dots stand for any."""
    for name in ("voc2012_train.json", "coco_val2014_100.json"):
        (tmp_path / name).symlink_to(shared_data / name)
    monkeypatch.chdir(tmp_path)
    commands = CONSOLE.findall(PAPER.read_text("utf-8"))
    for command, expected in commands:
        found = output_of(command)
        assert doctest.OutputChecker().check_output(expected, found, doctest.ELLIPSIS), found
    assert len(commands) > 8
    assert run_examples(PAPER) == 4


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_decision_records(path: Path) -> None:
    run_examples(path)


@pytest.mark.parametrize("path", [README, *ROOT.glob("[C]*.md"), *ROOT.glob("docs/**/*.md")], ids=str)
def test_links(path: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", path.read_text("utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []
