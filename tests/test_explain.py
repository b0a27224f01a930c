"""Why an image has its score and its rank: `tfdp_fast.explain` and ``tfdp explain``."""

from __future__ import annotations

import json
import math
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfdp_fast as tfdp
from cityscapes_support import make_cityscapes, street
from cli_support import process
from coco_support import text_of
from golden_support import VARIANTS
from picture_support import three_images, with_images
from tfdp_fast.cli import main
from tfdp_fast.report.explanations import ExplainedInstance
from tfdp_fast.scores import Variant
from voc_support import IMAGES, make_voc
from yolo_support import write_yolo

VOC = "voc2012_train.json"


@pytest.fixture(name="data")
def data_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``data.json``, which the test runs in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.json").write_bytes(text_of(three_images()))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    shown = capsys.readouterr()
    return code, shown.out, shown.err


# --- values -------------------------------------------------------------------------------------------------


def test_by_hand() -> None:
    # pycocotools fills 2..11: a contour of 36 steps around 81. The bar is 24 x 3 pixels: 23 by 2.
    square, bar = 36 / (2 * math.sqrt(math.pi * 81)), 50 / (2 * math.sqrt(math.pi * 46))
    found = tfdp.explain(three_images(), 7)
    assert [instance.id for instance in found.instances] == [2, 1, 3]
    dog, cat, flat = found.instances
    assert dog == ExplainedInstance(
        number=1,
        position=1,
        id=2,
        category_id=6,
        category="dog",
        role="scored",
        straight=50,
        diagonal=0,
        area2=92,
        perimeter=50.0,
        area=46.0,
        scs=50 / 46,
        si_scs=bar,
        class_total=bar,
        cb_scs=1.0,
        score=1.0,
        share=1 / found.score,
        rank=1,
    )
    assert (cat.scs, cat.si_scs) == (36 / 81, square)
    assert cat.class_total == pytest.approx(square + bar, rel=1e-15)
    assert cat.score == pytest.approx(square / (square + bar), rel=1e-15)
    assert (flat.area2, flat.score, flat.share, flat.rank, flat.degenerate) == (0, 0.0, 0.0, 4, True)
    assert found.score == pytest.approx(1 + square / (square + bar), rel=1e-15)
    assert (found.rank, found.ranked, found.instances_ranked) == (1, 2, 4)
    assert (found.percentile, found.largest_rate, found.not_ranked) == (50.0, 0.75, None)
    assert found.kept_at == {rate / 10: rate <= 7 for rate in range(1, 10)}


def test_crowd_regions_are_listed_as_such() -> None:
    found = tfdp.explain(three_images(), 9)
    assert found.instances == [ExplainedInstance(1, 4, 5, 5, "cat", "crowd")]
    assert (found.score, found.rank, found.percentile, found.largest_rate) == (0.0, None, None, None)
    assert found.not_ranked == "it has crowd regions only"
    assert not any(found.kept_at.values())


def test_why_an_image_is_not_ranked() -> None:
    data = three_images()
    data["images"] += [{"id": i, "file_name": f"{i}.png", "height": 40, "width": 40} for i in (10, 11, 12)]
    data["annotations"] += [
        {"id": 10, "image_id": 11, "category_id": 5, "segmentation": [[1, 2, 3]]},
        {"id": 11, "image_id": 12, "category_id": 5, "segmentation": [[3, 3, 3, 9, 3, 5]]},
    ]
    assert tfdp.explain(data, 10, on_error="skip").not_ranked == "it has no annotation that counts"
    bad = tfdp.explain(data, 11, on_error="skip")
    assert bad.not_ranked == "none of its annotations could be used"
    assert [instance.role for instance in bad.instances] == ["set aside"]
    assert [problem.record for problem in bad.problems] == ["annotation 10"]
    del data["annotations"][-2]
    assert tfdp.explain(data, 12).rank == 3  # ranked, with a score of 0
    for annotation in data["annotations"]:
        annotation |= {"bbox": [1, 1, 9, 9], "area": 9}
    flat = tfdp.explain(data, 12, preset="official")
    assert flat.not_ranked == "its score is 0, and the preset ranks positive scores only"
    assert [instance.share for instance in flat.instances] == [0.0]
    small = tfdp.explain(data, 7, preset="official")
    assert small.not_ranked == "the preset 'official' leaves it out"
    assert {instance.role for instance in small.instances} == {"left out"}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_image_adds_up_to_its_score(variant: Variant, shared_data: Path) -> None:
    source = shared_data / "coco_val2014_100.json"
    scores = tfdp.score(source, variant)
    balanced = tfdp.score(source, "tfdp" if variant in {"si", "tfdp"} else "cb")
    assert scores.instances is not None
    assert balanced.instances is not None
    dataset = tfdp.open_dataset(source)
    of_instance = dict(zip(scores.instances.id.tolist(), scores.instances.score.tolist(), strict=True))
    cb_scs = dict(zip(balanced.instances.id.tolist(), balanced.instances.score.tolist(), strict=True))
    ranks = (-scores.instances.score).argsort(kind="stable").argsort() + 1
    rank_of = dict(zip(scores.instances.id.tolist(), ranks.tolist(), strict=True))
    ranking = tfdp.select(scores, keep=1.0).ranking.tolist()
    for image_id, score in list(zip(scores.images.id.tolist(), scores.images.score.tolist(), strict=True))[
        ::7
    ]:
        found = tfdp.explain(dataset, image_id, variant)
        assert found.score == score
        assert found.rank == ranking.index(image_id) + 1
        scored = [instance for instance in found.instances if instance.role == "scored"]
        for instance in scored:
            assert instance.score == of_instance[instance.id]
            assert instance.cb_scs == cb_scs[instance.id]
            assert instance.rank == rank_of[instance.id]
        assert [i.score for i in scored] == sorted((i.score or 0 for i in scored), reverse=True)
        assert math.fsum(i.score or 0 for i in scored) == score
        assert math.fsum(i.share or 0 for i in scored) == pytest.approx(1, abs=1e-15 * len(scored))


GOLDEN: dict[Variant, tuple[list[tuple[str, float]], str]] = {
    "scs": (
        [("2011_002135", 64.811144686), ("2007_001027", 58.905393427), ("2008_006140", 51.996482328)],
        "2008_005953",
    ),
    "si": (
        [("2011_002920", 65.509589279), ("2011_003066", 50.992356256), ("2011_002135", 47.321967342)],
        "2008_005874",
    ),
    "cb": (
        [("2008_006140", 0.71896067), ("2007_001027", 0.451114826), ("2011_002920", 0.40104969)],
        "2011_002770",
    ),
    "tfdp": (
        [("2011_002920", 0.209853078), ("2007_006673", 0.11551964), ("2007_009901", 0.099594849)],
        "2008_002248",
    ),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_best_and_the_last_of_voc(variant: Variant, shared_data: Path) -> None:
    best, last = GOLDEN[variant]
    for rank, (name, score) in enumerate(best, 1):
        found = tfdp.explain(shared_data / VOC, name, variant)
        assert (found.rank, found.ranked) == (rank, 1463)
        assert found.score == pytest.approx(score, rel=2e-8)
    found = tfdp.explain(shared_data / VOC, f"{last}.jpg", variant)
    assert (found.rank, found.percentile) == (1463, 0.0)


@pytest.mark.parametrize(
    ("annotation", "area", "perimeter", "si_scs"),
    [
        (0, 3721.0, 799.9310196638107, 3.699284826648012),
        (2, 324.0, 135.5979790687561, 2.12508242613108),
        (100, 31230.5, 1029.5605251789093, 1.6434537324843648),
    ],
)
def test_instances_of_voc(
    annotation: int, area: float, perimeter: float, si_scs: float, shared_data: Path
) -> None:
    records = json.loads((shared_data / VOC).read_bytes())["annotations"]
    image_id = next(record["image_id"] for record in records if record["id"] == annotation)
    found = tfdp.explain(shared_data / VOC, image_id, "si")
    [instance] = [instance for instance in found.instances if instance.id == annotation]
    assert instance.area == area
    assert instance.perimeter == pytest.approx(perimeter, rel=6e-8)
    assert instance.si_scs == instance.score == pytest.approx(si_scs, rel=6e-8)
    assert instance.scs == pytest.approx(perimeter / area, rel=6e-8)


@pytest.mark.parametrize("preset", [None, "official"])
def test_the_largest_rate_is_the_largest(preset: Any, shared_data: Path) -> None:
    scores = tfdp.score(shared_data / VOC, preset=preset)
    dataset = tfdp.open_dataset(shared_data / VOC, preset=preset)
    ranking = tfdp.select(scores, keep=1.0).ranking.tolist()
    for rank in (1, 2, 731, 732, 733, 1170, 1171, len(ranking)):
        found = tfdp.explain(dataset, ranking[rank - 1])
        rate = found.largest_rate
        assert rate is not None
        assert found.rank == rank <= tfdp.select(scores, rate=rate).k
        assert tfdp.select(scores, rate=math.nextafter(rate, 1)).k < rank
        for tenth, kept in found.kept_at.items():
            assert kept == (rank <= tfdp.select(scores, rate=Fraction(str(tenth))).k)


# --- which image --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [7, np.int64(7), "7", "007", "a/one.png", "a/one"])
def test_an_image_by_id_or_name(wanted: Any) -> None:
    assert tfdp.explain(three_images(), wanted).image_id == 7


def test_ids_come_before_names_and_whole_names_before_parts() -> None:
    data = three_images()
    data["images"][2]["file_name"] = "8"
    assert tfdp.explain(data, "8").image_id == 8
    data["images"][2]["file_name"] = "two"
    assert tfdp.explain(data, "two").image_id == 9
    assert tfdp.explain(data, "two.png").image_id == 8


def test_ids_that_are_text() -> None:
    data = three_images()
    for record in (*data["images"], *data["annotations"]):
        key = "image_id" if "image_id" in record else "id"
        record[key] = f"im{record[key]}"
    assert tfdp.explain(data, "im8").image_id == "im8"
    with pytest.raises(tfdp.OptionError, match="no image has the id or the file name '8'"):
        tfdp.explain(data, 8)


FIRST = "the first image has the id 7 and the file name 'a/one.png'"


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ("tow.png", "no image has the id or the file name 'tow.png'; is it 'b/two.png'?"),
        ("x", f"no image has the id or the file name 'x'; {FIRST}"),
        (70, f"no image has the id or the file name '70'; {FIRST}"),
        (10**20, f"no image has the id or the file name '{10**20}'; {FIRST}"),
        ("one", "2 images are called 'one': say which by its id: 7, 9"),
        ("one.png", "2 images are called 'one.png': say which by its id: 7, 9"),
        (7.5, "an image is named by its id or its file name, got 7.5"),
        (True, "an image is named by its id or its file name, got True"),
    ],
)
def test_no_such_image(wanted: Any, reason: str) -> None:
    with pytest.raises(tfdp.OptionError) as caught:
        tfdp.explain(three_images(), wanted)
    assert str(caught.value).removeprefix("<dict>: ") == reason


def test_a_data_set_without_images() -> None:
    with pytest.raises(tfdp.OptionError, match="'7'; there are no images"):
        tfdp.explain({"images": [], "annotations": [], "categories": []}, 7)


# --- formats ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["voc", "yolo", "cityscapes"])
def test_other_formats(kind: str, tmp_path: Path) -> None:
    source = {
        "voc": lambda: make_voc(tmp_path / "VOC", IMAGES),
        "yolo": lambda: write_yolo(tmp_path, three_images()),
        "cityscapes": lambda: make_cityscapes(tmp_path / "city", {"a/a_0": street(1), "a/a_1": street(2)}),
    }[kind]()
    scores = tfdp.score(source)
    for image_id, score in zip(scores.images.id.tolist(), scores.images.score.tolist(), strict=True):
        found = tfdp.explain(source, image_id)
        assert (found.image_id, found.score) == (image_id, score)
        assert math.fsum(instance.score or 0 for instance in found.instances) == score


# --- the command line ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("data")
def test_lines(capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, said = run(capsys, "explain", "data.json", "7", "--variant", "si")
    assert (code, said) == (0, "")
    lines = [
        f"annotation {start}, class total {total}, CB-SCS {end}"
        for start, total, end in (
            (
                "2, dog: straight 50, diagonal 0, twice the area 92, SCS 1.08696, SI-SCS 2.07963",
                "2.07963",
                "1, score 2.07963, share 64.83%, rank 1",
            ),
            (
                "1, cat: straight 36, diagonal 0, twice the area 162, SCS 0.444444, SI-SCS 1.12838",
                "3.20801",
                "0.351738, score 1.12838, share 35.17%, rank 3",
            ),
            (
                "3, dog (no area: score 0): straight 0, diagonal 0, twice the area 0, SCS 0, SI-SCS 0",
                "2.07963",
                "0, score 0, share 0.00%, rank 4",
            ),
        )
    ]
    assert shown.splitlines() == [
        "image: 7 (a/one.png)",
        "size: 20 x 30 (height, width)",
        "variant: si, polygons as coco",
        "score: 3.20800956",
        "rank: 1 of 2",
        "percentile: 50.00: that many per cent of the ranked images come after it",
        "largest rate: 75.00 %: it is kept up to this pruning rate",
        "kept at: 10 %, 20 %, 30 %, 40 %, 50 %, 60 %, 70 %",
        "instances: 3 scored, of 4",
        *(f"instance {number}: {line}" for number, line in enumerate(lines, 1)),
    ]
    code, shown, _ = run(capsys, "explain", "data.json", "9")
    assert "\nrank: none of 2: it has crowd regions only\n" in shown
    assert shown.endswith("\ninstance 1: annotation 5, cat: crowd region, not scored\n")


@pytest.mark.usefixtures("data")
def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, _ = run(capsys, "explain", "data.json", "two.png", "--json")
    report = json.loads(shown)
    found = tfdp.explain("data.json", 8)
    assert (code, report["image_id"], report["score"], report["rank"]) == (0, 8, found.score, 2)
    assert report["kept_at"]["0.2"] is True
    [instance] = report["instances"]
    assert (instance["id"], instance["share"], instance["degenerate"]) == (4, 1.0, False)
    assert instance["si_scs"] == found.instances[0].si_scs


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("data.json", "nothing"), "data.json: no image has the id or the file name 'nothing'"),
        (("nothing.json", "7"), "nothing.json"),
        (("data.json",), "the following arguments are required: IMAGE_ID"),
        (("data.json", "7", "-o", "x.gif"), "x.gif: the suffix of a picture is one of .png, .svg, .pdf"),
        (("data.json", "7", "-o", "-"), "a picture goes to a file, not to standard output"),
        (("data.json", "7", "-o", "nowhere/x.png"), "does not exist"),
        (("data.json", "7", "-o", "x.png", "--images", "nowhere"), "nowhere: is no folder of images"),
        (("data.json", "7", "-o", "x.png", "--images", "."), "a/one.png: image 7: is not there"),
        (("data.json", "7", "--variant", "all"), "invalid choice: 'all'"),
    ],
)
def test_faults(
    arguments: tuple[str, ...], reason: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, shown, said = run(capsys, "explain", *arguments)
    assert (code, shown, said.count("\n")) == (2, "", 1)
    assert reason in said
    assert [path.name for path in data.iterdir()] == ["data.json"]


# --- the picture --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_picture_has_the_same_bytes_twice(
    suffix: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    images = with_images(data / "images", three_images())
    for name in ("a", "b"):
        arguments = ("explain", "data.json", "7", "-o", f"{name}{suffix}", "--images", str(images), "--json")
        code, shown, _ = run(capsys, *arguments)
        report = json.loads(shown)
        assert (code, report["output"], report["not_shown"]) == (0, f"{name}{suffix}", None)
    assert (data / f"a{suffix}").read_bytes() == (data / f"b{suffix}").read_bytes()


def test_an_image_that_is_not_shown_is_said(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    arguments = ("explain", "data.json", "7", "-o", "x.png", "--images", ".", "--on-error", "skip")
    code, shown, _ = run(capsys, *arguments)
    assert code == 0
    assert "\noutput: x.png\nnot drawn: is not there\n" in shown
    assert (data / "x.png").stat().st_size > 1000


def test_without_matplotlib(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, shown, _ = run(capsys, "explain", "data.json", "7")
    assert (code, shown.splitlines()[0]) == (0, "image: 7 (a/one.png)")
    code, shown, said = run(capsys, "explain", "data.json", "7", "-o", "x.png")
    assert (code, shown, said) == (
        2,
        "",
        "tfdp: error: this needs matplotlib: pip install 'tfdp-fast[figures]'\n",
    )
    with pytest.raises(tfdp.MissingExtraError):
        tfdp.explain(three_images(), 7, destination=data / "x.png")
    assert not (data / "x.png").exists()


def test_an_explanation_imports_no_matplotlib(data: Path) -> None:
    code = (
        "import sys; from tfdp_fast.cli import main; main(['explain', 'data.json', '7', '-q']); "
        "sys.exit('matplotlib' in sys.modules)"
    )
    assert process(cwd=data, code=code).returncode == 0
