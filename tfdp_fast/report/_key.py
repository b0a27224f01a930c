"""The key below a figure: a colour for each class, and what the lines mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfdp_fast.report._canvas import Sheet, elided, text_width
from tfdp_fast.report._drawing import INK, QUIET

_FONT, _LINE, _GAP, _SIGN = 7.5, 13.0, 14.0, 16.0
_LONGEST = 150.0

Entry = tuple[str, str, dict[str, Any] | None]
"""Text, colour, and the line that it is about; None for a class."""


class Key:
    """A key that is set in lines of a width.

    Parameters
    ----------
    classes : sequence of (str, str)
        Name and colour of those that are shown.
    width : float
        Of the lines, in points.
    parts, crowd, others : bool
        Whether there are secondary parts of instances, crowd regions, and annotations that are not scored
        for other reasons.
    """

    def __init__(
        self, classes: Sequence[tuple[str, str]], width: float, *, parts: bool, crowd: bool, others: bool
    ) -> None:
        entries: list[Entry] = [(name, colour, None) for name, colour in classes]
        if classes:
            entries.append(("primary contour", INK, {"linewidth": 1.6}))
        if parts:
            entries.append(("other parts, which do not count", INK, {"linewidth": 0.6}))
        if crowd:
            entries.append(("crowd region, not scored", INK, {"hatch": "//////", "linestyle": (0, (3, 2))}))
        if others:
            entries.append(("left out, not scored", INK, {"linestyle": (0, (3, 2)), "linewidth": 0.8}))
        self._lines: list[list[tuple[float, Entry]]] = [[]]
        x = 0.0
        for text, colour, line in entries:
            shown = elided(text, _FONT, min(_LONGEST, width - _SIGN))
            needed = _SIGN + text_width(shown, _FONT)
            if x and x + needed > width:
                self._lines.append([])
                x = 0.0
            self._lines[-1].append((x, (shown, colour, line)))
            x += needed + _GAP

    @property
    def height(self) -> float:
        """In points."""
        return _LINE * len(self._lines)

    def draw(self, sheet: Sheet, x: float, y: float) -> None:
        """Draw it; (x, y) is its top left corner."""
        for number, line in enumerate(self._lines):
            middle = y + _LINE * (number + 0.5)
            for at, (text, colour, style) in line:
                left = x + at
                if style is None:
                    sheet.box(left, middle - 3.5, 10, 7, facecolor=colour, edgecolor="none")
                elif "hatch" in style:
                    sheet.box(
                        left, middle - 3.5, 10, 7, facecolor="none", edgecolor=QUIET, linewidth=0.8, **style
                    )
                else:
                    sheet.line([left, left + 11], [middle, middle], color=colour, **style)
                sheet.text(left + _SIGN - 2, middle, text, _FONT, va="center_baseline")
