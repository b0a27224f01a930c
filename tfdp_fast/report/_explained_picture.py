"""The sheet of an explanation: the image, its instances numbered, and a table of their numbers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from tfdp_fast.report._canvas import Sheet, drawing_style, elided
from tfdp_fast.report._colours import colours_of
from tfdp_fast.report._drawing import QUIET
from tfdp_fast.report._key import Key
from tfdp_fast.report._picture_drawing import draw_labels, draw_picture, fit
from tfdp_fast.report._wording import TITLES, rate_text, score_text
from tfdp_fast.report.explanations import ExplainedInstance, Explanation
from tfdp_fast.report.pictures import Picture

_EDGE, _GAP, _HEAD = 16.0, 18.0, 44.0
_IMAGE_WIDTH, _IMAGE_HEIGHT = 520.0, 430.0
_LINE, _FONT = 11.5, 7.0
_COLUMNS = {"#": 16.0, "class": 92.0, "SCS": 40.0, "SI-SCS": 38.0, "T_c": 44.0, "score": 56.0}
_COLUMNS |= {"share": 38.0, "rank": 48.0}
_TABLE = sum(_COLUMNS.values())
_LEAST_LINES = 16
"""Lines of the table that there is room for beside the flattest image."""


def draw_explanation(explanation: Explanation, picture: Picture, destination: str | os.PathLike[str]) -> None:
    """Draw the image of an explanation with its instances, and write the sheet."""
    with drawing_style():
        _draw(explanation, picture).save(destination)


def _draw(explanation: Explanation, picture: Picture) -> Sheet:
    width, height = fit(picture, _IMAGE_WIDTH, _IMAGE_HEIGHT)
    body = max(height, _LINE * (min(len(explanation.instances), _LEAST_LINES) + 1))
    image_room = max(width, 200.0)
    sheet_width = 2 * _EDGE + image_room + _GAP + _TABLE
    colours = colours_of(outline.category for outline in picture.outlines)
    names = {outline.category: outline.category_name for outline in picture.outlines}
    key = Key(
        [(names[category], colour) for category, colour in colours.items()],
        sheet_width - 2 * _EDGE,
        parts=any(len(outline.contours) > 1 for outline in picture.outlines),
        crowd=any(outline.role == "crowd" for outline in picture.outlines),
        others=any(outline.role in {"left out", "set aside"} for outline in picture.outlines),
    )
    sheet = Sheet(sheet_width, 2 * _EDGE + _HEAD + body + 10 + key.height)
    _draw_head(sheet, explanation)
    top = _EDGE + _HEAD
    axes = sheet.axes(_EDGE + (image_room - width) / 2, top, width, height)
    draw_picture(axes, picture, colours, width)
    outlines = {outline.position: outline for outline in picture.outlines}
    labels = [(outlines[instance.position], str(instance.number)) for instance in explanation.instances]
    draw_labels(axes, picture, labels, (width, height), font=_FONT, colours=colours, far=True)
    lines = int(body / _LINE) - 1
    by_class = {names[category]: colour for category, colour in colours.items()}
    _draw_table(sheet, explanation.instances, by_class, lines, (_EDGE + image_room + _GAP, top))
    key.draw(sheet, _EDGE, top + body + 10)
    return sheet


def _draw_head(sheet: Sheet, explanation: Explanation) -> None:
    room = sheet.width - 2 * _EDGE
    name = f" ({explanation.file_name})" if explanation.file_name else ""
    title = elided(f"Image {explanation.image_id}{name}", 11, 0.9 * room)
    sheet.text(_EDGE, _EDGE + 10, title, 11, fontweight="bold")
    sheet.text(_EDGE, _EDGE + 23, elided(TITLES[explanation.variant], 8, room), 8, color=QUIET)
    if explanation.rank is None:
        about = f"not ranked: {explanation.not_ranked}"
    else:
        assert explanation.largest_rate is not None
        about = (
            f"S = {score_text(explanation.score)}, rank {explanation.rank:,} of {explanation.ranked:,}: "
            f"kept up to a pruning rate of {rate_text(explanation.largest_rate)}"
        )
    sheet.text(_EDGE, _EDGE + 35, elided(about, 8, room), 8)


def _draw_table(
    sheet: Sheet,
    instances: Sequence[ExplainedInstance],
    colours: Mapping[str, str],
    lines: int,
    corner: tuple[float, float],
) -> None:
    x, y = corner
    _draw_line(sheet, dict(zip(_COLUMNS, _COLUMNS, strict=True)), x, y + 8, {"color": QUIET})
    sheet.line([x, x + _TABLE], [y + _LINE, y + _LINE], color="#c9c6c0", linewidth=0.6)
    shown = instances if len(instances) <= lines else instances[: lines - 1]
    for instance in shown:
        y += _LINE
        sheet.box(x + _COLUMNS["#"] + 2, y + 3, 6, 6, facecolor=colours[instance.category], edgecolor="none")
        _draw_line(sheet, _cells(instance), x, y + 9, {})
        if instance.role != "scored":
            remark = (
                "crowd region, not scored" if instance.role == "crowd" else f"{instance.role}, not scored"
            )
            sheet.text(x + _TABLE, y + 9, remark, _FONT, color=QUIET, ha="right")
    if len(shown) < len(instances):
        more = f"and {len(instances) - len(shown):,} more"
        sheet.text(x + _COLUMNS["#"] + 2, y + _LINE + 9, more, _FONT, color=QUIET)


def _draw_line(sheet: Sheet, cells: Mapping[str, str], x: float, base: float, style: dict[str, Any]) -> None:
    for name, width in _COLUMNS.items():
        if name == "class":
            indent = 2.0 if cells[name] == name else 12.0
            sheet.text(x + indent, base, elided(cells[name], _FONT, width - indent), _FONT, **style)
        else:
            sheet.text(x + width, base, cells.get(name, ""), _FONT, ha="right", **style)
        x += width


def _cells(instance: ExplainedInstance) -> dict[str, str]:
    cells = {"#": str(instance.number), "class": instance.category}
    if instance.score is None:
        return cells
    assert instance.scs is not None
    assert instance.si_scs is not None
    assert instance.class_total is not None
    assert instance.share is not None
    return cells | {
        "SCS": "no area" if instance.degenerate else score_text(instance.scs, 3),
        "SI-SCS": "no area" if instance.degenerate else score_text(instance.si_scs),
        "T_c": score_text(instance.class_total),
        "score": score_text(instance.score, 3),
        "share": f"{instance.share:.1%}",
        "rank": f"{instance.rank:,}",
    }
