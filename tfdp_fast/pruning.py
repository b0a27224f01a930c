"""From a data set to the part of it that is worth training on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from tfdp_fast._image_files import Gathering
from tfdp_fast._output import Outputs, check_output, refuse_to_overwrite
from tfdp_fast._threads import importing, resolve_threads, timed
from tfdp_fast.beside import Beside, beside_of, write_image_list, write_problems
from tfdp_fast.errors import OptionError
from tfdp_fast.formats.dataset import Dataset, ImageProblem, OnError, OnProgress
from tfdp_fast.formats.opening import Opening, open_dataset
from tfdp_fast.listing import ImageList
from tfdp_fast.masks import Polygons
from tfdp_fast.presets import PresetName, polygons_under
from tfdp_fast.recording import Options, Outcome, outcome_of, record_of
from tfdp_fast.scores import Scores, Variant
from tfdp_fast.scoring import SUMS, check_options, score_dataset
from tfdp_fast.selection import Of, Subset, check_share, select
from tfdp_fast.strategies import Order, Strategy, StrategyName
from tfdp_fast.tables import Ids

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Unpack

    from tfdp_fast.repeating import Expected

__all__ = ["Pruned", "prune", "prune_dataset"]


@dataclass(frozen=True, eq=False)
class Pruned:
    """What `prune` did.

    Attributes
    ----------
    source, format : str
        What was pruned, and the name of its format.
    destination : Path or None
        Where the subset is; None if it went to a binary file.
    subset : Subset
        The images that are kept.
    scores : Scores
        Of the whole data set.
    outcome : Outcome
        Counts of images and annotations, and the classes before and after.
    beside : Beside or None
        Where the lists and the record are; None if the subset went to no file or folder.
    problems_path : Path or None
        Where the annotations that were set aside are listed, if they were to be set aside.
    """

    source: str
    format: str
    destination: Path | None
    subset: Subset
    scores: Scores
    outcome: Outcome
    beside: Beside | None
    problems_path: Path | None

    @property
    def annotations_kept(self) -> int:
        """Annotation records that stay, of whatever kind."""
        return self.outcome.annotations["kept"]

    @property
    def annotations_dropped(self) -> int:
        """Annotation records that go."""
        return self.outcome.annotations["dropped"]


def prune(
    source: Any,
    destination: str | os.PathLike[str] | BinaryIO,
    *,
    rate: float | Fraction | None = None,
    keep: float | Fraction | None = None,
    k: int | None = None,
    of: Of = "scored",
    strategy: StrategyName = "top",
    order: Order | None = None,
    seed: int | None = None,
    beta: float | None = None,
    strata: int | None = None,
    ids: str | os.PathLike[str] | Subset | Iterable[int | str] | Ids | None = None,
    variant: Variant = "tfdp",
    polygons: Polygons | None = None,
    preset: PresetName | None = None,
    on_error: OnError = "raise",
    images: str | os.PathLike[str] | None = None,
    copy_images: str | os.PathLike[str] | None = None,
    link_images: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    progress: OnProgress | None = None,
    **opening: Unpack[Opening],
) -> Pruned:
    """Keep the images of a data set that are most worth training on, with their annotations.

    The subset has the format of the data set. Every record that is kept is kept byte for byte, and so is
    everything else in a file but the records that are dropped. Three files appear with it: lists of the
    images that are kept and dropped, and a record of what was done, from which `repeat` does it again; see
    `Beside`. All outputs appear whole or not at all.

    Parameters
    ----------
    source : path or object
        A data set of any format; see `open_dataset`.
    destination : path or binary file
        Where the subset goes. Beside a binary file, or what is no regular file, no others are written.
    rate, keep, k, of, strategy, order, seed, beta, strata
        How many images to keep, and which; see `select`.
    ids : path, Subset or ids, optional
        Instead of all these, the images to keep, by whatever method they were chosen: their ids, or a file
        that lists them (id, tab, file name, a line each) or is itself a subset, as `compare` takes it. They
        are told by their ids; where not a single one is in the data set, by file names, or else by these
        without folders and suffix. All of them have to be there.
    variant, polygons, preset, threads, progress, **opening
        How to score; see `score`.
    on_error : {"raise", "skip"}
        What to do with an annotation that cannot be used: raise, or set it aside. Those that are set aside
        are left out of the output and are listed beside it, in ``<destination>.problems.jsonl``.
    images : path, optional
        The folder that file names are relative to, where the data set does not say it.
    copy_images, link_images : path, optional
        A new folder for the images that are kept: copies, or symbolic links.

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
    share: dict[str, Any] = {"rate": rate, "keep": keep, "k": k}
    how = Strategy(strategy, order, seed, beta, strata)
    listed = None
    if ids is None:
        check_share(**share, of=of, preset=preset)
    else:
        _check_alone(share, of, how)
        listed = ImageList.of(ids)
        _check_kept(ids, destination)
    gathering = Gathering.of(images, copy_images, link_images)
    threads = resolve_threads(threads)
    beside = beside_of(destination)
    with timed("read"), importing(SUMS, threads):
        dataset = open_dataset(
            source, on_error=on_error, fingerprint=beside is not None, preset=preset, **opening
        )
    polygons = polygons_under(dataset.options.preset, polygons)
    options = Options.of_arguments(
        share,
        of="all" if listed is not None else of,
        variant=variant,
        polygons=polygons,
        strategy=None if how == Strategy() else how,
        ids=None if listed is None else listed.record,
    )
    return prune_dataset(
        dataset,
        destination,
        beside,
        options,
        listed=listed,
        gathering=gathering,
        threads=threads,
        progress=progress,
    )


def _check_alone(share: dict[str, Any], of: Of, how: Strategy) -> None:
    """Raise OptionError for anything beside a list that says which images are kept."""
    others = [name for name, value in share.items() if value is not None]
    others += ["of"] if of != "scored" else []
    others += ["a strategy"] if how != Strategy() else []
    if others:
        raise OptionError(f"ids says which images are kept: {others[0]} does not go with it")


def _check_kept(ids: Any, destination: Any) -> None:
    """Refuse to write over a list of images, with the subset or with what is written beside it."""
    if not isinstance(ids, (str, os.PathLike)):
        return
    beside = beside_of(destination)
    paths = [] if beside is None else list(beside.paths(destination, "skip").values())
    for path in [destination, *paths]:
        refuse_to_overwrite(path, Path(os.fsdecode(ids)).stat())


def prune_dataset(
    dataset: Dataset,
    destination: Any,
    beside: Beside | None,
    options: Options,
    *,
    listed: ImageList | None = None,
    gathering: Gathering | None = None,
    threads: int,
    progress: OnProgress | None,
    expected: Expected | None = None,
) -> Pruned:
    """Prune a data set that has been opened, and check what comes out if it is known; see `prune`."""
    dataset.check_destination(destination)
    paths = {} if beside is None else beside.paths(destination, dataset.on_error)
    _check_beside(paths, dataset)
    if gathering is not None:
        gathering = gathering.checked(dataset)
    scores = score_dataset(
        dataset, options.variant, polygons=options.polygons, threads=threads, progress=progress
    )
    if expected is not None:
        expected.check_source(dataset)
    if listed is None:
        subset = select(scores, **options.selection())
    else:
        subset = listed.subset(scores, dataset.source)
    bad = [problem.row for problem in scores.problems if not isinstance(problem, ImageProblem)]
    with Outputs() as outputs, timed("wrote the subset"):
        kept = dataset.write_into(outputs, destination, subset.keep, np.array(bad, np.int64))
        outcome = outcome_of(scores, subset, kept, dataset.records - kept)
        if expected is not None:
            expected.check_outcome(dataset, outcome)
        if beside is not None:
            write_image_list(outputs, beside.keep, scores, subset.keep)
            write_image_list(outputs, beside.drop, scores, ~subset.keep)
            record = record_of(dataset, options, outcome, paths, beside.record.parent)
            outputs.open(beside.record).write(record.to_json())
            if "problems" in paths:
                write_problems(scores.problems, outputs.open(beside.problems))
        if gathering is not None:
            gathering.gather(outputs, scores, subset)
    path = Path(os.fsdecode(destination)) if isinstance(destination, (str, os.PathLike)) else None
    return Pruned(
        dataset.source, dataset.format, path, subset, scores, outcome, beside, paths.get("problems")
    )


def _check_beside(paths: dict[str, Path], dataset: Dataset) -> None:
    """Refuse, before anything is measured, what cannot be written beside the subset, or is the source."""
    try:
        source = Path(dataset.source).stat()
    except (OSError, ValueError):  # objects, or a pipe
        source = None
    for what, path in paths.items():
        if what != "subset":
            check_output(path)
            if source is not None:
                refuse_to_overwrite(path, source)
