"""The preset of the paper's authors, against what they do restated over pixels."""

from __future__ import annotations

import json
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfdp_fast as tfdp
from coco_support import text_of
from official_support import BAR, assert_same, assert_same_subsets, made, official
from tfdp_fast import OptionError
from tfdp_fast.formats.opening import open_dataset
from tfdp_fast.presets import CITYSCAPES, PUBLISHED, VOC, AppliedPreset
from tfdp_fast.scores import Variant
from tfdp_fast.tables import ImageTable

VARIANTS: list[Variant] = ["scs", "si", "cb", "tfdp"]


@cache
def real(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(path.read_bytes())
    return data


# --- real annotations ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", ["coco_val2014_100", "lvis_val_100"])
def test_coco_and_lvis(name: str, variant: Variant, threads: int, shared_data: Path) -> None:
    path = shared_data / f"{name}.json"
    expected = official(real(path), variant)
    scores = tfdp.score(path, variant, preset="official", threads=threads)
    assert_same(scores, expected, real(path)["annotations"])
    assert_same_subsets(scores, expected)


@pytest.mark.parametrize("variant", VARIANTS)
def test_voc(variant: Variant, shared_data: Path) -> None:
    path = shared_data / "voc2012_train.json"
    expected = official(real(path), variant, filters=False)
    scores = tfdp.score(path, variant, preset="official")
    assert_same(scores, expected, real(path)["annotations"])
    assert tfdp.select(scores, rate=0).ranking.tolist() == expected.ranking()  # no two images tie


@pytest.mark.parametrize(
    ("variant", "hashes"),
    [
        ("scs", ["12a02dee0c148786", "dab791e429571b20", "817e6a31c2e857cc", "20cfe794ec82f0de"]),
        ("si", ["59cf725f3a8326ee", "588cdc4574ecaac8", "1c56cfaf3acfba70", "c59adce4a66c6faf"]),
        ("cb", ["c5735eac60d402b1", "1e7c7d0004fdc6c3", "4568f279cdce6c9f", "a553b84977603edf"]),
        ("tfdp", ["7f5708235de7952c", "9eb75018275384d0", "a068ff000d6347b6", "2f47c3ede7398991"]),
    ],
)
def test_voc_subsets(variant: Variant, hashes: list[str], shared_data: Path) -> None:
    scores = tfdp.score(shared_data / "voc2012_train.json", variant, preset="official")
    for rate, k, sha in zip((0.2, 0.3, 0.4, 0.5), (1170, 1024, 878, 732), hashes, strict=True):
        subset = tfdp.select(scores, rate=rate)
        assert (subset.k, subset.candidates, subset.of) == (k, 1463, "official")
        assert subset.reckoning == f"the authors' number for VOC at {100 * rate:g} %"
        assert subset.sha256[:16] == sha


# --- how many images ----------------------------------------------------------------------------------------


def of_preset(applied: AppliedPreset, images: int, positive: int) -> tfdp.Scores:
    """Scores of some images, the first of which are positive and descend."""
    ones = np.ones(images, np.int64)
    score = np.maximum(positive - np.arange(images, dtype=np.float64), 0)
    table = ImageTable(np.arange(images), np.full(images, None), ones, ones, score)
    return tfdp.Scores(table, None, None, "tfdp", "opencv", preset=applied)


@pytest.mark.parametrize(
    ("name", "images", "k"),
    [
        ("COCO", 118_287, [93888, 82103, 70339, 58660, 46936, 35183, 23465, 11743]),
        ("Cityscapes", 2_975, [2372, 2073, 1783, 1483]),
        ("VOC", 1_463, [1170, 1024, 878, 732]),
    ],
)
def test_the_numbers_of_the_authors(name: str, images: int, k: list[int]) -> None:
    n = PUBLISHED[name].images
    scores = of_preset(AppliedPreset("official", n, name, {}, {}), images, n)
    for tenths, number in enumerate(k, 2):
        for subset in (
            tfdp.select(scores, rate=tenths / 10),
            tfdp.select(scores, keep=Fraction(10 - tenths, 10)),
        ):
            assert (subset.k, subset.candidates, subset.of) == (number, n, "official")
            assert subset.image_ids.tolist() == list(range(number))
            assert subset.reckoning == f"the authors' number for {name} at {10 * tenths} %"
    for rate in (0, 0.1, 0.25, 0.95):
        subset = tfdp.select(scores, rate=rate)
        assert subset.k == int(n * (1 - rate) + 0.5)
        assert subset.reckoning == f"{100 * (1 - rate):g} % of the {n:,} images that the preset keeps"
    subset = tfdp.select(scores, k=17)
    assert (subset.k, subset.candidates, subset.reckoning) == (17, n, None)


@pytest.mark.parametrize(("name", "images"), [("COCO", 118_287), ("Cityscapes", 2_975), ("VOC", 1_470)])
def test_data_sets_are_recognised_by_their_numbers(name: str, images: int) -> None:
    """By images kept and classes: a file of the same numbers, all else being small."""
    published = PUBLISHED[name]
    names = {"Cityscapes": sorted(CITYSCAPES), "VOC": sorted(VOC)}.get(name) or map(str, range(80))
    data = made([], [(40, 50)] * images, names)
    # The last image of these has a crowd region only: Cityscapes alone drops it.
    crowd = published.images if name == "Cityscapes" else published.images - 1
    for image_id in range(crowd + 1):
        annotation = {"id": image_id, "image_id": image_id, "category_id": 0, "bbox": [2, 3, 9, 9], "area": 9}
        mask = {"iscrowd": int(image_id == crowd), "segmentation": [[1, 1, 9, 1, 9, 9]]}
        data["annotations"].append(annotation | mask)
    scores = tfdp.score(text_of(data), preset="official")
    assert scores.preset is not None
    assert (scores.preset.images, scores.preset.data_set) == (published.images, name)
    assert tfdp.select(scores, rate=0.4).k == published.k[2]
    data["categories"].append({"id": 99, "name": "one more"})
    scores = tfdp.score(text_of(data), preset="official")
    assert scores.preset is not None
    assert scores.preset.data_set is None


def test_other_data_sets_and_fewer_positive_scores() -> None:
    applied = AppliedPreset("official", 10, None, {}, {})
    subset = tfdp.select(of_preset(applied, 12, 8), rate=0.25)
    assert (subset.k, subset.candidates) == (8, 10)
    assert subset.rate == pytest.approx(0.2)
    assert subset.reckoning == "75 % of the 10 images that the preset keeps"
    subset = tfdp.select(of_preset(applied, 12, 7), rate=0.2)
    assert (subset.k, subset.image_ids.tolist()) == (7, list(range(7)))
    assert subset.reckoning == (
        "all of a positive score, as 8 are not there (80 % of the 10 images that the preset keeps)"
    )
    with pytest.raises(OptionError, match=r"^8 images cannot be kept: 7 are of a positive score$"):
        tfdp.select(of_preset(applied, 12, 7), k=8)


# --- options that are not it --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"polygons": "coco"}, "the preset 'official' fills polygons as OpenCV does: polygons='coco' is not"),
        ({"difficult": "exclude"}, "the preset 'official' includes difficult objects: difficult='exclude'"),
        ({"preset": "authors"}, "preset must be 'official', got 'authors'"),
        ({"preset": ["official"]}, "preset must be 'official'"),
    ],
)
def test_contradictions(options: dict[str, Any], reason: str) -> None:
    options = {"preset": "official"} | options
    with pytest.raises(OptionError, match=reason):
        tfdp.score("no such file", **options)
    with pytest.raises(OptionError, match=reason):
        tfdp.prune("no such file", "x", rate=0.5, **options)


def test_of_is_said_by_the_preset() -> None:
    with pytest.raises(OptionError, match="the preset 'official' says which images there are to select"):
        tfdp.prune("no such file", "x", rate=0.5, of="all", preset="official")
    with pytest.raises(OptionError, match="the preset 'official' says which images there are to select"):
        tfdp.select(of_preset(AppliedPreset("official", 3, None, {}, {}), 3, 3), rate=0.5, of="annotated")


def test_a_data_set_that_is_open() -> None:
    data = made([{}, {"area": 0}])
    scores = tfdp.score(open_dataset(data, preset="official"))
    assert scores.preset is not None
    assert (scores.polygons, scores.preset.skipped) == ("opencv", {"tiny": 1})
    with pytest.raises(OptionError, match="polygons='coco' is not it"):
        tfdp.score(open_dataset(data, preset="official"), polygons="coco")
    with pytest.raises(OptionError, match="the data set is open already"):
        tfdp.score(open_dataset(data), preset="official")
    without = tfdp.score(open_dataset(data))
    assert (without.polygons, without.preset) == ("coco", None)


# --- score files and subsets --------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".parquet", ".npz"])
def test_score_files_remember_the_preset(tmp_path: Path, suffix: str) -> None:
    data = made([{"image_id": i, "iscrowd": int(i > 3)} for i in range(6)], [(40, 50)] * 8)
    scores = tfdp.score(data, preset="official")
    scores.save(tmp_path / f"scores{suffix}")
    loaded = tfdp.Scores.load(tmp_path / f"scores{suffix}")
    assert loaded.preset == scores.preset
    subset = tfdp.select(loaded, keep=0.5)
    assert (subset.k, subset.candidates, subset.of) == (3, 6, "official")
    assert subset.image_ids.tolist() == tfdp.select(scores, keep=0.5).image_ids.tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", ["coco_val2014_100", "lvis_val_100"])
def test_score_files_of_the_authors(name: str, shared_data: Path, tmp_path: Path) -> None:
    """Theirs are read, ranked and selected from as they do; ours have the same images in the same order."""
    path = shared_data / f"{name}.json"
    expected = official(real(path))
    (tmp_path / "theirs.json").write_text(json.dumps(expected.scores))
    theirs = tfdp.Scores.load(tmp_path / "theirs.json")
    assert theirs.images.id.dtype == np.int64
    ranking = tfdp.select(theirs, k=len(expected.scores)).ranking.tolist()
    assert ranking == expected.ranking()
    for k in (1, 17, 50):
        assert tfdp.select(theirs, k=k).image_ids.tolist() == expected.subset(k)
    tfdp.score(path, preset="official").save(tmp_path / "ours.json")
    ours = json.loads((tmp_path / "ours.json").read_text())
    assert list(ours) == list(expected.scores)
    assert ours == pytest.approx(expected.scores, rel=1e-7, abs=0)


def test_ties_keep_the_order_of_the_data() -> None:
    data = made([{"image_id": i} for i in (4, 1, 3, 0)], [(40, 50)] * 5)
    data["images"] = [data["images"][i] for i in (3, 1, 4, 0, 2)]
    scores = tfdp.score(data, preset="official")
    assert tfdp.select(scores, k=3).ranking.tolist() == official(data).ranking()[:3] == [3, 1, 4]


def test_a_subset_keeps_every_record_of_its_images(tmp_path: Path) -> None:
    """Those that do not count as well: whoever trains on it filters again."""
    data = made(
        [
            {},
            {"area": 0},
            {"category_id": 9},
            {"ignore": 1},
            {"image_id": 1, "segmentation": BAR},
            {"image_id": 9},
        ],
        [(40, 50)] * 2,
        ("a",),
    )
    pruned = tfdp.prune(data, tmp_path / "out.json", rate=0.5, preset="official")
    written = json.loads((tmp_path / "out.json").read_bytes())
    best = int(pruned.subset.image_ids[0])
    assert written["annotations"] == [a for a in data["annotations"] if a["image_id"] == best]
    assert pruned.subset.reckoning == "50 % of the 2 images that the preset keeps"


def test_a_record_repeats_the_preset(tmp_path: Path) -> None:
    annotations: list[dict[str, Any]] = [
        {"image_id": 0},
        {"image_id": 1, "segmentation": BAR},
        {"image_id": 2, "area": 0},
    ]
    (tmp_path / "data.json").write_bytes(text_of(made(annotations, [(40, 50)] * 4)))
    pruned = tfdp.prune(tmp_path / "data.json", tmp_path / "out.json", keep=0.5, preset="official")
    assert (pruned.subset.k, pruned.subset.candidates) == (2, 3)
    record = json.loads((tmp_path / "out.json.pruning.json").read_bytes())
    assert (record["source"]["preset"], record["options"]["polygons"]) == ("official", "opencv")
    again = tfdp.repeat(tmp_path / "out.json.pruning.json", tmp_path / "again.json")
    assert again.subset.sha256 == pruned.subset.sha256
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "out.json").read_bytes()
