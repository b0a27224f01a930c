"""How far a run has come, from what its folder says."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from tfdp_fast.distributed.folder import RunFolder
from tfdp_fast.distributed.manifest import FailedShard
from tfdp_fast.distributed.results import RESULT
from tfdp_fast.distributed.storage import Storage
from tfdp_fast.errors import DataError

__all__ = ["RunStatus", "run_status"]


@dataclass(frozen=True)
class RunStatus:
    """How far a run has come.

    Attributes
    ----------
    folder : str
        The run folder.
    shards, done : int
        How many there are, and of how many the boundary counts are there.
    failed : list of FailedShard
        Those that the last run could not score. The next one tries them again.
    size, done_size : int
        Bytes of all shards, and of those that are done.
    images, annotations, instances : int
        Of the shards that are done; an image that several of them have counts for each.
    running : bool or None
        Whether a driver is at work; None where that is not known, on an object store.
    result : dict or None
        What has come out, as ``result.json`` has it; None if nothing has yet.
    """

    folder: str
    shards: int
    done: int
    failed: list[FailedShard]
    size: int
    done_size: int
    images: int
    annotations: int
    instances: int
    running: bool | None
    result: dict[str, Any] | None

    @property
    def missing(self) -> int:
        """How many shards have neither been scored nor failed."""
        return self.shards - self.done - len(self.failed)

    @property
    def complete(self) -> bool:
        """Is there nothing left to do?"""
        return self.done == self.shards and self.result is not None


def run_status(folder: str | os.PathLike[str]) -> RunStatus:
    """Look how far a run has come. It may be at work meanwhile.

    Parameters
    ----------
    folder : str or path
        The run folder, here or on an object store.

    Raises
    ------
    DataError
        If there is no run, or its manifest cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from tfdp_fast import distributed
    >>> images = [{"image_id": i, "height": 9, "width": 9, "annotations": []} for i in range(3)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = distributed.run(distributed.pieces_of(images, 2), folder, engine="threads")
    ...     status = distributed.run_status(folder)
    >>> status.done, status.shards, status.images, status.complete
    (2, 2, 3, True)
    """
    storage = Storage(folder)
    there = RunFolder.read(storage)
    if there is None:
        raise DataError(storage.location, None, "holds no run")
    manifest = there.manifest
    abouts = there.done()
    states = [(shard.name, manifest.state_of(shard)) for shard in manifest.shards if shard.name not in abouts]
    return RunStatus(
        storage.location,
        len(manifest.shards),
        len(abouts),
        [
            FailedShard(name, state.reason or "", state.tries)
            for name, state in states
            if state.state == "failed"
        ],
        sum(shard.size for shard in manifest.shards),
        sum(shard.size for shard in manifest.shards if shard.name in abouts),
        sum(about.images for about in abouts.values()),
        sum(about.annotations for about in abouts.values()),
        sum(about.instances for about in abouts.values()),
        there.is_locked(),
        _result(storage),
    )


def _result(storage: Storage) -> dict[str, Any] | None:
    if not storage.exists(RESULT):
        return None
    try:
        found = json.loads(storage.read_bytes(RESULT))
    except ValueError as error:
        raise DataError(storage.path_of(RESULT), None, f"is not valid JSON: {error}") from error
    return found if isinstance(found, dict) else None
