"""What several test modules need."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

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
