"""From a data set to the part of it that is worth training on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec
import numpy as np

from tfdp_fast._output import Outputs
from tfdp_fast._threads import importing, resolve_threads, timed
from tfdp_fast.formats.dataset import OnError, OnProgress, Problem
from tfdp_fast.formats.opening import Opening, open_dataset
from tfdp_fast.masks import Polygons
from tfdp_fast.presets import PresetName
from tfdp_fast.scoring import SUMS, Scores, Variant, check_options, score_dataset
from tfdp_fast.selection import Of, Subset, check_share, select

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Pruned", "path_of_problems", "prune", "write_problems"]


@dataclass(frozen=True, eq=False)
class Pruned:
    """What `prune` did.

    Attributes
    ----------
    subset : Subset
        The images that are kept.
    scores : Scores
        Of the whole data set.
    annotations_kept, annotations_dropped : int
        Annotation records of the source, of whatever kind.
    problems_path : Path or None
        Where the annotations that were set aside are listed.
    """

    subset: Subset
    scores: Scores
    annotations_kept: int
    annotations_dropped: int
    problems_path: Path | None


def prune(
    source: Any,
    destination: str | os.PathLike[str] | BinaryIO,
    *,
    rate: float | Fraction | None = None,
    keep: float | Fraction | None = None,
    k: int | None = None,
    of: Of = "scored",
    variant: Variant = "tfdp",
    polygons: Polygons | None = None,
    preset: PresetName | None = None,
    on_error: OnError = "raise",
    threads: int | None = None,
    progress: OnProgress | None = None,
    **opening: Unpack[Opening],
) -> Pruned:
    """Keep the images of a data set that are most worth training on, with their annotations.

    Every record that is kept is kept byte for byte, and so is everything else in the file but the records
    that are dropped. The output appears whole or not at all.

    Parameters
    ----------
    source : path or object
        A data set of any format; see `open_dataset`.
    destination : path or binary file
        Where the subset goes.
    rate, keep, k, of
        How many images to keep, and of which; see `select`.
    variant, polygons, preset, threads, progress, **opening
        How to score; see `score`.
    on_error : {"raise", "skip"}
        What to do with an annotation that cannot be used: raise, or set it aside. Those that are set aside
        are left out of the output and are listed beside it, in ``<destination>.problems.jsonl``.

    Returns
    -------
    Pruned

    Raises
    ------
    DataError
        If the source, or an annotation of it, cannot be used; the error says which and why.
    OptionError
        If an argument makes no sense.
    OutputError
        If the destination cannot be written, or is the source.

    Examples
    --------
    >>> import io, json
    >>> import tfdp_fast as tfdp
    >>> square, bar = [[0, 0, 9, 0, 9, 9, 0, 9]], [[0, 0, 9, 0, 9, 3, 0, 3]]
    >>> data = {
    ...     "images": [{"id": i, "height": 10, "width": 10} for i in (4, 2)],
    ...     "categories": [{"id": 1, "name": "shape"}],
    ...     "annotations": [
    ...         {"id": 1, "image_id": 4, "category_id": 1, "segmentation": square},
    ...         {"id": 2, "image_id": 2, "category_id": 1, "segmentation": bar},
    ...     ],
    ... }
    >>> output = io.BytesIO()
    >>> pruned = tfdp.prune(data, output, rate=0.5)
    >>> json.loads(output.getvalue())["images"]
    [{'id': 2, 'height': 10, 'width': 10}]
    """
    check_options(variant, polygons, on_error, preset)
    check_share(rate=rate, keep=keep, k=k, of=of, preset=preset)
    threads = resolve_threads(threads)
    with timed("read"), importing(SUMS, threads):
        dataset = open_dataset(source, on_error=on_error, preset=preset, **opening)
    dataset.check_destination(destination)
    problems_path = None
    if on_error == "skip" and isinstance(destination, (str, os.PathLike)):
        problems_path = path_of_problems(destination)
        dataset.check_destination(problems_path)
    scores = score_dataset(dataset, variant, polygons=polygons, threads=threads, progress=progress)
    subset = select(scores, rate=rate, keep=keep, k=k, of=of)
    problem_rows = np.array([problem.row for problem in scores.problems], np.int64)
    with Outputs() as outputs, timed("wrote the subset"):
        kept = dataset.write_into(outputs, destination, subset.keep, problem_rows)
        if problems_path is not None:
            write_problems(scores.problems, outputs.open(problems_path))
    return Pruned(subset, scores, kept, dataset.records - kept, problems_path)


def path_of_problems(destination: str | os.PathLike[str]) -> Path:
    """Where the annotations that were set aside are listed: ``<destination>.problems.jsonl``."""
    return Path(f"{os.fspath(destination)}.problems.jsonl")


def write_problems(problems: Sequence[Problem], file: BinaryIO) -> None:
    """List problems, a JSON object a line; none at all gives nothing."""
    file.write(msgspec.json.Encoder().encode_lines(problems))
