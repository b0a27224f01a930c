"""A colour for each class, and the key that says which."""

from __future__ import annotations

from collections.abc import Iterable

COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#882255",
    "#999933",
    "#332288",
)
"""Those of Okabe and Ito, and of Tol's muted ones: told apart by colour-blind readers, too."""


def colours_of(categories: Iterable[int]) -> dict[int, str]:
    """A colour for each of the classes that are shown.

    A class has the colour of its position in the data set, or the next one if a class before it has that
    already. If there are more classes than colours, several share one.

    Examples
    --------
    >>> colours_of([0, 1, 9]) == {0: COLOURS[0], 1: COLOURS[1], 9: COLOURS[2]}
    True
    """
    shown = sorted(set(categories))
    n = len(COLOURS)
    found: dict[int, str] = {}
    for category in shown:
        wishes = [COLOURS[(category + step) % n] for step in range(n)]
        found[category] = next((wish for wish in wishes if wish not in found.values()), wishes[0])
    return found
