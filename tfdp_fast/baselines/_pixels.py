"""Logits and targets in whichever form a training loop has them, as flat ``data + offsets``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from tfdp_fast.errors import DataError, OptionError

__all__ = ["PixelBatch", "as_array", "gather", "raise_bad"]

_IN_HOST_MEMORY = {1, 3}  # DLPack's device types: CPU, and what CUDA has pinned there
_REASONS = {1: "a logit is NaN or infinite", 2: "a target is neither 0 nor 1"}


@dataclass(frozen=True)
class PixelBatch:
    """The pixels of N instances.

    Attributes
    ----------
    logits : float32 or float64 [P], or [C * P] with C classes
    targets : uint8 [P]
        0 or 1; other values are left to the kernels to find.
    offsets : int64 [N + 1]
        Of the pixels.
    classes : int
        C; 1 where there is but the channel of the instance's own class.
    """

    logits: NDArray[Any]
    targets: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    classes: int = 1

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def pixels(self) -> NDArray[np.int64]:
        """How many pixels each instance has."""
        return np.diff(self.offsets)

    def part(self, positions: NDArray[np.int64]) -> PixelBatch:
        """Some of the instances, of one channel, in a copy."""
        spans = [slice(*self.offsets[j : j + 2].tolist()) for j in positions.tolist()]
        offsets = np.cumsum([0, *(span.stop - span.start for span in spans)], dtype=np.int64)
        nothing = slice(0, 0)
        logits = np.concatenate([self.logits[span] for span in [*spans, nothing]])
        targets = np.concatenate([self.targets[span] for span in [*spans, nothing]])
        return PixelBatch(logits, targets, offsets)


def gather(
    logits: Any, targets: Any, offsets: Any, name: Callable[[int], str], *, channels: bool = False
) -> PixelBatch:
    """A batch from a list of [h, w], from [N, h, w], or from flat pixels and offsets.

    Arrays and tensors that are contiguous float32 or float64 are not copied; the parts of a list are, once.

    Parameters
    ----------
    logits, targets, offsets
        As in `instance_scores`.
    name : callable
        What the instance at a position is called in a message.
    channels : bool
        Have logits a channel of each class, before h and w?
    """
    if isinstance(logits, (list, tuple)):
        if offsets is not None:
            raise OptionError("a list of logits says itself where an instance ends: leave offsets away")
        return _from_list(logits, targets, name, channels)
    z, y = _floats(as_array(logits, "logits"), "logits"), _binary(as_array(targets, "targets"), name, offsets)
    if offsets is not None:
        return _from_flat(z, y, offsets, channels)
    least = 2 + channels
    if z.ndim < least:
        raise OptionError(
            f"logits have shape {'[N, C, ...]' if channels else '[N, ...]'}, or are flat and have offsets; "
            f"got shape {list(z.shape)}"
        )
    classes = z.shape[1] if channels else 1
    if y.shape != z.shape[:1] + z.shape[least - 1 :]:
        raise OptionError(f"targets have shape {list(y.shape)}, and logits {list(z.shape)}")
    pixels = int(np.prod(z.shape[least - 1 :]))
    return _batch(z, y, np.arange(len(z) + 1, dtype=np.int64) * pixels, classes)


def as_array(values: Any, what: str) -> NDArray[Any]:
    """An array of what may be a tensor, which is not copied but for bfloat16: that becomes float32, exactly.

    Raises
    ------
    OptionError
        If the tensor is on another device, whose memory is not to be copied without a word.
    """
    if isinstance(values, np.ma.MaskedArray):
        raise OptionError(f"{what}: a masked array has pixels that are missing; call its filled()")
    if isinstance(values, np.ndarray) or not hasattr(values, "__dlpack__"):
        try:
            return np.asarray(values)
        except ValueError:
            raise OptionError(
                f"{what} are an array, a tensor, or a list with one for each instance"
            ) from None
    try:
        kind = int(values.__dlpack_device__()[0])
    except ValueError:  # a device that DLPack does not know
        kind = 0
    if kind not in _IN_HOST_MEMORY:
        raise OptionError(f"{what} are on {getattr(values, 'device', 'another device')}: call their cpu()")
    if getattr(values, "requires_grad", False):
        values = values.detach()
    if str(values.dtype).endswith("bfloat16"):
        values = values.float()
    return np.from_dlpack(values)


def raise_bad(status: NDArray[np.uint8], name: Callable[[int], str]) -> None:
    """Raise DataError for the first instance whose pixels cannot be used."""
    if status.any():
        j = int(np.flatnonzero(status)[0])
        raise DataError(name(j), None, _REASONS[int(status[j])])


def _from_list(logits: Sequence[Any], targets: Any, name: Callable[[int], str], channels: bool) -> PixelBatch:
    if len(targets) != len(logits):
        raise OptionError(f"{len(logits)} instances have logits, and {len(targets)} have targets")
    zs = [_floats(as_array(z, what := f"{name(j)}: logits"), what) for j, z in enumerate(logits)]
    ys = [_binary(as_array(y, f"{name(j)}: targets"), name, None, j) for j, y in enumerate(targets)]
    classes = zs[0].shape[0] if channels and zs and zs[0].ndim else 1
    for j, (z, y) in enumerate(zip(zs, ys, strict=True)):
        if z.shape != ((classes, *y.shape) if channels else y.shape):
            raise OptionError(f"{name(j)}: targets have shape {list(y.shape)}, and logits {list(z.shape)}")
    offsets = np.cumsum([0, *(y.size for y in ys)], dtype=np.int64)
    if not zs:
        return PixelBatch(np.empty(0, np.float32), np.empty(0, np.uint8), offsets)
    return _batch(np.concatenate(zs, axis=None), np.concatenate(ys, axis=None), offsets, classes)


def _from_flat(z: NDArray[Any], y: NDArray[np.uint8], offsets: Any, channels: bool) -> PixelBatch:
    ends = as_array(offsets, "offsets")
    pixels = y.size
    if z.ndim != 1 or y.ndim != 1:
        raise OptionError(f"offsets go with flat logits and targets, got {list(z.shape)} and {list(y.shape)}")
    good = ends.ndim == 1 and ends.dtype.kind in "iu" and len(ends) > 0
    if not good or ends[0] != 0 or ends[-1] != pixels or (np.diff(ends.astype(np.int64)) < 0).any():
        raise OptionError(f"offsets are whole numbers that rise from 0 to the number of pixels, {pixels}")
    classes = z.size // pixels if channels and pixels else 1
    if z.size != classes * pixels:
        raise OptionError(f"{z.size} logits do not go with {pixels} targets")
    return _batch(z, y, ends.astype(np.int64), classes)


def _batch(z: NDArray[Any], y: NDArray[np.uint8], offsets: NDArray[np.int64], classes: int) -> PixelBatch:
    return PixelBatch(
        np.ascontiguousarray(z).reshape(-1), np.ascontiguousarray(y).reshape(-1), offsets, classes
    )


def _floats(array: NDArray[Any], what: str) -> NDArray[Any]:
    """Logits as float32 or float64; float16 becomes float32, exactly."""
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        raise OptionError(f"{what} are float16, float32 or float64, got {array.dtype}")
    return array.astype(np.float64 if array.dtype.itemsize == 8 else np.float32, copy=False)


def _binary(
    array: NDArray[Any], name: Callable[[int], str], offsets: Any, instance: int | None = None
) -> NDArray[np.uint8]:
    """Targets as uint8, where they are bool or numbers 0 and 1."""
    if array.dtype in (np.bool_, np.uint8):
        return array.view(np.uint8)
    if array.dtype.kind not in "iuf":
        raise OptionError(f"targets are bool or numbers, got {array.dtype}")
    good = (array == 0) | (array == 1)
    if not good.all():
        _raise_not_binary(good, name, offsets, instance)
    return array.astype(np.uint8)


def _raise_not_binary(
    good: NDArray[np.bool_], name: Callable[[int], str], offsets: Any, instance: int | None
) -> NoReturn:
    first = [int(axis[0]) for axis in np.nonzero(~good)] or [0]
    if instance is None:
        instance = first[0]
        if offsets is not None and good.ndim == 1:
            instance = int(np.searchsorted(np.asarray(offsets), first[0], side="right")) - 1
    raise DataError(name(instance), None, _REASONS[2])
