"""Rows and ratios as the cells of a table; the terminal and the page show the same."""

from __future__ import annotations

from collections.abc import Sequence

from tfdp_fast.timing.paper import REPORTED
from tfdp_fast.timing.results import DataSetTiming, PaperTiming, Ratio, Row
from tfdp_fast.timing.tables import OUR_PROCESS, PAPERS_MEAN, PAPERS_TFDP, ROUTE
from tfdp_fast.timing.text import duration, number, quotation

ROW_HEADER = ("what", "time", "spread", "rounds", "from", "note")
SUMMARY_HEADER = (
    "data set",
    "tfdp prune (measured)",
    "authors' route here",
    "TFDP (quoted)",
    "baselines' mean (quoted)",
    "their route : ours",
    "TFDP quoted : ours",
    "baselines quoted : ours",
    "the paper's speed-up",
)
RATIO_HEADER = ("time of", "over that of", "ratio", "from")

OTHER_MACHINES = (
    "Quoted times were taken by the paper's authors on their machines. A ratio of a quoted time and one "
    "measured here compares machines, data and software at once: it is no measurement of software alone."
)
NOT_TOLD_APART = (
    "Our way decodes and measures masks in one pass, and reads label maps in the same pass; these steps are "
    "not told apart. What reading, or reading and decoding, takes by itself was measured by itself."
)


def row_cells(row: Row) -> Sequence[str]:
    """What goes under `ROW_HEADER`."""
    if row.seconds is None:
        return row.what, "", "", "", row.kind, row.note
    if row.kind == "quoted":
        return row.what, quotation(row.seconds), "", "", row.kind, row.note
    spread = f"{duration(row.low)} – {duration(row.high)}" if row.low is not None and row.high else ""
    return row.what, duration(row.seconds), spread, str(row.rounds or ""), row.kind, row.note


def summary_cells(one: DataSetTiming) -> Sequence[str]:
    """What goes under `SUMMARY_HEADER`: whole processes, and ratios of them."""
    reported = REPORTED[one.name]
    ours = next(row for row in one.rows if row.what == OUR_PROCESS)
    *_, route = (row for row in one.rows if row.group == ROUTE)
    ratios = {ratio.what: ratio.value for ratio in one.ratios if ratio.over == OUR_PROCESS}
    values = [ratios[what] for what in (ROUTE, PAPERS_TFDP, PAPERS_MEAN)]
    return (
        one.title if one.scale == 1 else f"{one.title} × {one.scale:g}",
        row_cells(ours)[1],
        f"{row_cells(route)[1]} ({route.kind})".lstrip(),
        quotation(reported.tfdp),
        quotation(round(reported.mean, 2)),
        *("–" if value is None else number(value, "×") for value in values),
        number(reported.speed_up, "×"),
    )


def ratio_cells(ratio: Ratio) -> Sequence[str]:
    """What goes under `RATIO_HEADER`."""
    if ratio.value is None:
        reason = "not measured" if ratio.kind == "not measured" else "data of another size"
        return ratio.what, ratio.over, "", reason
    if ratio.same_machine:
        source = f"{ratio.kind} : {'quoted' if ratio.kind == 'quoted' else 'measured'}"
    else:
        source = f"{ratio.kind} : measured, other machines"
    return ratio.what, ratio.over, number(ratio.value, "×"), source


def origin_of(row: Row) -> str:
    """Where a time is from, and the note, in one cell.

    Examples
    --------
    >>> origin_of(Row("the paper", "TFDP, all of it", "quoted", 7.19, note="paper, Tab. 6"))
    'quoted: paper, Tab. 6'
    """
    return f"{row.kind}: {row.note}" if row.note else row.kind


def groups_of(rows: Sequence[Row]) -> list[str]:
    """The groups, in order."""
    return list(dict.fromkeys(row.group for row in rows))


def data_in_words(one: DataSetTiming) -> str:
    """What a data set is, and how large.

    Examples
    --------
    >>> data_in_words(DataSetTiming("voc", "VOC", "real", 1.0, 3, 7, 2500000, 1, None, [], [], None))
    'real; 3 images, 7 instances, 2.5 MB'
    """
    files = f" in {one.files:,} files" if one.files > 1 else ""
    share = "" if one.scale == 1 else f"; {one.scale:g} of the size of {one.title}, and all times are of that"
    made = "" if one.made_in is None else f" in {duration(one.made_in)}"
    size = f"{one.images:,} images, {one.instances:,} instances, {one.bytes / 1e6:,.1f} MB{files}"
    return f"{one.origin}{made}; {size}{share}"


def machine_in_words(timing: PaperTiming) -> list[tuple[str, str]]:
    """What it was measured on, label and value."""
    machine = timing.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return [
        ("when", machine["date"]),
        ("processor", f"{machine['processor']}, {machine['processors']} processors"),
        ("memory", f"{machine['memory'] / 2**30:.0f} GiB"),
        ("load before", f"{machine['load']:.1f} processes, on average over a minute"),
        ("system", machine["system"]),
        ("Python", machine["python"]),
        ("versions", versions),
        ("core built with", machine["core"]),
    ]
