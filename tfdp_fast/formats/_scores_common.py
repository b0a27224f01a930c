"""What the formats of score files share."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdp_fast import __version__
from tfdp_fast.formats.dataset import Problem
from tfdp_fast.presets import AppliedPreset
from tfdp_fast.scores import Scores
from tfdp_fast.tables import ClassTable, Ids, ImageTable, InstanceTable

FORMAT, FORMAT_WITH_PRESET = 1, 2
"""Of ``.parquet`` and ``.npz``; raised when an older version could not read what this one writes.

One that knows no presets would select other images, and must not read scores that come from one.
"""


class Unreadable(Exception):
    """What is wrong with a score file."""


def about_scores(scores: Scores) -> dict[str, Any]:
    about = {
        "format": FORMAT,
        "version": __version__,
        "variant": scores.variant,
        "polygons": scores.polygons,
        "crowd": scores.crowd,
        "ignored": scores.ignored,
        "problems": [asdict(problem) for problem in scores.problems],
    }
    if scores.preset is not None:
        about |= {"format": FORMAT_WITH_PRESET, "preset": asdict(scores.preset)}
    return about


def about_of(text: str) -> dict[str, Any]:
    try:
        about = json.loads(text)
        if about["format"] in {FORMAT, FORMAT_WITH_PRESET}:
            return dict(about)
    except (ValueError, TypeError, KeyError) as error:
        raise Unreadable("is no file of scores of this package") from error
    raise Unreadable(
        f"is of format {about['format']}, and this version reads formats up to {FORMAT_WITH_PRESET}"
    )


def scores_about(
    about: dict[str, Any], images: ImageTable, instances: InstanceTable | None, classes: ClassTable | None
) -> Scores:
    try:
        return Scores(
            images,
            instances,
            classes,
            about["variant"],
            about["polygons"],
            about["crowd"],
            about["ignored"],
            [Problem(**problem) for problem in about["problems"]],
            AppliedPreset(**about["preset"]) if about["format"] == FORMAT_WITH_PRESET else None,
        )
    except (KeyError, TypeError) as error:
        raise Unreadable(f"is no file of scores of this package: {error}") from error


def ids_of_text(ids: Iterable[str]) -> Ids:
    """Ids from text: whole numbers if all of them are."""
    found = list(ids)
    whole = re.compile(r"0|-?[1-9][0-9]{0,18}")
    if all(whole.fullmatch(i) for i in found):
        try:
            return np.array([int(i) for i in found], np.int64)
        except OverflowError:
            pass
    return np.array(found, np.str_)


def id_column(ids: list[int] | list[str]) -> Ids:
    return np.array(ids, np.str_ if ids and isinstance(ids[0], str) else np.int64)


def object_column(values: Iterable[str | None]) -> NDArray[np.object_]:
    found = list(values)
    column = np.empty(len(found), np.object_)
    column[:] = found
    return column


def images_only(
    ids: Ids,
    names: list[str | None],
    values: NDArray[np.float64],
    annotations: NDArray[np.int64],
    instances: NDArray[np.int64],
) -> Scores:
    if not np.isfinite(values).all():
        raise Unreadable("has a score that is not finite")
    images = ImageTable(ids, object_column(names), annotations, instances, values)
    return Scores(images, None, None, None, None)
