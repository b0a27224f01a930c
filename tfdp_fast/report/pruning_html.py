"""The part of a page about pruning: a slider over the rate with exact numbers, and the same without a script."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfdp_fast.report.contents import EDGE, Contents, edge_ranks
from tfdp_fast.report.figures_html import kept_shares
from tfdp_fast.report.markup import Child, Markup, element, joined, json_script
from tfdp_fast.report.numbers import number, per_cent, significant
from tfdp_fast.report.rates import RATES
from tfdp_fast.report.tables import Column, definitions, filter_box, name, scrolled, table
from tfdp_fast._text import one_line

__all__ = ["pruning"]

AT_FIRST = 50
"""Where the slider stands when the page is opened."""

NAMED = 3
"""How many classes that vanish are named in a row of the table."""


def pruning(contents: Contents) -> Markup:
    """All of it."""
    if not len(contents.remains.ranking):
        return element("p", "No image is ranked: there is nothing to prune.")
    return joined(
        element(
            "p",
            "The pruning rate is the share of the ",
            number(contents.remains.candidates),
            " candidates that is dropped. All numbers are exact: they are those of ",
            element("code", "tfdp prune --rate"),
            f" with the variant {contents.variant}.",
        ),
        _panel(),
        element("h3", "At the rates of the paper"),
        scrolled(_rates(contents), "What remains at the rates of the paper"),
        element("div", kept_shares(contents.remains), class_="grid wide"),
        json_script(_data(contents), id="pruning-data"),
    )


def _panel() -> Markup:
    controls = element(
        "div",
        element("label", "Pruning rate, in per cent", for_="rate"),
        element("label", "Pruning rate as a number", for_="rate-number", class_="visually-hidden"),
        element("input", type="range", id="rate", min=0, max=RATES - 1, step=1, value=AT_FIRST),
        element("input", type="number", id="rate-number", min=0, max=RATES - 1, step=1, value=AT_FIRST),
        class_="controls",
    )
    results = definitions(
        [
            ("images remain", element("span", id="images-left")),
            ("instances remain", element("span", id="instances-left")),
            ("classes remain", element("span", id="classes-left")),
        ],
        "figures",
    )
    edges = [
        element("div", element("h4", heading), element("ol", id=identifier))
        for heading, identifier in (
            ("The last that stay, next to go", "last-kept"),
            ("The first that go", "first-gone"),
        )
    ]
    heads = [Column("class", False), Column("instances"), Column("remain"), Column("share that remains")]
    return element(
        "div",
        element(
            "div",
            controls,
            results,
            element("p", id="vanished", class_="vanished"),
            element("p", id="rate-said", class_="visually-hidden", role="status", aria_live="polite"),
            class_="rate",
        ),
        element("div", edges, class_="edges"),
        element("h3", "Classes at this rate"),
        filter_box("remaining", "Filter classes"),
        scrolled(
            table(heads, [], identifier="remaining", sortable=True), "Classes at this rate", tall=True
        ),
        id="pruning-panel",
        hidden=True,
    )


def _rates(contents: Contents) -> Markup:
    names = contents.statistics.classes.name
    total = int(contents.remains.instances[0])
    rows: list[list[Child]] = []
    for at in contents.statistics.balance.prunings:
        lost: list[Child] = []
        for i in at.vanished[:NAMED].tolist():
            lost += [", " if lost else " ", name(str(names[i]))]
        more = len(at.vanished) - NAMED
        rows.append(
            [
                f"{100 * at.rate:.0f} %",
                number(at.images),
                number(at.instances),
                per_cent(at.instances, total),
                number(int(np.count_nonzero(at.class_instances))),
                significant(at.evenness, 3),
                [number(len(at.vanished)), lost, f" and {number(more)} more" if more > 0 else None],
            ]
        )
    heads = ["pruning rate", "images", "instances", "of all", "classes", "evenness"]
    caption = f"Before pruning: evenness {significant(contents.statistics.balance.evenness, 3)}"
    columns = [*map(Column, heads), Column("classes that vanish", False)]
    return table(columns, rows, caption=caption)


def _data(contents: Contents) -> dict[str, Any]:
    """What the script reckons with.

    ``classes`` holds of each class its name and its instances, then how many of them go at each step of one
    per cent. ``edges`` holds, by rank from 0, the images beside each rate.
    """
    left = contents.remains
    counts = left.by_class.copy()
    counts[1:] = left.by_class[:-1] - left.by_class[1:]
    names = [one_line(str(text)) for text in contents.statistics.classes.name]
    images = contents.scores.images
    edges = {}
    for rank in sorted(edge_ranks(left)):
        at = int(left.ranking[rank])
        file = images.file_name[at]
        entry: list[Any] = [
            images.id[at].item(),
            None if file is None else one_line(str(file)),
            significant(float(images.score[at])),
            int(images.instances[at]),
        ]
        if isinstance(entry[0], str):
            entry[0] = one_line(entry[0])
        if (edge := contents.edges.get(rank)) is not None:
            small = edge.thumbnail
            entry.append([small.width, small.height, edge.contours, small.source])
        edges[rank] = entry
    return {
        "candidates": left.candidates,
        "edge": EDGE,
        "images": left.images.tolist(),
        "classes": [[text, column] for text, column in zip(names, counts.T.tolist(), strict=True)],
        "edges": edges,
    }
