"""How two score files, or subsets, differ."""

from __future__ import annotations

import codecs
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import tfdp_fast as tfdp
from coco_support import text_of
from official_support import BAR, made, official
from tfdp_fast import DataError, OptionError
from tfdp_fast.comparing import Place, compare, spearman
from tfdp_fast.presets import AppliedPreset
from tfdp_fast.tables import ImageTable


def scores_of(
    values: dict[Any, float], names: Any = None, preset: AppliedPreset | None = None
) -> tfdp.Scores:
    n = len(values)
    column = np.empty(n, np.object_)
    column[:] = [None] * n if names is None else names
    ones = np.ones(n, np.int64)
    images = ImageTable(
        np.array(list(values)), column, ones, ones, np.array(list(values.values()), np.float64)
    )
    return tfdp.Scores(images, None, None, None, None, preset=preset)


def lines(path: Path, *of: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in of))
    return path


# --- two score files ----------------------------------------------------------------------------------------

SMALL = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12)


@given(SMALL)
@example([])
@example([(1, 1)])
@example([(1, 2), (1, 3)])
def test_spearman_is_that_of_pandas(pairs: list[tuple[int, int]]) -> None:
    a, b = np.array(pairs, np.float64).reshape(-1, 2).T
    ours = spearman(a, b)
    if len(set(a.tolist())) < 2 or len(set(b.tolist())) < 2:
        assert ours is None
        return
    frame = pd.DataFrame({"a": a, "b": b}).rank(method="average")
    assert ours == pytest.approx(frame["a"].corr(frame["b"]), abs=1e-12)


@given(
    st.dictionaries(st.integers(0, 30), st.integers(0, 9)),
    st.dictionaries(st.integers(0, 30), st.integers(0, 9)),
)
def test_scores_the_slow_way(a: dict[int, int], b: dict[int, int]) -> None:
    found = compare(
        scores_of({i: float(s) for i, s in a.items()}), scores_of({i: float(s) for i, s in b.items()})
    )
    in_a, in_b = ({i: s for i, s in side.items() if s} for side in (a, b))
    both = [i for i in in_a if i in in_b]
    assert (found.images_a, found.images_b, found.images_both) == (len(in_a), len(in_b), len(both))
    assert (found.unscored_a, found.unscored_b) == (len(a) - len(in_a), len(b) - len(in_b))
    assert found.only_a.tolist() == [i for i in in_a if i not in in_b]
    assert found.only_b.tolist() == [i for i in in_b if i not in in_a]
    assert found.same == (in_a == in_b)
    assert found.max_absolute == max((abs(in_a[i] - in_b[i]) for i in both), default=0)
    assert found.max_relative == max(
        (abs(in_a[i] - in_b[i]) / max(in_a[i], in_b[i]) for i in both), default=0
    )
    ranked = [sorted(side, key=lambda i, side=side: -side[i]) for side in (in_a, in_b)]  # type: ignore[misc]
    rank_a, rank_b = ({i: r for r, i in enumerate(order, 1)} for order in ranked)
    moved = sorted((-abs(rank_a[i] - rank_b[i]), rank_a[i], i) for i in both if rank_a[i] != rank_b[i])[:10]
    assert found.places == [Place(i, None, rank_a[i], rank_b[i], in_a[i], in_b[i]) for _, _, i in moved]
    ks = {rate: int(len(a) * (1 - rate) + 0.5) for rate in (0.2, 0.3, 0.4, 0.5)}
    expected = []
    for rate, k in ks.items():
        best_a, best_b = (set(order[:k]) for order in ranked)
        if k:
            larger = max(len(best_a), len(best_b))
            share = len(best_a & best_b) / larger if larger else 1
            jaccard = len(best_a & best_b) / len(best_a | best_b) if larger else 1
            expected.append((rate, larger, len(best_a & best_b), share, jaccard))
    ours = [(o.rate, o.k, o.both, o.share, o.jaccard) for o in found.overlaps]
    assert ours == expected


@pytest.mark.parametrize("first", [".parquet", ".npz", ".csv", ".json"])
@pytest.mark.parametrize("second", [".parquet", ".npz", ".csv", ".json"])
def test_every_form_of_score_file(first: str, second: str, tmp_path: Path) -> None:
    """Images of score 0 are in all of them but .json."""
    data = made([{"image_id": 3}, {"image_id": 1, "segmentation": BAR}], [(40, 50)] * 5)
    scores = tfdp.score(data, preset="official")
    scores.save(tmp_path / f"a{first}")
    scores.save(tmp_path / f"b{second}")
    found = tfdp.compare(tmp_path / f"a{first}", tmp_path / f"b{second}")
    assert found.same
    assert (found.images_a, found.images_b, found.images_both) == (2, 2, 2)
    assert (found.unscored_a, found.unscored_b) == (3 * (first != ".json"), 3 * (second != ".json"))
    assert (found.spearman, found.max_relative, found.places) == (1.0, 0.0, [])


def test_scores_of_the_authors(shared_data: Path, tmp_path: Path) -> None:
    """OpenCV rounds lengths: other scores, the same ranking, and the same to a tolerance."""
    path = shared_data / "voc2012_train.json"
    theirs = tmp_path / "theirs.json"
    theirs.write_text(json.dumps(official(json.loads(path.read_bytes()), filters=False).scores))
    scores = tfdp.score(path, preset="official")
    found = compare(scores, theirs, rate=0.9)
    assert (found.same, found.images_both, found.spearman, found.places) == (False, 1463, 1.0, [])
    assert found.max_relative is not None
    assert 0 < found.max_relative < 1e-7
    assert compare(scores, theirs, tolerance=1e-7).same
    assert compare(scores, theirs, tolerance=found.max_relative).same
    assert [(o.rate, o.k, o.share, o.jaccard) for o in found.overlaps] == [
        (rate, k, 1.0, 1.0) for rate, k in ((0.2, 1170), (0.3, 1024), (0.4, 878), (0.5, 732), (0.9, 146))
    ]


def test_numbers_of_images() -> None:
    """Those of a preset on either side; a rate of the table is not listed twice."""
    values = {i: 1.0 + i for i in range(1463)}
    plain = scores_of(values)
    voc = scores_of(values, preset=AppliedPreset("official", 1463, "VOC", {}, {}))
    few = scores_of(dict.fromkeys(range(10), 1.0), preset=AppliedPreset("official", 20, None, {}, {}))
    for a, b in ((plain, voc), (voc, plain)):
        assert [o.k for o in compare(a, b).overlaps] == [1170, 1024, 878, 732]
    assert [o.k for o in compare(few, few).overlaps] == [10, 10, 10, 10]
    assert [(o.rate, o.k) for o in compare(plain, plain, keep=0.7).overlaps][1:2] == [(0.3, 1024)]
    assert len(compare(plain, plain, keep=0.7).overlaps) == 4
    assert [(o.rate, o.k) for o in compare(plain, plain, k=17).overlaps][4:] == [(None, 17)]
    assert [(o.rate, o.k) for o in compare(plain, plain, keep=0.25).overlaps][4:] == [(0.75, 366)]
    with pytest.raises(OptionError, match="1464 images cannot be kept: 1463 are scored"):
        compare(plain, plain, k=1464)


# --- subsets ------------------------------------------------------------------------------------------------


@pytest.fixture(name="pruned")
def pruned_fixture(tmp_path: Path) -> Path:
    """A folder with data.json, its scores, a subset of 3 of 6 images, and what is beside it."""
    annotations: list[dict[str, Any]] = [
        {"image_id": i, "segmentation": [[4, 4, 20, 4, 20, 5 + 3 * i]]} for i in range(6)
    ]
    (tmp_path / "data.json").write_bytes(text_of(made(annotations, [(40, 50)] * 6)))
    tfdp.score(tmp_path / "data.json").save(tmp_path / "scores.npz")
    tfdp.prune(tmp_path / "data.json", tmp_path / "out.json", k=3)
    return tmp_path


def forms_of_a_subset(folder: Path) -> list[Any]:
    text = (folder / "out.json").read_bytes()
    (folder / "marked.json").write_bytes(codecs.BOM_UTF8 + text)
    (folder / "packed.json.gz").write_bytes(gzip.compress(text))
    (folder / "nan.json").write_bytes(text.replace(b'"area": 300', b'"area": NaN'))
    ids = [image["id"] for image in json.loads(text)["images"]]
    names = [
        "out.json",
        "out.json.keep.txt",
        "out.json.pruning.json",
        "marked.json",
        "packed.json.gz",
        "nan.json",
    ]
    lines(folder / "ids", *map(str, reversed(ids)))
    (folder / "windows.txt").write_bytes(codecs.BOM_UTF8 + "\r\n".join(map(str, [*ids, ""])).encode())
    subset = tfdp.select(tfdp.Scores.load(folder / "scores.npz"), k=3)
    return [*(folder / name for name in (*names, "ids", "windows.txt")), subset]


def test_every_form_of_a_subset(pruned: Path) -> None:
    forms = forms_of_a_subset(pruned)
    for a in forms:
        found = compare(a, pruned / "out.json")
        assert found.same
        assert (found.kind_a, found.kind_b, found.images_a, found.matched_by) == ("subset", "subset", 3, "id")
        [overlap] = found.overlaps
        assert (overlap.rate, overlap.k, overlap.both, overlap.share, overlap.jaccard) == (
            None,
            3,
            3,
            1.0,
            1.0,
        )
        with_scores = compare(pruned / "scores.npz", a)
        assert (with_scores.same, with_scores.kind_b, with_scores.places) == (True, "subset", [])
        assert compare(a, pruned / "scores.npz").same


def test_subsets_that_differ(tmp_path: Path) -> None:
    a, b = lines(tmp_path / "a.txt", "9", "3", "5"), lines(tmp_path / "b.txt", "1", "3", "4", "9")
    found = compare(a, b)
    assert not found.same
    assert (found.images_a, found.images_b, found.images_both) == (3, 4, 2)
    assert (found.only_a.tolist(), found.only_b.tolist()) == ([5], [1, 4])
    [overlap] = found.overlaps
    assert (overlap.k, overlap.both, overlap.share, overlap.jaccard) == (4, 2, 0.5, 0.4)
    assert (found.spearman, found.max_absolute, found.places) == (None, None, [])


def test_scores_and_a_subset(tmp_path: Path) -> None:
    scores = scores_of({10: 5.0, 11: 4.0, 12: 3.0, 13: 2.0, 14: 0.0}, ["a", "b", "c", "d", "e"])
    subset = lines(tmp_path / "subset.txt", "77", "13", "10", "14")
    lacking = [
        Place(11, "b", 2, None, 4.0, None),
        Place(12, "c", 3, None, 3.0, None),
    ]
    for a, b in ((scores, subset), (subset, scores)):
        found = compare(a, b)
        assert not found.same
        [overlap] = found.overlaps
        # The best four are 10, 11, 12 and 13: 14 has no score.
        assert (overlap.k, overlap.both, overlap.share) == (4, 2, 0.5)
        assert overlap.jaccard == pytest.approx(1 / 3)
        places = [
            *lacking,
            Place(77, None, None, None, None, None),
            Place(14, None, None, None, None, None),
        ]
        if a is subset:
            places = [Place(p.id, p.file_name, p.rank_b, p.rank_a, p.score_b, p.score_a) for p in places]
        assert found.places == places
        assert [place.id for place in compare(a, b, top=1).places] == [11]
    found = compare(scores, lines(tmp_path / "two.txt", "13", "10"))
    assert found.places == [Place(11, "b", 2, None, 4.0, None), Place(13, "d", 4, None, 2.0, None)]


# --- which images are the same ------------------------------------------------------------------------------


def matched(a: Any, b: Any) -> tuple[str, int]:
    found = compare(a, b)
    return found.matched_by, found.images_both


def test_ids_of_different_kinds(tmp_path: Path) -> None:
    numbers = scores_of({1: 1.0, 20: 2.0})
    assert matched(numbers, scores_of({"20": 1.0, "1": 2.0})) == ("id", 2)
    assert matched(numbers, lines(tmp_path / "a.txt", "1", "b")) == ("id", 1)
    assert matched(scores_of({"a": 1.0}), lines(tmp_path / "b.txt", "a")) == ("id", 1)
    assert matched(numbers, scores_of({"01": 1.0})) == ("id", 0)


def test_file_names_where_no_id_is_the_same(tmp_path: Path) -> None:
    running = scores_of({0: 1.0, 1: 2.0}, ["2007_000032.jpg", "2007_000033.jpg"])
    assert matched(running, scores_of({7: 1.0, 8: 2.0}, ["2007_000033.jpg", "x.jpg"])) == ("file name", 1)
    assert matched(running, lines(tmp_path / "a.txt", "7\t2007_000033.jpg", "8\tx.jpg")) == ("file name", 1)
    # Text ids stand for names: Pascal VOC's lists have nothing else.
    assert matched(running, lines(tmp_path / "b.txt", "2007_000032", "2007_000033")) == ("stem", 2)
    assert matched(running, lines(tmp_path / "c.txt", "./images/2007_000032.png")) == ("stem", 1)
    # One id that is the same, and names do not matter.
    assert matched(running, scores_of({1: 1.0, 8: 2.0}, ["x.jpg", "2007_000032.jpg"])) == ("id", 1)
    # Names that are missing or not unique do not tell images apart.
    assert matched(running, scores_of({7: 1.0, 8: 2.0}, ["2007_000032.jpg", None])) == ("id", 0)
    twice = scores_of({7: 1.0, 8: 2.0}, ["a/2007_000032.jpg", "b/2007_000032.jpg"])
    assert matched(running, twice) == ("id", 0)


def test_places_have_the_ids_and_names_of_the_first() -> None:
    a = scores_of({0: 1.0, 1: 2.0}, ["x/p.jpg", "x/q.jpg"])
    b = scores_of({"p": 2.0, "q": 1.0})
    found = compare(a, b)
    assert (found.matched_by, found.images_both) == ("stem", 2)
    assert [(place.id, place.file_name) for place in found.places] == [(1, "x/q.jpg"), (0, "x/p.jpg")]
    assert [(place.id, place.file_name) for place in compare(b, a).places] == [
        ("p", "x/p.jpg"),
        ("q", "x/q.jpg"),
    ]


def test_names_that_are_no_utf_8(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"1\t\xff.jpg\n2\t\xe2\x80\xa8.jpg\n")
    (tmp_path / "b.txt").write_bytes(b"8\t\xff.jpg\n9\t\xe2\x80\xa8.jpg\n")
    found = compare(tmp_path / "a.txt", tmp_path / "b.txt")
    assert (found.matched_by, found.images_both, found.same) == ("file name", 2, True)


# --- what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json", b"", "is empty"),
        ("a.json", b"[1, 2]", 'is not of the form {"<image id>": score}'),
        ("a.json", b"{", "is not JSON"),
        ("a.json", b'{"7": 1, "8": "x"}', "the score of image 8 is no number"),
        ("a.json", b'{"7": "x"}', 'has no "images"'),
        ("a.json", b'{"version": 1, "images": [], "annotations": []}', 'has no "categories"'),
        ("a.json", b'{"7": NaN}', "has a score that is not finite"),
        ("a.json", b'{"images": [], "annotations": []}', 'has no "categories"'),
        ("a.json", b'{"images": [], "annotations": [}', "not JSON"),
        ("a.json", b'{"outcome": 1, "outputs": 2}', "is no record of a pruning"),
        ("a.npz", b"x", "is no .npz file of scores"),
        ("a.csv", b"x", "has no column of image ids"),
        ("a.json.gz", b"\x1f\x8bx", "cannot be decompressed"),
        ("a.txt", b"7\n8\n7\n", "image 7: is given twice"),
        ("a.png", b"\x89PNG\0\n", "is neither scores, a COCO data set, a record nor a list of images"),
        ("missing.txt", None, "cannot be read: No such file or directory"),
    ],
)
def test_bad_files(name: str, content: bytes | None, reason: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    good = lines(tmp_path / "good.txt", "7")
    for a, b in ((tmp_path / name, good), (good, tmp_path / name)):
        with pytest.raises(DataError) as caught:
            compare(a, b)
        assert str(caught.value).startswith(f"{tmp_path / name}: ")
        assert reason in str(caught.value)
        assert "\n" not in str(caught.value)


def test_other_objects() -> None:
    with pytest.raises(DataError, match="<dict>: is neither a path, Scores nor a Subset"):
        compare({}, {})  # type: ignore[arg-type]


def test_a_record_whose_list_is_another(pruned: Path) -> None:
    record = pruned / "out.json.pruning.json"
    lines(pruned / "out.json.keep.txt", "0", "1", "2")
    with pytest.raises(DataError, match=r"keep\.txt: is not the list that .*pruning\.json was written with"):
        compare(record, pruned / "out.json")
    (pruned / "out.json.keep.txt").unlink()
    with pytest.raises(DataError, match=r"keep\.txt: cannot be read"):
        compare(record, pruned / "out.json")
    data = json.loads(record.read_bytes())
    del data["outputs"]["keep"]
    record.write_text(json.dumps(data))
    with pytest.raises(DataError, match="names no list of the images that are kept"):
        compare(record, pruned / "out.json")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"rate": 0.5, "k": 3}, "one of rate, keep and k"),
        ({"rate": 1}, "0 <= rate < 1"),
        ({"tolerance": -1}, "tolerance must be at least 0 and below 1, got -1"),
        ({"tolerance": float("nan")}, "tolerance must be at least 0 and below 1, got nan"),
        ({"tolerance": "x"}, "tolerance must be at least 0 and below 1, got 'x'"),
        ({"top": -1}, "top must be a whole number of at least 0, got -1"),
        ({"top": 1.5}, "top must be a whole number of at least 0, got 1.5"),
    ],
)
def test_options(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(OptionError, match=reason):
        compare("no such file", "no such file", **options)


def test_a_subset_has_its_number(tmp_path: Path) -> None:
    subset = lines(tmp_path / "a.txt", "1")
    for other in (subset, scores_of({1: 1.0})):
        with pytest.raises(OptionError, match="a subset has its number of images"):
            compare(subset, other, rate=0.5)
