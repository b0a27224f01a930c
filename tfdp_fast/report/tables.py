"""Tables of a page: sorted and filtered by its script, and readable without."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tfdp_fast.report.markup import Child, Markup, element, joined

__all__ = ["Column", "filter_box", "name", "scrolled", "table"]


@dataclass(frozen=True)
class Column:
    """A column: its heading, and whether it holds numbers, which are aligned to the right."""

    heading: str
    is_number: bool = True


def name(text: str) -> Markup:
    """A name of the user's, whose direction of writing does not reach beyond it."""
    return element("bdi", text)


def table(
    columns: Sequence[Column],
    rows: Iterable[Sequence[Child]],
    *,
    caption: str | None = None,
    identifier: str | None = None,
    sortable: bool = False,
    row_headers: bool = True,
) -> Markup:
    """A table; the first cell of each row is its heading, unless `row_headers` is false."""
    heads = [
        element("th", column.heading, scope="col", class_="n" if column.is_number else None)
        for column in columns
    ]
    body = [
        element(
            "tr",
            [
                element("th", cell, scope="row", class_="n" if column.is_number else None)
                if row_headers and place == 0
                else element("td", cell, class_="n" if column.is_number else None)
                for place, (column, cell) in enumerate(zip(columns, row, strict=True))
            ],
        )
        for row in rows
    ]
    return element(
        "table",
        element("caption", caption) if caption else None,
        element("thead", element("tr", heads)),
        element("tbody", body),
        id=identifier,
        class_="sortable" if sortable else None,
    )


def scrolled(content: Markup, label: str, *, tall: bool = False) -> Markup:
    """A table in a frame that scrolls, by keyboard as well."""
    kind = "scroll tall" if tall else "scroll"
    return element("div", content, class_=kind, tabindex=0, role="region", aria_label=label)


def filter_box(table_id: str, label: str) -> Markup:
    """A field that leaves the rows of a table that hold a text; shown by the script."""
    field = f"{table_id}-filter"
    return element(
        "div",
        element("label", label, for_=field),
        element("input", type="search", id=field, autocomplete="off", spellcheck="false"),
        element("output", for_=field, aria_live="polite", class_="muted"),
        class_="filter",
        data_table=table_id,
        hidden=True,
    )


def definitions(pairs: Iterable[tuple[str, Child]], kind: str) -> Markup:
    """A list of terms and what they are."""
    return element(
        "dl",
        [element("div", element("dt", term), element("dd", what)) for term, what in pairs]
        if kind.startswith("figures")
        else [joined(element("dt", term), element("dd", what)) for term, what in pairs],
        class_=kind,
    )
