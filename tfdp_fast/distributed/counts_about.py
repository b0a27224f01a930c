"""What the footer of a counts file says: which shard it is of, and its exact class totals."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdp_fast import __version__
from tfdp_fast.boundary import BoundaryCounts
from tfdp_fast.distributed.shards import COUNTS_FORMAT, MeasuringOptions, Shard
from tfdp_fast.errors import DataError
from tfdp_fast.formats.dataset import Problem
from tfdp_fast.formats.totals import sum_of_text, sum_text
from tfdp_fast.totals import ClassTotals, Shape

__all__ = ["CountsAbout", "ShardClass", "class_sums"]

_NAME = "tfdp-fast boundary counts"


@dataclass(frozen=True)
class ShardClass:
    """A class of a shard.

    Attributes
    ----------
    id : int or str
        Its id.
    name : str or None
        Its name; None where the shard does not say it.
    instances : int
        How many of the instances are scored.
    si_scs, scs : str
        The exact sum of SI-SCS (Eq. 11), and of SCS (Eq. 8), over these; see `tfdp_fast.formats.totals`.
    """

    id: int | str
    name: str | None
    instances: int
    si_scs: str
    scs: str


@dataclass(frozen=True)
class CountsAbout:
    """What the footer of a counts file says.

    Attributes
    ----------
    shard : dict
        `Shard.identity` of the shard.
    options : dict
        `MeasuringOptions` as JSON.
    options_sha256 : str
        Their hash.
    format : str
        The format of the data set.
    images, annotations, instances : int
        How many there are; annotations with crowd regions, instances without.
    degenerate, crowd, ignored : int
        Instances without area; crowd regions; annotations that are marked ``ignore``.
    lowest, highest : int, str or None
        The first and the last image id in ascending order.
    continues : bool
        Whether an image may have more annotations in other shards.
    classes : list of ShardClass
        In the order of the data set.
    problems : list of Problem
        What was set aside.
    version : str
        Of tfdp-fast.
    """

    shard: dict[str, Any]
    options: dict[str, Any]
    options_sha256: str
    format: str
    images: int
    annotations: int
    instances: int
    degenerate: int
    crowd: int
    ignored: int
    lowest: int | str | None
    highest: int | str | None
    continues: bool
    classes: list[ShardClass]
    problems: list[Problem] = field(default_factory=list)
    version: str = __version__

    def is_of(self, shard: Shard, options: MeasuringOptions) -> bool:
        """Are these the counts of that shard, measured with these options?"""
        return self.shard == shard.identity and self.options_sha256 == options.sha256

    def to_json(self) -> str:
        """As text."""
        return json.dumps({"file": _NAME, "format_version": COUNTS_FORMAT, **asdict(self)})

    @classmethod
    def from_json(cls, text: bytes, source: str) -> CountsAbout:
        """From what `to_json` returns; DataError if it is something else."""
        try:
            found = json.loads(text)
            if found.pop("file") != _NAME:
                raise ValueError
            if (version := found.pop("format_version")) != COUNTS_FORMAT:
                raise DataError(
                    source, None, f"is of format {version}, and this version reads format {COUNTS_FORMAT}"
                )
            found["classes"] = [ShardClass(**one) for one in found["classes"]]
            found["problems"] = [Problem(**one) for one in found["problems"]]
            return cls(**found)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(source, None, "is no file of boundary counts") from error

    def totals(self, shape: Shape) -> ClassTotals:
        """The class totals of ``"si_scs"`` or ``"scs"``.

        Raises
        ------
        ValueError
            If a sum is no sum.
        """
        return ClassTotals.from_limbs(
            shape,
            [one.id for one in self.classes],
            [one.instances for one in self.classes],
            [sum_of_text(one.si_scs if shape == "si_scs" else one.scs) for one in self.classes],
        )


def class_sums(
    category_index: NDArray[np.int64], n: int, counts: BoundaryCounts
) -> tuple[list[str], list[str]]:
    """The exact sums of SI-SCS and of SCS of n classes, as text.

    Parameters
    ----------
    category_index : int64 [N]
        Which class each instance is of.
    n : int
        How many classes there are.
    counts : BoundaryCounts
        Of the N instances.
    """
    from tfdp_fast.kernels.sums import LIMBS, accumulate

    texts = []
    for values in (counts.si_scs(), counts.scs()):
        limbs = np.zeros((n, LIMBS), np.int64)
        accumulate(limbs, category_index, values)
        texts.append([sum_text(row) for row in limbs])
    return texts[0], texts[1]
