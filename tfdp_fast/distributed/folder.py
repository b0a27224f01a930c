"""Run folders: what a run is, kept in a file, and what of it has been done."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

from tfdp_fast._threads import map_in_order
from tfdp_fast.distributed.counts_about import CountsAbout
from tfdp_fast.distributed.counts_reading import CountsFile, counts_name
from tfdp_fast.distributed.images import ImagesFile, images_name
from tfdp_fast.distributed.manifest import MANIFEST, Manifest, ShardState
from tfdp_fast.distributed.shards import Shard
from tfdp_fast.distributed.storage import Storage
from tfdp_fast.errors import DataError, OptionError, OutputError

__all__ = ["Changed", "RunFolder"]

_AT_ONCE = 16
"""Footers that are read at the same time: on an object store each of them is a request."""
_ATTEMPTS = 10
_BETWEEN = 0.05
"""Seconds between two attempts to get the lock."""

Changed: TypeAlias = Literal["raise", "rescore"]
"""What becomes of shards that are not what they were when they were planned."""


class RunFolder:
    """A run folder that is there, or is going to be.

    Parameters
    ----------
    storage : Storage
        Where it is.
    manifest : Manifest
        What the run is.

    Attributes
    ----------
    storage, manifest
        The same.
    """

    def __init__(self, storage: Storage, manifest: Manifest) -> None:
        self.storage = storage
        self.manifest = manifest

    @classmethod
    def read(cls, storage: Storage) -> RunFolder | None:
        """The run in a folder; None if there is none. DataError if its manifest cannot be read."""
        if not storage.exists(MANIFEST):
            return None
        return cls(storage, Manifest.from_json(storage.read_bytes(MANIFEST), storage.path_of(MANIFEST)))

    def adopt(self, now: Manifest, changed: Changed) -> None:
        """Go on with a run, whose source and options are these now.

        Raises
        ------
        OptionError
            If an option that counts depend on is another one; if a shard has changed or is gone, unless
            these are to be scored anew.
        """
        manifest = self.manifest
        found = manifest.differences(now)
        other_options = manifest.options != now.options
        if found and (other_options or changed == "raise"):
            hint = "" if other_options else "; --changed rescore, or changed='rescore', takes it as it is now"
            raise OptionError(
                f"{self.storage.location} is a run with other options or another source: "
                f"{'; '.join(found)}{hint}"
            )
        self.manifest = replace(now, states=manifest.states)

    def write(self, states: Mapping[str, ShardState]) -> None:
        """Write the manifest, with new states of shards; OutputError if it cannot be written."""
        self.manifest = replace(self.manifest, states=dict(states))
        self.storage.write_bytes(MANIFEST, self.manifest.to_json())

    def done(self) -> dict[str, CountsAbout]:
        """What the counts files say that belong to shards of this run, by the names of these; no classes.

        Files of other shards, of what these shards were before, and damaged ones are left out.
        """
        there = self.storage.files("counts")
        shards = [shard for shard in self.manifest.shards if f"{shard.key}.parquet" in there]
        with contextlib.closing(map_in_order(self._about, shards, _AT_ONCE)) as abouts:
            # Of a data set of many classes and shards, the classes would fill the memory.
            return {
                shard.name: replace(about, classes=[], problems=[])
                for shard, about in zip(shards, abouts, strict=True)
                if about is not None
            }

    def abouts(self) -> Iterator[CountsAbout]:
        """What the counts files of all shards say, in data-set order.

        Raises
        ------
        DataError
            If one is not there, is damaged, or belongs to something else.
        """
        with contextlib.closing(map_in_order(self._about, self.manifest.shards, _AT_ONCE)) as abouts:
            for shard, about in zip(self.manifest.shards, abouts, strict=True):
                if about is None:
                    name = self.storage.path_of(counts_name(shard.key))
                    raise DataError(name, None, "is not there any more, or is damaged: run it again")
                yield about

    def _about(self, shard: Shard) -> CountsAbout | None:
        try:
            with self.storage.open(counts_name(shard.key)) as file:
                about = CountsFile(file, counts_name(shard.key)).about
        except DataError:
            return None
        return about if about.is_of(shard, self.manifest.options) else None

    def discard_damaged(self, shards: Sequence[Shard]) -> None:
        """Read the files of some shards to their ends, and remove those that cannot be read.

        Only footers are read otherwise, so that a damaged page shows late; the next run makes them again.
        """
        for shard in shards:
            of_shard = {counts_name(shard.key): _check_counts, images_name(shard.key): _check_images}
            for name, check in of_shard.items():
                if self.storage.exists(name):
                    try:
                        with self.storage.open(name) as file:
                            check(file, name)
                    except DataError:
                        self.storage.delete(name)

    def is_locked(self) -> bool | None:
        """Is a driver at work? None where that is not known."""
        if self.storage.local is None:
            return None
        try:
            descriptor = os.open(self.storage.local / ".lock", os.O_RDONLY)
        except FileNotFoundError:
            return False
        except OSError:
            return None
        try:
            locked = _try_to_lock(descriptor)
            return None if locked is None else not locked
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def locked(self) -> Iterator[bool]:
        """Keep other drivers out, where the folder is on this machine; OutputError if one is at work.

        Yields
        ------
        bool
            Whether they are kept out; not so on an object store, and on file systems without locks.
        """
        if self.storage.local is None:
            yield False
            return
        path = self.storage.local / ".lock"
        try:
            self.storage.local.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise OutputError(f"{path}: {error.strerror}") from error
        try:
            yield _lock(descriptor, self.storage.location)
        finally:
            os.close(descriptor)


def _check_counts(file: Any, name: str) -> None:
    for _ in CountsFile(file, name).blocks():
        pass


def _check_images(file: Any, name: str) -> None:
    for _ in ImagesFile(file, name).batches():
        pass


def _lock(descriptor: int, location: str) -> bool:
    for _ in range(_ATTEMPTS):
        if (locked := _try_to_lock(descriptor)) is not False:
            return locked is True
        time.sleep(_BETWEEN)  # who looks whether a driver is at work has the lock for a moment
    raise OutputError(f"{location}: another run is at work in this folder")


def _try_to_lock(descriptor: int) -> bool | None:
    """Get the lock, if nobody else has it; None on a file system without locks."""
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
