"""From a data set to its scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from tfdp_fast._batches import fill_convention
from tfdp_fast._threads import importing, resolve_threads, timed
from tfdp_fast.errors import OptionError
from tfdp_fast.formats.dataset import Dataset, OnError, OnProgress
from tfdp_fast.formats.opening import Opening, open_dataset
from tfdp_fast.masks import Polygons
from tfdp_fast.measuring import measure_dataset
from tfdp_fast.presets import PresetName, check_preset, polygons_under
from tfdp_fast.scores import Scores, Variant

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["check_options", "score", "score_dataset"]

SUMS = "tfdp_fast.kernels.sums"
"""Importing it takes longer than anything else at the start: it loads Numba."""


def score(
    source: Any,
    variant: Variant = "tfdp",
    *,
    polygons: Polygons | None = None,
    preset: PresetName | None = None,
    on_error: OnError = "raise",
    threads: int | None = None,
    progress: OnProgress | None = None,
    **opening: Unpack[Opening],
) -> Scores:
    """Score every image of a data set from its annotations.

    Annotations that are marked ``ignore`` do not count at all. Crowd regions (``iscrowd``) belong to their
    image but take no part in scores, class totals and image sums.

    Parameters
    ----------
    source : path or object
        A data set of any format; see `open_dataset`. Objects are not changed.
    variant : {"tfdp", "scs", "si", "cb"}
        The method (Eq. 13), or one of its ablations.
    polygons : {"coco", "opencv"}, optional
        How a polygon becomes a mask: ``"coco"``, if no preset says otherwise.
    preset : {"official"}, optional
        Count what the code of the paper's authors counts: annotations and images pass their filters, and
        polygons are filled as OpenCV does. See docs/official.md.
    on_error : {"raise", "skip"}
        What to do with an annotation that cannot be used: raise, or set it aside in ``Scores.problems``.
    threads : int or None
        Threads to use; None for all processors. The result does not depend on it.
    progress : callable, optional
        Called with a `Progress` now and then.
    **opening
        ``format``, ``split``, ``difficult``, ``image_size``: what the data set is; see `open_dataset`.

    Returns
    -------
    Scores
        Of all images, those without an instance included.

    Raises
    ------
    DataError
        If the source, or an annotation of it, cannot be used; the error says which and why.
    OptionError
        If an argument makes no sense.

    Examples
    --------
    >>> import tfdp_fast as tfdp
    >>> square = [[0, 0, 9, 0, 9, 9, 0, 9]]
    >>> data = {
    ...     "images": [{"id": 7, "file_name": "a.jpg", "height": 10, "width": 10}],
    ...     "categories": [{"id": 1, "name": "square"}],
    ...     "annotations": [{"id": 1, "image_id": 7, "category_id": 1, "segmentation": square}],
    ... }
    >>> scores = tfdp.score(data)
    >>> scores.images.score, scores.classes.total
    (array([1.]), array([1.12837917]))
    """
    check_options(variant, polygons, on_error, preset)
    threads = resolve_threads(threads)
    with timed("read"), importing(SUMS, threads):
        dataset = open_dataset(source, on_error=on_error, preset=preset, **opening)
    return score_dataset(dataset, variant, polygons=polygons, threads=threads, progress=progress)


def check_options(
    variant: str, polygons: Polygons | None, on_error: str, preset: PresetName | None = None
) -> None:
    """Raise OptionError for what `score` would refuse, before anything is read."""
    if variant not in get_args(Variant):
        raise OptionError(f"variant must be 'tfdp', 'scs', 'si' or 'cb', got {variant!r}")
    if on_error not in get_args(OnError):
        raise OptionError(f"on_error must be 'raise' or 'skip', got {on_error!r}")
    check_preset(preset)
    fill_convention(polygons_under(preset, polygons))


def score_dataset(
    dataset: Dataset,
    variant: Variant,
    *,
    polygons: Polygons | None,
    threads: int,
    progress: OnProgress | None,
) -> Scores:
    """Score a data set that has been opened, by the preset that it was opened with; see `score`."""
    return measure_dataset(dataset, polygons=polygons, threads=threads, progress=progress).scores(variant)
