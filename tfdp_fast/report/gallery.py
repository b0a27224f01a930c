"""The best and the least ranked images of a data set, side by side."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._numbers import is_number
from tfdp_fast._threads import importing, resolve_threads, timed
from tfdp_fast.errors import DataError, OptionError
from tfdp_fast.formats.dataset import OnError, OnProgress, Problem
from tfdp_fast.formats.opening import Opening, open_dataset
from tfdp_fast.masks import Polygons
from tfdp_fast.measuring import measure_dataset
from tfdp_fast.presets import PresetName
from tfdp_fast.report.pictures import Ranking, refuse_inputs, take_pictures
from tfdp_fast.scores import Scores, Variant
from tfdp_fast.scoring import SUMS, check_options
from tfdp_fast.selection import check_share, select

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Gallery", "GalleryImage", "GalleryRow", "Which", "gallery"]

Which: TypeAlias = Literal["best", "cut", "least"]
"""The best images, those on both sides of the cut at a pruning rate, or the least ranked ones."""

MOST = 40
"""Columns that a gallery has at most."""
LONGEST = 480
"""Pixels of the longer side of an image at most."""


@dataclass(frozen=True)
class GalleryImage:
    """An image of a gallery.

    Attributes
    ----------
    id : int or str
        The image's id.
    file_name : str or None
        Its file name.
    rank : int
        Its rank, 1 being the best.
    score : float
        The image's score.
    kept : bool or None
        Whether it is kept at the pruning rate that was asked for; None if none was.
    """

    id: int | str
    file_name: str | None
    rank: int
    score: float
    kept: bool | None


@dataclass(frozen=True)
class GalleryRow:
    """A row of a gallery.

    Attributes
    ----------
    variant : str
        By which the images are ranked.
    which : {"best", "cut", "least"}
        Which images these are.
    images : list of GalleryImage
        From left to right: the best first, the least first, across the cut by rank.
    """

    variant: Variant
    which: Which
    images: list[GalleryImage]


@dataclass(frozen=True)
class Gallery:
    """What `gallery` has drawn.

    Attributes
    ----------
    source : str
        The data set.
    destination : Path
        The picture.
    polygons : str
        How polygons became masks.
    ranked : dict of str to int
        How many images are ranked, by variant.
    kept : dict of str to int
        How many of these are kept at the pruning rate, by variant; empty if none was asked for.
    rows : list of GalleryRow
        From the top; rows without an image are left out.
    not_shown : dict of int or str to str
        By image id, why there is a blank canvas in place of an image that should be there.
    problems : list of Problem
        Annotations that were set aside.
    """

    source: str
    destination: Path
    polygons: Polygons
    ranked: dict[Variant, int]
    kept: dict[Variant, int]
    rows: list[GalleryRow]
    not_shown: dict[int | str, str]
    problems: list[Problem]


def gallery(
    source: Any,
    destination: str | os.PathLike[str],
    n: int = 8,
    variants: Sequence[Variant] = ("tfdp",),
    *,
    rate: float | Fraction | None = None,
    keep: float | Fraction | None = None,
    k: int | None = None,
    images: str | os.PathLike[str] | None = None,
    polygons: Polygons | None = None,
    preset: PresetName | None = None,
    on_error: OnError = "raise",
    threads: int | None = None,
    progress: OnProgress | None = None,
    **opening: Unpack[Opening],
) -> Gallery:
    """Draw the best and the least ranked images, with the contours and scores of their instances.

    The data set is measured once for all variants.

    Parameters
    ----------
    source : path or object
        A data set of any format; see `open_dataset`.
    destination : path
        Where to. The suffix says how: ``.png``, ``.svg`` or ``.pdf``.
    n : int
        Images in a row, 1 <= n <= 40.
    variants : sequence of {"tfdp", "si", "cb", "scs"}
        Each gets a row of its best images, and one of the least ranked that are not among these.
    rate, keep, k : optional
        A pruning rate, or how much to keep, as for `select`: each variant gets one more row, with the last
        images that are kept at it and the first that are dropped.
    images : path, optional
        The folder that file names are relative to; by default the one that the data set says, if it does.
        Where there is none, contours are drawn on a blank canvas. If it is given, an image that is not there,
        or cannot be shown, is an error, unless ``on_error="skip"``.
    polygons, preset, on_error, threads, progress, **opening
        How to score; see `score`.

    Returns
    -------
    Gallery

    Raises
    ------
    DataError
        If the source, an annotation of it, or an image cannot be used, or no image is ranked.
    OptionError
        If an argument makes no sense.
    OutputError
        If the destination cannot be written, or is a file of the data set.
    MissingExtraError
        If matplotlib is not installed (extra ``figures``).

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import tfdp_fast as tfdp
    >>> square, bar = [[0, 0, 9, 0, 9, 9, 0, 9]], [[0, 0, 9, 0, 9, 3, 0, 3]]
    >>> data = {
    ...     "images": [{"id": i, "height": 10, "width": 10} for i in (4, 2)],
    ...     "categories": [{"id": 1, "name": "shape"}],
    ...     "annotations": [
    ...         {"id": 1, "image_id": 4, "category_id": 1, "segmentation": square},
    ...         {"id": 2, "image_id": 2, "category_id": 1, "segmentation": bar},
    ...     ],
    ... }
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     drawn = tfdp.gallery(data, Path(folder, "gallery.png"), n=1)
    >>> [(row.which, [image.id for image in row.images]) for row in drawn.rows]
    [('best', [2]), ('least', [4])]
    """
    from tfdp_fast.report._canvas import check_picture

    share = _check(n, variants, {"rate": rate, "keep": keep, "k": k}, preset)
    for variant in variants:
        check_options(variant, polygons, on_error, preset)
    check_picture(destination)
    threads = resolve_threads(threads)
    with timed("read"), importing(SUMS, threads):
        dataset = open_dataset(source, on_error=on_error, preset=preset, **opening)
    measured = measure_dataset(dataset, polygons=polygons, threads=threads, progress=progress)
    refuse_inputs(destination, dataset, images)
    scored = {variant: measured.scores(variant) for variant in variants}
    rankings = {variant: Ranking.of(scores) for variant, scores in scored.items()}
    if not any(map(len, rankings.values())):
        raise DataError(dataset.source, None, "no image is ranked: none has an instance that is scored")
    kept = {variant: select(scores, **share).k for variant, scores in scored.items()} if share else {}
    chosen = [
        (variant, which, positions)
        for variant, ranking in rankings.items()
        for which, positions in _rows(ranking.positions, n, kept.get(variant))
        if len(positions)
    ]
    every = np.concatenate([positions for *_, positions in chosen])
    pictures = {
        picture.position: picture
        for picture in take_pictures(
            measured, np.unique(every), images=images, longest=LONGEST, threads=threads
        )
    }
    rows = [
        _row(variant, which, positions, scored[variant], rankings[variant], kept.get(variant))
        for variant, which, positions in chosen
    ]
    with timed("drew the gallery"):
        from tfdp_fast.report._gallery_picture import draw_gallery

        shown = [[pictures[position] for position in positions.tolist()] for *_, positions in chosen]
        ranked = {variant: len(ranking) for variant, ranking in rankings.items()}
        draw_gallery(destination, rows, shown, scored, ranked, kept)
    return Gallery(
        source=dataset.source,
        destination=Path(destination),
        polygons=measured.polygons,
        ranked=ranked,
        kept=kept,
        rows=rows,
        not_shown={picture.id: picture.note for picture in pictures.values() if picture.note is not None},
        problems=measured.problems,
    )


def _check(
    n: Any, variants: Sequence[Variant], options: Mapping[str, Any], preset: PresetName | None
) -> dict[str, Any]:
    """The options of `select` that were given, after all have been looked at."""
    if not is_number(n, int, np.integer) or not 1 <= n <= MOST:
        raise OptionError(f"n, the images in a row, must be from 1 to {MOST}, got {n!r}")
    if isinstance(variants, str) or not variants:
        raise OptionError(f"variants must be a list of at least one, got {variants!r}")
    if len(set(variants)) < len(variants):
        raise OptionError(f"a variant is named twice: {', '.join(map(str, variants))}")
    share = {name: value for name, value in options.items() if value is not None}
    if share:
        check_share(**{"rate": None, "keep": None, "k": None} | share, of="scored", preset=preset)
    return share


def _rows(best_first: NDArray[np.int64], n: int, kept: int | None) -> list[tuple[Which, NDArray[np.int64]]]:
    """Which images are in the rows of a variant, of its ranking; none is in two of them."""
    total = len(best_first)
    best_end = min(n, total)
    least_begin = max(total - n, best_end)
    rows: list[tuple[Which, NDArray[np.int64]]] = [("best", best_first[:best_end])]
    if kept is not None:
        begin = max(kept - (n + 1) // 2, best_end)
        rows.append(("cut", best_first[begin : min(kept + n // 2, least_begin)]))
    rows.append(("least", best_first[least_begin:][::-1]))
    return rows


def _row(
    variant: Variant,
    which: Which,
    positions: NDArray[np.int64],
    scores: Scores,
    ranking: Ranking,
    kept: int | None,
) -> GalleryRow:
    images = []
    for position in positions.tolist():
        name, rank = scores.images.file_name[position], int(ranking.ranks[position])
        images.append(
            GalleryImage(
                id=scores.images.id[position].item(),
                file_name=None if name is None else str(name),
                rank=rank,
                score=float(scores.images.score[position]),
                kept=None if kept is None else rank <= kept,
            )
        )
    return GalleryRow(variant, which, images)
