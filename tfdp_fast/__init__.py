"""Training-free dataset pruning for instance segmentation, at native speed.

Names are imported on first use: ``import tfdp_fast`` itself loads neither NumPy nor Numba.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tfdp_fast import baselines as baselines
    from tfdp_fast.ablating import Ablation as Ablation
    from tfdp_fast.ablating import ablation as ablation
    from tfdp_fast.boundary import BoundaryCounts as BoundaryCounts
    from tfdp_fast.comparing import Comparison as Comparison
    from tfdp_fast.comparing import compare as compare
    from tfdp_fast.errors import DataError as DataError
    from tfdp_fast.errors import EngineError as EngineError
    from tfdp_fast.errors import MaskError as MaskError
    from tfdp_fast.errors import MissingExtraError as MissingExtraError
    from tfdp_fast.errors import OptionError as OptionError
    from tfdp_fast.errors import OutputError as OutputError
    from tfdp_fast.errors import TfdpError as TfdpError
    from tfdp_fast.formats.dataset import Progress as Progress
    from tfdp_fast.formats.opening import open_dataset as open_dataset
    from tfdp_fast.masks import measure as measure
    from tfdp_fast.masks import measure_labels as measure_labels
    from tfdp_fast.masks import to_rle as to_rle
    from tfdp_fast.masks import trace as trace
    from tfdp_fast.pruning import Pruned as Pruned
    from tfdp_fast.pruning import prune as prune
    from tfdp_fast.repeating import repeat as repeat
    from tfdp_fast.report.explaining import explain as explain
    from tfdp_fast.report.explanations import Explanation as Explanation
    from tfdp_fast.report.gallery import Gallery as Gallery
    from tfdp_fast.report.gallery import gallery as gallery
    from tfdp_fast.report.statistics import Statistics as Statistics
    from tfdp_fast.report.statistics import statistics as statistics
    from tfdp_fast.report.writing import WrittenReport as WrittenReport
    from tfdp_fast.report.writing import write_report as write_report
    from tfdp_fast.scorer import InstanceScores as InstanceScores
    from tfdp_fast.scorer import Scorer as Scorer
    from tfdp_fast.scores import Scores as Scores
    from tfdp_fast.scoring import score as score
    from tfdp_fast.selection import Subset as Subset
    from tfdp_fast.selection import select as select
    from tfdp_fast.status import Status as Status
    from tfdp_fast.totals import ClassTotals as ClassTotals
    from tfdp_fast.warming import Warmup as Warmup
    from tfdp_fast.warming import warmup as warmup

_HOMES = {
    "ablating": ("Ablation", "ablation"),
    "boundary": ("BoundaryCounts",),
    "comparing": ("Comparison", "compare"),
    "errors": (
        "DataError",
        "EngineError",
        "MaskError",
        "MissingExtraError",
        "OptionError",
        "OutputError",
        "TfdpError",
    ),
    "formats.dataset": ("Progress",),
    "formats.opening": ("open_dataset",),
    "masks": ("measure", "measure_labels", "to_rle", "trace"),
    "pruning": ("Pruned", "prune"),
    "report.explaining": ("explain",),
    "report.explanations": ("Explanation",),
    "report.gallery": ("Gallery", "gallery"),
    "report.statistics": ("Statistics", "statistics"),
    "report.writing": ("WrittenReport", "write_report"),
    "repeating": ("repeat",),
    "scorer": ("InstanceScores", "Scorer"),
    "scores": ("Scores",),
    "scoring": ("score",),
    "selection": ("Subset", "select"),
    "status": ("Status",),
    "totals": ("ClassTotals",),
    "warming": ("Warmup", "warmup"),
}
_PACKAGES = ("baselines",)
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [*_HOME_OF, "__version__"]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
