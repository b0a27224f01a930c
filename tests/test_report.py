"""The page about a data set: what is in it, and what can never be."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfdp_fast as tfdp
from report_support import (
    NASTY,
    Tree,
    made_data,
    nasty_data,
    page_of,
    remaining,
    selected,
    slider_data,
)
from tfdp_fast import cli
from tfdp_fast._text import one_line
from tfdp_fast._verbs.parser import build_parser
from tfdp_fast.demo import make_demo
from tfdp_fast.report.contents import EDGE
from tfdp_fast.scores import Variant


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    make_demo(folder)
    return folder


def test_the_page_has_its_parts_in_order() -> None:
    tree = Tree(page_of(made_data()))
    headings = [int(tag[1]) for tag, _ in tree.elements if re.fullmatch(r"h[1-6]", tag)]
    assert headings[0] == headings.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(headings))
    for landmark in ("header", "nav", "main", "footer"):
        assert len(tree.all(landmark)) == 1
    ids = [attributes["id"] for _, attributes in tree.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [str(a["href"]) for a in tree.all("a")]
    assert links
    assert all(link.startswith("#") and link[1:] in ids for link in links)
    for attribute in ("for", "aria-labelledby", "data-table"):
        assert {a[attribute] for _, a in tree.elements if attribute in a} <= set(ids)


def test_all_that_is_shown_has_a_name() -> None:
    tree = Tree(page_of(made_data()))
    for svg in tree.all("svg"):
        assert svg.get("aria-hidden") == "true" or (svg["role"] == "img" and svg["aria-label"])
    labels = {a["for"] for a in tree.all("label")}
    assert {a["id"] for a in tree.all("input")} <= labels
    for region in (a for a in tree.all("div") if a.get("role") == "region"):
        assert region["aria-label"]
        assert region["tabindex"] == "0"
    for chart in (svg for svg in tree.all("svg") if svg.get("class") == "chart"):
        assert len(str(chart["aria-label"])) > 30


@pytest.mark.parametrize("preset", [None, "official"])
@pytest.mark.parametrize("variant", ["tfdp", "scs"])
def test_the_slider_has_the_numbers_of_select(variant: Variant, preset: Any) -> None:
    data = made_data(images=60)
    scores = tfdp.score(data, variant, preset=preset)
    found = slider_data(page_of(data, variant=variant, preset=preset, areas=False))
    for per_cent in range(100):
        assert remaining(found, per_cent) == selected(scores, per_cent)


def test_the_slider_has_the_numbers_of_select_on_real_data(shared_data: Path) -> None:
    path = shared_data / "voc2012_train.json"
    scores = tfdp.score(path)
    found = slider_data(page_of(path, areas=False))
    for per_cent in (*range(0, 100, 7), 20, 30, 40, 50):
        assert remaining(found, per_cent) == selected(scores, per_cent)


def test_the_images_beside_each_rate_are_those_of_the_ranking() -> None:
    data = made_data(images=60)
    ranking = tfdp.select(tfdp.score(data), rate=0.0).ranking.tolist()
    found = slider_data(page_of(data))
    for kept in found["images"]:
        for rank in range(max(0, kept - EDGE), min(len(ranking), kept + EDGE)):
            assert found["edges"][str(rank)][0] == ranking[rank]
    assert all(len(image) == 5 for image in found["edges"].values())


def test_galleries_are_the_ends_of_the_rankings() -> None:
    data = made_data()
    file = io.BytesIO()
    contents = tfdp.write_report(data, file, variant="si", n=4).contents
    assert list(contents.galleries) == ["si", "tfdp", "scs", "cb"]
    for variant, gallery in contents.galleries.items():
        ranking = tfdp.select(tfdp.score(data, variant), rate=0.0).ranking.tolist()
        assert [picture.id for picture in gallery.best] == ranking[:4]
        assert [picture.id for picture in gallery.least] == ranking[: -4 - 1 : -1]


def test_the_tables_have_the_numbers_of_score() -> None:
    data = made_data()
    html = page_of(data)
    scores = tfdp.score(data)
    best = int(np.argmax(scores.images.score))
    assert f"<bdi>{scores.images.file_name[best]}</bdi>" in html
    assert scores.classes is not None
    for name, instances in zip(scores.classes.name, scores.classes.instances, strict=True):
        row = re.search(rf'<tr><th scope="row"><bdi>{name}</bdi></th><td class="n">.*?</tr>', html)
        assert row
        assert f'<td class="n">{instances:,}</td>' in row[0]


def test_nothing_is_loaded_from_anywhere(demo: Path) -> None:
    html = page_of(demo / "annotations.json", images=demo / "images")
    tree = Tree(html)
    for _, attributes in tree.elements:
        for name in ("src", "href", "xlink:href", "action", "srcset", "style", "formaction"):
            value = attributes.get(name) or ""
            assert value == "" or value.startswith(("#", "data:image/webp;base64,")), (name, value)
        assert not [name for name in attributes if name.startswith("on")]
    assert "url(" not in html
    assert "@import" not in html
    assert "http://www.w3.org/2000/svg" in html  # a name, not an address: the only one
    assert len(re.findall(r"https?:", html)) == 1
    [policy] = [str(a["content"]) for a in tree.all("meta") if a.get("http-equiv")]
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert "unsafe" not in policy
    for kind, text in (("style", tree.inside("style")), ("script", tree.inside("script")[-1:])):
        digest = base64.b64encode(hashlib.sha256("".join(text).encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_names_cannot_be_markup() -> None:
    html = page_of(nasty_data(), title=NASTY[0])
    tree = Tree(html)
    assert len(tree.all("script")) == 2  # the data, and the program
    assert tree.all("img") == []
    assert not any("onerror" in attributes for _, attributes in tree.elements)
    shown = {one_line(name) for name in NASTY}
    assert shown <= set(tree.inside("bdi"))
    assert shown == {name for name, _ in slider_data(html)["classes"]}
    assert "<" not in re.findall(r'id="pruning-data">(.*?)</script>', html)[0]
    assert tree.inside("title")[0] == one_line(NASTY[0])


def test_the_same_data_make_the_same_bytes(demo: Path) -> None:
    pages = {page_of(demo / "annotations.json", images=demo / "images", threads=n) for n in (1, 2, 7)}
    assert len(pages) == 1


def test_pictures_are_in_the_page(demo: Path) -> None:
    html = page_of(demo / "annotations.json", images=demo / "images")
    assert html.count('<image href="data:image/webp;base64,') == 8 * 6
    assert all(image[4][3].startswith("data:image/webp") for image in slider_data(html)["edges"].values())
    assert len(html) < 1_000_000
    blank = page_of(demo / "annotations.json")
    assert "<image" not in blank
    assert blank.count('class="picture blank"') == 8 * 6


def test_pictures_beside_the_slider_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfdp_fast.report.contents.EDGE_BYTES", 2000)
    edges = slider_data(page_of(made_data(images=80)))["edges"]
    drawn = [image[4] for image in edges.values() if len(image) == 5]
    assert 0 < len(drawn) < len(edges)
    assert sum(len(picture[2]) for picture in drawn) <= 2000


@pytest.mark.parametrize("images", [0, 1, 2])
def test_small_data_sets_have_a_page(images: int) -> None:
    data = made_data(images=images)
    data["annotations"] = [
        {"id": i, "image_id": 100 + i, "category_id": 1, "segmentation": [[0, 0, 9, 0, 9, 9, 0, 9]]}
        for i in range(images)
    ]
    html = page_of(data)
    Tree(html)
    assert ("there is nothing to prune" in html) == (images == 0)


def test_many_classes_and_images_are_a_page_of_limited_size() -> None:
    data = made_data(images=3000, classes=1230)
    html = page_of(data)
    Tree(html)
    assert len(html.encode()) < 5_000_000
    assert "The best 500 and the least 500 of" in html


def test_golden_data_are_a_page_of_limited_size(shared_data: Path) -> None:
    for name in ("voc2012_train", "coco_val2014_100", "lvis_val_100"):
        html = page_of(shared_data / f"{name}.json")
        Tree(html)
        assert len(html.encode()) < 2_000_000


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_colours_have_enough_contrast(theme: int) -> None:
    [style] = Tree(page_of(made_data())).inside("style")
    found = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", style)
    colours = {name: _luminance(pair[theme]) for name, *pair in found}

    def contrast(a: str, b: str) -> float:
        high, low = sorted((colours[a], colours[b]), reverse=True)
        return (high + 0.05) / (low + 0.05)

    for background in ("paper", "panel"):
        for text in ("ink", "muted", "accent"):
            assert contrast(text, background) >= 4.5
        for graphic in ("first", "second", "third", "fourth"):
            assert contrast(graphic, background) >= 3
    assert contrast("on-accent", "accent") >= 4.5


def test_a_fingerprint_and_the_command_are_shown_if_there_are_some(tmp_path: Path) -> None:
    path = tmp_path / "it's.json"
    path.write_text(json.dumps(made_data()))
    html = page_of(path, variant="cb", fingerprint=True, n=3, areas=False)
    assert hashlib.sha256(path.read_bytes()).hexdigest() in html
    [command] = [text for text in Tree(html).inside("code") if text.startswith("tfdp report")]
    again = build_parser().parse_args(shlex.split(command)[1:])
    assert (again.input, again.variant, again.n, again.no_areas) == (str(path), "cb", 3, True)
    assert "tfdp report" not in page_of(made_data())


def test_the_command_line_writes_it(
    demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = str(demo / "annotations.json")
    arguments = ["report", source, "-o", "r.html", "--images", str(demo / "images"), "--title", "Shapes"]
    assert cli.main([*arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    written = (tmp_path / "r.html").read_bytes()
    assert (report["source"], report["output"], report["bytes"]) == (source, "r.html", len(written))
    assert (report["images"], report["candidates"], report["instances"], report["classes"]) == (
        60,
        58,
        177,
        5,
    )
    assert report["galleries"]["tfdp"]["best"][:2] == [6, 4]
    assert report["pictures"]["blank"] == 0
    assert b"<title>Shapes</title>" in written
    assert cli.main([*arguments, "-q"]) == 0
    assert (tmp_path / "r.html").read_bytes() == written
    assert capsys.readouterr().out == ""


def test_it_goes_to_standard_output(demo: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    source = str(demo / "annotations.json")
    assert cli.main(["report", source, "-o", "-"]) == 0
    captured = capfdbinary.readouterr()
    assert captured.out.startswith(b"<!DOCTYPE html>")
    assert captured.out.endswith(b"</html>\n")
    assert b"scored instances: 177" in captured.err
    assert cli.main(["report", source, "-o", "-", "--json"]) == 2


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["-o", "annotations.json"], "annotations.json"),
        (["-o", "images/0001.png", "--images", "images"], "is an image of the data set"),
        (["-o", "nowhere/r.html"], "does not exist"),
        (["-o", "r.html", "-n", "0"], "n must be a whole number of at least 1, got 0"),
        (["-o", "r.html", "--images", "nowhere"], "is no folder of images"),
        ([], "required: -o/--output"),
    ],
)
def test_faults_are_one_line_and_nothing_is_written(
    more: list[str],
    message: str,
    demo: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(demo)
    before = {path: path.read_bytes() for path in demo.rglob("*") if path.is_file()}
    assert cli.main(["report", "annotations.json", *more]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert {path: path.read_bytes() for path in demo.rglob("*") if path.is_file()} == before


def test_what_is_set_aside_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = made_data()
    data["annotations"][0]["segmentation"] = [[0, 0, 9]]
    (tmp_path / "a.json").write_text(json.dumps(data))
    output = tmp_path / "r.html"
    assert cli.main(["report", str(tmp_path / "a.json"), "-o", str(output), "--on-error", "skip"]) == 1
    assert "set aside: 1" in capsys.readouterr().out
    assert "<dt>Set aside</dt><dd>1</dd>" in output.read_text()
