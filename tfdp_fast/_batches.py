"""What masks come as: checked, gathered into batches, and measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from tfdp_fast import _core
from tfdp_fast._core import FillConvention, SegmentationBatch
from tfdp_fast.errors import MaskError, OptionError
from tfdp_fast.status import Status

Masks: TypeAlias = Sequence[Any] | Mapping[str, Any] | NDArray[Any]
Size: TypeAlias = Sequence[int] | NDArray[np.integer[Any]]

_CONVENTIONS = {"coco": FillConvention.COCO, "opencv": FillConvention.OPENCV}
_MAX_SIDE = _core.max_side
_NOTHING_DECODED = np.empty(0, np.uint32), np.zeros(1, np.int64), np.empty(0, np.uint8)


def measure_batch(
    batch: SegmentationBatch, convention: FillConvention
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Boundary counts int64 [N, 3] and statuses uint8 [N] of a batch; counts of failures are 0."""
    return _core.measure_batch(batch, convention, *decoded(batch))


def measure_objects(
    objects: list[Any], sizes: NDArray[np.int32], convention: FillConvention
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Boundary counts int64 [N, 3] and statuses uint8 [N] of masks in images of the sizes int32 [N, 2].

    Dense masks are measured where they are, without the GIL.
    """
    dense, others = without_dense(objects)
    counts, statuses = measure_batch(SegmentationBatch.from_objects(others, sizes), convention)
    for i in dense:
        if objects[i].shape == tuple(sizes[i].tolist()):
            counts[i] = _core.measure_dense(dense_masks(objects[i], None))
        else:
            statuses[i] = Status.SIZE_MISMATCH
    return counts, statuses


def without_dense(objects: list[Any]) -> tuple[list[int], list[Any]]:
    """The positions of dense masks, and all masks with None in their place."""
    dense = [i for i, mask in enumerate(objects) if _is_dense(mask)]
    if not dense:
        return dense, objects
    others = list(objects)
    for i in dense:
        others[i] = None
    return dense, others


def _is_dense(mask: Any) -> bool:
    plain = isinstance(mask, np.ndarray) and not isinstance(mask, np.ma.MaskedArray)
    return plain and mask.ndim == 2 and mask.dtype in (np.bool_, np.uint8)


def decoded(
    batch: SegmentationBatch,
) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.uint8]]:
    """The compressed RLE of a batch, decoded: counts, their offsets [T + 1], and statuses [T]."""
    pixels = batch.text_pixels
    if len(pixels) == 0:
        return _NOTHING_DECODED
    # Numba is imported only where there is something to decode.
    from tfdp_fast.kernels.rle import decode_rle

    return decode_rle(batch.text, batch.text_offsets, pixels)


def measure_image(masks: Masks, size: Size | None, convention: FillConvention) -> NDArray[np.int64]:
    """Boundary counts int64 [N, 3] of the masks of one image; MaskError for the first that is bad."""
    if type(masks) is not list and is_array(masks):
        return _core.measure_dense(dense_masks(masks, size))
    objects = masks if type(masks) is list else as_list(masks)
    sides = _sides(size)
    if sides is None:
        batch = SegmentationBatch.from_objects(objects, sizes_of(size, len(objects)))
    else:
        batch = SegmentationBatch.from_image(objects, *sides)
    counts, statuses = measure_batch(batch, convention)
    raise_first(statuses)
    return counts


def batches(objects: list[Any], size: Size | None) -> Callable[[slice], SegmentationBatch]:
    """What makes a batch of a part of these masks."""
    sides = _sides(size)
    if sides is not None:
        return lambda part: SegmentationBatch.from_image(objects[part], *sides)
    sizes = sizes_of(size, len(objects))
    return lambda part: SegmentationBatch.from_objects(objects[part], sizes[part])


def fill_convention(polygons: str) -> FillConvention:
    """Look a fill convention up by its name."""
    try:
        return _CONVENTIONS[polygons]
    except (KeyError, TypeError):
        raise OptionError(f"polygons must be 'coco' or 'opencv', got {polygons!r}") from None


def raise_first(statuses: NDArray[np.uint8]) -> None:
    """Raise MaskError for the first mask that failed, if one did."""
    if np.count_nonzero(statuses):
        first = int(np.flatnonzero(statuses)[0])
        raise MaskError(first, Status(int(statuses[first])))


def as_list(masks: Masks) -> list[Any]:
    """The masks of a batch that is no array, as a list; one RLE dict is a batch of one."""
    if isinstance(masks, Mapping):
        return [dict(masks)]
    if isinstance(masks, (str, bytes)) or not isinstance(masks, Iterable):
        raise OptionError(f"masks must be a list of masks, an array or an RLE dict, got {masks!r}")
    return list(masks)


def is_array(masks: object) -> TypeGuard[NDArray[Any]]:
    """Is it a NumPy array or something, such as a tensor, that turns into one?"""
    return isinstance(masks, np.ndarray) or hasattr(masks, "__array__")


def _sides(size: Size | None) -> tuple[int, int] | None:
    """Height and width if `size` says them in the plainest way, as most callers do; -1 where not known."""
    if size is None:
        return -1, -1
    if not isinstance(size, (tuple, list)) or len(size) != 2:
        return None
    height, width = size
    if type(height) is not int or type(width) is not int:
        return None
    return (height, width) if 0 <= height <= _MAX_SIDE and 0 <= width <= _MAX_SIDE else None


def sizes_of(size: Size | None, n: int) -> NDArray[np.int32]:
    """Height and width of n images, int32 [n, 2]; -1 where they are not known."""
    if size is None:
        return np.full((n, 2), -1, np.int32)
    try:
        sizes = np.asarray(size)
    except ValueError:  # ragged
        sizes = np.empty(0)
    if sizes.dtype.kind not in "iu" or sizes.shape not in {(2,), (n, 2)}:
        raise OptionError(f"size must be (height, width) or an integer array [{n}, 2], got {size!r}")
    if sizes.size and (sizes.min() < 0 or sizes.max() > _core.max_side):
        raise OptionError(f"a height or a width is negative or beyond 2**29: {size!r}")
    return np.array(np.broadcast_to(sizes, (n, 2)), dtype=np.int32, order="C")


def dense_masks(masks: NDArray[Any], size: Size | None) -> NDArray[np.uint8]:
    """Check dense masks; uint8 [N, H, W] whose pixels are adjacent along rows or along columns."""
    if isinstance(masks, np.ma.MaskedArray):
        raise OptionError("a masked array says twice what is foreground: call its filled()")
    array = np.asarray(masks)
    if array.dtype not in (np.bool_, np.uint8):
        raise OptionError(
            f"a dense mask holds bool or uint8, got {array.dtype} (for a map of labels: measure_labels)"
        )
    if array.ndim not in {2, 3}:
        raise OptionError(f"dense masks have shape [H, W] or [N, H, W], got {list(array.shape)}")
    array = array.view(np.uint8)
    if array.ndim == 2:
        array = array[None]
    if size is not None:
        stated = sizes_of(size, len(array))
        if (stated != array.shape[1:]).any():
            raise OptionError(f"size is {size!r}, but the masks have shape {list(array.shape[1:])}")
    if 1 not in array.strides[1:]:
        array = np.ascontiguousarray(array)
    return array
