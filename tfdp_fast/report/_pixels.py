"""An image as it is shown: upright as its annotations have it, in RGB, and no larger than is needed."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

_FAULTS = (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError)
"""What Pillow raises at files that are no images, damaged, or too large for it."""


class UnusableImageError(ValueError):
    """An image that cannot be shown; the message says why."""


def load_pixels(path: Path, size: tuple[int, int], *, longest: int | None = None) -> Image.Image:
    """Read an image that has to have the size that its annotations say.

    Cameras store images lying on their side, with a note in EXIF how to turn them. Annotations are of the
    image as it is stored, or as it is turned: their size says which. Where both have that size, it is taken
    as it is stored.

    Parameters
    ----------
    path : Path
        The file, of any kind that Pillow reads: grey, 16 bits, palettes, transparency and CMYK become RGB.
    size : (int, int)
        Height and width by the annotations.
    longest : int, optional
        Reduce it so that its longer side has at most so many pixels; JPEG is decoded at a reduced size.

    Raises
    ------
    UnusableImageError
        If it cannot be read, or has another size.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # large, odd or slightly damaged: it is shown if it can be
            with Image.open(path) as image:
                return _fitted(image, size, longest)
    except UnusableImageError:
        raise
    except _FAULTS as error:
        reason = "is no image that can be read" if isinstance(error, OSError) else str(error)
        raise UnusableImageError(getattr(error, "strerror", None) or reason) from error


def _fitted(image: Image.Image, size: tuple[int, int], longest: int | None) -> Image.Image:
    height, width = size
    stored = image.size
    turned = _is_turned(image)
    if stored != (width, height) and not (turned and stored == (height, width)):
        is_size, due = (f"{w} × {h}" for w, h in (stored, (width, height)))
        raise UnusableImageError(f"is {is_size} pixels, and its annotations are of {due}")
    turn = stored != (width, height)
    factor = 1.0 if longest is None else min(1.0, longest / max(size))
    shown = max(1, round(width * factor)), max(1, round(height * factor))
    if factor < 1:
        image.draft("RGB", shown[::-1] if turn else shown)
    found = _as_rgb(image)
    if turn:
        found.getexif()[ExifTags.Base.Orientation] = image.getexif()[ExifTags.Base.Orientation]
        found = ImageOps.exif_transpose(found)
    return found if found.size == shown else found.resize(shown, Image.Resampling.LANCZOS, reducing_gap=3.0)


def _is_turned(image: Image.Image) -> bool:
    """Does EXIF say that height and width have to be exchanged?"""
    return image.getexif().get(ExifTags.Base.Orientation) in {5, 6, 7, 8}


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return _stretched(np.asarray(image, np.float64)).convert("RGB")
    if image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        coloured = image.convert("RGBA")
        white = Image.new("RGBA", coloured.size, "white")
        return Image.alpha_composite(white, coloured).convert("RGB")
    return image.convert("RGB")


def _stretched(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Image.Image:
    """Grey values of 16 bits or more, of which few use the range: the least is black, the largest white."""
    finite = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = finite.min(), finite.max()
    scaled = (finite - low) * (255 / (high - low)) if high > low else np.zeros_like(finite)
    return Image.fromarray(scaled.round().astype(np.uint8))
