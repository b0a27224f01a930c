"""The comparison with the paper's times as a page of Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from tfdp_fast.timing.cells import (
    NOT_TOLD_APART,
    OTHER_MACHINES,
    RATIO_HEADER,
    ROW_HEADER,
    SUMMARY_HEADER,
    data_in_words,
    groups_of,
    machine_in_words,
    ratio_cells,
    row_cells,
    summary_cells,
)
from tfdp_fast.timing.paper import HARDWARE, SOURCE
from tfdp_fast.timing.results import DataSetTiming, PaperTiming, Row
from tfdp_fast.timing.text import duration, markdown

BUSY = 1.0
"""Processes that were running beforehand, from which on the page says so."""

INTRODUCTION = f"""\
Written by `tfdp bench paper`. Every row says whether its time was **measured** here, is **extrapolated** \
from what was measured here on a part, or is **quoted** from the paper ({SOURCE}; {HARDWARE}).

{OTHER_MACHINES}

Times are medians over rounds, in which all jobs of a group run one after the other; the spread is from the \
shortest to the longest. Groups that take long have fewer rounds. Files are in the system's cache. Ratios \
are the other's time over ours: above 1 × ours is shorter. {NOT_TOLD_APART}

The authors' route is what their code does, on one thread: `json.load` or Pillow, masks as arrays (RLE by \
pycocotools, polygons by `fillPoly`, label maps by `== label`), `findContours`, the largest `contourArea`, \
`arcLength`, sums in Python's dicts. Its process writes nothing; `tfdp prune` writes the subset. All answers \
are compared with ours; polygons are filled as OpenCV does by both. The paper does not say which steps its \
times include, nor on which processor TFDP ran.

Scoring all boxes once is what one checkpoint's logits would cost here, once they are in memory: the time of \
a million pixels, multiplied up."""


def page_of(timing: PaperTiming) -> str:
    """The page, with a line break at its end."""
    return "\n\n".join(_parts(timing)) + "\n"


def _parts(timing: PaperTiming) -> Iterator[str]:
    yield "# Times beside those of the paper"
    yield INTRODUCTION
    yield "## In short"
    yield markdown(SUMMARY_HEADER, map(summary_cells, timing.data_sets))
    yield "## Where"
    yield markdown(("", ""), machine_in_words(timing))
    if timing.machine["load"] >= BUSY:
        yield "Other programs used the machine at the same time: alone, times would be shorter."
    yield "## What is slower, or differs"
    yield "\n".join(f"- {loss}" for loss in timing.losses) or "Nothing."
    for one in timing.data_sets:
        yield from _data_set(one)
    yield "## Pixels of the baselines"
    yield (
        "Seconds for a million pixels at one checkpoint, on one thread, from logits that are in memory. "
        "Training, and the forward pass that gives the logits, are not in it."
    )
    yield _table(timing.pixels)
    yield "## Again"
    yield f"This run took {duration(timing.seconds)}, and {_disk(timing)} of temporary files."
    command = "tfdp bench paper"
    if timing.scale != 1:
        command += f" --scale {timing.scale:g}"
    yield f"```sh\n{command} --threads {timing.threads} --rounds {timing.rounds} -o paper-timing.md\n```"
    yield "`--voc`, `--cityscapes` and `--coco` take real data in place of what is made."


def _data_set(one: DataSetTiming) -> Iterator[str]:
    yield f"## {one.title}"
    yield f"Data: {data_in_words(one)}."
    if one.agreement is not None:
        yield f"Answers of the authors' route and ours: {one.agreement.in_words()}."
    yield markdown(RATIO_HEADER, map(ratio_cells, one.ratios))
    for group in groups_of(one.rows):
        yield f"### {one.title}: {group}"
        yield _table([row for row in one.rows if row.group == group])


def _table(rows: list[Row]) -> str:
    return markdown(ROW_HEADER, map(row_cells, rows))


def _disk(timing: PaperTiming) -> str:
    made = [one.bytes for one in timing.data_sets if one.made_in is not None]
    return f"up to {max(made, default=0) * 2 / 1e6:,.0f} MB"
