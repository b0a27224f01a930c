"""The times that the paper reports: its table 6, in seconds, as data. Nothing here was measured by us.

Source: Dai, Xiao, Tsang, He: Training-Free Dataset Pruning for Instance Segmentation, ICLR 2025, Tab. 6.
Detectors were trained on two GPUs of the type RTX 3090, and their outputs scored on one. The paper does not
say on which processor TFDP ran, nor whether its time includes reading the annotations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

SOURCE = "paper, Tab. 6"
HARDWARE = "2 x RTX 3090 for training, 1 for scoring"

DataSetName: TypeAlias = Literal["voc", "cityscapes", "coco"]
"""The three data sets of the table."""

HOUR = 3600.0


@dataclass(frozen=True)
class Baseline:
    """What a baseline took.

    Attributes
    ----------
    name : str
    training, scoring : float
        Seconds. Scoring is 0 where the paper reports training alone: AUM and Forgetting gather their scores
        meanwhile. That of CCS is the drawing of strata.
    """

    name: str
    training: float
    scoring: float = 0.0

    @property
    def seconds(self) -> float:
        """Both together."""
        return self.training + self.scoring


@dataclass(frozen=True)
class Reported:
    """A column of the table.

    Attributes
    ----------
    title : str
        The data set as the paper calls it.
    images, instances : int
        Its size, as the authors' code counts.
    tfdp : float
        The paper's method, all of it; seconds.
    baselines : tuple of Baseline
        The five that training makes slow.
    speed_up : float
        How many times as long as TFDP the baselines take on average, as the paper states it.
    """

    title: str
    images: int
    instances: int
    tfdp: float
    baselines: tuple[Baseline, ...]
    speed_up: float

    @property
    def mean(self) -> float:
        """Of the five baselines, training and scoring; seconds."""
        return sum(baseline.seconds for baseline in self.baselines) / len(self.baselines)

    @property
    def stratifying(self) -> float:
        """Of CCS, without training; seconds."""
        return self.baselines[-1].scoring


REPORTED: Mapping[DataSetName, Reported] = MappingProxyType(
    {
        "voc": Reported(
            "VOC 2012 train",
            1463,
            3504,
            7.19,
            (
                Baseline("EL2N", 722.49, 39.39),
                Baseline("Entropy", 1265.40, 39.71),
                Baseline("AUM", 1272.31),
                Baseline("Forgetting", 1272.31),
                Baseline("CCS", 1272.31, 0.009),
            ),
            164,
        ),
        "cityscapes": Reported(
            "Cityscapes train",
            2975,
            52_000,
            182.4,
            (
                Baseline("EL2N", 2.89 * HOUR, 429.29),
                Baseline("Entropy", 5.49 * HOUR, 432.33),
                Baseline("AUM", 5.54 * HOUR),
                Baseline("Forgetting", 5.54 * HOUR),
                Baseline("CCS", 5.54 * HOUR, 0.029),
            ),
            100,
        ),
        "coco": Reported(
            "COCO train2017",
            118_287,
            860_001,
            50.4,
            (
                Baseline("EL2N", 11.35 * HOUR, 3676.48),
                Baseline("Entropy", 20.13 * HOUR, 3696.69),
                Baseline("AUM", 20.29 * HOUR),
                Baseline("Forgetting", 20.29 * HOUR),
                Baseline("CCS", 20.29 * HOUR, 0.99),
            ),
            1349,
        ),
    }
)
"""By data set, in the order of the table."""
