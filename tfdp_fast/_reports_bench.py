"""What the command line says of a comparison with the paper's times."""

from __future__ import annotations

import dataclasses

from tfdp_fast._console import Listing, Report, Row
from tfdp_fast.timing.cells import (
    OTHER_MACHINES,
    RATIO_HEADER,
    ROW_HEADER,
    SUMMARY_HEADER,
    data_in_words,
    machine_in_words,
    origin_of,
    ratio_cells,
    row_cells,
    summary_cells,
)
from tfdp_fast.timing.results import PaperTiming
from tfdp_fast.timing.results import Row as TimedRow
from tfdp_fast.timing.text import duration


def paper_report(timing: PaperTiming, output: str | None) -> Report:
    """A table for each data set, with one of ratios below it."""
    rows: list[Row] = machine_in_words(timing)
    listings = [
        Listing.labelled("In short", SUMMARY_HEADER, list(map(summary_cells, timing.data_sets)), "in short:")
    ]
    for one in timing.data_sets:
        rows.append((one.title, data_in_words(one)))
        if one.agreement is not None:
            rows.append((f"{one.title}, answers", one.agreement.in_words()))
        listings.append(_listing(one.title, one.rows))
        ratios = [(f"{what} : {over}", *cells) for what, over, *cells in map(ratio_cells, one.ratios)]
        what, over, *others = RATIO_HEADER
        listings.append(
            Listing.labelled(f"{one.title}, ratios", (f"{what} : {over}", *others), ratios, f"{one.title}:")
        )
    listings.append(_listing("Pixels of the baselines", timing.pixels))
    rows += [("slower, or different", loss) for loss in timing.losses]
    rows.append(("mind", OTHER_MACHINES))
    rows.append(("this run", duration(timing.seconds)))
    if output is not None:
        rows.append(("page", output))
    return Report("Times beside those of the paper", paper_data(timing, output), rows, listings)


def paper_data(timing: PaperTiming, output: str | None) -> dict[str, object]:
    """All of it, for machines; times in seconds."""
    data = dataclasses.asdict(timing)
    for one, found in zip(timing.data_sets, data["data_sets"], strict=True):
        found["losses"] = one.losses
        if one.agreement is not None:
            found["agreement"]["same"] = one.agreement.same
    return data | {"same": timing.same, "page": output}


def _listing(title: str, rows: list[TimedRow]) -> Listing:
    cells = [(f"{row.group}: {row.what}", *row_cells(row)[1:4], origin_of(row)) for row in rows]
    return Listing.labelled(title, ROW_HEADER[:5], cells, f"{title}:")
