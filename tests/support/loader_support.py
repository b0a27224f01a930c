"""A data set for the tests of data loaders, in a module that a worker process can import."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class Detection:
    """What torchvision's CocoDetection is: sorted ids, annotations as they stand in the file."""

    def __init__(self, data: dict[str, Any], transforms: Any = None) -> None:
        self.sizes = {image["id"]: (image["height"], image["width"]) for image in data["images"]}
        self.ids = sorted(self.sizes)
        self.annotations = data["annotations"]
        self.transforms = transforms

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Any:
        if type(index) is not int:  # as torchvision does
            raise ValueError(f"index must be of type integer, got {type(index)}")
        image_id = self.ids[index]
        image = np.full(self.sizes[image_id], image_id, np.int64)
        target = [annotation for annotation in self.annotations if annotation["image_id"] == image_id]
        return (image, target) if self.transforms is None else self.transforms(image, target)


def items(batch: Sequence[Any]) -> Sequence[Any]:
    """Collates nothing (and can be pickled)."""
    return batch
