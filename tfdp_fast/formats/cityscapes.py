"""Cityscapes: label maps of 16 bits, in a folder for each city."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdp_fast.errors import DataError, OptionError
from tfdp_fast.formats._cityscapes_polygons import PER_CLASS, WITH_INSTANCES, draw_polygons
from tfdp_fast.formats._folders import files_below, folders_in, is_folder
from tfdp_fast.formats._label_maps import AnnotationFile, Annotations, LabelMapDataset, MeasuredMap, folder_of
from tfdp_fast.formats._png import decode_label_map
from tfdp_fast.formats.dataset import Dataset, OpenOptions, Problem

__all__ = ["open_cityscapes"]

CLASSES = {
    24: "person",
    25: "rider",
    26: "car",
    27: "truck",
    28: "bus",
    31: "train",
    32: "motorcycle",
    33: "bicycle",
}

_MAPS, _POLYGONS = "_gtFine_instanceIds.png", "_gtFine_polygons.json"


def open_cityscapes(source: Any, options: OpenOptions) -> Dataset:
    """Open the fine annotations of Cityscapes.

    In ``gtFine/<split>/<city>/<image>_gtFine_instanceIds.png``, 16 bits a pixel, an id from 1000 up is an
    instance of the class id // 1000, and one from 24 to 33 a crowd region of that class. Classes are the
    eight that are evaluated: person 24, rider 25, car 26, truck 27, bus 28, train 31, motorcycle 32 and
    bicycle 33. All other labels of Cityscapes are no annotations, caravans (29) and trailers (30) among them;
    an id that it does not have is a problem. Where an image has ``<image>_gtFine_polygons.json`` alone, the
    label map is drawn from it. Images are those with one of these files, whether or not the image itself is
    there; ids are their names without suffix (``aachen_000000_000019``). Annotations are numbered in
    data-set order, those of an image by their ids. Paths in a `Fingerprint` are relative to the folder of
    the split.

    Parameters
    ----------
    source : path
        The folder that holds ``gtFine``, or ``gtFine``, or ``gtFine/<split>``.
    options : OpenOptions
        ``split`` is a folder in ``gtFine``, ``"train"`` by default.

    Returns
    -------
    Dataset
        Its ``write_subset`` writes a list of the images, one a line as ``<city>/<image>``, in data-set order.
        mmsegmentation takes it as ``ann_file`` of its ``CityscapesDataset``, which puts ``img_suffix`` and
        ``seg_map_suffix`` behind each line.

    Raises
    ------
    DataError
        If there is no such folder, or no annotation in it.
    OptionError
        If the source is no path, or there is a split beside the folder of one.
    """
    folder = _folder_of_split(folder_of(source, "cityscapes"), options.split)
    files: dict[str, str] = {}
    for name in files_below(folder, lambda name: name.endswith((_MAPS, _POLYGONS))):
        stem = name.removesuffix(_MAPS).removesuffix(_POLYGONS)
        if name.endswith(_MAPS) or stem not in files:
            files[stem] = name
    if not files:
        raise DataError(str(folder), None, f"has no *{_MAPS} and no *{_POLYGONS} in it")
    return _Cityscapes(source, options, folder, files)


class _Cityscapes(LabelMapDataset):
    """A file of labels for each image, a PNG or polygons."""

    format = "cityscapes"
    image_suffix = "_leftImg8bit.png"
    together = 2

    def __init__(self, source: Any, options: OpenOptions, folder: Path, files: dict[str, str]) -> None:
        super().__init__(
            source, options, root=folder, stems=list(files), categories=CLASSES, read_only=[folder]
        )
        self._files_of = files
        whole = folder.absolute()
        images = whole.parent.parent / "leftImg8bit" / whole.name
        self.image_folder = images if whole.parent.name == "gtFine" and is_folder(images) else None

    @staticmethod
    def image_id(stem: str) -> str:
        """The id of an image: its name without the folder of the city."""
        return stem.rpartition("/")[2]

    def files_of(self, stem: str) -> Sequence[str]:
        """The file of labels."""
        return (self._files_of[stem],)

    def label_map(self, files: Sequence[AnnotationFile]) -> NDArray[np.integer[Any]]:
        """Decode the PNG, or draw the polygons."""
        (file,) = files
        if file.name.endswith(_MAPS):
            return decode_label_map(file.path, file.data, bits=16)
        return draw_polygons(file.path, file.data)

    def annotations(self, stem: str, files: Sequence[AnnotationFile], found: MeasuredMap) -> Annotations:
        """Sort out the ids of the classes."""
        used, category_ids, crowd, rows = [], [], [], []
        problems: list[Problem] = []
        records = 0
        for position, number in enumerate(found.labels.tolist()):
            label = number // PER_CLASS if number >= PER_CLASS else number
            if label in CLASSES:
                used.append(position)
                category_ids.append(label)
                crowd.append(number < PER_CLASS)
                rows.append(records)
            elif label in (range(WITH_INSTANCES.stop) if number < PER_CLASS else WITH_INSTANCES):
                continue
            else:
                record = f"image {self.image_id(stem)}, id {number}"
                problems.append(Problem(record, "there is no such id in Cityscapes", records, files[0].path))
            records += 1
        return Annotations(category_ids, crowd, found.only(used), rows, records, 0, problems)


def _folder_of_split(path: Path, split: str | None) -> Path:
    """The folder whose folders are cities."""
    if is_folder(path / "gtFine"):
        path = path / "gtFine"
    elif path.absolute().name != "gtFine":
        if split is not None:
            raise OptionError(f"split {split!r} makes no sense for the folder of a split: {path}")
        return path
    found = folders_in(path)
    split = split or "train"
    if split not in found:
        names = ", ".join(found) or "none"
        raise DataError(str(path), None, f"has no folder {split}; the splits in it are: {names}")
    return path / split
