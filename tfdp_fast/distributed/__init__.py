"""Data sets of any size: scored shard by shard, in bounded memory, on one machine or many.

Needs the extra ``parquet``.
"""

from __future__ import annotations

from tfdp_fast.errors import MissingExtraError

try:
    import pyarrow  # noqa: F401, ICN001
except ImportError:
    raise MissingExtraError("pyarrow", "parquet") from None

from tfdp_fast.distributed.loading import load_run_scores
from tfdp_fast.distributed.manifest import FailedShard
from tfdp_fast.distributed.planning import pieces_of
from tfdp_fast.distributed.running import RunResult, run
from tfdp_fast.distributed.selecting import Chosen
from tfdp_fast.distributed.shard_scoring import ShardScored, score_shard
from tfdp_fast.distributed.shards import MeasuringOptions, Shard
from tfdp_fast.distributed.stages import Watcher
from tfdp_fast.distributed.status import RunStatus, run_status
from tfdp_fast.distributed.storage import Storage

__all__ = [
    "Chosen",
    "FailedShard",
    "MeasuringOptions",
    "RunResult",
    "RunStatus",
    "Shard",
    "ShardScored",
    "Storage",
    "Watcher",
    "load_run_scores",
    "pieces_of",
    "run",
    "run_status",
    "score_shard",
]
