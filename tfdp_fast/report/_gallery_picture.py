"""The sheet of a gallery: rows of images under a title for each variant, and a key."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np

from tfdp_fast.report._canvas import Sheet, drawing_style, elided, text_width
from tfdp_fast.report._colours import colours_of
from tfdp_fast.report._drawing import INK, QUIET
from tfdp_fast.report._key import Key
from tfdp_fast.report._picture_drawing import draw_labels, draw_picture, fit
from tfdp_fast.report._wording import TITLES, in_unit, power_of_ten, score_text, unit_of
from tfdp_fast.report.gallery import GalleryImage, GalleryRow, Which
from tfdp_fast.report.pictures import Outline, Picture
from tfdp_fast.scores import Scores, Variant

_EDGE, _GAP, _SIDE = 14.0, 9.0, 62.0
_TITLE, _CAPTION, _KEY_GAP, _BLOCK_GAP = 22.0, 25.0, 6.0, 12.0
_FONT = 6.0
_HEADINGS: dict[Which, str] = {"best": "best", "cut": "at the cut", "least": "least"}
_MOST_LABELS = 10
"""Scores written in an image at most: more would hide it."""


def draw_gallery(
    destination: str | os.PathLike[str],
    rows: Sequence[GalleryRow],
    pictures: Sequence[Sequence[Picture]],
    scores: Mapping[Variant, Scores],
    ranked: Mapping[Variant, int],
    kept: Mapping[Variant, int],
) -> None:
    """Draw rows of images, for each of which there are pictures, and write the sheet."""
    with drawing_style():
        _Sheet(rows, pictures, scores, ranked, kept).draw().save(destination)


class _Sheet:
    def __init__(
        self,
        rows: Sequence[GalleryRow],
        pictures: Sequence[Sequence[Picture]],
        scores: Mapping[Variant, Scores],
        ranked: Mapping[Variant, int],
        kept: Mapping[Variant, int],
    ) -> None:
        self._rows, self._pictures, self._scores = rows, pictures, scores
        self._ranked, self._kept = ranked, kept
        columns = max(len(row.images) for row in rows)
        self._cell_width = min(max(900.0 / columns, 118.0), 300.0)
        self._cell_height = self._cell_width / _common_shape([p for row in pictures for p in row])
        self._width = 2 * _EDGE + _SIDE + columns * (self._cell_width + _GAP) - _GAP
        outlines = [outline for row in pictures for picture in row for outline in picture.outlines]
        self._colours = colours_of(outline.category for outline in outlines)
        names = {outline.category: outline.category_name for outline in outlines}
        self._key = Key(
            [(names[category], colour) for category, colour in self._colours.items()],
            self._width - 2 * _EDGE,
            parts=any(len(outline.contours) > 1 for outline in outlines),
            crowd=any(outline.role == "crowd" for outline in outlines),
            others=any(outline.role in {"left out", "set aside"} for outline in outlines),
        )

    def draw(self) -> Sheet:
        titles = len({row.variant for row in self._rows})
        height = (
            2 * _EDGE
            + titles * (_TITLE + _BLOCK_GAP)
            - _BLOCK_GAP
            + len(self._rows) * (self._cell_height + _CAPTION)
        )
        sheet = Sheet(self._width, height + _KEY_GAP + self._key.height)
        y, rows = _EDGE, zip(self._rows, self._pictures, strict=True)
        for variant, of_variant in groupby(rows, key=lambda row: row[0].variant):
            self._draw_title(sheet, variant, y)
            y += _TITLE
            for row, pictures in of_variant:
                self._draw_row(sheet, row, pictures, y)
                y += self._cell_height + _CAPTION
            y += _BLOCK_GAP
        self._key.draw(sheet, _EDGE, y - _BLOCK_GAP + _KEY_GAP)
        return sheet

    def _draw_title(self, sheet: Sheet, variant: Variant, y: float) -> None:
        room = self._width - 2 * _EDGE
        title = elided(TITLES[variant], 10, room)
        sheet.text(_EDGE, y + 12, title, 10, fontweight="bold")
        kept = f", of which {self._kept[variant]:,} are kept" if variant in self._kept else ""
        about = f"#: rank of {self._ranked[variant]:,} images{kept}; S: image score"
        if text_width(title, 10, bold=True) + text_width(about, 8) + 12 <= room:
            sheet.text(self._width - _EDGE, y + 12, about, 8, color=QUIET, ha="right")

    def _draw_row(self, sheet: Sheet, row: GalleryRow, pictures: Sequence[Picture], y: float) -> None:
        labelled = [_labelled(picture, self._scores[row.variant]) for picture in pictures]
        unit = unit_of([score for labels in labelled for _, score in labels])
        middle = y + self._cell_height / 2
        sheet.text(_EDGE, middle - 6, _HEADINGS[row.which], 9, fontweight="bold")
        sheet.text(_EDGE, middle + 5, "instance scores", 6.5, color=QUIET)
        if unit:
            sheet.text(_EDGE, middle + 14, f"in {power_of_ten(unit)}", 6.5, color=QUIET)
        for column, (image, picture) in enumerate(zip(row.images, pictures, strict=True)):
            x = _EDGE + _SIDE + column * (self._cell_width + _GAP)
            self._draw_image(sheet, image, picture, labelled[column], unit, (x, y))

    def _draw_image(
        self,
        sheet: Sheet,
        image: GalleryImage,
        picture: Picture,
        labelled: list[tuple[Outline, float]],
        unit: int,
        corner: tuple[float, float],
    ) -> None:
        x, y = corner
        width, height = fit(picture, self._cell_width, self._cell_height)
        left, top = x + (self._cell_width - width) / 2, y + (self._cell_height - height) / 2
        axes = sheet.axes(left, top, width, height)
        draw_picture(axes, picture, self._colours, width)
        labels = [(outline, in_unit(score, unit)) for outline, score in labelled]
        written = draw_labels(
            axes, picture, labels, (width, height), font=_FONT, colours=self._colours, most=_MOST_LABELS
        )
        self._draw_caption(
            sheet, image, f"{written} of {len(labels)} scores" if written < len(labels) else "", corner
        )

    def _draw_caption(
        self, sheet: Sheet, image: GalleryImage, remark: str, corner: tuple[float, float]
    ) -> None:
        x, y = corner[0], corner[1] + self._cell_height
        rank = f"#{image.rank:,}"
        score = f"S = {score_text(image.score)}"
        sheet.text(x, y + 9, rank, 7.5, fontweight="bold")
        colour = INK
        if image.kept is not None:
            used = text_width(rank, 7.5, bold=True) + 4
            mark, colour = ("kept", "#1a7f37") if image.kept else ("dropped", "#b3261e")
            if used + text_width(mark, 6.5) + text_width(score, 7.5) + 6 <= self._cell_width:
                sheet.text(x + used, y + 9, mark, 6.5, color=colour)
        sheet.text(x + self._cell_width, y + 9, score, 7.5, ha="right")
        room = self._cell_width - (text_width(remark, 6) + 6 if remark else 0)
        name = str(image.id) if image.file_name is None else image.file_name
        sheet.text(x, y + 18, elided(name, 6, room), 6, color=QUIET)
        if remark:
            sheet.text(x + self._cell_width, y + 18, remark, 6, color=QUIET, ha="right")


def _common_shape(pictures: Sequence[Picture]) -> float:
    """Width over height of the cells: that of most images, unless it is extreme."""
    shapes = [max(picture.width, 1) / max(picture.height, 1) for picture in pictures]
    return float(np.clip(np.median(shapes), 0.75, 2.0))


def _labelled(picture: Picture, scores: Scores) -> list[tuple[Outline, float]]:
    """The scored instances with their scores, the best first."""
    assert scores.instances is not None
    scored = [
        (outline, float(scores.instances.score[outline.row]))
        for outline in picture.outlines
        if outline.row is not None
    ]
    return sorted(scored, key=lambda item: -item[1])
