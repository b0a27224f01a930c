"""Data sets of any size: scored shard by shard, in bounded memory, on one machine or many.

Needs the extra ``parquet``. Names are imported on first use: a worker process needs few of them.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from tfdp_fast.errors import MissingExtraError

if TYPE_CHECKING:
    from tfdp_fast.distributed.loading import load_run_scores as load_run_scores
    from tfdp_fast.distributed.manifest import FailedShard as FailedShard
    from tfdp_fast.distributed.planning import pieces_of as pieces_of
    from tfdp_fast.distributed.results import RunResult as RunResult
    from tfdp_fast.distributed.running import run as run
    from tfdp_fast.distributed.selecting import Chosen as Chosen
    from tfdp_fast.distributed.shard_scoring import ShardScored as ShardScored
    from tfdp_fast.distributed.shard_scoring import score_shard as score_shard
    from tfdp_fast.distributed.shards import MeasuringOptions as MeasuringOptions
    from tfdp_fast.distributed.shards import Shard as Shard
    from tfdp_fast.distributed.stages import Watcher as Watcher
    from tfdp_fast.distributed.status import RunStatus as RunStatus
    from tfdp_fast.distributed.status import run_status as run_status
    from tfdp_fast.distributed.storage import Storage as Storage

if importlib.util.find_spec("pyarrow") is None:
    raise MissingExtraError("pyarrow", "parquet")

_HOMES = {
    "loading": ("load_run_scores",),
    "manifest": ("FailedShard",),
    "planning": ("pieces_of",),
    "results": ("RunResult",),
    "running": ("run",),
    "selecting": ("Chosen",),
    "shard_scoring": ("ShardScored", "score_shard"),
    "shards": ("MeasuringOptions", "Shard"),
    "stages": ("Watcher",),
    "status": ("RunStatus", "run_status"),
    "storage": ("Storage",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [*_HOME_OF]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
