"""Pascal VOC: label maps whose values stand for the objects of XML files, by position."""

from __future__ import annotations

import codecs
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._core import FillConvention
from tfdp_fast._output import refuse_to_overwrite
from tfdp_fast.errors import DataError, OptionError
from tfdp_fast.formats._files import read_whole
from tfdp_fast.formats._folders import folders_in, is_folder
from tfdp_fast.formats._label_maps import (
    AnnotationFile,
    Annotations,
    LabelMapDataset,
    MeasuredMap,
    folder_of,
    hashed,
)
from tfdp_fast.formats._png import decode_label_map
from tfdp_fast.formats._streamed import Chunk
from tfdp_fast.formats._voc_xml import VocObject, read_annotation
from tfdp_fast.formats.dataset import Dataset, ImageProblem, OnProgress, OpenOptions, Problem

__all__ = ["open_voc"]

VOID = 255
"""Pixels along the borders, and those that are hard to tell."""

_NAMES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train"),
    "tvmonitor",
)
CLASSES = dict(enumerate(_NAMES, 1))
_ID_OF = {name: category_id for category_id, name in CLASSES.items()}

_LISTS = "ImageSets/Segmentation"
_MAPS, _XML, _IMAGES = "SegmentationObject", "Annotations", "JPEGImages"
_BESIDE = [[".keep", ".txt"], [".drop", ".txt"]]
_KNOWN = (
    "on_error 'skip' sets such images aside (known for it are 2008_005245, 2009_000455, 2009_004969, "
    "2009_005069, 2011_002644 and 2011_002863 of VOC 2012)"
)


def open_voc(source: Any, options: OpenOptions) -> Dataset:
    """Open the segmentation part of Pascal VOC, or a data set of the same form.

    The values 1, 2, ... of ``SegmentationObject/<image>.png`` (0 is background, 255 void) are the masks of
    the ``<object>`` elements of ``Annotations/<image>.xml``, in their order. An image in which they differ in
    number cannot be used. Images are named by the lines of ``ImageSets/Segmentation/<split>.txt``, which are
    their ids. Of the images themselves nothing is needed. Categories are the 20 of VOC, from 1 (aeroplane) to
    20 (tvmonitor). Annotations are numbered in data-set order. In a `Fingerprint` there are the list, and
    then the PNG and the XML of each image.

    Parameters
    ----------
    source : path
        The folder (``VOC2012``), one above it that holds one such folder, or a list in
        ``ImageSets/Segmentation``.
    options : OpenOptions
        ``split`` is the name of a list, ``"train"`` by default. With ``difficult="exclude"``, objects that
        are marked so count as ignored. With ``preset="official"``, images whose masks and objects differ in
        number are dropped, and the others have the numbers 0, 1, ... as ids, as the paper's authors have it.

    Returns
    -------
    Dataset
        Its ``write_subset`` writes a list of image ids, one a line, in data-set order: put into
        ``ImageSets/Segmentation``, it is a split.

    Raises
    ------
    DataError
        If there is no such folder or list.
    OptionError
        If the source is no path, or there is a split beside a list.
    """
    path = folder_of(source, "voc")
    if path.is_dir():
        root = _root(path)
        list_path = _list_of(root, options.split or "train")
    else:
        list_path, root = path, _root_of(path)
        if options.split is not None:
            raise OptionError(f"split {options.split!r} makes no sense beside a list: {path}")
    return _Voc(source, options, root, list_path)


class _UnpairedError(DataError):
    """Masks and objects of an image differ in number."""


class _Voc(LabelMapDataset):
    """A list of images, each with a PNG and an XML file."""

    format = "voc"
    image_suffix = ".jpg"
    together = 16

    def __init__(self, source: Any, options: OpenOptions, root: Path, list_path: Path) -> None:
        data = read_whole(list_path)
        super().__init__(
            source,
            options,
            root=root,
            stems=_names_in(list_path, data),
            categories=CLASSES,
            read_only=[root / _MAPS, root / _XML],
        )
        self.image_folder = root / _IMAGES if is_folder(root / _IMAGES) else None
        self._difficult = options.difficult
        self._official = options.preset is not None
        self._list_stat = list_path.stat()
        self._list_read = hashed(f"{_LISTS}/{list_path.name}", data)

    def files_of(self, stem: str) -> Sequence[str]:
        """The PNG and the XML of an image."""
        return f"{_MAPS}/{stem}.png", f"{_XML}/{stem}.xml"

    def label_map(self, files: Sequence[AnnotationFile]) -> NDArray[np.integer[Any]]:
        """Decode the PNG."""
        return decode_label_map(files[0].path, files[0].data, bits=8)

    def annotations(self, stem: str, files: Sequence[AnnotationFile], found: MeasuredMap) -> Annotations:
        """Pair the values of the PNG with the objects of the XML."""
        xml = files[1]
        annotation = read_annotation(xml.path, xml.data)
        if annotation.size not in {None, found.size}:
            reason = f"its <size> is {annotation.size} (height, width), that of the PNG {found.size}"
            raise DataError(xml.path, None, reason)
        instances = found.labels != VOID
        fault = _fault_of_pairs(found.labels[instances].tolist(), len(annotation.objects))
        if fault is not None:
            raise _UnpairedError(xml.path, None, fault)
        return self._paired(stem, xml.path, annotation.objects, found.only(instances))

    def is_dropped(self, error: DataError) -> bool:
        """Whether the preset says so."""
        return self._official and isinstance(error, _UnpairedError)

    def measure(
        self, convention: FillConvention, *, threads: int, progress: OnProgress | None
    ) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Read and measure everything; see `Dataset.measure`."""
        measured = super().measure(convention, threads=threads, progress=progress)
        if self._official:
            set_aside = sum(isinstance(problem, ImageProblem) for problem in self.problems)
            self.dropped = {"unpaired": len(self._stems) - len(self.image_ids) - set_aside}
            self.image_ids = np.arange(len(self.image_ids))
        return measured

    def read(self, piece: range, convention: FillConvention, *, again: bool) -> Chunk:
        """Read and measure some images; the list has been read before the first of them."""
        chunk = super().read(piece, convention, again=again)
        if self.hashing and not again and piece.start == 0:
            chunk.files.insert(0, self._list_read)
        return chunk

    def check_destination(self, destination: Any) -> None:
        """Raise OutputError for the list that is read, or a place among the annotation files."""
        super().check_destination(destination)
        refuse_to_overwrite(destination, self._list_stat)

    def _paired(self, stem: str, xml_path: str, objects: list[VocObject], found: MeasuredMap) -> Annotations:
        rows: list[int] = []
        problems: list[Problem] = []
        for row, voc_object in enumerate(objects):
            reason = _fault(voc_object)
            if reason is not None:
                problems.append(Problem(f"image {stem}, object {row + 1}", reason, row, xml_path))
            elif self._difficult == "include" or voc_object.difficult == "0":
                rows.append(row)
        n = len(objects)
        return Annotations(
            category_ids=[_ID_OF[objects[row].name] for row in rows],
            crowd=[False] * len(rows),
            found=found.only(rows),
            rows=rows,
            records=n,
            ignored=n - len(rows) - len(problems),
            problems=problems,
        )


def _fault(voc_object: VocObject) -> str | None:
    """Why an object cannot be used."""
    if voc_object.name not in _ID_OF:
        return f"its class {voc_object.name!r} is none of the 20 of VOC"
    if voc_object.difficult not in {"0", "1"}:
        return f"its <difficult> is neither 0 nor 1: {voc_object.difficult!r}"
    return None


def _fault_of_pairs(values: list[int], objects: int) -> str | None:
    """Why there is not a value for each object, if there is not."""
    fault = None
    if len(values) != objects:
        fault = f"its PNG has {len(values)} instances and its XML {objects} objects"
    elif objects and values[-1] != objects:
        fault = f"its PNG has {objects} instances with numbers up to {values[-1]}, its XML {objects} objects"
    return fault and f"{fault}: {_KNOWN}"


def _root(path: Path) -> Path:
    """The folder itself, or the only one in it."""
    if is_folder(path / _MAPS):
        return path
    found = [path / name for name in folders_in(path) if is_folder(path / name / _MAPS)]
    if len(found) != 1:
        names = ", ".join(folder.name for folder in found) or "none"
        raise DataError(str(path), None, f"looked for {_MAPS}/ in it and in one folder below, found: {names}")
    return found[0]


def _root_of(list_path: Path) -> Path:
    """The folder whose list this is."""
    whole = list_path.absolute()
    if "/".join(whole.parts[-3:-1]) != _LISTS or not is_folder(whole.parents[2] / _MAPS):
        raise DataError(str(list_path), None, f"is no list in {_LISTS}/ of a folder with {_MAPS}/")
    return whole.parents[2]


def _list_of(root: Path, split: str) -> Path:
    """The list of a split."""
    folder = root / _LISTS
    # What `prune` writes beside a list is none.
    found = sorted(path.stem for path in folder.glob("*.txt") if path.suffixes[-2:] not in _BESIDE)
    if split not in found:
        names = ", ".join(found) or "none"
        raise DataError(str(folder), None, f"has no list {split}.txt; the splits in it are: {names}")
    return folder / f"{split}.txt"


def _names_in(list_path: Path, data: bytes) -> list[str]:
    """The image ids in a list, each of them once."""
    lines = map(bytes.strip, data.removeprefix(codecs.BOM_UTF8).splitlines())
    names = [os.fsdecode(line) for line in lines if line]
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DataError(str(list_path), f"image {name}", "is in the list twice")
        seen.add(name)
    return names
