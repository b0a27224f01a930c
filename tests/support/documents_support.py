"""What the tests of documents share: documents, and every layout that they come in."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from tfdp_fast._core import FillConvention
from tfdp_fast.errors import DataError
from tfdp_fast.formats.dataset import Dataset
from tfdp_fast.formats.opening import open_dataset

SQUARE = [[1.0, 1.0, 8.0, 1.0, 8.0, 8.0, 1.0, 8.0]]
JPG = b"\xff\xd8 an image"
Layout = Callable[[Path, Mapping[int, bytes]], Path]


def rle(mask: NDArray[np.uint8]) -> dict[str, Any]:
    """Compressed RLE as SA-1B has it."""
    encoded = coco_mask.encode(np.asfortranarray(mask))
    return {"size": list(encoded["size"]), "counts": encoded["counts"].decode()}


def sa1b(number: int, masks: Iterable[Any], size: tuple[int, int] = (20, 30), **more: Any) -> dict[str, Any]:
    """A document of SA-1B; annotation ids are 100 times the number, and so on."""
    return {
        "image": {
            "image_id": number,
            "width": size[1],
            "height": size[0],
            "file_name": f"sa_{number}.jpg",
        },
        "annotations": [
            {"bbox": [0, 0, 1, 1], "area": 1, "segmentation": mask, "id": 100 * number + i, "crop_box": []}
            for i, mask in enumerate(masks)
        ],
        **more,
    }


def general(number: int | str, masks: Iterable[Any] = (SQUARE,), **more: Any) -> dict[str, Any]:
    """A document in the general form; categories are 5 and 6, in turn."""
    return {
        "image_id": number,
        "height": 20,
        "width": 30,
        "annotations": [{"segmentation": mask, "category_id": 5 + i % 2} for i, mask in enumerate(masks)],
        **more,
    }


def text(document: Any) -> bytes:
    return document if isinstance(document, bytes) else json.dumps(document).encode()


def made(n: int = 7, seed: int = 0) -> tuple[dict[int, bytes], list[NDArray[np.uint8]]]:
    """Documents by number, in no order, and all of their masks, in the order of the numbers."""
    rng = np.random.default_rng(seed)
    documents, masks = {}, []
    for number in sorted(rng.permutation(120)[:n].tolist()):
        size = (int(rng.integers(1, 40)), int(rng.integers(1, 40)))
        own = [(rng.random(size) < rng.random()).astype(np.uint8) for _ in range(int(rng.integers(0, 5)))]
        documents[number] = text(sa1b(number, map(rle, own), size))
        masks += own
    return {number: documents[number] for number in rng.permutation(list(documents)).tolist()}, masks


def write_tar(path: Path, members: Iterable[tuple[str, bytes]], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def samples(documents: Mapping[int, bytes]) -> Iterable[tuple[str, bytes]]:
    """The members of a shard: an image and its document each."""
    for number, document in documents.items():
        yield f"sa_{number}.jpg", JPG + b"%d" % number
        yield f"sa_{number}.json", document


def shares(documents: Mapping[int, bytes], n: int = 3) -> list[dict[int, bytes]]:
    """The documents in n parts, in the order of their numbers."""
    parts = np.array_split(np.array(sorted(documents), np.int64), n)
    return [{number: documents[number] for number in part.tolist()} for part in parts]


def as_files(folder: Path, documents: Mapping[int, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in samples(documents):
        (folder / name).write_bytes(content)
    return folder


def as_folders(folder: Path, documents: Mapping[int, bytes]) -> Path:
    for shard, part in zip((2, 9, 10), shares(documents), strict=True):
        as_files(folder / f"sa_{shard}", part)
    return folder


def as_tars(folder: Path, documents: Mapping[int, bytes], suffix: str = ".tar", mode: str = "w") -> Path:
    folder.mkdir()
    for shard, part in zip((2, 9, 10), shares(documents), strict=True):
        write_tar(folder / f"sa_{shard}{suffix}", samples(part), mode)
    return folder


def as_packed_tars(folder: Path, documents: Mapping[int, bytes]) -> Path:
    return as_tars(folder, documents, ".tar.gz", "w:gz")


def as_one_tar(folder: Path, documents: Mapping[int, bytes]) -> Path:
    folder.mkdir()
    return write_tar(folder / "sa_000.tar", samples(dict(sorted(documents.items()))))


def as_webdataset(folder: Path, documents: Mapping[int, bytes]) -> Path:
    folder.mkdir()
    for shard, part in enumerate(shares(documents)):
        write_tar(folder / f"train-{shard:03d}.tar", samples(part))
    return folder


def as_lines(folder: Path, documents: Mapping[int, bytes]) -> Path:
    folder.mkdir()
    path = folder / "a.jsonl"
    path.write_bytes(b"\n".join(document for _, document in sorted(documents.items())))
    return path


def as_packed_lines(folder: Path, documents: Mapping[int, bytes]) -> Path:
    path = as_lines(folder, documents)
    packed = path.with_name("a.ndjson.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    return packed


LAYOUTS: list[Layout] = [
    *(as_files, as_folders, as_tars, as_packed_tars, as_one_tar, as_webdataset, as_lines, as_packed_lines)
]


def measured(
    source: Any, threads: int = 1, **options: Any
) -> tuple[Dataset, NDArray[np.int64], NDArray[np.uint8]]:
    dataset = open_dataset(source, **options)
    counts, statuses = dataset.measure(FillConvention.COCO, threads=threads, progress=None)
    return dataset, counts, statuses


def lines(*documents: Any) -> bytes:
    return b"".join(text(document) + b"\n" for document in documents)


def read_lines(*documents: Any, **options: Any) -> tuple[Dataset, NDArray[np.int64], NDArray[np.uint8]]:
    return measured(lines(*documents), format="jsonl", **options)


def refusal(source: Any, **options: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        measured(source, **options)
    assert "\n" not in str(caught.value)
    return caught.value
