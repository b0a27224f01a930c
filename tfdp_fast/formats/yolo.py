"""YOLO segmentation, as Ultralytics has it: ``data.yaml``, folders or lists of images, a label file each."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._core import FillConvention
from tfdp_fast._output import Outputs, check_output, refuse_to_overwrite
from tfdp_fast.errors import DataError, OutputError
from tfdp_fast.formats._files import read_whole
from tfdp_fast.formats._lists import write_lines
from tfdp_fast.formats._streamed import Chunk, FileRead, StreamedDataset
from tfdp_fast.formats._yolo_chunks import LabelledImages
from tfdp_fast.formats._yolo_description import Description, read_description
from tfdp_fast.formats._yolo_images import (
    images_in,
    is_image,
    label_path,
    labels_without_image,
    lines_of,
    read_labels,
    sizes_from,
)
from tfdp_fast.formats._yolo_labels import LabelReader
from tfdp_fast.formats._yolo_write import check_suffix, is_yaml, list_beside, list_lines, subset_yaml
from tfdp_fast.formats.dataset import Dataset, OpenOptions, Problem

__all__ = ["open_yolo"]

_PIECE = 64  # images


def open_yolo(source: str | os.PathLike[str], options: OpenOptions) -> Dataset:
    """Open a data set in the form of Ultralytics' YOLO, for segmentation.

    The images of a split are those that Ultralytics finds, in its order: by path. An image's id, and its file
    name, is its path relative to the root of the data set, or the whole path if it lies elsewhere. An image
    without a label file shows nothing; each line of a label file is one instance, of one polygon.

    It differs from Ultralytics 8.4 in this:

    - A relative ``path`` in ``data.yaml`` is looked for beside that file first, then in the working
      directory; the ``datasets_dir`` of Ultralytics' settings is not looked at.
    - Where Ultralytics drops an image with all its labels because of one bad line, only that line is a
      problem. Bad is what is bad for Ultralytics: a box, an odd number of coordinates, what is no number, a
      class that does not exist, a polygon whose box has its centre outside of the image by more than 1 %, or
      a side that is longer than the image's by more than that. A single point is bad, too.
    - A label file without an image, a line in a list that is no image, and an image that is listed twice are
      problems.

    As there, a line that is in a label file twice counts once; it is counted as ignored. Sizes are taken from
    the headers of the images, turned by their EXIF orientation, or from ``image_size``. Ultralytics itself
    fills polygons with `cv2.fillPoly`: that is ``polygons="opencv"``.

    Parameters
    ----------
    source : path
        ``data.yaml``, by whatever name, or the folder that it is in.
    options : OpenOptions
        ``split`` is a key of ``data.yaml``: ``"train"`` by default. ``image_size`` saves opening images.

    Returns
    -------
    Dataset
        Its ``write_subset`` writes a list of images to any path, and to ``X.yaml`` a data set that has the
        list ``X.txt`` in place of the split. Beside ``data.yaml``, in the root of the data set, all of it can
        move together; elsewhere it names the root by its whole path, because Ultralytics takes a relative one
        from the working directory.

    Raises
    ------
    DataError
        If it cannot be used: no such file, no such split, no image.
    OptionError
        If ``image_size`` makes no sense.
    MissingExtraError
        If PyYAML is not installed.
    """
    return _YoloDataset(read_description(source), options)


class _YoloDataset(StreamedDataset["range | Chunk"]):
    """Pieces are ranges of images, and chunks that are ready because no image is in them."""

    format = "yolo"

    def __init__(self, description: Description, options: OpenOptions) -> None:
        super().__init__(
            str(description.path),
            options.on_error,
            categories=list(enumerate(description.names)),
            fingerprint=options.fingerprint,
        )
        self._description = description
        self._split = description.key_of(options.split or "train")
        self._sizes = sizes_from(options.image_size)
        self._labels = LabelReader(len(description.names), description.pose_words)
        self.image_folder = description.root
        self._head = [self._file_read(str(description.path.absolute()), description.stored)]
        self._strays: list[Problem] = []
        self._folders: list[Path] = []
        found = Counter(itertools.chain.from_iterable(map(self._found, description.entries(self._split))))
        self._images = sorted(found)
        self._strays += [
            Problem(f"image {self._name(path)}", f"is listed {found[path]} times", 0)
            for path in self._images
            if found[path] > 1
        ]
        if not self._images:
            raise DataError(self.source, None, f"{self._split} has no images")
        self.all_images = len(self._images)
        self._records_of = np.full(self.all_images, -1)  # -1: not among the images

    def pieces(self) -> Iterator[range | Chunk]:
        """Lists first, then images, then label files that belong to none."""
        yield Chunk.empty(self._strays, self._head if self.hashing else ())
        for begin in range(0, len(self._images), _PIECE):
            yield range(begin, min(begin + _PIECE, len(self._images)))
        for folder in self._folders:
            yield Chunk.empty(
                Problem(f"label {self._name(path)}", "there is no image to it", 0, path)
                for path in labels_without_image(folder, self._images)
            )

    def read(self, piece: range | Chunk, convention: FillConvention, *, again: bool) -> Chunk:
        """Read the labels and the sizes of some images."""
        if isinstance(piece, Chunk):
            return piece
        paths = self._images[piece.start : piece.stop]
        files = list(map(label_path, paths))
        images, hashed = LabelledImages(), []
        used = []
        for position, path, file, stored in zip(piece, paths, files, read_labels(files), strict=True):
            name = self._name(path)
            try:
                if isinstance(stored, DataError):
                    raise stored
                height, width = self._sizes(path, name)
            except DataError as error:
                images.add_fault(name, error)
                continue
            images.add(name, height, width, file, stored or b"")
            used.append(position)
            if self.hashing and not again and stored is not None:
                hashed.append(self._file_read(file, stored))
        chunk, records = images.measured(self._labels, convention, hashed, with_masks=again)
        if not again:
            self._records_of[used] = records
        return chunk

    def _found(self, entry: Path) -> Iterator[str]:
        """The images of a folder or a list."""
        if entry.is_dir():
            self._folders.append(entry)
            yield from images_in(entry)
            return
        if not entry.exists():
            raise DataError(self.source, None, f"{self._split} is not there: {entry}")
        stored = read_whole(entry)
        self._head.append(self._file_read(str(entry), stored))
        for line in lines_of(stored, entry):
            if is_image(line):
                yield line
            else:
                reason = "is no image that Ultralytics reads, by its suffix"
                self._strays.append(Problem(f"image {self._name(line)}", reason, 0, str(entry)))

    def _name(self, path: str) -> str:
        return path.removeprefix(self._description.prefix)

    def _file_read(self, path: str, stored: bytes) -> FileRead:
        sha256 = hashlib.sha256(stored).hexdigest() if self.hashing else ""
        return FileRead(self._name(path), len(stored), sha256)

    def check_destination(self, destination: Any) -> None:
        """Raise what `write_subset` would raise at once.

        OutputError for the data set's own files, or a folder that does not exist; OptionError for what is
        neither a list nor a ``data.yaml`` by its name.
        """
        check_suffix(destination)
        for target in (destination, list_beside(destination)) if is_yaml(destination) else (destination,):
            check_output(target)
            for path in (self._description.path, *self._description.lists()):
                refuse_to_overwrite(target, path.stat())
            is_path = isinstance(target, (str, os.PathLike))
            if is_path and str(Path(target).resolve()) in map(label_path, self._images):
                raise OutputError(f"{target}: is a label file of the data set")

    def write_into(
        self, outputs: Outputs, destination: Any, keep: NDArray[np.bool_], drop_rows: NDArray[np.int64]
    ) -> int:
        """Write the list of the images with ``keep[i]``, and a ``data.yaml`` that names it if asked for."""
        keep, _ = self.check_selection(keep, drop_rows)
        self.check_destination(destination)
        names = self.image_ids[keep].tolist()
        if is_yaml(destination):
            write_lines(
                outputs,
                list_beside(destination),
                list_lines(list_beside(destination), self._description, names),
            )
            text = subset_yaml(self._description, self._split, Path(destination), len(names), len(keep))
            outputs.open(destination).write(text)
        else:
            write_lines(outputs, destination, list_lines(destination, self._description, names))
        return int(self._records_of[self._records_of >= 0][keep].sum())
