"""YOLO data sets: what is read of them."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco

import tfdp_fast as tfdp
from tfdp_fast._core import FillConvention
from tfdp_fast.errors import MissingExtraError
from tfdp_fast.formats.opening import open_dataset
from yolo_support import (
    TRIANGLE,
    lines_in,
    measured,
    polygons_of,
    shares,
    write_description,
    write_image,
    write_text,
    write_yolo,
)

CONVENTIONS = [FillConvention.COCO, FillConvention.OPENCV]
REAL = ["coco_val2014_100.json", "lvis_val_100.json"]


def filled(points: NDArray[np.float64], height: int, width: int, convention: FillConvention) -> Any:
    """A polygon [n, 2] in pixels as a mask, by pycocotools or OpenCV."""
    if convention == FillConvention.COCO:
        return coco.decode(coco.frPyObjects([points.ravel().tolist()], height, width))[:, :, 0]
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [points.astype(np.int32)], 1)
    return mask


def expected_counts(root: Path, convention: FillConvention, opencv: Any) -> list[tuple[int, int, int]]:
    """The boundary counts of all lines, the slow and obvious way."""
    found = []
    for path, (_, *numbers) in lines_in(root / "labels"):
        [image] = (root / "images" / path.parent.name).glob(f"{path.stem}.*")
        with Image.open(image) as opened:
            sides = opened.size
        points = np.array(numbers).reshape(-1, 2) * sides
        found.append(opencv.counts(filled(points, sides[1], sides[0], convention)))
    return found


@pytest.fixture(scope="session")
def real(request: pytest.FixtureRequest, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A folder with real polygons, and the file that they are from."""
    path = shared_data / request.param
    data = json.loads(path.read_text("utf-8"))
    root = tmp_path_factory.mktemp("yolo")
    write_yolo(root, data)
    return root, path, data


def of_single_polygons(data: dict[str, Any]) -> list[dict[str, Any]]:
    return [a for a in data["annotations"] if len(polygons_of(a)) == 1 and len(a["segmentation"][0]) >= 6]


@pytest.mark.parametrize("convention", CONVENTIONS, ids=str)
@pytest.mark.parametrize("real", REAL, indirect=True)
def test_real_polygons(real: Any, convention: FillConvention, opencv: Any) -> None:
    root, _, data = real
    dataset, counts = measured(root / "data.yaml", convention)
    assert list(map(tuple, counts.tolist())) == expected_counts(root, convention, opencv)
    # An instance of several polygons is as many instances here, and regions in RLE are none.
    assert dataset.records == len(counts) == sum(len(polygons_of(a)) for a in data["annotations"])
    assert len(dataset.image_ids) == len(data["images"])


# Of how many instances with a single polygon the boundary counts are others than in COCO's file: with all
# digits, and with the six that Ultralytics' own converter writes (`%g`). No number of digits is enough for
# all: many coordinates are not the product of any float64 and the side. Where all are, none may differ.
DIFFERENT = {
    ("coco_val2014_100.json", FillConvention.COCO): (21, 275),
    ("coco_val2014_100.json", FillConvention.OPENCV): (7, 84),
    ("lvis_val_100.json", FillConvention.COCO): (30, 311),
    ("lvis_val_100.json", FillConvention.OPENCV): (11, 136),
}


@pytest.mark.parametrize(("name", "convention"), DIFFERENT, ids=str)
def test_what_shares_can_hold(
    name: str, convention: FillConvention, shared_data: Path, tmp_path: Path
) -> None:
    data = json.loads((shared_data / name).read_text("utf-8"))
    data["annotations"] = of_single_polygons(data)
    images = {image["id"]: image for image in data["images"]}
    position = {image["id"]: i for i, image in enumerate(sorted(data["images"], key=name_of))}
    # Labels are read image by image, in the order of the images' names.
    data["annotations"].sort(key=lambda annotation: position[annotation["image_id"]])
    (tmp_path / "coco.json").write_text(json.dumps(data))
    _, expected = measured(tmp_path / "coco.json", convention)

    def is_held(annotation: dict[str, Any]) -> bool:
        image = images[annotation["image_id"]]
        sides = np.resize([image["width"], image["height"]], len(annotation["segmentation"][0]))
        [polygon] = annotation["segmentation"]
        return bool((np.array(shares(polygon, image)) * sides == polygon).all())

    held = np.array([is_held(annotation) for annotation in data["annotations"]])
    differ = []
    for form in ("", ".6g"):
        _, counts = measured(write_yolo(tmp_path / f"yolo{form}", data, form=form), convention)
        differ.append((counts != expected).any(axis=1))
    assert held.sum() > 100
    assert not differ[0][held].any()
    assert (int(differ[0].sum()), int(differ[1].sum())) == DIFFERENT[name, convention]


def name_of(image: dict[str, Any]) -> str:
    return str(image.get("file_name") or image["coco_url"].rpartition("/")[2])


@pytest.mark.parametrize("convention", CONVENTIONS, ids=str)
def test_same_counts_as_coco(convention: FillConvention, coco_dict: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    data = coco_dict(images=150, per_image=3)
    for annotation in data["annotations"]:
        annotation["segmentation"] = [(rng.integers(0, 200, rng.integers(3, 9) * 2) / 4).tolist()]
    for image in data["images"]:
        image |= {"file_name": f"{image['id']:05}.png", "height": 64, "width": 128}  # shares are exact
    (tmp_path / "coco.json").write_text(json.dumps(data))
    coco_data, expected = measured(tmp_path / "coco.json", convention)
    source = write_yolo(tmp_path, data)
    for threads in (1, 2, 7):
        dataset, counts = measured(source, convention, threads=threads, format="yolo")
        np.testing.assert_array_equal(counts, expected)
        np.testing.assert_array_equal(dataset.image_index, coco_data.image_index)
        np.testing.assert_array_equal(dataset.category_index, coco_data.category_index)
    assert dataset.category_names == ["cat", "dog"]
    assert dataset.category_ids.tolist() == [0, 1]
    assert dataset.image_sizes.tolist() == [[64, 128]] * 150
    assert dataset.annotation_ids.tolist() == list(range(450))
    assert not dataset.crowd.any()


def test_scores(coco_dict: Any, tmp_path: Path) -> None:
    source = write_yolo(tmp_path, coco_dict())
    seen: list[Any] = []
    scores = tfdp.score(source.parent, progress=seen.append)
    assert scores.images.id.tolist() == [f"images/train/{i}.jpg" for i in range(3)]
    assert scores.images.file_name.tolist() == scores.images.id.tolist()
    assert scores.images.instances.tolist() == [2, 2, 2]
    assert (seen[-1].images, seen[-1].all_images, seen[-1].annotations) == (3, 3, 6)


def images(root: Path, *names: str) -> None:
    for name in names:
        write_image(root / name)


def test_fingerprint(tmp_path: Path) -> None:
    images(tmp_path, *(f"images/{i}.png" for i in range(200)))
    for i in range(0, 200, 2):
        write_text(tmp_path / "labels" / f"{i}.txt", TRIANGLE)
    write_text(tmp_path / "list.txt", *(f"./images/{i}.png" for i in range(200)))
    source = write_description(tmp_path, train="list.txt", nc=1)
    order = sorted(f"labels/{i}.txt" for i in range(0, 200, 2))
    files = [tmp_path / name for name in ("data.yaml", "list.txt", *order)]
    lines = "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(tmp_path)}\n" for path in files
    )
    for threads in (1, 2, 7):
        found = measured(source, threads=threads, fingerprint=True)[0].fingerprint()
        assert found is not None
        assert (found.files, found.size) == (102, sum(path.stat().st_size for path in files))
        assert found.sha256 == hashlib.sha256(lines.encode()).hexdigest()
    assert measured(source)[0].fingerprint() is None


def test_needs_pyyaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_description(tmp_path, train="images", nc=1)
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingExtraError, match=r"this needs pyyaml: pip install 'tfdp-fast\[yolo\]'"):
        open_dataset(source)
