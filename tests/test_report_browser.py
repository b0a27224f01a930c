"""The page in a real browser: what its script does, what it looks for, and what others are told of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tfdp_fast as tfdp
from chromium import Chromium, Page, chromium, find_chromium
from report_support import NASTY, made_data, nasty_data, selected, written
from tfdp_fast._text import one_line
from tfdp_fast.demo import make_demo

Opener = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium is found (Debian: apt-get install chromium; or set TFDP_CHROMIUM)")
    with chromium(program) as running:
        yield running


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    make_demo(folder / "demo")
    return {
        "demo": written(
            folder, "demo.html", folder / "demo" / "annotations.json", images=folder / "demo" / "images"
        ),
        "made": written(folder, "made.html", made_data(images=150, classes=12)),
        "nasty": written(folder, "nasty.html", nasty_data(), title=NASTY[0]),
    }


@pytest.fixture
def opened(browser: Chromium, pages: dict[str, Path]) -> Iterator[Opener]:
    """Open a page by its name; at the end nobody has complained, and nothing but the page was asked for."""
    open_pages: list[tuple[Page, Path]] = []

    def open_page(name: str, **options: Any) -> Page:
        page = Page(browser, pages[name], **options)
        open_pages.append((page, pages[name]))
        return page

    yield open_page
    for page, path in open_pages:
        assert page.complaints() == []
        assert page.requests() == [path.as_uri()]
        page.close()


def numbers(page: Page) -> tuple[int, int, dict[str, int]]:
    """Images, instances, and instances of each class, as they are shown."""
    rows = page.evaluate(
        "[...document.querySelectorAll('#remaining tbody tr')].map(r => [...r.cells].map(c => c.textContent))"
    )
    images, instances = (
        int(re.split(r"\s", page.text(f"#{what}-left"))[0].replace(",", ""))
        for what in ("images", "instances")
    )
    return images, instances, {row[0]: int(row[2].replace(",", "")) for row in rows}


def column(page: Page, table: str, place: int) -> list[str]:
    """The texts of a column, of the rows that are shown."""
    rows = f"[...document.querySelectorAll('#{table} tbody tr')].filter(row => !row.hidden)"
    return list(page.evaluate(f"{rows}.map(row => row.cells[{place}].textContent)"))


def test_the_slider_shows_what_select_keeps(opened: Opener) -> None:
    page = opened("made")
    scores = tfdp.score(made_data(images=150, classes=12))
    page.focus("#rate")
    for keys, rate in (
        ((), 50),
        ((("ArrowRight", 3),), 53),
        ((("End", 1),), 99),
        ((("Home", 1), ("ArrowRight", 1)), 1),
    ):
        for key, times in keys:
            page.press(key, times)
        assert page.evaluate("[rate.value, document.getElementById('rate-number').value]") == [str(rate)] * 2
        images, classes = selected(scores, rate)
        assert numbers(page) == (images, sum(classes.values()), classes)


def test_a_rate_can_be_typed(opened: Opener) -> None:
    page = opened("made")
    scores = tfdp.score(made_data(images=150, classes=12))
    page.evaluate("document.getElementById('rate-number').select()")
    page.focus("#rate-number")
    page.type("97")
    images, classes = selected(scores, 97)
    assert numbers(page) == (images, sum(classes.values()), classes)
    lost = [name for name, count in selected(scores, 0)[1].items() if count and not classes[name]]
    assert lost
    assert page.text("#vanished").startswith(f"{len(lost)} class")
    assert all(name in page.text("#vanished") for name in lost)
    page.evaluate("new Promise(done => setTimeout(done, 600))")
    assert page.text("#rate-said").startswith(f"At 97 per cent, {images} images")
    page.evaluate("document.getElementById('rate-number').select()")
    page.type("150")  # is no rate: the last one stays
    assert page.evaluate("rate.value") == "97"
    page.evaluate("document.getElementById('rate-number').blur()")
    assert page.evaluate("document.getElementById('rate-number').value") == "97"


def test_the_images_at_the_edge_are_shown(opened: Opener) -> None:
    page = opened("demo")
    [path] = page.requests()
    assert path.endswith("demo.html")
    for listed, expected in (("last-kept", ["27.", "28.", "29."]), ("first-gone", ["30.", "31.", "32."])):
        items = f"[...document.querySelectorAll('#{listed} li')]"
        assert page.evaluate(f"{items}.map(item => item.querySelector('b').textContent)") == expected
        assert page.evaluate(f"{items}.every(item => item.querySelector('svg image'))")
    page.focus("#rate")
    page.press("Home")
    assert page.text("#first-gone") == "none"


def test_tables_are_sorted_by_their_headings(opened: Opener) -> None:
    page = opened("made")
    head = "#classes-table thead th:nth-child(3)"
    before = column(page, "classes-table", 0)
    page.focus(f"{head} button")
    page.press("Enter")
    assert page.evaluate(f"document.querySelector('{head}').ariaSort") == "descending"
    values = [int(text.replace(",", "")) for text in column(page, "classes-table", 2)]
    assert values == sorted(values, reverse=True)
    page.press("Enter")
    assert page.evaluate(f"document.querySelector('{head}').ariaSort") == "ascending"
    values = [int(text.replace(",", "")) for text in column(page, "classes-table", 2)]
    assert values == sorted(values)
    page.focus("#classes-table thead th:first-child button")
    page.press("Enter")
    names = column(page, "classes-table", 0)
    assert names == sorted(before, key=lambda name: int(name.split()[1]))  # numbers in names are numbers
    assert page.evaluate("document.querySelectorAll('#classes-table th[aria-sort]').length") == 1


def test_what_is_sorted_stays_sorted_as_the_rate_changes(opened: Opener) -> None:
    page = opened("made")
    page.focus("#remaining thead th:nth-child(4) button")
    page.press("Enter")
    page.focus("#rate")
    for key in ("ArrowRight", "PageUp", "End"):
        page.press(key)
        shares = [float(text.split()[0].replace("–", "-1")) for text in column(page, "remaining", 3)]
        assert shares == sorted(shares, reverse=True)


def test_filters_leave_what_holds_the_text(opened: Opener) -> None:
    page = opened("made")
    page.focus("#classes-table-filter")
    page.type("CLASS 1")
    assert sorted(column(page, "classes-table", 0)) == ["class 1", "class 10", "class 11"]
    assert page.text("[data-table='classes-table'] output") == "3 of 12"


@pytest.mark.parametrize("dark", [False, True])
def test_the_theme_follows_the_system_until_it_is_switched(opened: Opener, *, dark: bool) -> None:
    page = opened("made", dark=dark)
    background = "getComputedStyle(document.documentElement).backgroundColor"
    colours = ["rgb(255, 255, 255)", "rgb(21, 24, 27)"]
    assert page.evaluate(background) == colours[dark]
    page.focus("#theme")
    page.press("Enter")
    assert page.evaluate(background) == colours[not dark]
    page.press("Enter")
    assert page.evaluate(background) == colours[dark]


@pytest.mark.parametrize("name", ["demo", "made", "nasty"])
@pytest.mark.parametrize("width", [360, 800, 1280, 2200])
def test_nothing_is_wider_than_the_window(opened: Opener, name: str, width: int) -> None:
    page = opened(name, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_is_readable_without_a_script(opened: Opener, width: int) -> None:
    page = opened("demo", script=False, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    text = page.evaluate("document.body.innerText")
    rates = page.evaluate("[...document.querySelectorAll('#pruning tbody th')].map(head => head.innerText)")
    assert [f"{rate} %" for rate in range(20, 100, 10)] == [rate for rate in rates if rate][-8:]
    assert "Best and least images" in text
    visible = "!!document.querySelector('{}').offsetParent"
    for selector in ("#theme", "#pruning-panel", "#classes-at-rate", ".filter"):
        assert not page.evaluate(visible.format(selector))
    assert page.evaluate("document.querySelectorAll('thead button').length") == 0
    for selector in (".gallery li", "svg.chart", "#classes-table td", "#images-table td"):
        assert page.evaluate(f"document.querySelector('{selector}').getBoundingClientRect().height") > 0


def test_assistive_technology_is_told_of_the_controls(opened: Opener) -> None:
    page = opened("demo")
    told = page.accessible()
    for role, name in (
        ("slider", "Pruning rate, in per cent"),
        ("spinbutton", "Pruning rate as a number"),
        ("button", "Dark theme"),
        ("searchbox", "Filter images"),
        ("button", "score"),
        ("navigation", "Contents"),
        ("region", "Pruning"),
        ("link", "Skip to the contents"),
    ):
        assert (role, name) in told
    assert {"main", "banner", "contentinfo", "status"} <= {role for role, _ in told}
    unnamed = {
        "button",
        "slider",
        "spinbutton",
        "searchbox",
        "link",
        "image",
        "img",
        "table",
        "region",
        "svg",
    }
    assert [role for role, name in told if role in unnamed - {"table"} and not name] == []
    assert page.evaluate("rate.ariaValueText ?? rate.getAttribute('aria-valuetext')") == "50 % pruned"


def test_the_keyboard_reaches_the_contents_first(opened: Opener) -> None:
    page = opened("made")
    page.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().width") > 100
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_names_that_try_to_be_markup_are_text(opened: Opener) -> None:
    page = opened("nasty")
    assert page.evaluate("document.querySelectorAll('img, main script:not([type])').length") == 0
    assert sorted(column(page, "remaining", 0)) == sorted(map(one_line, NASTY))
    page.focus("#rate")
    page.press("End")
    assert page.evaluate("document.querySelectorAll('img, main script:not([type])').length") == 0
    assert page.evaluate("document.title") == one_line(NASTY[0])


def test_it_is_printed_without_its_controls(opened: Opener) -> None:
    page = opened("demo", media="print", dark=True)
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    for selector in ("nav", "#theme", ".filter", "#rate"):
        assert page.evaluate(f"getComputedStyle(document.querySelector('{selector}')).display") == "none"
    assert page.evaluate("getComputedStyle(document.querySelector('.scroll.tall')).maxHeight") == "none"
