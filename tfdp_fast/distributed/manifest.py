"""What a run is: its source, options, shards, and what has become of these."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from tfdp_fast import __version__
from tfdp_fast.distributed.shards import MeasuringOptions, Shard
from tfdp_fast.distributed.wanted import Wanted
from tfdp_fast.errors import DataError, OptionError

__all__ = ["MANIFEST", "FailedShard", "Manifest", "ShardState"]

MANIFEST = "manifest.json"
"""What the file is called in the run folder."""

_FORMAT = 1
_NAME = "tfdp-fast run"
_SHOWN = 3

State: TypeAlias = Literal["missing", "done", "failed"]


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
class FailedShard:
    """A shard that could not be scored.

    Attributes
    ----------
    name : str
        Which one.
    reason : str
        Why, the last time.
    tries : int
        How often it was tried.
    """

    name: str
    reason: str
    tries: int


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
    wanted : Wanted
        What was to be chosen last.
    versions : dict of str to str
        Of the software that made it last.
    """

    source: list[str] | None
    options: MeasuringOptions
    shard_instances: int
    shards: list[Shard]
    states: Mapping[str, ShardState] = field(default_factory=dict)
    wanted: Wanted = field(default_factory=Wanted)
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
            "wanted": self.wanted.to_json(),
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
                Wanted.from_json(found["wanted"]),
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
            if shard.name in shards
            and shard.identity != shards[shard.name].identity
            and self.state_of(shard).state != "failed"  # it may have been mended
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
    "prefix": "",
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
