"""A page of its own: style, script, pictures and data are in it, and nothing is loaded from anywhere."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

from tfdp_fast import __version__
from tfdp_fast.report.contents import Contents
from tfdp_fast.report.markup import Markup, element, joined
from tfdp_fast.report.numbers import plural
from tfdp_fast.report.sections import SECTIONS

__all__ = ["page"]


def page(contents: Contents) -> str:
    """A report as HTML, the same for the same contents."""
    style, script = (_asset(name) for name in ("report.css", "report.js"))
    head = element(
        "head",
        element("meta", charset="utf-8"),
        # By their hashes: no other style or script is run, whatever a name may hold.
        element("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="generator", content=f"tfdp-fast {__version__}"),
        element("title", contents.title),
        element("style", style),
    )
    body = element(
        "body",
        element("a", "Skip to the contents", href="#main", class_="skip"),
        element("div", _header(contents), _contents_list(), _main(contents), _footer(), class_="page"),
        element("script", script),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def _asset(name: str) -> Markup:
    return Markup((resources.files("tfdp_fast.report") / "assets" / name).read_text(encoding="utf-8"))


def _policy(style: str, script: str) -> str:
    hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script))
    style_hash, script_hash = hashes
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{style_hash}'; "
        f"script-src 'sha256-{script_hash}'; base-uri 'none'; form-action 'none'"
    )


def _header(contents: Contents) -> Markup:
    found = contents.statistics
    counts = (
        plural(found.images, "image"),
        plural(found.instances, "scored instance"),
        plural(len(found.classes), "class", "classes"),
    )
    return element(
        "header",
        element("h1", element("bdi", contents.title)),
        element("p", f"{', '.join(counts)}; pruned by {contents.variant}"),
        element("button", type="button", id="theme", class_="theme", hidden=True),
        class_="top",
    )


def _contents_list() -> Markup:
    links = [element("li", element("a", heading, href=f"#{name}")) for name, heading, _ in SECTIONS]
    return element("nav", element("ul", links), class_="contents", aria_label="Contents")


def _main(contents: Contents) -> Markup:
    sections = [
        element(
            "section",
            element("h2", heading, id=f"{name}-heading"),
            make(contents),
            id=name,
            aria_labelledby=f"{name}-heading",
        )
        for name, heading, make in SECTIONS
    ]
    return element("main", joined(sections), id="main", tabindex=-1)


def _footer() -> Markup:
    return element(
        "footer",
        "Made from annotations alone by tfdp-fast ",
        __version__,
        ". The method: “Training-Free Dataset Pruning for Instance Segmentation”, ICLR 2025.",
    )
