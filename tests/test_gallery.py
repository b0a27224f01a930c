"""Galleries: `tfdp_fast.gallery` and ``tfdp gallery``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tfdp_fast as tfdp
from cityscapes_support import make_cityscapes, street
from coco_support import text_of
from golden_support import VARIANTS
from picture_support import SQUARE, with_images
from tfdp_fast.cli import main
from tfdp_fast.measuring import MeasuredDataset, measure_dataset
from tfdp_fast.report.gallery import Which
from voc_support import IMAGES, make_voc
from yolo_support import write_yolo


def bars(images: int = 9) -> dict[str, Any]:
    """Images with a bar each, the longer the later, so that the last image is the best."""
    return {
        "images": [{"id": i, "file_name": f"{i}.png", "height": 30, "width": 60} for i in range(images)],
        "categories": [{"id": 1, "name": "bar"}],
        "annotations": [
            {
                "id": i,
                "image_id": i,
                "category_id": 1,
                "segmentation": [[2, 2, 9 + 5 * i, 2, 9 + 5 * i, 6, 2, 6]],
            }
            for i in range(images)
        ],
    }


@pytest.fixture(name="data")
def data_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``data.json``, which the test runs in."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.json").write_bytes(text_of(bars()))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def rows_of(drawn: tfdp.Gallery) -> list[tuple[str, Which, list[Any]]]:
    return [(row.variant, row.which, [image.id for image in row.images]) for row in drawn.rows]


# --- which images -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "options", "expected"),
    [
        (2, {}, [("best", [8, 7]), ("least", [0, 1])]),
        (2, {"k": 5}, [("best", [8, 7]), ("cut", [4, 3]), ("least", [0, 1])]),
        (3, {"k": 5}, [("best", [8, 7, 6]), ("cut", [5, 4, 3]), ("least", [0, 1, 2])]),
        (2, {"rate": 2 / 3}, [("best", [8, 7]), ("cut", [6, 5]), ("least", [0, 1])]),
        (2, {"keep": 0.2}, [("best", [8, 7]), ("cut", [6]), ("least", [0, 1])]),
        (2, {"k": 9}, [("best", [8, 7]), ("least", [0, 1])]),
        (6, {"k": 5}, [("best", [8, 7, 6, 5, 4, 3]), ("least", [0, 1, 2])]),
        (40, {}, [("best", [8, 7, 6, 5, 4, 3, 2, 1, 0])]),
    ],
)
def test_rows(n: int, options: dict[str, Any], expected: list[Any], data: Path) -> None:
    drawn = tfdp.gallery("data.json", data / "x.svg", n, **options)
    assert [row[1:] for row in rows_of(drawn)] == expected
    kept = set(tfdp.select(tfdp.score("data.json"), **options).image_ids.tolist()) if options else None
    for row in drawn.rows:
        for image in row.images:
            assert image.kept == (None if kept is None else image.id in kept)
            assert (image.rank, image.file_name) == (9 - int(image.id), f"{image.id}.png")


def test_the_best_and_the_last_of_voc(shared_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    drawn = tfdp.gallery(shared_data / "voc2012_train.json", tmp_path / "x.png", 3, VARIANTS)
    names = {
        (row.variant, row.which): [Path(str(image.file_name)).stem for image in row.images]
        for row in drawn.rows
    }
    assert names["scs", "best"] == ["2011_002135", "2007_001027", "2008_006140"]
    assert names["si", "best"] == ["2011_002920", "2011_003066", "2011_002135"]
    assert names["cb", "best"] == ["2008_006140", "2007_001027", "2011_002920"]
    assert names["tfdp", "best"] == ["2011_002920", "2007_006673", "2007_009901"]
    last = {variant: names[variant, "least"][0] for variant in VARIANTS}
    assert last == {"scs": "2008_005953", "si": "2008_005874", "cb": "2011_002770", "tfdp": "2008_002248"}
    assert [row.variant for row in drawn.rows] == [variant for variant in VARIANTS for _ in "ab"]
    assert drawn.ranked == dict.fromkeys(VARIANTS, 1463)


def test_it_is_measured_once(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(*arguments: Any, **options: Any) -> MeasuredDataset:
        calls.append(arguments)
        return measure_dataset(*arguments, **options)

    monkeypatch.setattr("tfdp_fast.report.gallery.measure_dataset", counted)
    tfdp.gallery("data.json", data / "x.svg", 2, VARIANTS)
    assert len(calls) == 1


# --- the sheet ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf", ".PNG"])
def test_the_same_bytes_twice(suffix: str, data: Path) -> None:
    images = with_images(data / "images", bars())
    for name, threads in (("a", 1), ("b", 2)):
        tfdp.gallery(
            "data.json", data / f"{name}{suffix}", 3, ("si",), images=images, rate=0.5, threads=threads
        )
    assert (data / f"a{suffix}").read_bytes() == (data / f"b{suffix}").read_bytes()


def test_settings_of_the_user_change_nothing(data: Path) -> None:
    import matplotlib as mpl

    tfdp.gallery("data.json", data / "a.svg", 3)
    with mpl.rc_context(
        {"font.size": 30, "lines.linewidth": 9, "axes.facecolor": "red", "font.family": "serif"}
    ):
        before = dict(mpl.rcParams)
        tfdp.gallery("data.json", data / "b.svg", 3)
        assert dict(mpl.rcParams) == before
    assert (data / "a.svg").read_bytes() == (data / "b.svg").read_bytes()


def largest_area(picture: Path, colour: tuple[int, int, int]) -> tuple[int, int]:
    """Height and width of the box around all pixels of a colour."""
    shown = np.asarray(Image.open(picture).convert("RGB")).astype(int)
    rows, columns = np.nonzero((np.abs(shown - colour) <= 2).all(axis=-1))
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


@pytest.mark.parametrize(("height", "width"), [(30, 60), (60, 30), (2000, 3000), (5, 6)])
def test_a_canvas_has_the_shape_of_its_image(height: int, width: int, data: Path) -> None:
    one = bars(1)
    one["images"][0] |= {"height": height, "width": width}
    for images in (None, with_images(data / "images", one, "#00ff00")):
        tfdp.gallery(one, data / "x.png", 1, images=images)
        shown = largest_area(data / "x.png", (242, 241, 238) if images is None else (0, 255, 0))
        assert shown[1] / shown[0] == pytest.approx(width / height, rel=0.03)


def test_over_the_images(data: Path) -> None:
    images = with_images(data / "images", bars(), "#00ff00")
    blank, over = tfdp.gallery("data.json", "a.png", 2), tfdp.gallery("data.json", "b.png", 2, images=images)
    assert blank.not_shown == over.not_shown == {}
    green = (0, 255, 0)
    counts = [
        int((np.asarray(Image.open(data / name).convert("RGB")) == green).all(axis=-1).sum())
        for name in ("a.png", "b.png")
    ]
    assert counts[0] == 0
    assert counts[1] > 10_000


def test_images_that_are_not_shown(data: Path) -> None:
    images = with_images(data / "images", bars())
    (images / "8.png").unlink()
    Image.new("RGB", (9, 9)).save(images / "0.png")
    with pytest.raises(tfdp.DataError, match="image 0: is 9 × 9 pixels, and its annotations are of 60 × 30"):
        tfdp.gallery("data.json", data / "x.png", 2, images=images)
    assert not (data / "x.png").exists()
    drawn = tfdp.gallery("data.json", data / "x.png", 2, images=images, on_error="skip")
    assert drawn.not_shown == {
        0: "is 9 × 9 pixels, and its annotations are of 60 × 30",
        8: "is not there",
    }


def test_odd_names_many_classes_and_no_area(data: Path) -> None:
    odd = {
        "images": [{"id": "$x_1^{", "file_name": "<a>&\n$\\frac$.png", "height": 40, "width": 40}],
        "categories": [{"id": i, "name": f"$class_{{{i}"} for i in range(30)],
        "annotations": [
            {
                "id": i,
                "image_id": "$x_1^{",
                "category_id": i,
                "segmentation": SQUARE if i else [[3, 3, 4, 4, 3, 4]],
            }
            for i in range(30)
        ],
    }
    for suffix in (".png", ".svg"):
        drawn = tfdp.gallery(odd, data / f"x{suffix}", 1)
        assert rows_of(drawn) == [("tfdp", "best", ["$x_1^{"])]


# --- formats ------------------------------------------------------------------------------------------------


def test_voc_finds_its_images(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    root = make_voc(tmp_path / "VOC", IMAGES)
    (root / "JPEGImages").mkdir()
    for name, (labels, _) in IMAGES.items():
        Image.new("RGB", labels.shape[::-1]).save(root / "JPEGImages" / f"{name}.jpg")
    (root / "JPEGImages" / "2011_000003.jpg").unlink()
    drawn = tfdp.gallery(root, tmp_path / "x.png", 3)
    assert rows_of(drawn) == [("tfdp", "best", tfdp.select(tfdp.score(root), keep=1.0).ranking.tolist())]
    assert drawn.not_shown == {"2011_000003": "is not there"}


@pytest.mark.parametrize("kind", ["yolo", "cityscapes"])
def test_other_formats(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    if kind == "yolo":
        source = write_yolo(tmp_path / "data", bars())
    else:
        source = make_cityscapes(tmp_path / "data", {f"a/a_{i}": street(i) for i in range(3)})
    drawn = tfdp.gallery(source, tmp_path / "x.png", 1)
    ranking = tfdp.select(tfdp.score(source), keep=1.0).ranking.tolist()
    assert rows_of(drawn) == [("tfdp", "best", ranking[:1]), ("tfdp", "least", ranking[-1:])]
    assert drawn.not_shown == {}


# --- the command line ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("data")
def test_lines(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = (
        "gallery",
        "data.json",
        "-o",
        "x.png",
        "-n",
        "2",
        "--k",
        "5",
        "--variant",
        "si",
        "--variant",
        "cb",
    )
    code, shown, said = run(capsys, *arguments)
    scores = tfdp.score("data.json", "si").images.score
    assert (code, said) == (0, "")
    assert shown.splitlines()[:7] == [
        "source: data.json",
        "output: x.png",
        "polygons: as coco",
        "si, ranked images: 9, 5 kept",
        f"si, best: 8 ({scores[8]:.6g}), 7 ({scores[7]:.6g})",
        f"si, at the cut: 4 ({scores[4]:.6g}), 3 ({scores[3]:.6g})",
        f"si, least: 0 ({scores[0]:.6g}), 1 ({scores[1]:.6g})",
    ]
    assert len(shown.splitlines()) == 11
    code, shown, _ = run(capsys, *arguments[:6], "--variant", "all", "--json")
    report = json.loads(shown)
    assert (code, report["output"], list(report["ranked"])) == (0, "x.png", ["tfdp", "scs", "si", "cb"])
    assert report["rows"][0]["images"][0]["rank"] == 1


def test_what_was_set_aside_is_said(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = bars()
    bad["annotations"][3]["segmentation"] = [[1, 2, 3]]
    (data / "bad.json").write_bytes(text_of(bad))
    code, shown, _ = run(capsys, "gallery", "bad.json", "-o", "x.png", "--on-error", "skip")
    assert (code, shown.splitlines()[-1]) == (1, "set aside: 1 annotation")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("data.json",), "the following arguments are required: -o/--output"),
        (("data.json", "-o", "x.jpg"), "x.jpg: the suffix of a picture is one of .png, .svg, .pdf"),
        (("data.json", "-o", "-"), "a picture goes to a file"),
        (("data.json", "-o", "data.json"), "data.json: is the file that is being read"),
        (("data.json", "-o", "x.png", "-n", "0"), "n, the images in a row, must be from 1 to 40, got 0"),
        (("data.json", "-o", "x.png", "--rate", "0.5", "--k", "3"), "not allowed with argument"),
        (("data.json", "-o", "x.png", "--k", "10"), "10 images cannot be kept: 9 are scored"),
        (
            ("data.json", "-o", "x.png", "--variant", "si", "--variant", "si"),
            "a variant is named twice: si, si",
        ),
        (("data.json", "-o", "x.png", "--images", "nowhere"), "nowhere: is no folder of images"),
        (("data.json", "-o", "x.png", "--images", "."), "image 0: is not there"),
        (("nothing.json", "-o", "x.png"), "nothing.json"),
        (
            ("empty.json", "-o", "x.png"),
            "empty.json: no image is ranked: none has an instance that is scored",
        ),
    ],
)
def test_faults(
    arguments: tuple[str, ...], reason: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "empty.json").write_bytes(text_of(bars() | {"annotations": []}))
    code, shown, said = run(capsys, "gallery", *arguments)
    assert (code, shown, said.count("\n")) == (2, "", 1)
    assert reason in said
    assert sorted(path.name for path in data.iterdir()) == ["data.json", "empty.json"]


@pytest.mark.parametrize("variants", ["tfdp", [], ["other"]])
def test_variants_that_are_none(variants: Any, data: Path) -> None:
    with pytest.raises(tfdp.OptionError, match="variant"):
        tfdp.gallery(bars(), data / "x.png", variants=variants)


def test_an_image_or_a_mask_is_not_overwritten(data: Path) -> None:
    images = with_images(data / "images", bars())
    with pytest.raises(tfdp.OutputError, match="is an image of the data set"):
        tfdp.gallery("data.json", images / "3.png", 1, images=images)
    tfdp.gallery("data.json", images / "gallery.png", 1, images=images)
    tfdp.gallery("data.json", images / "gallery.png", 1, images=images)
    root = make_voc(data / "VOC", IMAGES)
    mask = root / "SegmentationObject" / "2007_000032.png"
    before = mask.read_bytes()
    with pytest.raises(tfdp.OutputError, match="is in the data set that is being read"):
        tfdp.gallery(root, mask, 1)
    assert mask.read_bytes() == before
    tfdp.gallery(root, root / "gallery.png", 1)


def test_without_matplotlib(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, shown, said = run(capsys, "gallery", "data.json", "-o", "x.png")
    message = "tfdp: error: this needs matplotlib: pip install 'tfdp-fast[figures]'\n"
    assert (code, shown, said) == (2, "", message)
    assert not (data / "x.png").exists()
