"""From a data set to a page about it."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from tfdp_fast._numbers import is_number
from tfdp_fast._output import atomic_output, check_output
from tfdp_fast._text import one_line
from tfdp_fast._threads import importing, resolve_threads, timed
from tfdp_fast.errors import OptionError
from tfdp_fast.formats.dataset import Dataset, OnError, OnProgress
from tfdp_fast.formats.opening import Opening, open_dataset
from tfdp_fast.masks import Polygons
from tfdp_fast.measuring import measure_dataset
from tfdp_fast.presets import PresetName
from tfdp_fast.report.contents import Contents, gather_contents
from tfdp_fast.report.page import page
from tfdp_fast.report.pictures import refuse_inputs
from tfdp_fast.scores import Variant
from tfdp_fast.scoring import SUMS, check_options

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["WrittenReport", "write_report"]

GALLERY = 6
"""Images of each gallery, if nothing else is said."""


@dataclass(frozen=True, eq=False)
class WrittenReport:
    """What `write_report` did.

    Attributes
    ----------
    destination : Path or None
        Where the page is; None if it went to a binary file.
    size : int
        Its size in bytes.
    contents : Contents
        What it shows.
    """

    destination: Path | None
    size: int
    contents: Contents


def write_report(
    source: Any,
    destination: str | os.PathLike[str] | BinaryIO,
    *,
    variant: Variant = "tfdp",
    polygons: Polygons | None = None,
    preset: PresetName | None = None,
    on_error: OnError = "raise",
    images: str | os.PathLike[str] | None = None,
    n: int = GALLERY,
    areas: bool = True,
    fingerprint: bool = False,
    title: str | None = None,
    threads: int | None = None,
    progress: OnProgress | None = None,
    **opening: Unpack[Opening],
) -> WrittenReport:
    """Write a page about a data set: statistics, what pruning leaves of it, its best and least images.

    One HTML file that needs nothing else, not even a network. The same data set makes the same bytes.

    Parameters
    ----------
    source : path or object
        A data set of any format; see `open_dataset`. Masks are read a second time, for areas and contours, so
        an iterator will not do.
    destination : path or binary file
        Where the page goes. A file appears whole or not at all.
    variant : {"tfdp", "scs", "si", "cb"}
        By which to prune. Galleries and distributions are by all four, this one first.
    polygons, preset, on_error, threads, progress, **opening
        As for `score`.
    images : path, optional
        The folder that file names are relative to, where the data set does not say it. Without images,
        contours are drawn on blank canvases.
    n : int
        How many images a gallery has, of the best and of the least each.
    areas : bool
        Whether to count the pixels of the masks.
    fingerprint : bool
        Whether to hash the annotation files.
    title : str, optional
        The heading.

    Returns
    -------
    WrittenReport

    Raises
    ------
    DataError
        If the source, or an annotation of it, cannot be used; or an image, if `images` says where they are.
    OptionError
        If an argument makes no sense.
    OutputError
        If the destination cannot be written, or is the source.

    Examples
    --------
    >>> import io
    >>> import tfdp_fast as tfdp
    >>> square = [[0, 0, 9, 0, 9, 9, 0, 9]]
    >>> data = {
    ...     "images": [{"id": 7, "file_name": "a.jpg", "height": 10, "width": 10}],
    ...     "categories": [{"id": 1, "name": "square"}],
    ...     "annotations": [{"id": 1, "image_id": 7, "category_id": 1, "segmentation": square}],
    ... }
    >>> page = io.BytesIO()
    >>> written = tfdp.write_report(data, page, title="One square")
    >>> written.size == len(page.getvalue()), page.getvalue()[:15]
    (True, b'<!DOCTYPE html>')
    """
    check_options(variant, polygons, on_error, preset)
    if not is_number(n, int, np.integer) or n < 1:
        raise OptionError(f"n must be a whole number of at least 1, got {n!r}")
    check_output(destination)
    threads = resolve_threads(threads)
    with timed("read"), importing(SUMS, threads):
        dataset = open_dataset(source, on_error=on_error, fingerprint=fingerprint, preset=preset, **opening)
    if isinstance(destination, (str, os.PathLike)):
        refuse_inputs(destination, dataset, images)
    measured = measure_dataset(dataset, polygons=polygons, threads=threads, progress=progress)
    shown = {
        "variant": variant if variant != "tfdp" else None,
        "preset": dataset.options.preset,
        "polygons": polygons,
        "on-error": on_error if on_error != "raise" else None,
        "images": None if images is None else os.fspath(images),
        "n": n if n != GALLERY else None,
        "title": title,
    }
    flags = [name for name, given in (("no-areas", not areas), ("fingerprint", fingerprint)) if given]
    contents = gather_contents(
        measured,
        variant,
        n=int(n),
        areas=areas,
        images=images,
        threads=threads,
        title=title or f"Pruning report: {Path(dataset.source).name}",
        command=_command(dataset, shown, flags) if dataset.is_file else None,
        options=_options(dataset, shown, flags),
        fingerprint=dataset.fingerprint(),
    )
    with timed("wrote the page"), atomic_output(destination) as file:
        written = page(contents).encode()
        file.write(written)
    path = Path(os.fsdecode(destination)) if isinstance(destination, (str, os.PathLike)) else None
    return WrittenReport(path, len(written), contents)


def _opened(dataset: Dataset) -> dict[str, Any]:
    """How the data set was opened, as far as that was said."""
    opened = dataset.options
    size = opened.image_size
    return {
        "format": dataset.format,
        "split": opened.split,
        "difficult": opened.difficult if opened.difficult != "include" else None,
        "image-size": f"{size[0]}x{size[1]}" if isinstance(size, tuple) else None,
    }


def _command(dataset: Dataset, shown: dict[str, Any], flags: list[str]) -> str:
    """The command that makes the same page."""
    words = ["tfdp", "report", dataset.source]
    for name, value in (_opened(dataset) | shown).items():
        if value is not None:
            words += [f"-{name}" if len(name) == 1 else f"--{name}", str(value)]
    return one_line(shlex.join([*words, *(f"--{flag}" for flag in flags), "-o", "report.html"]))


def _options(dataset: Dataset, shown: dict[str, Any], flags: list[str]) -> list[tuple[str, str]]:
    """The same for people: what was asked for."""
    given = [(name, value) for name, value in (_opened(dataset) | shown).items() if value is not None]
    words = [*(f"{name} {value}" for name, value in given if name != "title"), *flags]
    return [("Options", ", ".join(words))]
