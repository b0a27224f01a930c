"""The images of a subset: copied, or linked to."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from tfdp_fast._output import Outputs
from tfdp_fast.errors import DataError, OutputError


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
        record = f"image {image_id}"
        if name is None:
            raise DataError(str(source), record, "has no file name")
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise DataError(str(source), record, f"its file name {name!r} leads out of the folder")
        if not (source / name).is_file():
            raise DataError(str(source / name), record, "is not there")
        path = target / name
        if path.is_symlink() or path.exists():  # two images of one name are one file
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if link:
                path.symlink_to(source / name)
            else:
                shutil.copy2(source / name, path)
        except OSError as error:
            reason = f"cannot be made from {source / name}: {error.strerror}"
            raise OutputError(f"{folder / name}: {reason}") from error
