"""The baselines of the paper: scores of images from a detector's mask logits (Sec. 3.2).

See docs/baselines.md. Numba is imported when something is computed.
"""

from __future__ import annotations

from tfdp_fast.baselines.instances import InstanceValues
from tfdp_fast.baselines.methods import METHODS, Method
from tfdp_fast.baselines.recorder import TrainingRecorder
from tfdp_fast.baselines.scoring import image_scores, instance_scores, pixel_scores, random_scores

__all__ = [
    "METHODS",
    "InstanceValues",
    "Method",
    "TrainingRecorder",
    "image_scores",
    "instance_scores",
    "pixel_scores",
    "random_scores",
]
