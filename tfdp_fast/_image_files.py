"""The images of a subset: copied, or linked to."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tfdp_fast._output import Outputs, check_folder
from tfdp_fast.errors import DataError, OptionError, OutputError
from tfdp_fast.formats.dataset import Dataset
from tfdp_fast.scores import Scores
from tfdp_fast.selection import Subset


@dataclass(frozen=True)
class Gathering:
    """Where images come from, and go.

    Attributes
    ----------
    source : Path or None
        The folder that file names are relative to; None if the data set says it.
    folder : Path
        The new one.
    link : bool
        Symbolic links instead of copies.
    """

    source: Path | None
    folder: Path
    link: bool

    @classmethod
    def of(cls, images: Any, copy_images: Any, link_images: Any) -> Gathering | None:
        """What arguments of `prune` ask for; None if nothing."""
        if copy_images is not None and link_images is not None:
            raise OptionError("images are copied or linked to: one of copy_images and link_images")
        folder = link_images if copy_images is None else copy_images
        if folder is None:
            if images is not None:
                raise OptionError("images says where from: say where to, with copy_images or link_images")
            return None
        check_folder(folder)
        return cls(None if images is None else Path(images), Path(folder), link_images is not None)

    def checked(self, dataset: Dataset) -> Gathering:
        """With a folder where images come from."""
        source = self.source or dataset.image_folder
        if source is None:
            raise OptionError(f"where are the images of {dataset.source}? Say it with images")
        if not source.is_dir():
            raise DataError(str(source), None, "is no folder of images")
        return replace(self, source=source)

    def gather(self, outputs: Outputs, scores: Scores, subset: Subset) -> None:
        """Copy, or link to, the images that are kept."""
        assert self.source is not None
        chosen = zip(scores.images.id[subset.keep], scores.images.file_name[subset.keep], strict=True)
        gather_images(outputs, chosen, self.source, self.folder, link=self.link)


def gather_images(
    outputs: Outputs, images: Iterable[tuple[object, str | None]], source: Path, folder: Path, *, link: bool
) -> None:
    """Put images into a new folder, under the names that they have in the old one.

    Parameters
    ----------
    outputs : Outputs
        The folder is one of them.
    images : iterable of (id, file name)
        Which. Names are relative to the old folder.
    source : Path
        The old folder.
    folder : Path
        The new one, which must not be there yet, or be empty.
    link : bool
        Symbolic links to the images instead of copies.

    Raises
    ------
    DataError
        If an image has no name, is not there, or its name leads out of the folder.
    OutputError
        If it cannot be written.
    """
    target = outputs.folder(folder)
    source = source.absolute()
    for image_id, name in images:
        original = path_of_image(source, image_id, name)
        assert name is not None
        path = target / name
        if path.is_symlink() or path.exists():  # two images of one name are one file
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if link:
                path.symlink_to(original)
            else:
                shutil.copy2(original, path)
        except OSError as error:
            reason = f"cannot be made from {original}: {error.strerror}"
            raise OutputError(f"{folder / name}: {reason}") from error


def path_of_image(folder: Path, image_id: object, name: str | None) -> Path:
    """Where an image is, by its file name, which is relative to a folder.

    Raises
    ------
    DataError
        If it has no name, is not there, or its name leads out of the folder.
    """
    record = f"image {image_id}"
    if name is None:
        raise DataError(str(folder), record, "has no file name")
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise DataError(str(folder), record, f"its file name {name!r} leads out of the folder")
    path = folder / name
    if not path.is_file():
        raise DataError(str(path), record, "is not there")
    return path
