"""``tfdp stats``, and the figures of statistics."""

from __future__ import annotations

import io
import json
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import tfdp_fast as tfdp
from cli_support import changed, process
from coco_support import text_of
from official_support import BAR, made
from tfdp_fast import _console
from tfdp_fast._reports_stats import LISTED, bar, stats_report
from tfdp_fast.cli import main
from tfdp_fast.errors import MissingExtraError
from tfdp_fast.report.figures import PANELS, save_figures

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(name="data")
def data_fixture(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`folder`, and in it."""
    monkeypatch.chdir(folder)
    changed(folder, lambda data: data["annotations"].pop())  # the one without a mask
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["stats", *arguments])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def texts(svg: bytes) -> list[str]:
    return ["".join(element.itertext()) for element in ET.fromstring(svg).iter(f"{SVG}text")]


def many_classes(n: int, name: str = "class {}") -> dict[str, Any]:
    """Two images for each class, and of each class another number of instances, up to seven."""
    return {
        "images": [{"id": i, "height": 40, "width": 40} for i in range(2 * n)],
        "categories": [{"id": c, "name": name.format(c)} for c in range(n)],
        "annotations": [
            {
                "id": 10 * c + i,
                "image_id": 2 * c + i % 2,
                "category_id": c,
                "segmentation": [[1, 1, 9 + 3 * i, 1, 9 + i, 20, 4, 3 + c % 30]],
            }
            for c in range(n)
            for i in range(1 + c % 7)
        ],
    }


@pytest.mark.usefixtures("data")
def test_lines(capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, said = run(capsys, "data.json")
    assert (code, said) == (0, "")
    lines = dict(line.split(": ", 1) for line in shown.splitlines())
    assert len(lines) == len(shown.splitlines())
    assert lines["images"] == "6"
    assert lines["annotated images"] == "5"
    assert lines["scored images"] == "4"
    assert lines["scored instances"] == "8"
    assert lines["crowd regions"] == "1 (not scored)"
    assert lines["ignored"] == "1 (not scored)"
    assert lines["instances per image"] == "mean 2, from 2 to 2, quartiles 2 / 2 / 2"
    assert lines["classes"] == "2 with an instance, of 2"
    assert lines["small"] == "8 (100.0%) below 32 x 32 pixels"
    assert lines["class cat"].startswith("instances 4, share 50.0%, images 4, SI-SCS total ")
    assert lines["area 0-5 %"].startswith("instances 8")
    assert sum(label.startswith("area ") for label in lines) == 20
    assert sum(label.startswith("scores ") for label in lines) == 8
    assert lines["pruned 50 %"] == (
        "images 2, instances 4, kept 50.0%, by chance 50.0%, worst 50.0%, evenness 1, max/min 1, lost 0"
    )
    assert lines["kept of dog"].startswith("20 % 75.0%, 30 % 75.0%, 40 % 50.0%, ")


@pytest.mark.usefixtures("data")
def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, said = run(capsys, "data.json", "--json", "--keep", "0.25", "--variant", "si")
    report = json.loads(shown)
    assert (code, said, shown.count("\n")) == (0, "", 1)
    expected = tfdp.statistics("data.json", "si", keep=0.25).to_dict()
    assert report == expected | {"output": None}
    assert report["balance"]["prunings"][0]["images"] == 1
    assert report["classes"][1]["name"] == "dog"


def test_preset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "data.json"
    path.write_bytes(text_of(made([{"segmentation": BAR}], [(40, 50), (40, 50)])))
    code, shown, _ = run(capsys, str(path), "--preset", "official")
    assert code == 0
    assert "\npreset: official, which keeps 1 images\n" in shown
    assert "\nvariant: tfdp, polygons as opencv\n" in shown
    _, shown, _ = run(capsys, str(path), "--preset", "official", "--json")
    assert json.loads(shown)["preset"]["dropped"] == {"unannotated": 1}


@pytest.mark.usefixtures("data")
def test_without_areas(capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, _ = run(capsys, "data.json", "--no-areas", "-o", "x.svg")
    assert code == 0
    assert not re.search(r"^(area|small|medium|large)", shown, re.MULTILINE)
    assert "Instance area" not in texts(Path("x.svg").read_bytes())


@pytest.mark.usefixtures("data")
def test_set_aside(capsys: pytest.CaptureFixture[str]) -> None:
    changed(Path(), lambda data: data["annotations"][0].update(segmentation=[[1, 2, 3]]))
    code, shown, said = run(capsys, "data.json")
    assert (code, shown, said.count("\n")) == (2, "", 1)
    code, shown, _ = run(capsys, "data.json", "--on-error", "skip")
    assert code == 1
    assert "\nset aside: 1 record\nproblem: annotation 1: " in shown


def test_standard_input(data: Path) -> None:
    done = process("stats", "-", "--json", cwd=data, data=(data / "data.json").read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")
    report = json.loads(done.stdout)
    assert (report["source"], report["areas"]["small"]) == ("-", 8)


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("data.json", "-o", "x.pdf"), "x.pdf: figures are .png or .svg files, or a new folder"),
        (("data.json", "-o", "-"), "-: figures are .png or .svg files"),
        (("data.json", "-o", "no/x.svg"), "does not exist"),
        (("data.json", "-o", "full/"), "is there already"),
        (("data.json", "-o", "link.svg"), "is the file that is being read"),
        (("data.json", "--k", "9"), "9 images cannot be kept: 4 are scored"),
        (("data.json", "--k", "1", "--rate", "0.5"), "not allowed with argument"),
        (("nothing.json",), "nothing.json"),
    ],
)
def test_refusals(arguments: tuple[str, ...], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("full").mkdir()
    Path("full", "file").touch()
    Path("link.svg").symlink_to("data.json")
    before = sorted(path.name for path in Path().iterdir())
    code, shown, said = run(capsys, *arguments)
    assert (code, shown, said.count("\n")) == (2, "", 1)
    assert reason in said
    assert sorted(path.name for path in Path().iterdir()) == before


@pytest.mark.usefixtures("data")
def test_matplotlib_is_an_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=re.escape("tfdp-fast[figures]")):
        save_figures(tfdp.statistics("data.json"), "x.svg")
    code, _, said = run(capsys, "data.json", "-o", "x.svg")
    assert (code, said) == (2, "tfdp: error: this needs matplotlib: pip install 'tfdp-fast[figures]'\n")
    assert not Path("x.svg").exists()
    assert run(capsys, "data.json")[0] == 0


@pytest.mark.usefixtures("data")
def test_figure_files(capsys: pytest.CaptureFixture[str]) -> None:
    Path("new").mkdir()
    for output in ("a.png", "b.PNG", "a.svg", "b.svg", "new", "other/"):
        code, shown, _ = run(capsys, "data.json", "-o", output)
        assert code == 0
        assert f"\noutput: {output}\n" in shown
    for name in ("a.png", "b.PNG"):
        with Image.open(name) as picture:
            picture.verify()
            assert picture.format == "PNG"
            assert min(picture.size) > 1000
    assert Path("a.png").read_bytes() == Path("b.PNG").read_bytes()
    assert Path("a.svg").read_bytes() == Path("b.svg").read_bytes()
    written = texts(Path("a.svg").read_bytes())
    for text in ("Instance area", "share of the image, %", "cat", "dog", "si: SI-SCS", "images pruned, %"):
        assert text in written
    for output in ("new", "other"):
        files = sorted(path.name for path in Path(output).iterdir())
        assert files == sorted(f"{name}.svg" for name in PANELS)
    assert "images" in texts(Path("new", "per_image.svg").read_bytes())
    assert not list(Path().glob(".tfdp*"))


@pytest.mark.parametrize("n", [0, 1, 8, 80, 1230])
@pytest.mark.parametrize("options", [{}, {"rate": 0.5}], ids=["all rates", "one rate"])
def test_figures_of_any_number_of_classes(n: int, options: dict[str, Any], tmp_path: Path) -> None:
    found = tfdp.statistics(many_classes(n), **options)
    path = tmp_path / "x.svg"
    save_figures(found, path)
    written = texts(path.read_bytes())
    named = {f"class {c}" for c in range(n)} & set(written)
    assert len(named) == (n if n <= 80 else 0)
    assert any("1,230 classes, from class 6 to" in text for text in written) == (n == 1230)
    assert ("no instances" in written) == (n == 0)
    assert any("fewer than two classes" in text for text in written) == (n < 2)


def test_names_are_text(tmp_path: Path) -> None:
    data = many_classes(3, name=r"<b>$\frac$ & {}" + "漢字\n\ud800\x07")
    found = tfdp.statistics(data)
    save_figures(found, tmp_path / "x.svg")
    assert r"<b>$\frac$ & 0漢字\…" in texts((tmp_path / "x.svg").read_bytes())
    save_figures(found, tmp_path / "x.png")


def test_figures_leave_the_settings_alone(tmp_path: Path) -> None:
    import matplotlib as mpl

    found = tfdp.statistics(many_classes(3))
    save_figures(found, tmp_path / "a.svg")
    with mpl.rc_context({"font.size": 30, "axes.grid": True, "svg.fonttype": "path"}):
        before = dict(mpl.rcParams)
        save_figures(found, tmp_path / "b.svg")
        assert dict(mpl.rcParams) == before
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert "matplotlib.pyplot" not in process("--version", cwd=tmp_path, code=DRAWS).stdout.decode().split()


DRAWS = """
import sys
import tfdp_fast as tfdp
from tfdp_fast.report.figures import save_figures
save_figures(tfdp.statistics({"images": [], "annotations": [], "categories": []}), "x.png")
print(*sys.modules)
"""


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return True


def on_terminal(n: int, width: int, monkeypatch: pytest.MonkeyPatch, encoding: str = "utf-8") -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    stream = Terminal(encoding)
    report = stats_report(tfdp.statistics(many_classes(n)), "x.json", None)
    _console.show(report, as_json=False, quiet=False, stream=stream)
    return re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())


def test_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = on_terminal(LISTED + 1, 120, monkeypatch)
    for title in ("Classes, by", "Instance area, as", "Scores, by variant", "Class balance, pruned by tfdp"):
        assert f"\n{title}" in shown
    assert shown.count("and 1 more, in a pipe or with --json") == 2
    assert bar(1.0) in shown
    narrow = on_terminal(3, 80, monkeypatch)
    classes = narrow[narrow.index("Classes, by") : narrow.index("Instance area")]
    assert bar(1.0) not in classes  # too wide for it
    assert bar(1.0) in narrow[narrow.index("Instance area") : narrow.index("Scores, by")]
    assert max(map(len, narrow.splitlines())) <= 80
    assert on_terminal(3, 120, monkeypatch, "ascii").isascii()


def test_bars() -> None:
    assert [len(bar(part)) for part in (0, 1e-6, 0.5, 1)] == [0, 1, 6, 12]
