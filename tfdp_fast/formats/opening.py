"""From a path, or objects, to a data set: which format it is, and who reads it."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypedDict, get_args

from tfdp_fast.errors import DataError, OptionError
from tfdp_fast.formats._places import LocalPlace, Place
from tfdp_fast.formats.dataset import Dataset, Difficult, ImageSize, OnError, OpenOptions
from tfdp_fast.presets import PresetName, check_preset

__all__ = ["FORMATS", "OpenOptions", "Opening", "fitting", "open_dataset", "recognised"]


class Opening(TypedDict, total=False):
    """Keywords of `score` and `prune` that they pass on to `open_dataset`."""

    format: str | None
    split: str | None
    difficult: Difficult
    image_size: ImageSize | None


@dataclass(frozen=True)
class _Format:
    """A format that is known.

    Attributes
    ----------
    opener : str
        Module in this folder and function, ``"voc:open_voc"``: called with the source and `OpenOptions`.
    looks_for : str
        What it is recognised by, for messages.
    fits : callable
        Whether a place looks like it.
    takes : tuple of str
        The options that it knows, beside those for every format.
    """

    opener: str
    looks_for: str
    fits: Callable[[Place], bool]
    takes: tuple[str, ...] = ()


def _any(pattern: str) -> Callable[[Place], bool]:
    """Whether a file, or something in a folder, has a name like that."""
    like = re.compile(pattern).fullmatch

    def fits(place: Place) -> bool:
        return any(map(like, place.names)) if place.is_folder else bool(like(place.parts[-1]))

    return fits


def _file(pattern: str) -> Callable[[Place], bool]:
    """Whether it is a file with a name like that; of a folder it is not known which file is meant."""
    fits = _any(pattern)
    return lambda place: not place.is_folder and fits(place)


def _fits_voc(place: Place) -> bool:
    if place.is_folder:
        below = (place.inside(name).inside("SegmentationObject") for name in _folders_in(place))
        return "SegmentationObject" in place.names or any(folder.is_folder for folder in below)
    return place.parts[-1].endswith(".txt") and place.parts[-3:-1] == ("ImageSets", "Segmentation")


def _fits_cityscapes(place: Place) -> bool:
    if not place.is_folder:
        return False
    cities = (place.inside(name) for name in _folders_in(place)[:8])
    return (
        "gtFine" in place.names
        or place.parts[-1] == "gtFine"
        or any(_CITYSCAPES.search(name) for city in cities for name in city.names)
    )


def _folders_in(place: Place) -> list[str]:
    return sorted(name for name, is_folder in place.names.items() if is_folder)


_CITYSCAPES = re.compile(r"_gtFine_(?:instanceIds\.png|polygons\.json)$")
_FILES = {"coco", "jsonl", "records"}
"""Formats that no folder has."""

FORMATS: dict[str, _Format] = {
    "voc": _Format(
        "voc:open_voc",
        "SegmentationObject/, or a list in ImageSets/Segmentation/",
        _fits_voc,
        ("split", "difficult"),
    ),
    "cityscapes": _Format(
        "cityscapes:open_cityscapes",
        "gtFine/, or <city>/*_gtFine_instanceIds.png",
        _fits_cityscapes,
        ("split",),
    ),
    "yolo": _Format("yolo:open_yolo", "data.yaml", _any(r".*\.ya?ml"), ("split", "image_size")),
    "sa1b": _Format(
        "documents:open_sa1b", "sa_*.json or sa_*.tar", _any(r"sa_\d+(?:\.json|\.tar(?:\.gz)?|\.tgz)?")
    ),
    "webdataset": _Format(
        "documents:open_webdataset", "*.tar", _any(r"(?!sa_\d+\.).*(?:\.tar|\.tar\.gz|\.tgz)")
    ),
    "jsonl": _Format("documents:open_jsonl", "*.jsonl", _file(r".*\.(?:jsonl|ndjson)(?:\.gz)?")),
    "arrow": _Format(
        "arrow:open_arrow", "*.parquet, *.arrow or *.feather", _any(r".*\.(?:parquet|arrow|feather)")
    ),
    "records": _Format("records:open_records", "an iterable", lambda _: False),
    "coco": _Format("coco:open_coco", "a file of JSON", lambda place: not place.is_folder),
}
"""By name, in the order in which they are tried; a file that is nothing else is taken for COCO's JSON."""


def open_dataset(
    source: Any,
    *,
    format: str | None = None,
    split: str | None = None,
    difficult: Difficult = "include",
    image_size: ImageSize | None = None,
    on_error: OnError = "raise",
    fingerprint: bool = False,
    preset: PresetName | None = None,
) -> Dataset:
    """Open a data set of any format.

    Parameters
    ----------
    source : path or object
        A file or folder; a dict in COCO's form, bytes of JSON, a `pycocotools.coco.COCO`, a table (of
        pyarrow, pandas or `datasets`; see `tfdp_fast.formats.arrow.open_arrow`), or an iterable of images
        with their annotations (see `tfdp_fast.formats.records.open_records`); a data set that is open already
        is returned.
    format : str, optional
        One of `FORMATS`, where the path does not say it: ``"coco"``, ``"voc"``, ``"cityscapes"``, ``"yolo"``,
        ``"sa1b"``, ``"webdataset"``, ``"jsonl"``, ``"arrow"`` or ``"records"``.
    split : str, optional
        Which part of the data set, where a folder holds several: ``"train"`` by default.
    difficult : {"include", "exclude"}
        Pascal VOC: whether objects that are marked ``difficult`` count.
    image_size : (int, int) or dict, optional
        YOLO: height and width of all images, or of each by file name, where the images are not there.
    on_error : {"raise", "skip"}
        What to do with an annotation that cannot be used: raise, or set it aside.
    fingerprint : bool
        Whether to hash what is read.
    preset : {"official"}, optional
        Whose rules say what counts; see `score`.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If there is no data set, or it is not recognised.
    OptionError
        If an option is not known, or makes no sense for the format.

    Examples
    --------
    >>> import tfdp_fast as tfdp
    >>> square = [[0, 0, 9, 0, 9, 9, 0, 9]]
    >>> annotations = [{"segmentation": square, "category_id": 3}]
    >>> images = [{"image_id": "a", "height": 10, "width": 10, "annotations": annotations}]
    >>> data = tfdp.open_dataset(images, on_error="skip")
    >>> data.format, tfdp.score(data).images.id.tolist()
    ('records', ['a'])
    """
    options = OpenOptions(on_error, fingerprint, split, difficult, image_size, preset)
    check_preset(preset)
    if on_error not in get_args(OnError):
        raise OptionError(f"on_error must be 'raise' or 'skip', got {on_error!r}")
    if difficult not in get_args(Difficult):
        raise OptionError(f"difficult must be 'include' or 'exclude', got {difficult!r}")
    if preset is not None and difficult != "include":
        raise OptionError(
            f"the preset {preset!r} includes difficult objects: difficult={difficult!r} is not it"
        )
    if format is not None and format not in FORMATS:
        raise OptionError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
    if isinstance(source, Dataset):
        if format is not None or replace(options, on_error="raise", fingerprint=False) != OpenOptions():
            raise OptionError("the data set is open already: format, preset and the like come too late")
        if on_error == "skip" != source.on_error:
            raise OptionError("on_error='skip' comes too late: open the data set with it")
        return source
    if isinstance(source, (str, os.PathLike)):
        name = format or recognised(str(Path(source)), LocalPlace(source))
    else:
        name = format or _object_format(source)
    return _opened(name, source, options)


def _opened(name: str, source: Any, options: OpenOptions) -> Dataset:
    known = FORMATS[name]
    for option in fields(OpenOptions):
        if option.name in {"on_error", "fingerprint", "preset", *known.takes}:
            continue
        if getattr(options, option.name) != option.default:
            raise OptionError(f"{option.name} makes no sense for the format {name}")
    module, opener = known.opener.split(":")
    opened: Dataset = getattr(importlib.import_module(f"tfdp_fast.formats.{module}"), opener)(source, options)
    opened.options = options
    opened.is_file = isinstance(source, (str, os.PathLike))
    return opened


def _object_format(source: Any) -> str:
    from tfdp_fast.formats._record_forms import is_one_image

    if is_one_image(source):  # which is refused there
        return "records"
    if isinstance(source, Mapping) and source and all(map(_is_table, source.values())):
        names = ", ".join(map(repr, source))
        raise DataError(f"<{type(source).__name__}>", None, f"holds several data sets: give one of {names}")
    if isinstance(source, (bytes, bytearray, memoryview, Mapping)) or isinstance(
        getattr(source, "dataset", None), Mapping
    ):
        return "coco"
    if _is_table(source):
        return "arrow"
    if isinstance(source, Iterable) or hasattr(source, "__getitem__"):
        return "records"
    raise DataError(
        f"<{type(source).__name__}>",
        None,
        "is neither a path, bytes, a dict, a COCO, a table nor an iterable",
    )


def _is_table(source: Any) -> bool:
    """Is it a table, a data set or a reader of pyarrow, a frame, or a data set of Hugging Face's?"""
    if hasattr(source, "with_format") and hasattr(source, "features"):
        # What a transform of the user's makes of the rows is seen only by going through them.
        return getattr(source, "format", {}).get("type") != "custom"
    return any(hasattr(source, name) for name in ("to_batches", "read_next_batch", "__arrow_c_stream__"))


def fitting(place: Place) -> list[str]:
    """The formats that a place looks like."""
    return [name for name, known in FORMATS.items() if known.fits(place)]


def recognised(source: str, place: Place) -> str:
    """The format that a place looks like.

    Parameters
    ----------
    source : str
        What it is called in messages.
    place : Place
        What is seen of it.

    Raises
    ------
    DataError
        If it is a folder that looks like none, or like several.
    """
    found = fitting(place)
    if not place.is_folder:
        return found[0]
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(source, None, f"looks like {' and '.join(found)}: say which, with format")
    in_folders = (known for known in FORMATS.items() if known[0] not in _FILES)
    looked = "; ".join(f"{known.looks_for} ({name})" for name, known in in_folders)
    reason = f"is no data set that is known; looked in it for {looked}; COCO, LVIS and jsonl are files"
    raise DataError(source, None, reason)
