"""``tfdp compare`` and ``--preset`` on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from coco_support import text_of
from official_support import BAR, made
from tfdp_fast.cli import main

CRLF = "a\r\nb.jpg"


@pytest.fixture(name="data")
def data_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in the current folder: 6 images, of which one is small, one bare, and one has a box outside."""
    annotations: list[dict[str, Any]] = [
        {"image_id": i, "segmentation": [[4, 4, 20, 4, 20, 5 + 3 * i]]} for i in range(5)
    ]
    annotations += [{"image_id": 0, "bbox": [99, 0, 9, 9]}, {"image_id": 1, "area": 0, "segmentation": BAR}]
    images = [*[(40, 50)] * 4, (31, 50), (40, 50)]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.json").write_bytes(text_of(made(annotations, images)))
    return tmp_path / "data.json"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    shown = capsys.readouterr()
    return code, shown.out, shown.err


@pytest.mark.usefixtures("data")
def test_prune_by_the_preset(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("prune", "data.json", "--preset", "official", "--rate", "50%", "-o", "out.json")
    code, shown, _ = run(capsys, *arguments)
    assert code == 0
    for line in (
        "variant: tfdp, polygons as opencv",
        "preset: official, which keeps 4 images",
        "images left out: 1 without an annotation, 1 below 32 pixels",
        "annotations left out: 1 with a box outside the image, 1 with no area, or a box below one pixel",
        "candidates: 4 that the preset keeps",
        "kept: 2 (50.0%) of the candidates",
        "k: 2: 50 % of the 4 images that the preset keeps",
    ):
        assert f"\n{line}\n" in shown
    code, shown, _ = run(capsys, *arguments, "--json")
    report = json.loads(shown)
    assert report["preset"] == {
        "name": "official",
        "images": 4,
        "data_set": None,
        "skipped": {"outside": 1, "tiny": 1},
        "dropped": {"unannotated": 1, "small": 1},
    }
    assert (report["reckoning"], report["polygons"]) == (
        "50 % of the 4 images that the preset keeps",
        "opencv",
    )
    assert report["images"]["candidates_are"] == "official"


@pytest.mark.usefixtures("data")
def test_score_by_the_preset(capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, _ = run(capsys, "score", "data.json", "--preset", "official")
    assert code == 0
    assert "\nimages left out: 1 without an annotation, 1 below 32 pixels\n" in shown
    code, shown, _ = run(capsys, "score", "data.json", "--json")
    assert "preset" not in json.loads(shown)


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--polygons", "coco"), "the preset 'official' fills polygons as OpenCV does"),
        (("--difficult", "exclude"), "the preset 'official' includes difficult objects"),
        (("--of", "all"), "the preset 'official' says which images there are to select"),
        (("--preset", "mine"), "argument --preset: invalid choice: 'mine'"),
    ],
)
def test_contradictions(options: tuple[str, ...], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("prune", "data.json", "--preset", "official", "--k", "1", "-o", "x.json", *options)
    code, shown, said = run(capsys, *arguments)
    assert (code, shown, said.count("\n")) == (2, "", 1)
    assert reason in said


@pytest.fixture(name="files")
def files_fixture(data: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The same with scores by two variants, and a subset by each."""
    for name, options in (("a", ()), ("b", ("--variant", "scs"))):
        assert main(["score", "data.json", "-o", f"{name}.npz", *options]) == 0
        assert main(["prune", "data.json", "--k", "2", "-o", f"{name}.json", *options]) == 0
    capsys.readouterr()
    return data.parent


@pytest.mark.usefixtures("files")
def test_compare_score_files(capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, said = run(capsys, "compare", "a.npz", "b.npz", "--k", "1", "--top", "1")
    assert (code, said) == (1, "")
    lines = shown.splitlines()
    assert lines[:6] == [
        "A: a.npz: scores of 5 images, and 1 of score 0",
        "B: b.npz: scores of 5 images, and 1 of score 0",
        "matched by: id",
        "in both: 5",
        "only in A: 0",
        "only in B: 0",
    ]
    assert [line.partition(":")[0] for line in lines[6:]] == [
        "rank correlation",
        "largest difference",
        "best 4 (20 % pruned)",
        "best 4 (30 % pruned)",
        "best 3 (40 % pruned)",
        "best 3 (50 % pruned)",
        "best 1",
        "moved",
        "result",
    ]
    assert lines[-1] == "result: different"
    code, shown, _ = run(capsys, "compare", "a.npz", "a.npz")
    assert (code, shown.splitlines()[-1]) == (0, "result: the same")
    assert "\nrank correlation: 1\nlargest difference: 0 relative, 0 absolute\n" in shown


@pytest.mark.usefixtures("files")
def test_compare_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, _ = run(capsys, "--json", "compare", "a.npz", "b.npz")
    report = json.loads(shown)
    assert (code, report["same"], report["kind_a"], report["images_both"]) == (1, False, "scores", 5)
    assert (report["only_a"], report["only_b"]) == ([], [])
    assert len(report["overlaps"]) == 4
    assert set(report["overlaps"][0]) == {"rate", "k", "both", "share", "jaccard"}
    assert set(report["places"][0]) == {"id", "file_name", "rank_a", "rank_b", "score_a", "score_b"}
    assert -1 <= report["spearman"] <= 1


def test_compare_scores_and_subsets(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, _ = run(capsys, "compare", "a.npz", "a.json")
    assert (code, shown.splitlines()[-2:]) == (
        0,
        ["best 2: 2 in both (100.00%), Jaccard 1.0000", "result: the same"],
    )
    ids = [image["id"] for image in json.loads((files / "a.json").read_bytes())["images"]]
    other = next(i for i in range(5) if i not in ids)
    (files / "c.txt").write_text(f"{ids[0]}\n{other}\n77\n")
    code, shown, _ = run(capsys, "compare", "c.txt", "a.npz")
    astray = [line for line in shown.splitlines() if line.startswith("astray: ")]
    assert code == 1
    assert f"astray: {ids[1]} ({ids[1]}.png): rank " in shown
    assert sum(line.endswith("), not in the subset") for line in astray) >= 1
    assert astray[-1] == "astray: 77: in the subset"
    code, shown, _ = run(capsys, "compare", "a.json", "c.txt")
    assert (code, shown.splitlines()[4:6]) == (1, [f"only in A: 1 ({ids[1]})", f"only in B: 2 ({other}, 77)"])
    assert "\noverlap: 1 in both (33.33%), Jaccard 0.2500\n" in shown


@pytest.mark.usefixtures("files")
def test_compare_is_quiet_when_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "compare", "-q", "a.npz", "b.npz") == (1, "", "")
    assert run(capsys, "compare", "-q", "a.npz", "a.npz") == (0, "", "")
    assert run(capsys, "compare", "-q", "a.npz", "b.npz", "--tolerance", "0.999999")[0] == 0


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("a.npz", "nothing.npz"), "nothing.npz: cannot be read: No such file or directory"),
        (("a.npz",), "the following arguments are required: B"),
        (("a.npz", "a.json", "--k", "1"), "a subset has its number of images"),
        (("a.npz", "b.npz", "--k", "9"), "9 images cannot be kept: 5 are scored"),
        (("a.npz", "b.npz", "--tolerance", "2"), "tolerance must be at least 0 and below 1, got 2.0"),
        (("a.npz", "b.npz", "--top", "-1"), "top must be a whole number of at least 0, got -1"),
        (("a.npz", "b.npz", "--rate", "0.5", "--k", "1"), "not allowed with argument"),
    ],
)
def test_bad_usage(arguments: tuple[str, ...], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, said = run(capsys, "compare", *arguments)
    assert (code, shown, said.count("\n")) == (2, "", 1)
    assert said.startswith("tfdp")
    assert reason in said


def test_names_are_on_one_line(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, order in (("p", (1, 2)), ("q", (2, 1))):
        rows = "".join(f'{i},"{CRLF}",{score}.0,1,1\n' for i, score in enumerate(order))
        (files / f"{name}.csv").write_text(
            "image_id,file_name,score,annotations,instances\n" + rows, newline=""
        )
    _, shown, _ = run(capsys, "compare", "p.csv", "q.csv")
    assert shown.count("moved: ") == 2
    assert "1 (a\\r\\nb.jpg): rank 1 in A (score 2), rank 2 in B (score 1)" in shown


def test_help_says_what_the_exit_codes_are(capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, _ = run(capsys, "compare", "--help")
    assert code == 0
    assert "1  different" in shown
    assert "set aside" not in shown
