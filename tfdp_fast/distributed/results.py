"""What has come out of a run."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from tfdp_fast.distributed.manifest import FailedShard
from tfdp_fast.distributed.merging_shards import RunClass
from tfdp_fast.distributed.selecting import Chosen
from tfdp_fast.distributed.shards import MeasuringOptions
from tfdp_fast.distributed.wanted import Wanted

__all__ = ["RESULT", "RunResult"]

RESULT = "result.json"
"""What the file is called in the run folder."""


@dataclass(frozen=True, eq=False)
class RunResult:
    """What has come out of a run.

    Attributes
    ----------
    folder : str
        The run folder.
    shards, scored : int
        How many shards there are, and how many of them were scored this time; the others had been before.
    failed : list of FailedShard
        Those that could not be scored. If there are any, nothing below is known, and nothing is chosen.
    options : MeasuringOptions
        How shards are measured.
    wanted : Wanted
        How images are scored and chosen.
    images, annotations, instances : int
        How many there are; annotations with crowd regions, instances without.
    degenerate, crowd, ignored, problems : int
        Instances without area; crowd regions; annotations marked ``ignore``; annotations set aside.
    classes : list of RunClass
        With their exact totals.
    chosen : Chosen or None
        Those that are kept; None if it was not said how many.
    seconds : float
        How long it took.
    """

    folder: str
    shards: int
    scored: int
    failed: list[FailedShard]
    options: MeasuringOptions
    wanted: Wanted
    images: int = 0
    annotations: int = 0
    instances: int = 0
    degenerate: int = 0
    crowd: int = 0
    ignored: int = 0
    problems: int = 0
    classes: list[RunClass] = field(default_factory=list)
    chosen: Chosen | None = None
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """All of it, for machines."""
        content = asdict(self)
        content["options"], content["wanted"] = self.options.to_json(), self.wanted.to_json()
        return content
