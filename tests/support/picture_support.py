"""What the tests of galleries and explanations share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from tfdp_fast.formats.opening import open_dataset
from tfdp_fast.measuring import MeasuredDataset, measure_dataset
from tfdp_fast.report.pictures import Picture, take_pictures

SQUARE = [[2.0, 2.0, 12.0, 2.0, 12.0, 12.0, 2.0, 12.0]]
BAR = [[1.0, 1.0, 25.0, 1.0, 25.0, 4.0, 1.0, 4.0]]


def three_images() -> dict[str, Any]:
    """Three images of which the last has a crowd region only, and instances one of which has no area."""
    return {
        "images": [
            {"id": 7, "file_name": "a/one.png", "height": 20, "width": 30},
            {"id": 8, "file_name": "b/two.png", "height": 20, "width": 30},
            {"id": 9, "file_name": "b/one.png", "height": 20, "width": 30},
        ],
        "categories": [{"id": 5, "name": "cat"}, {"id": 6, "name": "dog"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 5, "segmentation": SQUARE},
            {"id": 2, "image_id": 7, "category_id": 6, "segmentation": BAR},
            {"id": 3, "image_id": 7, "category_id": 6, "segmentation": [[3, 3, 4, 3, 4, 4, 3, 4]]},
            {"id": 4, "image_id": 8, "category_id": 5, "segmentation": BAR},
            {
                "id": 5,
                "image_id": 9,
                "category_id": 5,
                "iscrowd": 1,
                "segmentation": {"size": [20, 30], "counts": [100, 200, 300]},
            },
        ],
    }


def with_images(folder: Path, data: dict[str, Any], colour: str = "#808080") -> Path:
    """Write an image of one colour for each of a data set."""
    for image in data["images"]:
        path = folder / image["file_name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (image["width"], image["height"]), colour).save(path)
    return folder


def measured(source: Any, **options: Any) -> MeasuredDataset:
    return measure_dataset(open_dataset(source, **options), polygons=None, threads=1, progress=None)


def picture_of(image: Path, size: tuple[int, int], **options: Any) -> Picture:
    """The picture of a data set with this image, of the height and width that the annotations say."""
    data = {
        "images": [{"id": 1, "file_name": image.name, "height": size[0], "width": size[1]}],
        "categories": [{"id": 1, "name": "thing"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": SQUARE}],
    }
    on_error = options.pop("on_error", "raise")
    found = measured(data, on_error=on_error)
    [picture] = take_pictures(found, [0], images=image.parent, threads=1, **options)
    return picture
