"""The part of a page about pruning: a slider over the rate, and a table for those without a script."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfdp_fast._text import number, one_line
from tfdp_fast.report.contents import EDGE, Contents, edge_ranks
from tfdp_fast.report.figures_html import kept_shares
from tfdp_fast.report.markup import Child, Markup, element, joined, json_script
from tfdp_fast.report.numbers import per_cent, significant
from tfdp_fast.report.rates import RATES
from tfdp_fast.report.tables import Column, definitions, filter_box, name, scrolled, table

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
        element("div", kept_shares(contents.remains), _classes_at_rate(), class_="grid pairs"),
        element("h3", "At the rates of the paper"),
        scrolled(_rates(contents), "What remains at the rates of the paper"),
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
        element("div", element("h3", heading), element("ol", id=identifier))
        for heading, identifier in (
            ("The last that stay, next to go", "last-kept"),
            ("The first that go", "first-gone"),
        )
    ]
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
        id="pruning-panel",
        hidden=True,
    )


def _classes_at_rate() -> Markup:
    """Filled by the script."""
    heads = [Column("class", False), Column("instances"), Column("remain"), Column("share that remains")]
    made = table(heads, [], identifier="remaining", sortable=True)
    return element(
        "div",
        filter_box("remaining", "Filter classes"),
        scrolled(made, "Classes at this rate", tall=True),
        id="classes-at-rate",
        hidden=True,
    )


def _fixed(evenness: float | None) -> str:
    return "–" if evenness is None else f"{evenness:.3f}"


def _rates(contents: Contents) -> Markup:
    names = contents.statistics.classes.name
    total = int(contents.remains.instances[0])
    rows: list[list[Child]] = []
    for at in contents.statistics.balance.prunings:
        lost: list[Child] = []
        for i in at.vanished[:NAMED].tolist():
            lost += [", " if lost else ": ", name(str(names[i]))]
        more = len(at.vanished) - NAMED
        rows.append(
            [
                f"{100 * at.rate:.0f} %",
                number(at.images),
                number(at.instances),
                per_cent(at.instances, total),
                number(int(np.count_nonzero(at.class_instances))),
                _fixed(at.evenness),
                [number(len(at.vanished)), lost, f" and {number(more)} more" if more > 0 else None],
            ]
        )
    heads = ["images", "instances", "of all", "classes", "evenness"]
    caption = f"Before pruning: evenness {_fixed(contents.statistics.balance.evenness)}"
    columns = [Column("pruning rate", False), *map(Column, heads), Column("classes that vanish", False)]
    return table(columns, rows, caption=caption)


def _data(contents: Contents) -> dict[str, Any]:
    """What the script reckons with.

    ``classes`` holds of each class its name and its instances, then how many of them go at each step of one
    per cent. ``edges`` holds, by rank from 0, the images beside each rate.
    """
    left = contents.remains
    counts = left.by_class.copy()
    counts[1:] = left.by_class[:-1] - left.by_class[1:]
    classes = contents.statistics.classes
    order = classes.by_instances()
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
        "classes": [[one_line(str(classes.name[i])), counts[:, i].tolist()] for i in order],
        "edges": edges,
    }
