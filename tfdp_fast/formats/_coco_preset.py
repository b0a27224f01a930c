"""Which annotations of a COCO data set count under a preset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tfdp_fast.formats._coco_boxes import Boxes
from tfdp_fast.presets import has_stated_boxes, outside, tiny


@dataclass(frozen=True)
class Filtered:
    """What a preset makes of R annotations.

    Attributes
    ----------
    counts : bool [R]
        Which of them count.
    annotated : bool [I]
        The images that have any annotation of a class, one that does not count included.
    skipped : dict of str to int
        How many do not count, by a key of `presets.SKIPPED`.
    faults : list of (int, str)
        Positions of annotations that state no box or area that can be used, and why.
    """

    counts: NDArray[np.bool_]
    annotated: NDArray[np.bool_]
    skipped: dict[str, int] = field(default_factory=dict)
    faults: list[tuple[int, str]] = field(default_factory=list)


def filtered(
    good: NDArray[np.bool_],
    ignored: NDArray[np.bool_],
    image_index: NDArray[np.int64],
    category_index: NDArray[np.int64],
    *,
    sizes: NDArray[np.int32],
    category_names: list[str],
    read_boxes: Callable[[NDArray[np.int64]], Boxes],
) -> Filtered:
    """Apply the rules to the annotations of a file.

    Parameters
    ----------
    good, ignored : bool [R]
        Which annotations have no fault, and which are marked ``ignore``.
    image_index, category_index : int64 [R]
        What they belong to; -1 where there is no such thing.
    sizes : int32 [I, 2]
        Height and width of the images.
    category_names : list of str
        The classes of the data set.
    read_boxes : callable
        Called with positions of annotations: what they state.
    """
    counts = good & (image_index >= 0)
    annotated = np.zeros(len(sizes), np.bool_)
    annotated[image_index[counts & (category_index >= 0)]] = True
    result = Filtered(counts, annotated, {"unknown_image": int(np.count_nonzero(good & ~counts))})
    counts &= ~ignored
    # A box is looked at before the category, and of an annotation that is ignored neither is.
    if has_stated_boxes(category_names):
        at = np.flatnonzero(counts)
        stated = read_boxes(at)
        result.faults.extend((int(at[i]), reason) for i, reason in stated.faults)
        counts[[position for position, _ in result.faults]] = False
        _skip(result, "outside", at[outside(stated.boxes, sizes[image_index[at]])])
        _skip(result, "tiny", at[tiny(stated.boxes, stated.areas)])
    _skip(result, "unknown_category", np.flatnonzero(category_index < 0))
    return result


def _skip(result: Filtered, reason: str, positions: NDArray[np.int64]) -> None:
    """What still counts at some positions does so no longer."""
    result.skipped[reason] = int(np.count_nonzero(result.counts[positions]))
    result.counts[positions] = False
