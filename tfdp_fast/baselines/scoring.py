"""Scores from the logits of one batch, and from the values of instances to those of images."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._image_ids import first_repeated, plain_ids
from tfdp_fast._numbers import is_number
from tfdp_fast.baselines._pixels import PixelBatch, as_array, gather, raise_bad
from tfdp_fast.baselines.methods import PixelMethod, Pixels, Reduction, check_choice
from tfdp_fast.errors import OptionError
from tfdp_fast.scores import Scores
from tfdp_fast.tables import Ids, ImageTable

__all__ = ["image_scores", "instance_scores", "pixel_scores", "random_scores"]


def pixel_scores(method: PixelMethod, logits: Any, targets: Any) -> Any:
    """Score each pixel at one checkpoint.

    With q = sigmoid(z):

    - ``"entropy"``: −q ln q − (1 − q) ln(1 − q)
    - ``"el2n"``: √2 |q − y|
    - ``"bce"``: −y ln q − (1 − y) ln(1 − q)
    - ``"logit_mse"``: (z − y)²
    - ``"margin"``: (2y − 1) z
    - ``"correct"``: 1 if (z > 0) is y, else 0
    - ``"class_margin"``: the highest class channel minus the second highest

    All are computed in float64, in forms that neither overflow nor cancel, and give the same bits on every
    machine.

    Parameters
    ----------
    method : str
        One of these.
    logits : array, tensor, or list of these
        Mask logits z, of any shape. For ``"class_margin"``, [N, C, ...]; in a list, [C, ...].
    targets : array, tensor, or list of these
        y of each pixel: bool, or 0 and 1.

    Returns
    -------
    float64 array, or list of them
        Of the shape of the targets.

    Raises
    ------
    DataError
        If a logit is NaN or infinite, or a target is neither 0 nor 1; it names the instance: the part of the
        list, or the position on the first axis.
    OptionError
        If shapes or types do not fit.

    Examples
    --------
    >>> from tfdp_fast import baselines
    >>> baselines.pixel_scores("el2n", [[2.0, 0.0]], [[1, 1]])[0].round(8)
    array([0.16857839, 0.70710678])
    """
    check_choice("method", method, get_args(PixelMethod))
    if isinstance(logits, (list, tuple)):
        batch = gather(logits, targets, None, _name, channels=method == "class_margin")
        parts = np.split(_pixel_values(method, batch), batch.offsets[1:-1])[: len(batch)]
        shapes = [np.shape(as_array(part, "targets")) for part in targets]
        return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
    shape = as_array(targets, "targets").shape
    if len(shape) < 2 and method != "class_margin":  # one instance
        logits, targets = as_array(logits, "logits"), as_array(targets, "targets")
        if logits.shape != shape:
            raise OptionError(f"targets have shape {list(shape)}, and logits {list(logits.shape)}")
        logits, targets = logits.reshape(1, -1), targets.reshape(1, -1)
    batch = gather(logits, targets, None, _name, channels=method == "class_margin")
    return _pixel_values(method, batch).reshape(shape)


def instance_scores(
    method: PixelMethod,
    logits: Any,
    targets: Any,
    offsets: Any = None,
    *,
    reduction: Reduction = "mean",
    pixels: Pixels = "roi",
) -> NDArray[np.float64]:
    """Score each instance of a batch at one checkpoint (Eq. 3).

    The sum over the pixels is in a fixed order: an instance has the same bits in any batch. Nothing is
    allocated for each pixel.

    Parameters
    ----------
    method : str
        What a pixel has; see `pixel_scores`.
    logits : list of [h, w], array or tensor [N, h, w], or flat [P] with offsets
        Mask logits z of the channel of the ground-truth class, over the ground-truth box. float32 and float64
        are read where they are (tensors through DLPack); float16 and bfloat16 become float32, exactly; the
        parts of a list are put together in a copy. For ``"class_margin"`` there is an axis of C classes
        before h; flat, [C * P], one instance after the other.
    targets : in the same form
        y of each pixel: bool, or 0 and 1.
    offsets : int [N + 1], optional
        Instance ``j`` has the pixels ``offsets[j]`` to ``offsets[j + 1]``.
    reduction : {"mean", "sum"}
        From pixels to an instance.
    pixels : {"roi", "mask"}
        Over all pixels, or those whose target is 1.

    Returns
    -------
    float64 [N]
        0 for an instance without such a pixel: it adds nothing to its image.

    Raises
    ------
    DataError, OptionError
        As in `pixel_scores`. Infinite logits are refused like NaN: no mean can be formed with them, and they
        say that a network has diverged.

    Examples
    --------
    >>> import numpy as np
    >>> from tfdp_fast import baselines
    >>> logits, targets = np.array([2, 0, -2], np.float32), [1, 1, 0]
    >>> baselines.instance_scores("margin", logits, targets, [0, 2, 3])
    array([1., 2.])
    >>> baselines.instance_scores("margin", logits, targets, [0, 2, 3], pixels="mask")
    array([1., 0.])
    """
    from tfdp_fast.kernels import pixels as kernels

    check_choice("method", method, get_args(PixelMethod))
    check_reduction(reduction, pixels)
    batch = gather(logits, targets, offsets, _name, channels=method == "class_margin")
    if method == "class_margin":
        _check_classes(batch)
        sums, mask_pixels, status = kernels.class_margin_sums(
            batch.classes, batch.logits, batch.targets, batch.offsets
        )
    else:
        codes = np.array([code_of(method)], np.int64)
        sums, mask_pixels, status = kernels.pixel_sums(codes, batch.logits, batch.targets, batch.offsets)
    raise_bad(status, _name)
    return reduce(sums[:, 0], batch.pixels, mask_pixels, reduction, pixels)


def random_scores(n: int, seed: int) -> NDArray[np.float64]:
    """Draw a uniform score in (0, 1] for each of n images; the same for the same seed, everywhere.

    The best of them are the images that ``select(..., strategy="random")`` keeps with that seed.

    Examples
    --------
    >>> from tfdp_fast import baselines
    >>> baselines.random_scores(2, seed=0)
    array([0.36303831, 0.73021329])
    """
    for what, value in (("n", n), ("seed", seed)):
        if not is_number(value, int, np.integer) or value < 0:
            raise OptionError(f"{what} must be a whole number of at least 0, got {value!r}")
    # Raw bits are what NumPy guarantees for a seed. The strategy keeps the lowest, scores the highest.
    bits = np.asarray(np.random.PCG64(int(seed)).random_raw(int(n)), np.uint64)
    values: NDArray[np.float64] = (2**53 - (bits >> np.uint64(11)).astype(np.float64)) / 2**53
    return values


def image_scores(
    values: Any,
    image_ids: Iterable[int | str] | Ids,
    images: Scores | Iterable[int | str] | Ids | None = None,
) -> Scores:
    """Sum the values of instances over images (Eq. 3): scores that `select` takes and that can be saved.

    The sums are exact and rounded once, so they do not depend on the order of the instances.

    Parameters
    ----------
    values : float [N]
        Of instances, of any sign.
    image_ids : int or str [N]
        The image of each.
    images : Scores, or int or str [I], optional
        All images of the data set, those without an instance included, in data-set order, which decides
        ties. `Scores` of the same data set lend their ids, file names and numbers of annotations. Without
        it: the images of the instances, in the order in which they come.

    Returns
    -------
    Scores
        Images only; an image without an instance has 0.

    Raises
    ------
    OptionError
        If there are not as many image ids as values, if a value is not finite, or if an image of an instance
        is not among the images.

    Examples
    --------
    >>> import tfdp_fast as tfdp
    >>> from tfdp_fast import baselines
    >>> scores = baselines.image_scores([0.5, 1.0, 0.25], [7, 3, 7], images=[3, 5, 7])
    >>> scores.images.score
    array([1.  , 0.  , 0.75])
    >>> tfdp.select(scores, k=1).image_ids
    array([3])
    """
    from tfdp_fast.kernels.sums import group_by_label, sum_groups

    summands = np.ascontiguousarray(as_array(values, "values"), np.float64)
    of_instance = plain_ids(image_ids)
    if summands.shape != (len(of_instance),):
        raise OptionError(f"{len(of_instance)} image ids need as many values, got {list(summands.shape)}")
    if not np.isfinite(summands).all():
        j = int(np.flatnonzero(~np.isfinite(summands))[0])
        raise OptionError(f"the value of {_name(j)} (image {of_instance[j]!r}) is not finite")
    table = images.images if isinstance(images, Scores) else None
    if images is None:
        ids = list(dict.fromkeys(of_instance))
    else:
        ids = plain_ids(images.images.id if isinstance(images, Scores) else images)
    position = {image_id: i for i, image_id in enumerate(ids)}
    if len(position) < len(ids):
        raise OptionError(f"image id {first_repeated(ids)!r} comes twice")
    try:
        labels = np.array([position[image_id] for image_id in of_instance], np.int64)
    except KeyError as error:
        raise OptionError(f"image id {error.args[0]!r} is not among the images") from None
    return Scores(
        images=ImageTable(
            id=id_column(ids),
            file_name=np.full(len(ids), None, object) if table is None else table.file_name,
            annotations=np.full(len(ids), -1, np.int64) if table is None else table.annotations,
            instances=np.bincount(labels, minlength=len(ids)),
            score=sum_groups(summands, *group_by_label(labels, len(ids))),
        ),
        instances=None,
        classes=None,
        variant=None,
        polygons=None,
    )


def check_reduction(reduction: str, pixels: str) -> None:
    """Raise OptionError for what is no way from pixels to an instance."""
    check_choice("reduction", reduction, get_args(Reduction))
    check_choice("pixels", pixels, get_args(Pixels))


def reduce(
    sums: NDArray[np.float64],
    roi_pixels: NDArray[np.int64],
    mask_pixels: NDArray[np.int64],
    reduction: Reduction,
    pixels: Pixels,
) -> NDArray[np.float64]:
    """Values of instances [N] from their sums [N, 2] over box and mask; 0 where there is no pixel."""
    chosen, number = (sums[:, 0], roi_pixels) if pixels == "roi" else (sums[:, 1], mask_pixels)
    if reduction == "sum":
        return np.array(chosen)
    return np.divide(chosen, number, out=np.zeros(len(chosen)), where=number > 0)


def code_of(method: str) -> int:
    """The number that the kernels know a per-pixel method by."""
    from tfdp_fast.kernels import pixels as kernels

    code: int = getattr(kernels, method.upper())
    return code


def id_column(ids: list[int | str]) -> Ids:
    """Ids as a column: all whole numbers, or all text."""
    column = np.array(ids) if ids else np.empty(0, np.int64)
    if column.ndim != 1 or len({isinstance(i, str) for i in ids}) > 1 or column.dtype.kind not in "iU":
        raise OptionError("ids are either whole numbers of 64 bits or text")
    return column.astype(np.int64, copy=False) if column.dtype.kind == "i" else column


def _pixel_values(method: PixelMethod, batch: PixelBatch) -> NDArray[np.float64]:
    from tfdp_fast.kernels import pixels as kernels

    if method == "class_margin":
        _check_classes(batch)
        values, status = kernels.class_margin_values(
            batch.classes, batch.logits, batch.targets, batch.offsets
        )
    else:
        values, status = kernels.pixel_values(code_of(method), batch.logits, batch.targets, batch.offsets)
    raise_bad(status, _name)
    return values


def _check_classes(batch: PixelBatch) -> None:
    if len(batch.targets) and batch.classes < 2:
        raise OptionError("class_margin needs the logits of at least two classes")


def _name(position: int) -> str:
    return f"instance {position}"
