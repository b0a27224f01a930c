"""Data sets as real packages make them, and what they read of ours."""

from __future__ import annotations

import importlib
import io
import json
import tarfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfdp_fast as tfdp
from arrow_support import structs_of_lists
from record_support import (
    Coco,
    CocoDetection,
    Record,
    assert_same,
    by_image,
    dense,
    general,
    made_coco,
    scores_of,
    with_rle,
)
from tfdp_fast.errors import DataError

NO_ROWS = np.empty(0, np.int64)


def package(name: str) -> Any:
    """A package whose warnings are its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(name)
        except (ImportError, RuntimeError) as error:  # the latter: a torchvision that is for another torch
            pytest.skip(f"{name} cannot be imported: {error}")


# --- Hugging Face's datasets --------------------------------------------------------------------------------


@pytest.fixture
def datasets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """The package, with its caches in a folder of the test, and without the network."""
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    found = package("datasets")
    monkeypatch.setattr(found.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    found.disable_progress_bars()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield found


NAMES = ["cat", "dog", "cow"]


def hugging_face(datasets: Any, coco: Coco) -> Any:
    """With a class label, and an image, which nobody has to decode."""
    value, many = datasets.Value, datasets.Sequence
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "image_id": value("int64"),
            "height": value("int32"),
            "width": value("int32"),
            "file_name": value("string"),
            "objects": {
                "id": many(value("int64")),
                "category": many(datasets.ClassLabel(names=NAMES)),
                "segmentation": [{"size": many(value("int32")), "counts": value("string")}],
                "iscrowd": many(value("bool")),
            },
        }
    )
    rows = structs_of_lists(coco).to_pylist()
    return datasets.Dataset.from_list(
        [{**row, "image": {"bytes": b"no image", "path": None}} for row in rows], features=features
    )


def names_of(scores: tfdp.Scores) -> list[str]:
    assert scores.classes is not None
    return scores.classes.name.tolist()  # type: ignore[no-any-return]


def test_a_data_set_of_datasets(datasets: Any) -> None:
    coco = made_coco()
    data = hugging_face(datasets, coco)
    scores = tfdp.score(data)
    assert_same(scores, scores_of(with_rle(coco)))
    assert names_of(scores) == NAMES
    chosen = data.select([5, 2, 7])
    assert tfdp.score(chosen).images.id.tolist() == [55, 52, 57]
    assert_same(tfdp.score(data.to_iterable_dataset()), scores)
    assert_same(tfdp.score(data.with_format("numpy")), scores)


def test_a_data_set_with_a_transform_is_gone_through(datasets: Any) -> None:
    coco = made_coco()
    data = hugging_face(datasets, coco).remove_columns("image")

    def flipped(rows: Record) -> Record:
        return {**rows, "image_id": [f"flipped {i}" for i in rows["image_id"]]}

    scores = tfdp.score(data.with_transform(flipped))
    assert scores.images.id.tolist() == [f"flipped {i}" for i in data["image_id"]]
    assert scores.images.score.tolist() == tfdp.score(data).images.score.tolist()
    assert names_of(scores) == NAMES


def test_datasets_reads_our_parquet(datasets: Any, tmp_path: Path) -> None:
    data = hugging_face(datasets, made_coco())
    for source in (data, write_parquet_of(data, tmp_path / "x.parquet")):
        pruned = tfdp.prune(source, tmp_path / "y.parquet", rate=0.5)
        read = datasets.load_dataset("parquet", data_files=str(tmp_path / "y.parquet"), split="train")
        assert read.features == data.features
        kept = [i for i, image_id in enumerate(data["image_id"]) if image_id in pruned.subset.image_ids]
        assert read.remove_columns("image").to_list() == data.select(kept).remove_columns("image").to_list()


def write_parquet_of(data: Any, path: Path) -> Path:
    data.to_parquet(path)
    return path


@pytest.mark.parametrize("shards", [1, 3])
def test_datasets_reads_our_folder(datasets: Any, tmp_path: Path, shards: int) -> None:
    data = hugging_face(datasets, made_coco())
    data.save_to_disk(tmp_path / "x", num_shards=shards)
    pruned = tfdp.prune(tmp_path / "x", tmp_path / "y", rate=0.5)
    assert names_of(pruned.scores) == NAMES
    assert pruned.scores.images.id.tolist() == data["image_id"][:]
    read = datasets.load_from_disk(tmp_path / "y")
    assert read["image_id"][:] == pruned.subset.image_ids.tolist()
    assert read.features == data.features
    assert read._fingerprint != datasets.load_from_disk(tmp_path / "x")._fingerprint
    last = tfdp.open_dataset(tmp_path / "x")
    scores = tfdp.score(last)
    last.write_subset(tmp_path / "z", scores.images.id == 58, NO_ROWS)
    assert datasets.load_from_disk(tmp_path / "z")["image_id"][:] == [58]


# --- supervision --------------------------------------------------------------------------------------------


def without_crowd() -> Coco:
    """What its detections can say."""
    coco = made_coco()
    return {**coco, "annotations": [a for a in coco["annotations"] if not a["iscrowd"]]}


def detections(supervision: Any, coco: Coco) -> list[Any]:
    return [
        supervision.Detections(
            xyxy=np.zeros((len(found), 4)),
            mask=dense(found, image).astype(bool),
            class_id=np.array([a["category_id"] for a in found], int),
        )
        for image, found in by_image(coco)
    ]


def test_detections() -> None:
    supervision = package("supervision")
    coco = without_crowd()
    found = detections(supervision, coco)
    scores = tfdp.score(found)
    assert_same(scores, scores_of(coco), images=False)
    assert scores.images.id.tolist() == list(range(9))
    with pytest.raises(DataError, match="is one image, not a data set: put it into a list"):
        tfdp.score(found[1])
    boxes = supervision.Detections(xyxy=np.zeros((2, 4)), class_id=np.zeros(2, int))
    with pytest.raises(DataError, match=r"images\[0\]: has 2 detections and no mask of them"):
        tfdp.score([boxes])
    assert tfdp.score([supervision.Detections.empty()]).images.score.tolist() == [0.0]


def test_detections_in_compact_masks() -> None:
    supervision = package("supervision")
    if not hasattr(supervision, "CompactMask"):
        pytest.skip("this version has none")
    coco = without_crowd()
    found = detections(supervision, coco)
    for detected in found:
        n, height, width = detected.mask.shape
        boxes = np.array([[0, 0, width - 1, height - 1]] * n).reshape(n, 4)
        detected.mask = supervision.CompactMask.from_dense(detected.mask, boxes, (height, width))
    assert_same(tfdp.score(found), scores_of(coco), images=False)


def test_a_data_set_of_supervision(tmp_path: Path) -> None:
    supervision = package("supervision")
    from PIL import Image

    coco = without_crowd()
    paths = []
    for image, _ in by_image(coco):
        paths.append(str(tmp_path / image["file_name"]))
        Image.new("RGB", (image["width"], image["height"])).save(paths[-1])
    annotations = dict(zip(paths, detections(supervision, coco), strict=True))
    scores = tfdp.score(supervision.DetectionDataset(NAMES, paths, annotations))
    assert_same(scores, scores_of(coco), images=False)
    assert scores.images.file_name.tolist() == paths
    assert names_of(scores) == NAMES


def test_supervision_reads_what_is_pruned(tmp_path: Path) -> None:
    supervision = package("supervision")
    coco = {**made_coco(), "info": {}}
    coco["annotations"] = [
        {**a, "bbox": [0, 0, 9, 9], "area": 1}
        for a in coco["annotations"]
        if isinstance(a["segmentation"], list)
    ]
    pruned = tfdp.prune(coco, tmp_path / "x.json", rate=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = supervision.DetectionDataset.from_coco(str(tmp_path), str(tmp_path / "x.json"))
    kept = {image["id"]: image["file_name"] for image in coco["images"]}
    assert sorted(Path(path).name for path in read.image_paths) == sorted(
        kept[i] for i in pruned.subset.image_ids.tolist()
    )


# --- WebDataset ---------------------------------------------------------------------------------------------


def test_samples_of_webdataset(tmp_path: Path) -> None:
    webdataset = package("webdataset")
    coco = with_rle(made_coco())
    for shard in range(2):
        with tarfile.open(tmp_path / f"{shard}.tar", "w") as tar:
            for record in list(general(coco))[shard::2]:
                text = json.dumps(record).encode()
                about = tarfile.TarInfo(f"{record['image_id']}.json")
                about.size = len(text)
                tar.addfile(about, io.BytesIO(text))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        samples = webdataset.WebDataset([str(tmp_path / f"{i}.tar") for i in range(2)], shardshuffle=False)
        scores = tfdp.score(samples.decode())
    expected = scores_of(coco)
    assert scores.images.id.tolist() == [*range(50, 59, 2), *range(51, 59, 2)]
    assert dict(zip(scores.images.id.tolist(), scores.images.score.tolist(), strict=True)) == dict(
        zip(expected.images.id.tolist(), expected.images.score.tolist(), strict=True)
    )


# --- PyTorch ------------------------------------------------------------------------------------------------


def test_data_sets_of_torch() -> None:
    torch = package("torch")
    coco = made_coco()

    base: Any = torch.utils.data.Dataset

    class Targets(base):  # type: ignore[misc]
        def __init__(self) -> None:
            self.images = list(by_image(coco))

        def __len__(self) -> int:
            return len(self.images)

        def __getitem__(self, index: int) -> tuple[Any, Record]:
            image, found = self.images[index]
            return torch.zeros(3, image["height"], image["width"]), {
                "image_id": torch.tensor(image["id"]),
                "masks": torch.from_numpy(dense(found, image)).bool(),
                "labels": torch.tensor([a["category_id"] for a in found], dtype=torch.int64),
                "iscrowd": torch.tensor([a["iscrowd"] for a in found], dtype=torch.uint8),
            }

    expected = scores_of(coco)
    for threads in (1, 2, 7):
        assert_same(tfdp.score(Targets(), threads=threads), expected)
    loader = torch.utils.data.DataLoader(Targets(), batch_size=2)
    with pytest.raises(DataError, match=r"is a loader of batches: give its data set \(\.dataset\)"):
        tfdp.score(loader)
    assert_same(tfdp.score(loader.dataset), expected)
    subset = torch.utils.data.Subset(Targets(), [3, 1])
    assert tfdp.score(subset).images.id.tolist() == [53, 51]


def test_data_sets_of_torchvision(tmp_path: Path) -> None:
    package("torch")
    torchvision = package("torchvision")
    from PIL import Image

    coco = made_coco()
    (tmp_path / "x.json").write_text(json.dumps(coco))
    for image, _ in by_image(coco):
        Image.new("RGB", (image["width"], image["height"])).save(tmp_path / image["file_name"])
    data = torchvision.datasets.CocoDetection(str(tmp_path), str(tmp_path / "x.json"))
    scores = tfdp.score(data)
    assert_same(scores, scores_of(coco))
    assert names_of(scores) == names_of(tfdp.score(CocoDetection(coco)))
    wrapped = torchvision.datasets.wrap_dataset_for_transforms_v2(
        data, target_keys=("image_id", "masks", "labels")
    )
    plain = {**coco, "annotations": [{**a, "iscrowd": 0} for a in coco["annotations"]]}
    assert_same(tfdp.score(wrapped), scores_of(plain))


# --- frames -------------------------------------------------------------------------------------------------


def test_frames_of_polars(tmp_path: Path) -> None:
    polars = package("polars")
    data = made_coco()
    sizes = {image["id"]: (image["height"], image["width"]) for image in data["images"]}
    annotations = [a for a in with_rle(data)["annotations"] if not a.get("ignore")]
    frame = polars.DataFrame(
        {
            "image_id": [a["image_id"] for a in annotations],
            "height": [sizes[a["image_id"]][0] for a in annotations],
            "width": [sizes[a["image_id"]][1] for a in annotations],
            "category_id": [a["category_id"] for a in annotations],
            "iscrowd": [int(a.get("iscrowd", 0)) for a in annotations],
            "counts": [a["segmentation"]["counts"] for a in annotations],
        }
    )
    expected, found = tfdp.score(data).images, tfdp.score(frame).images
    of_id = dict(zip(expected.id.tolist(), expected.score.tolist(), strict=True))
    assert found.score.tolist() == [of_id[i] for i in found.id.tolist()]
    pruned = tfdp.prune(frame, tmp_path / "half.parquet", rate=0.5)
    kept = polars.read_parquet(tmp_path / "half.parquet")
    assert kept.equals(frame.filter(polars.col("image_id").is_in(pruned.subset.image_ids.tolist())))
