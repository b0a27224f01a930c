"""The data sets that are timed: files that somebody has, or made ones of the same size and form."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tfdp_fast.errors import DataError, OutputError
from tfdp_fast.formats._label_maps import LabelMapDataset
from tfdp_fast.formats.opening import open_dataset
from tfdp_fast.timing.city_like import IMAGES as CITY_IMAGES
from tfdp_fast.timing.city_like import write_city_like
from tfdp_fast.timing.coco_like import write_coco_like
from tfdp_fast.timing.coco_statistics import IMAGES as COCO_IMAGES
from tfdp_fast.timing.paper import DataSetName
from tfdp_fast.timing.voc_like import IMAGES as VOC_IMAGES
from tfdp_fast.timing.voc_like import write_voc_like

SEED = 0
FORMAT_OF: Mapping[DataSetName, str] = {"voc": "coco", "cityscapes": "cityscapes", "coco": "coco"}
VOC_FILE = "voc2012_train.json"

# What is made takes up so many bytes for an image; subsets and samples included.
_BYTES: Mapping[DataSetName, int] = {"voc": 6_000, "cityscapes": 40_000, "coco": 9_000}
_IMAGES: Mapping[DataSetName, int] = {"voc": VOC_IMAGES, "cityscapes": CITY_IMAGES, "coco": COCO_IMAGES}

SAMPLE: Mapping[str, int] = {"coco": 12_000, "cityscapes": 150}
"""By format: images, at most, that the authors' route gets. It takes about ten seconds for them."""


@dataclass(frozen=True)
class Source:
    """A data set that is timed.

    Attributes
    ----------
    name : str
        Which of the paper's it is, or stands for.
    path : Path
        A COCO file, or a folder of Cityscapes.
    origin : str
        ``"real"``, or how it was made.
    scale : float
        Its size as a share of the size that it has in the paper; 1 for real files.
    """

    name: DataSetName
    path: Path
    origin: str
    scale: float

    @property
    def real(self) -> bool:
        """Whether it was not made here."""
        return self.origin == "real"

    @property
    def format(self) -> str:
        """``"coco"`` or ``"cityscapes"``."""
        return FORMAT_OF[self.name]


def real_annotations() -> Path | None:
    """The folder of real annotations that the environment variable ``TFDP_TEST_DATA`` names, if it is one."""
    named = os.environ.get("TFDP_TEST_DATA")
    return Path(named) if named and Path(named).is_dir() else None


def check_given(name: DataSetName, path: Path) -> None:
    """Raise DataError for a path that cannot be this data set, before anything is made."""
    if not path.exists():
        raise DataError(str(path), None, "cannot be read: No such file or directory")
    if FORMAT_OF[name] == "coco":
        if path.is_dir():
            raise DataError(str(path), None, "is a folder: give a COCO file, as the authors' code reads it")
        return
    if not path.is_dir():
        raise DataError(str(path), None, "is no folder: give the one that holds gtFine")
    if (found := open_dataset(path).format) != "cityscapes":
        raise DataError(str(path), None, f"is a data set of the format {found}, not cityscapes")


@contextmanager
def opened(
    name: DataSetName, given: Path | None, scale: float, threads: int
) -> Iterator[tuple[Source, Path]]:
    """A data set, and a folder for what is made from it; what was made is removed in the end.

    Parameters
    ----------
    name : str
        Which.
    given : Path, optional
        Where it is; else a real one that is known is taken, or one is made.
    scale : float
        The size of what is made.
    threads : int
        Threads that make it.
    """
    real = real_annotations()
    if given is None and name == "voc" and real is not None and (real / VOC_FILE).is_file():
        given = real / VOC_FILE
    with TemporaryDirectory(prefix="tfdp-bench-") as temporary:
        folder = Path(temporary)
        if given is not None:
            yield Source(name, given, "real", 1.0), folder
            return
        images = max(1, round(scale * _IMAGES[name]))
        _check_room(folder, images * _BYTES[name])
        path = folder / ("made" if name == "cityscapes" else "made.json")
        if name == "voc":
            shapes = write_voc_like(path, images, SEED, real).shapes
        elif name == "cityscapes":
            shapes = write_city_like(path, images, SEED, real, threads).shapes
        else:
            shapes = write_coco_like(path, images, SEED, real).shapes
        yield Source(name, path, f"made from {shapes}, seed {SEED}", scale), folder


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OutputError(
            f"{folder.parent}: {needed / 1e6:,.0f} MB are needed, {free / 1e6:,.0f} MB are free"
        )


def files_of(source: Source) -> list[str]:
    """The annotation files, in the order of the data set."""
    if source.format == "coco":
        return [str(source.path)]
    dataset = open_dataset(source.path)
    assert isinstance(dataset, LabelMapDataset)
    return dataset.paths()


def sample_of(source: Source, images: int, folder: Path) -> Path:
    """A part of a data set as one of its own: images at equal distances, with all of their annotations.

    All of it is returned as it is if it has no more images than that.
    """
    if source.format == "coco":
        dataset = open_dataset(source.path)
        total = len(dataset.image_ids)
        if total <= images:
            return source.path
        keep = np.zeros(total, np.bool_)
        keep[_spread(total, images)] = True
        path = folder / "sample.json"
        dataset.write_subset(path, keep, np.empty(0, np.int64))
        return path
    files = files_of(source)
    if len(files) <= images:
        return source.path
    root = folder / "sample" / "gtFine" / "train"
    for i in _spread(len(files), images):
        file = Path(files[i]).absolute()
        (root / file.parent.name).mkdir(parents=True, exist_ok=True)
        (root / file.parent.name / file.name).symlink_to(file)
    return folder / "sample"


def _spread(total: int, n: int) -> list[int]:
    """N positions at equal distances.

    Examples
    --------
    >>> _spread(10, 4)
    [0, 2, 5, 7]
    """
    return [i * total // n for i in range(n)]
