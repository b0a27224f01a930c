"""A run: shards are scored where they have not been yet, put together, and the best images are chosen."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import replace
from fractions import Fraction
from typing import Any, cast, get_args

from tfdp_fast.beside import write_problems
from tfdp_fast.distributed.counts_about import CountsAbout
from tfdp_fast.distributed.engines import check_engine
from tfdp_fast.distributed.folder import Changed, RunFolder
from tfdp_fast.distributed.manifest import FailedShard, Manifest
from tfdp_fast.distributed.merging_shards import Merger
from tfdp_fast.distributed.planning import INSTANCES, Source, plan
from tfdp_fast.distributed.results import RESULT, RunResult
from tfdp_fast.distributed.selecting import DROP, KEEP, Numbers, choose_images
from tfdp_fast.distributed.shards import MeasuringOptions
from tfdp_fast.distributed.stages import Stages, Watcher
from tfdp_fast.distributed.storage import Storage, is_address
from tfdp_fast.distributed.straddling import SHARED_FOLDERS, discard_damaged, find_straddling
from tfdp_fast.distributed.wanted import Wanted
from tfdp_fast.errors import DataError, OptionError, OutputError
from tfdp_fast.formats.dataset import Difficult, OnError, Problem
from tfdp_fast.formats.totals import totals_bytes
from tfdp_fast.masks import Polygons
from tfdp_fast.scores import Variant
from tfdp_fast.selection import Of, check_share
from tfdp_fast.strategies import Order, StrategyName

__all__ = ["run"]

TOTALS, PROBLEMS = "totals.json", "problems.jsonl"


def run(
    source: Source | None,
    folder: str | os.PathLike[str],
    *,
    rate: float | Fraction | None = None,
    keep: float | Fraction | None = None,
    k: int | None = None,
    of: Of | None = None,
    strategy: StrategyName | None = None,
    order: Order | None = None,
    seed: int | None = None,
    variant: Variant | None = None,
    polygons: Polygons | None = None,
    on_error: OnError | None = None,
    format: str | None = None,
    split: str | None = None,
    difficult: Difficult | None = None,
    image_size: tuple[int, int] | None = None,
    engine: str | Executor = "local",
    workers: int | None = None,
    address: str | None = None,
    retries: int = 2,
    changed: Changed = "raise",
    shard_instances: int | None = None,
    watcher: Watcher | None = None,
) -> RunResult:
    """Score a data set of any size, shard by shard, and choose the images to keep.

    Boundary counts, image scores and the subset go to a run folder. If it holds a run of the same source and
    options already, only what is missing is done; shards that are new in the source are scored, and images
    are chosen anew. Memory does not grow with the number of shards. The result is the same, to the last bit,
    as that of `tfdp_fast.score` and `tfdp_fast.select` on all of it, whatever the engine and however often
    the run was interrupted.

    Parameters
    ----------
    source : str, sequence of str, iterable of Shard, or None
        Paths of files or folders, here or on an object store, with or without wildcards; or shards, see
        `pieces_of` for iterables. None goes on with what the run folder names, as it names it.
    folder : str or path
        The run folder, here or on an object store. It is made if it is not there.
    rate, keep, k, of, strategy, order, seed
        How many images to keep, and which; see `tfdp_fast.select`. If it is not said how many, images are
        scored, and none are chosen. The strategy is ``"top"`` or ``"random"``.
    variant, polygons, on_error, format, split, difficult, image_size
        See `tfdp_fast.score`. They hold for each shard. With ``on_error="raise"`` an annotation that cannot
        be used fails its shard.
    engine : str or concurrent.futures.Executor
        Who scores shards: ``"local"``, processes of this machine; ``"threads"`` of this process; ``"ray"`` or
        ``"dask"``, a cluster; or an executor.
    workers : int, optional
        How many shards are scored at once, here; by default one for each processor.
    address : str, optional
        Of the cluster.
    retries : int
        How often a shard that fails is tried again.
    changed : {"raise", "rescore"}
        What to do if a shard is not what it was, or is gone: raise, or take the source as it is now.
    shard_instances : int, optional
        How many instances a shard has, about, where files can be cut; by default a million.
    watcher : Watcher, optional
        Is told how it goes.

    Returns
    -------
    RunResult
        Look at `failed` first.

    Raises
    ------
    DataError
        If there is no such source; if shards do not go together.
    OptionError
        If an argument makes no sense, or the folder holds a run of other options or another source.
    OutputError
        If the run folder cannot be written, or another run is at work there.
    EngineError
        If the engine cannot be started, or stops.
    MissingExtraError
        If the engine, or the file system, needs a package that is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from tfdp_fast import distributed
    >>> square = {"segmentation": [[0, 0, 9, 0, 9, 9, 0, 9]], "category_id": 1}
    >>> images = [{"image_id": i, "height": 10, "width": 10, "annotations": [square]} for i in range(6)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = distributed.run(distributed.pieces_of(images, 2), folder, rate=0.5, engine="threads")
    >>> result.shards, result.instances, result.chosen.k
    (3, 6, 3)
    """
    begun = time.perf_counter()
    share = None
    if any(given is not None for given in (rate, keep, k)):
        share = check_share(rate=rate, keep=keep, k=k, of=of or "scored")
    _check(changed, retries, shard_instances)
    check_engine(engine, workers=workers, address=address)
    given: dict[str, Any] = {
        "polygons": polygons,
        "on_error": on_error,
        "format": format,
        "split": split,
        "difficult": difficult,
        "image_size": image_size,
    }
    given = {name: value for name, value in given.items() if value is not None}
    MeasuringOptions(**given).check()
    storage = Storage(folder)
    there = RunFolder.read(storage)
    known = None if there is None else there.manifest
    before = None
    if source is None:
        if there is None:
            raise OptionError(f"{storage.location} holds no run yet: say what the source is")
        before = there.manifest
        source = before.source
        if source is None:
            raise OptionError(f"the shards of {storage.location} were made by the caller: give them again")
    options = replace(MeasuringOptions() if before is None else before.options, **given)
    wanted = Wanted() if before is None else before.wanted
    wanted = wanted.but(share, of, strategy, order, seed, variant)
    named = source if isinstance(source, str) else cast(Source, list(source))  # not to be used up
    instances = shard_instances or (INSTANCES if there is None else there.manifest.shard_instances)
    shards = plan(named, options, instances)
    planned = Manifest(_names_of(named), options, instances, shards, wanted=wanted)
    if there is None:
        there = RunFolder(storage, planned)
    else:
        there.adopt(planned, changed)
    stages = Stages(there, engine, workers, address, retries, watcher or Watcher())
    with there.locked() as alone:
        now = RunFolder.read(storage)
        if known != (None if now is None else now.manifest):
            raise OutputError(f"{storage.location}: another run has been at work meanwhile: try again")
        with _swept(storage, alone), stages:
            return _result(there, stages, begun)


def _result(there: RunFolder, stages: Stages, begun: float) -> RunResult:
    """What comes out, once it has been written."""
    storage = there.storage
    result = replace(_carried_out(there, stages), seconds=time.perf_counter() - begun)
    if not result.failed:
        storage.write_bytes(RESULT, json.dumps(result.to_json(), indent=1).encode() + b"\n")
    stages.journal.write(
        "end",
        scored=result.scored,
        failed=len(result.failed),
        seconds=round(result.seconds, 3),
        kept=None if result.chosen is None else result.chosen.k,
    )
    return result


def _check(changed: str, retries: Any, shard_instances: Any) -> None:
    if changed not in get_args(Changed):
        raise OptionError(f"changed must be 'raise' or 'rescore', got {changed!r}")
    for name, value, least in (("retries", retries, 0), ("shard_instances", shard_instances, 1)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            raise OptionError(f"{name} must be a whole number of at least {least}, got {value!r}")


@contextlib.contextmanager
def _swept(storage: Storage, alone: bool) -> Iterator[None]:
    """A block before and after which there is nothing that dead writers have left."""
    folders = ("", "counts", "images", *SHARED_FOLDERS)
    storage.sweep(*folders, alone=alone)
    try:
        yield
    finally:
        storage.sweep(*folders, alone=alone)


def _names_of(source: Source) -> list[str] | None:
    """What the user named, paths on this machine as they are from everywhere; None for shards."""
    named = [source] if isinstance(source, str) else [one for one in source if isinstance(one, str)]
    return [name if is_address(name) else os.path.abspath(name) for name in named] or None  # noqa: PTH100


def _carried_out(folder: RunFolder, stages: Stages) -> RunResult:
    """Both passes, and what comes out."""
    storage, manifest = folder.storage, folder.manifest
    scored, failed = stages.score_shards()
    result = RunResult(
        storage.location,
        len(manifest.shards),
        scored,
        [FailedShard(shard.name, state.reason or "", state.tries) for shard, state in failed],
        manifest.options,
        manifest.wanted,
    )
    # What has come out before does not stay beside what comes out now.
    for name in (RESULT, KEEP, DROP):
        storage.delete(name)
    if failed:
        return result
    merger = _merged(folder)
    storage.write_bytes(TOTALS, totals_bytes(merger.totals))
    straddling = find_straddling(storage, manifest.shards, merger.shards, manifest.options)
    images, lost = stages.score_images(merger.run_totals(), straddling)
    if lost:
        names = {name for name, _ in lost}
        folder.discard_damaged([shard for shard in manifest.shards if shard.name in names])
        if straddling.shards:
            discard_damaged(storage)
        return replace(result, failed=[FailedShard(name, reason, stages.tries) for name, reason in lost])
    chosen = None
    if manifest.wanted.share is not None:
        try:
            chosen = choose_images(
                storage,
                [shard.key for shard in manifest.shards],
                [(shard.lowest, shard.highest) for shard in merger.shards],
                manifest.wanted,
                Numbers.of(images),
            )
        except DataError:
            folder.discard_damaged(manifest.shards)
            raise
    return replace(
        result,
        images=merger.images - straddling.repeats,
        annotations=merger.annotations,
        instances=merger.instances,
        degenerate=merger.degenerate,
        crowd=merger.crowd,
        ignored=merger.ignored,
        problems=merger.problems,
        classes=merger.classes(),
        chosen=chosen,
    )


def _merged(folder: RunFolder) -> Merger:
    """All shards together; what was set aside is listed."""
    merger = Merger(folder.manifest.wanted.variant)
    with contextlib.ExitStack() as stack:
        problems = None
        if folder.manifest.options.on_error == "skip":
            problems = stack.enter_context(folder.storage.create(PROBLEMS))
        for about in folder.abouts():
            merger.add(about)
            if problems is not None:
                write_problems([_of_shard(problem, about) for problem in about.problems], problems)
    return merger


def _of_shard(problem: Problem, about: CountsAbout) -> Problem:
    """The problem, with the file that it is in."""
    return problem if problem.file is not None else replace(problem, file=str(about.shard["name"]))
