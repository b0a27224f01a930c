"""Why an image has its score and its rank."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tfdp_fast._threads import importing, resolve_threads, timed
from tfdp_fast.formats.dataset import OnError, OnProgress
from tfdp_fast.formats.opening import Opening, open_dataset
from tfdp_fast.masks import Polygons
from tfdp_fast.measuring import measure_dataset
from tfdp_fast.presets import PresetName
from tfdp_fast.report._image_names import find_image
from tfdp_fast.report.explanations import Explanation, explain_image
from tfdp_fast.report.pictures import refuse_inputs, take_pictures
from tfdp_fast.scores import Variant
from tfdp_fast.scoring import SUMS, check_options

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["explain"]

LONGEST = 1600
"""Pixels of the longer side of the image in a picture at most."""


def explain(
    source: Any,
    image_id: int | str,
    variant: Variant = "tfdp",
    *,
    destination: str | os.PathLike[str] | None = None,
    images: str | os.PathLike[str] | None = None,
    polygons: Polygons | None = None,
    preset: PresetName | None = None,
    on_error: OnError = "raise",
    threads: int | None = None,
    progress: OnProgress | None = None,
    **opening: Unpack[Opening],
) -> Explanation:
    """Say why an image has its score and its rank.

    Parameters
    ----------
    source : path or object
        A data set of any format; see `open_dataset`.
    image_id : int or str
        The image's id, or, where no id is this text, its file name, with or without folders and suffix.
    variant, polygons, preset, on_error, threads, progress, **opening
        How to score; see `score`.
    destination : path, optional
        Where a picture goes: the image with the contours of its instances, numbered. The suffix says how:
        ``.png``, ``.svg`` or ``.pdf``. Needs the extra ``figures``.
    images : path, optional
        The folder that file names are relative to; by default the one that the data set says, if it does.
        Where there is none, contours are drawn on a blank canvas. If it is given, an image that is not there,
        or cannot be shown, is an error, unless ``on_error="skip"``.

    Returns
    -------
    Explanation

    Raises
    ------
    DataError
        If the source, an annotation of it, or the image cannot be used.
    OptionError
        If there is no such image, or an argument makes no sense.
    OutputError
        If the picture cannot be written.
    MissingExtraError
        If a picture is asked for, and matplotlib is not installed.

    Examples
    --------
    >>> import tfdp_fast as tfdp
    >>> square, bar = [[0, 0, 9, 0, 9, 9, 0, 9]], [[0, 0, 9, 0, 9, 3, 0, 3]]
    >>> data = {
    ...     "images": [{"id": 7, "file_name": "a.jpg", "height": 10, "width": 10}],
    ...     "categories": [{"id": 1, "name": "shape"}],
    ...     "annotations": [
    ...         {"id": 1, "image_id": 7, "category_id": 1, "segmentation": square},
    ...         {"id": 2, "image_id": 7, "category_id": 1, "segmentation": bar},
    ...     ],
    ... }
    >>> explanation = tfdp.explain(data, "a.jpg")
    >>> explanation.rank, explanation.ranked, explanation.score
    (1, 1, 1.0)
    >>> [(instance.id, instance.perimeter, instance.area) for instance in explanation.instances]
    [(2, 20.0, 16.0), (1, 32.0, 64.0)]
    >>> round(explanation.instances[0].share, 3)
    0.556
    """
    check_options(variant, polygons, on_error, preset)
    threads = resolve_threads(threads)
    if destination is not None:
        from tfdp_fast.report._canvas import check_picture

        check_picture(destination)
    with timed("read"), importing(SUMS, threads):
        dataset = open_dataset(source, on_error=on_error, preset=preset, **opening)
    measured = measure_dataset(dataset, polygons=polygons, threads=threads, progress=progress)
    position = find_image(dataset, image_id)
    explanation = explain_image(measured, measured.scores(variant), position)
    if destination is not None:
        from tfdp_fast.report._explained_picture import draw_explanation

        refuse_inputs(destination, dataset, images)
        [picture] = take_pictures(measured, [position], images=images, longest=LONGEST, threads=threads)
        draw_explanation(explanation, picture, destination)
        explanation = replace(explanation, not_shown=picture.note)
    return explanation
