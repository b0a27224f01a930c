"""What several test modules need."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

# Time is not what is tested, and the first call of a kernel may compile it.
settings.register_profile("tfdp", deadline=None)
settings.load_profile("tfdp")

TRIANGLE = [[1.0, 1.0, 8.0, 1.0, 8.0, 8.0]]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real annotations: ``TFDP_TEST_DATA``, else ``../shared/data`` beside the project."""
    named = os.environ.get("TFDP_TEST_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real annotations: {folder} does not exist (set TFDP_TEST_DATA)")
    return folder


def coco_dict(images: int = 3, per_image: int = 2, **more: Any) -> dict[str, Any]:
    """A small data set: image ids 10, 11, ...; annotation ids 1, 2, ...; categories 5 and 6, in turn."""
    return {
        "info": {"description": "made for a test"},
        "images": [{"id": 10 + i, "file_name": f"{i}.jpg", "height": 20, "width": 30} for i in range(images)],
        "annotations": [
            {"id": 1 + a, "image_id": 10 + a // per_image, "category_id": 5 + a % 2, "segmentation": TRIANGLE}
            for a in range(images * per_image)
        ],
        "categories": [{"id": 5, "name": "cat"}, {"id": 6, "name": "dog"}],
        **more,
    }


@pytest.fixture(name="coco_dict")
def coco_dict_fixture() -> Any:
    """`coco_dict` itself, for tests that want more than one."""
    return coco_dict


class OpenCV:
    """Contours and boundary counts as the paper's authors get them; a mask is uint8 [H, W]."""

    @staticmethod
    def contours(mask: NDArray[np.uint8]) -> list[NDArray[np.int32]]:
        if mask.size == 0:  # findContours refuses it
            return []
        found, _ = cv2.findContours(np.ascontiguousarray(mask), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        return [np.asarray(contour, np.int32)[:, 0] for contour in found]

    @classmethod
    def primary(cls, mask: NDArray[np.uint8]) -> NDArray[np.int32]:
        """The first contour of the largest area, [n, 2]; n = 0 where there is none."""
        return max(cls.contours(mask), key=cv2.contourArea, default=np.empty((0, 2), np.int32))

    @classmethod
    def counts(cls, mask: NDArray[np.uint8]) -> tuple[int, int, int]:
        """Straight steps, diagonal steps and twice the area, from the points of the primary contour."""
        x, y = cls.primary(mask).astype(np.int64).T
        dx, dy = np.abs(np.roll(x, -1) - x), np.abs(np.roll(y, -1) - y)
        assert ((dx == 0) | (dy == 0) | (dx == dy)).all()
        straight = (dx + dy)[(dx == 0) | (dy == 0)].sum()
        diagonal = dx[(dx == dy)].sum()
        area2 = abs((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())  # Eq. 7
        return int(straight), int(diagonal), int(area2)


@pytest.fixture(scope="session")
def opencv() -> type[OpenCV]:
    return OpenCV


@pytest.fixture
def folder(tmp_path: Path, coco_dict: Any) -> Path:
    """A folder with ``data.json``, six images of which one has no annotation and one a crowd region only."""
    data = coco_dict(images=4)
    data["images"] += [{"id": i, "file_name": f"{i}.jpg", "height": 20, "width": 30} for i in (90, 91)]
    crowd = {"size": [20, 30], "counts": [100, 100, 400]}
    data["annotations"] += [
        {"id": 90, "image_id": 90, "category_id": 5, "iscrowd": 1, "segmentation": crowd},
        {"id": 91, "image_id": 10, "category_id": 6, "ignore": 1, "segmentation": [[1, 1, 9, 1, 9, 9, 1, 9]]},
        {"id": 92, "image_id": 11, "category_id": 6, "segmentation": []},
    ]
    (tmp_path / "data.json").write_text(json.dumps(data))
    return tmp_path
