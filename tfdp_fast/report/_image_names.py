"""Which image is meant: by its id, its file name, or what there is of a name without folders and suffix."""

from __future__ import annotations

import difflib
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from tfdp_fast._numbers import is_number
from tfdp_fast.errors import OptionError
from tfdp_fast.formats.dataset import Dataset

_MANY = 20_000
"""Names among which a similar one is looked for at most: it takes a second for a million."""


def find_image(dataset: Dataset, wanted: Any) -> int:
    """The position of the image that is meant in `Dataset.image_ids`.

    Parameters
    ----------
    dataset : Dataset
        Whose columns are there.
    wanted : int or str
        An id, as a number or as text; where no id is this text, a file name, or the last part of one, with
        or without its suffix.

    Raises
    ------
    OptionError
        If there is no such image, or several have this name; the error says what there is.
    """
    if not (is_number(wanted, int, np.integer) or isinstance(wanted, str)):
        raise OptionError(f"an image is named by its id or its file name, got {wanted!r}")
    text = str(wanted)
    found = np.flatnonzero(dataset.image_ids == _as_id(dataset, text))
    if len(found) == 0 and isinstance(wanted, str):
        found = _by_name(dataset, text)
    if len(found) > 1:
        ids = ", ".join(str(image_id) for image_id in dataset.image_ids[found[:5]].tolist())
        more = ", ..." if len(found) > 5 else ""
        raise OptionError(
            f"{dataset.source}: {len(found)} images are called {text!r}: say which by its id: {ids}{more}"
        )
    if len(found) == 0:
        raise OptionError(
            f"{dataset.source}: no image has the id or the file name {text!r}{_hint(dataset, text)}"
        )
    return int(found[0])


def _as_id(dataset: Dataset, text: str) -> Any:
    if dataset.image_ids.dtype.kind == "U":
        return text
    try:
        return int(text)
    except ValueError:
        return None


def _by_name(dataset: Dataset, text: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The images whose file name is the text, or else ends with it, or else is it without its suffix."""
    names = ["" if name is None else str(name) for name in dataset.file_names]
    for same in (
        lambda name: name == text,
        lambda name: PurePosixPath(name).name == text,
        lambda name: text in {PurePosixPath(name).stem, str(PurePosixPath(name).with_suffix(""))},
    ):
        found = [position for position, name in enumerate(names) if name and same(name)]
        if found:
            return np.array(found, np.int64)
    return np.empty(0, np.int64)


def _hint(dataset: Dataset, text: str) -> str:
    """What there is instead."""
    if not len(dataset.image_ids):
        return "; there are no images"
    names = [str(name) for name in dataset.file_names[:_MANY] if name is not None]
    known = [
        *map(str, dataset.image_ids[:_MANY].tolist()),
        *names,
        *(PurePosixPath(name).stem for name in names),
    ]
    if close := difflib.get_close_matches(text, known, n=1, cutoff=0.75):
        return f"; is it {close[0]!r}?"
    example = f"; the first image has the id {dataset.image_ids[0]}"
    return f"{example} and the file name {names[0]!r}" if names else example
