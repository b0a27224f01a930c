"""Images of a data set as they are drawn: their pixels, and the contours and numbers of their annotations."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tfdp_fast._batches import fill_convention
from tfdp_fast._image_files import path_of_image
from tfdp_fast.errors import DataError, OutputError
from tfdp_fast.formats.dataset import Dataset, Traced
from tfdp_fast.measuring import MeasuredDataset
from tfdp_fast.report._pixels import UnusableImageError, load_pixels
from tfdp_fast.scores import Scores
from tfdp_fast.selection import select

__all__ = ["Outline", "Picture", "Ranking", "Role", "refuse_inputs", "roles_of", "take_pictures"]

Role: TypeAlias = Literal["scored", "crowd", "left out", "set aside"]
"""What an annotation is to the scores: ``"left out"`` by a preset, ``"set aside"`` because it has a fault."""


@dataclass(frozen=True, eq=False)
class Outline:
    """An annotation as it is drawn.

    Attributes
    ----------
    position : int
        Its position among all annotations of the data set.
    id : int or str
        The annotation's id.
    role : str
        Whether it is scored, and if not, why.
    row : int or None
        Its row in `Scores.instances`; None unless it is scored.
    category : int
        Position in `Dataset.category_ids`.
    category_name : str
        The name of its class.
    contours : list of int32 [m, 2]
        Outer contours, x and y of pixel centres in the full image: the centre of the first pixel is (0, 0),
        so that 0.5 is to be added where its corner is the origin.
    primary : int
        Which of the contours is the primary one; -1 where there is none.
    """

    position: int
    id: int | str
    role: Role
    row: int | None
    category: int
    category_name: str
    contours: list[NDArray[np.int32]]
    primary: int


@dataclass(frozen=True, eq=False)
class Picture:
    """An image as it is drawn.

    Attributes
    ----------
    position : int
        Position in `Dataset.image_ids`; the row in `Scores.images`.
    id : int or str
        The image's id.
    file_name : str or None
        Its file name.
    height, width : int
        Its size in pixels, by the annotations.
    pixels : PIL.Image.Image or None
        RGB, perhaps reduced; None where a blank canvas has to do.
    note : str or None
        Why there are no pixels, if there should be some.
    outlines : list of Outline
        Its annotations, in data-set order.
    """

    position: int
    id: int | str
    file_name: str | None
    height: int
    width: int
    pixels: Image.Image | None
    note: str | None
    outlines: list[Outline]


def take_pictures(
    measured: MeasuredDataset,
    positions: Sequence[int] | NDArray[np.int64],
    *,
    images: str | os.PathLike[str] | None = None,
    longest: int | None = None,
    threads: int,
) -> list[Picture]:
    """Get images, with the contours of their annotations.

    An image that cannot be shown (it is not there, damaged, of another size than its annotations say, or its
    name leads out of the folder) is an error if `images` says that it is there. With ``on_error="skip"``, or
    without `images`, it is a blank canvas, and `Picture.note` says why.

    Parameters
    ----------
    measured : MeasuredDataset
        Measured before.
    positions : sequence of int
        Positions in `Dataset.image_ids`. The masks of these images are traced, and no others.
    images : path, optional
        The folder that file names are relative to; by default the one that the data set says, if it does.
    longest : int, optional
        Reduce the pixels so that the longer side has at most so many. Contours are in full pixels always.
    threads : int
        Threads to use; the result does not depend on it.

    Returns
    -------
    list of Picture
        In the order of the positions.

    Raises
    ------
    DataError
        If an image cannot be shown, or a mask not be read again.
    """
    dataset = measured.dataset
    folder = _folder_of_images(dataset, images)
    strict = images is not None and dataset.on_error == "raise"
    wanted = np.unique(np.asarray(positions, np.int64))
    outlines = _outlines(measured, wanted, threads)
    taken = {}
    for position in wanted.tolist():
        pixels, note = _pixels(dataset, position, folder, longest, strict=strict)
        height, width = dataset.image_sizes[position].tolist()
        taken[position] = Picture(
            position=position,
            id=dataset.image_ids[position].item(),
            file_name=_file_name(dataset, position),
            height=height,
            width=width,
            pixels=pixels,
            note=note,
            outlines=outlines[position],
        )
    return [taken[int(position)] for position in positions]


def refuse_inputs(
    destination: str | os.PathLike[str], dataset: Dataset, images: str | os.PathLike[str] | None
) -> None:
    """Raise OutputError if what is to be written is a file of the data set, or one of its images."""
    if not Path(destination).exists():
        return
    target = Path(destination).resolve()
    if dataset.is_file:
        source = Path(dataset.source).resolve()
        if source == target or (source in target.parents and source != target.parent):
            raise OutputError(f"{destination}: is in the data set that is being read")
    folder = _folder_of_images(dataset, images)
    if folder is None:
        return
    folder = folder.resolve()
    if folder in target.parents and str(target.relative_to(folder)) in map(str, dataset.file_names):
        raise OutputError(f"{destination}: is an image of the data set")


def _folder_of_images(dataset: Dataset, images: str | os.PathLike[str] | None) -> Path | None:
    if images is None:
        return dataset.image_folder
    folder = Path(images)
    if not folder.is_dir():
        raise DataError(str(folder), None, "is no folder of images")
    return folder


def _file_name(dataset: Dataset, position: int) -> str | None:
    name = dataset.file_names[position]
    return None if name is None else str(name)


def _pixels(
    dataset: Dataset, position: int, folder: Path | None, longest: int | None, *, strict: bool
) -> tuple[Image.Image | None, str | None]:
    """The pixels of an image, or why there are none."""
    if folder is None:
        return None, None
    height, width = dataset.image_sizes[position].tolist()
    try:
        path = path_of_image(folder, dataset.image_ids[position], _file_name(dataset, position))
        try:
            return load_pixels(path, (height, width), longest=longest), None
        except UnusableImageError as error:
            record = f"image {dataset.image_ids[position]}"
            raise DataError(str(path), record, str(error)) from error
    except DataError as error:
        if strict:
            raise
        return None, error.reason


def _outlines(measured: MeasuredDataset, wanted: NDArray[np.int64], threads: int) -> dict[int, list[Outline]]:
    dataset = measured.dataset
    traced: Traced = dataset.trace(wanted, fill_convention(measured.polygons), threads=threads)
    rows = np.searchsorted(measured.positions, traced.positions)
    roles = roles_of(measured, traced.positions)
    found: dict[int, list[Outline]] = {position: [] for position in wanted.tolist()}
    for annotation, role, row, contours, primary in zip(
        traced.positions.tolist(), roles, rows.tolist(), traced.contours, traced.primary.tolist(), strict=True
    ):
        category = int(dataset.category_index[annotation])
        outline = Outline(
            position=annotation,
            id=dataset.annotation_ids[annotation].item(),
            role=role,
            row=row if role == "scored" else None,
            category=category,
            category_name=dataset.category_names[category],
            contours=contours,
            primary=primary,
        )
        found[int(dataset.image_index[annotation])].append(outline)
    return found


def roles_of(measured: MeasuredDataset, annotations: NDArray[np.int64]) -> list[Role]:
    """What the annotations at some positions are to the scores."""
    faulty = {problem.row for problem in measured.problems}

    def role(annotation: int) -> Role:
        if measured.scored[annotation]:
            return "scored"
        if int(measured.dataset.rows[annotation]) in faulty:
            return "set aside"
        return "crowd" if measured.dataset.crowd[annotation] else "left out"

    return [role(annotation) for annotation in annotations.tolist()]


@dataclass(frozen=True, eq=False)
class Ranking:
    """The images of a data set, best first.

    Attributes
    ----------
    positions : int64 [n]
        Positions of the images that are ranked: those that `select` chooses from, in the order in which it
        takes them.
    ranks : int64 [I]
        The rank of each image, 1 being the best; 0 of those that are not ranked.
    """

    positions: NDArray[np.int64]
    ranks: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.positions)

    @classmethod
    def of(cls, scores: Scores) -> Ranking:
        """Rank the images by their scores."""
        positions = np.flatnonzero(select(scores, keep=1).keep)
        positions = positions[np.argsort(-scores.images.score[positions], kind="stable")]
        ranks: NDArray[Any] = np.zeros(len(scores.images), np.int64)
        ranks[positions] = np.arange(1, len(positions) + 1)
        return cls(positions, ranks)
