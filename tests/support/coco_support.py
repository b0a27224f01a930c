"""What the tests of COCO and LVIS files share."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO

from tfdp_fast.errors import DataError
from tfdp_fast.formats.coco import read_coco
from tfdp_fast.formats.dataset import Dataset

NO_ROWS = np.empty(0, np.int64)
REAL = ["coco_val2014_100.json", "lvis_val_100.json", "voc2012_train.json"]

Make = Callable[..., dict[str, Any]]


def text_of(data: Any, **options: Any) -> bytes:
    return json.dumps(data, **options).encode()


def subset_bytes(data: Dataset, keep: Any, drop_rows: Any = NO_ROWS) -> bytes:
    memory = io.BytesIO()
    written = data.write_subset(memory, np.asarray(keep, np.bool_), np.asarray(drop_rows, np.int64))
    assert written == len(json.loads(memory.getvalue())["annotations"])
    return memory.getvalue()


def filtered(data: dict[str, Any], keep: Any, drop_rows: Any = ()) -> dict[str, Any]:
    """What a subset is, the slow and obvious way."""
    images = [image for image, stays in zip(data["images"], keep, strict=True) if stays]
    ids = {image["id"] for image in images}
    annotations = [
        annotation
        for row, annotation in enumerate(data["annotations"])
        if annotation["image_id"] in ids and row not in set(drop_rows)
    ]
    return {**data, "images": images, "annotations": annotations}


def pycocotools_reads(path: Path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def refusal(source: Any, **options: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        read_coco(source, **options)
    assert "\n" not in str(caught.value)
    return caught.value
