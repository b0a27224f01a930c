"""Run folders: what a run is, kept in a file, and what of it has been done."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from tfdp_fast import __version__
from tfdp_fast.distributed.counts_about import CountsAbout
from tfdp_fast.distributed.counts_reading import CountsFile
from tfdp_fast.distributed.shard_scoring import counts_name
from tfdp_fast.distributed.shards import MeasuringOptions, Shard
from tfdp_fast.distributed.storage import Storage
from tfdp_fast.errors import DataError, OptionError, OutputError

__all__ = ["MANIFEST", "Changed", "Manifest", "RunFolder", "ShardState"]

MANIFEST = "manifest.json"
_FORMAT = 1
_NAME = "tfdp-fast run"
_AT_ONCE = 16
"""Footers that are read at the same time: on an object store each of them is a request."""
_SHOWN = 3

State: TypeAlias = Literal["missing", "done", "failed"]

Changed: TypeAlias = Literal["raise", "rescore"]
"""What becomes of shards that are not what they were when they were planned."""


@dataclass(frozen=True)
class ShardState:
    """What has become of a shard so far.

    Attributes
    ----------
    state : {"missing", "done", "failed"}
        Failed shards are tried again by the next run.
    tries : int
        How often it was tried by the last run that tried it.
    reason : str or None
        Why it failed.
    """

    state: State = "missing"
    tries: int = 0
    reason: str | None = None


@dataclass(frozen=True)
class Manifest:
    """What a run is.

    Attributes
    ----------
    source : list of str or None
        What the user named; None if the shards were made by the caller.
    options : MeasuringOptions
        How shards are measured.
    shard_instances : int
        How many instances a shard has, about, where files are cut.
    shards : list of Shard
        In data-set order.
    states : dict of str to ShardState
        By the names of shards. A shard is done if its counts file says so; this is what was last known.
    versions : dict of str to str
        Of the software that made it last.
    """

    source: list[str] | None
    options: MeasuringOptions
    shard_instances: int
    shards: list[Shard]
    states: Mapping[str, ShardState] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=lambda: {"tfdp-fast": __version__})

    def state_of(self, shard: Shard) -> ShardState:
        """What has become of a shard."""
        return self.states.get(shard.name, ShardState())

    def to_json(self) -> bytes:
        """As the file has it."""
        content = {
            "file": _NAME,
            "format_version": _FORMAT,
            "versions": dict(self.versions),
            "source": self.source,
            "options": self.options.to_json(),
            "shard_instances": self.shard_instances,
            "shards": [self._entry(shard) for shard in self.shards],
        }
        return json.dumps(content, indent=1).encode() + b"\n"

    def _entry(self, shard: Shard) -> dict[str, Any]:
        state = self.state_of(shard)
        entry = {key: value for key, value in shard.identity.items() if value not in {None, ""}}
        entry |= {"key": shard.key, "state": state.state}
        if state.tries:
            entry["tries"] = state.tries
        return entry if state.reason is None else entry | {"reason": state.reason}

    @classmethod
    def from_json(cls, text: bytes, source: str) -> Manifest:
        """From the file; DataError if it is none."""
        try:
            found = json.loads(text)
            if found["file"] != _NAME:
                raise ValueError
            if found["format_version"] != _FORMAT:
                raise DataError(
                    source,
                    None,
                    f"is of format {found['format_version']}, and this version reads format {_FORMAT}",
                )
            shards, states = [], {}
            for entry in found["shards"]:
                shard = Shard.from_identity(_COMPLETE | entry, _gone if entry.get("path") is None else None)
                shards.append(shard)
                states[shard.name] = ShardState(entry["state"], entry.get("tries", 0), entry.get("reason"))
            return cls(
                found["source"],
                MeasuringOptions.from_json(found["options"]),
                found["shard_instances"],
                shards,
                states,
                found["versions"],
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(source, None, "is no manifest of a run") from error

    def differences(self, now: Manifest) -> list[str]:
        """What is not as it was, a phrase each; shards that are new are no difference."""
        found = [*self.options.differences(now.options)]
        if self.shard_instances != now.shard_instances:
            found.append(f"shard_instances: {now.shard_instances} now, {self.shard_instances} before")
        shards = {shard.name: shard for shard in now.shards}
        gone = [shard.name for shard in self.shards if shard.name not in shards]
        other = [
            f"{shard.name} ({_difference(shard, shards[shard.name])})"
            for shard in self.shards
            if shard.name in shards and shard.identity != shards[shard.name].identity
        ]
        for what, names in (("changed", other), ("not in the source any more", gone)):
            if names:
                more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
                found.append(f"{what}: {', '.join(names[:_SHOWN])}{more}")
        return found


_COMPLETE: dict[str, Any] = {
    "path": None,
    "size": 0,
    "modified": 0,
    "begin": None,
    "end": None,
    "version": "",
}


def _gone() -> Any:
    raise OptionError("this shard was made by the caller: give the shards again")


def _difference(before: Shard, now: Shard) -> str:
    if before.size != now.size:
        return f"{now.size:,} bytes now, {before.size:,} before"
    if before.modified != now.modified:
        return "written to since"
    return "another version"


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
            hint = "" if other_options else "; changed='rescore' takes it as it is now"
            raise OptionError(
                f"{self.storage.location} is a run with other options or another source: "
                f"{'; '.join(found)}{hint}"
            )
        self.manifest = replace(now, states=manifest.states)

    def write(self, states: Mapping[str, ShardState] | None = None) -> None:
        """Write the manifest, with new states of shards; OutputError if it cannot be written."""
        if states is not None:
            self.manifest = replace(self.manifest, states=dict(states))
        self.storage.write_bytes(MANIFEST, self.manifest.to_json())

    def done(self) -> dict[str, CountsAbout]:
        """What the counts files say that belong to shards of this run, by the names of these.

        Files of other shards, of what these shards were before, and damaged ones are left out.
        """
        there = self.storage.files("counts")
        candidates = [shard for shard in self.manifest.shards if f"{shard.key}.parquet" in there]
        found = self.abouts(candidates)
        return {
            shard.name: about for shard, about in zip(candidates, found, strict=True) if about is not None
        }

    def abouts(self, shards: Sequence[Shard]) -> list[CountsAbout | None]:
        """What the counts files of some shards say; None where that is of no use."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(self._about, shards))

    def _about(self, shard: Shard) -> CountsAbout | None:
        try:
            with self.storage.open(counts_name(shard)) as file:
                about = CountsFile(file, counts_name(shard)).about
        except DataError:
            return None
        return about if about.is_of(shard, self.manifest.options) else None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other drivers out, where the folder is on this machine; OutputError if one is at work."""
        if self.storage.local is None:
            yield
            return
        path = self.storage.local / ".lock"
        try:
            self.storage.local.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise OutputError(f"{path}: {error.strerror}") from error
        try:
            _lock(descriptor, self.storage.location)
            yield
        finally:
            os.close(descriptor)


def _lock(descriptor: int, location: str) -> None:
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OutputError(f"{location}: another run is at work in this folder") from None
    except OSError:  # a file system without locks
        return
