"""The images of a YOLO data set: which there are, where their labels are, how large they are."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfdp_fast import _core
from tfdp_fast.errors import DataError, OptionError
from tfdp_fast.formats._files import read_each, read_whole
from tfdp_fast.formats._folders import files_below

if TYPE_CHECKING:
    from tfdp_fast.formats.dataset import ImageSize

SUFFIXES = frozenset(
    ("avif", "bmp", "dng", "heic", "heif", "jp2", "jpeg", "jpg", "mpo", "png", "tif", "tiff", "webp")
)
"""What Ultralytics takes for images."""

BOM = b"\xef\xbb\xbf"
_TURNED = {5, 6, 7, 8}  # EXIF orientations that swap the sides
_ORIENTATION, _WIDTH, _HEIGHT = 274, 256, 257  # tags of EXIF and TIFF

Sizes = Callable[[str, str], "tuple[int, int]"]
"""From an image's path and its name to height and width; DataError if they cannot be had."""


def is_image(name: str) -> bool:
    """Whether Ultralytics takes a file for an image, by its name."""
    _, dot, suffix = name.rpartition(".")
    return bool(dot) and suffix.lower() in SUFFIXES


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or "/." in name


def images_in(folder: Path) -> Iterator[str]:
    """The paths of the images in a folder and all folders below, hidden ones left out."""
    for name in files_below(folder, is_image):
        if not _is_hidden(name):
            yield f"{folder}/{name}"


def lines_of(stored: bytes, path: Path) -> Iterator[str]:
    """The paths in a list: what begins with ``./`` is relative to it, the rest to the working directory."""
    text = stored.removeprefix(BOM).decode("utf-8", "surrogateescape")
    for line in filter(None, text.strip().splitlines()):
        base = path.parent if line.startswith("./") else Path.cwd()
        yield os.path.normpath(f"{base}/{line}" if not line.startswith("/") else line)


def label_path(image: str) -> str:
    """Where an image's labels are: the last ``/images/`` becomes ``/labels/``, the suffix ``.txt``."""
    return "/labels/".join(image.rsplit("/images/", 1)).rpartition(".")[0] + ".txt"


def labels_without_image(folder: Path, images: Sequence[str]) -> Iterator[str]:
    """The label files that belong to a folder of images, and to none of the images.

    Only where labels have a folder of their own: beside images there may be text of any kind.
    """
    expected = set(map(label_path, images))
    for labels in _label_folders(f"{folder}/", images):
        for name in files_below(labels, lambda name: name.endswith(".txt")) if labels.is_dir() else ():
            is_other = name.rpartition("/")[2] == "classes.txt"  # labelImg leaves it there
            if f"{labels}/{name}" not in expected and not is_other and not _is_hidden(name):
                yield f"{labels}/{name}"


def _label_folders(folder: str, images: Sequence[str]) -> list[Path]:
    if "/images/" in folder:
        return [Path("/labels/".join(folder.rsplit("/images/", 1)))]
    inside = (image for image in images if image.startswith(folder) and "/images/" in image)
    return sorted({Path(image.rsplit("/images/", 1)[0], "labels") for image in inside})


def sizes_from(image_size: ImageSize | None) -> Sizes:
    """What finds an image's size: in its header, or in the option ``image_size``.

    Raises
    ------
    OptionError
        If the option is neither a height and a width nor a mapping to such.
    """
    if image_size is None:
        return lambda path, _: header_size(path)
    if isinstance(image_size, Mapping):
        sizes = {os.fspath(name): _checked_size(size) for name, size in image_size.items()}

        def look_up(path: str, name: str) -> tuple[int, int]:
            if name not in sizes:
                raise DataError(path, None, "is not in image_size")
            return sizes[name]

        return look_up
    size = _checked_size(image_size)
    return lambda *_: size


def _checked_size(size: Any) -> tuple[int, int]:
    try:
        height, width = map(operator.index, size)
    except (TypeError, ValueError):
        height = width = 0
    if not (0 < height <= _core.max_side and 0 < width <= _core.max_side):
        raise OptionError(f"image_size must be a height and a width, or those by file name, got {size!r}")
    return height, width


def header_size(path: str) -> tuple[int, int]:
    """Height and width of an image, by its header, turned as its EXIF orientation says.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            width, height = image.size
            if image.format == "TIFF":  # whose size newer versions of Pillow give turned already
                width, height = image.tag_v2[_WIDTH], image.tag_v2[_HEIGHT]
            if _orientation(image) in _TURNED:
                width, height = height, width
    except FileNotFoundError:
        raise DataError(path, None, "does not exist") from None
    except UnidentifiedImageError:
        raise DataError(path, None, "is no image that Pillow can read") from None
    except Image.DecompressionBombError:
        raise DataError(path, None, "is larger than PIL.Image.MAX_IMAGE_PIXELS allows") from None
    except Exception as error:  # there is no telling what a plug-in raises over a damaged header
        raise DataError(path, None, f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return height, width


def _orientation(image: Any) -> int | None:
    if image.format == "TIFF":
        return image.tag_v2.get(_ORIENTATION)  # type: ignore[no-any-return]
    if image.format == "PNG" and "exif" not in image.info:
        return None  # Pillow would decode the image to look for it at the end
    try:
        return image.getexif().get(_ORIENTATION)  # type: ignore[no-any-return]
    except Exception:  # damaged EXIF does not turn an image, for Ultralytics neither
        return None


def read_labels(paths: Sequence[str]) -> list[bytes | DataError | None]:
    """What label files hold, or why one cannot be read; None where there is none: its image shows nothing."""
    return [
        stored if isinstance(stored, bytes) else _read_label(path)
        for path, stored in zip(paths, read_each(paths), strict=True)
    ]


def _read_label(path: str) -> bytes | DataError | None:
    """The same for one file that could not be read with the others."""
    try:
        return read_whole(path)
    except DataError as error:
        if isinstance(error.__cause__, FileNotFoundError) and not Path(path).is_symlink():
            return None
        return error
