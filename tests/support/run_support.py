"""What the tests of runs share: data sets with everything in them, and one pass in memory to compare with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pycocotools import mask as coco_mask

import tfdp_fast as tfdp
from record_support import Coco, Record, run_lengths
from tfdp_fast.boundary import BoundaryCounts
from tfdp_fast.distributed import MeasuringOptions, RunResult, Shard, Storage, Watcher, score_shard
from tfdp_fast.distributed.counts_reading import counts_name
from tfdp_fast.distributed.journal import read_journal
from tfdp_fast.distributed.tasks import Event
from tfdp_fast.scores import Scores, scale_invariant

IMAGES = ["image_id", "file_name", "score", "annotation_count", "instance_count"]
SAME = ("counts", "images", "keep.txt", "drop.txt", "totals.json", "problems.jsonl")
"""What does not depend on how a run came to its end."""


def odd_coco(*, text_ids: bool = False, bad: bool = False) -> Coco:
    """A data set with all that there may be.

    Images with no annotation first, last and in the middle; annotations in no order; crowd regions, ignored
    ones, masks of one pixel and of none; file names that are missing, equal and not ASCII; a class without
    instances. With `bad`, two annotations cannot be used.
    """
    rng = np.random.default_rng(11)
    names = [None, "a.jpg", "a.jpg", "猫 ü.jpg", "tab\there.jpg", "", None, "z.jpg", "b.jpg"]
    sizes = [(int(rng.integers(9, 40)), int(rng.integers(9, 40))) for _ in names]
    annotations: list[Record] = []
    for i, per_image in enumerate([0, 3, 1, 4, 0, 2, 3, 5, 0]):
        for a in range(per_image):
            mask = (rng.random(sizes[i]) < 0.7).astype(np.uint8)
            if a % 2:
                mask = cv2.erode(cv2.dilate(mask, np.ones((2, 2))), np.ones((3, 3))).astype(np.uint8)
            if (i, a) in {(3, 2), (7, 0)}:
                mask[:] = 0
                mask[1, 1] = i == 3
            encoded = coco_mask.encode(np.asfortranarray(mask))["counts"].decode()
            counts = run_lengths(mask) if a % 3 == 2 else encoded
            annotations.append(
                {
                    "id": 100 + len(annotations),
                    "image_id": 50 - i,
                    "category_id": [5, 900, 2][(a + i) % 3],
                    "segmentation": {"size": list(sizes[i]), "counts": counts},
                    "iscrowd": int((i, a) in {(2, 0), (3, 1), (7, 4)}),
                    "ignore": int((i, a) == (6, 1)),
                }
            )
    if bad:
        annotations[4]["segmentation"] = [[1, 2, 3]]
        annotations[9]["segmentation"] = {"size": [3, 3], "counts": "11"}
    shuffled = [annotations[i] for i in rng.permutation(len(annotations)).tolist()]
    images: list[Record] = []
    for i, (name, (height, width)) in enumerate(zip(names, sizes, strict=True)):
        image: Record = {"id": 50 - i, "height": height, "width": width}
        images.append(image if name is None else image | {"file_name": name})
    if text_ids:
        for image in images:
            image["id"] = f"ü{image['id']}"
        for annotation in shuffled:
            annotation["image_id"] = f"ü{annotation['image_id']}"
    categories = [{"id": 900, "name": "dog"}, {"id": 5, "name": "cat"}, {"id": 7, "name": "none"}]
    return {
        "images": images,
        "annotations": shuffled,
        "categories": [*categories, {"id": 2, "name": "Größe"}],
    }


def write_coco(coco: Coco, path: Path) -> str:
    path.write_text(json.dumps(coco))
    return str(path)


def coco_parts(coco: Coco, ends: Sequence[int], folder: Path) -> list[str]:
    """The data set in several files; each ends before the image of a number."""
    folder.mkdir(exist_ok=True)
    paths: list[str] = []
    for begin, end in zip([0, *ends], [*ends, len(coco["images"])], strict=True):
        images = coco["images"][begin:end]
        ids = {image["id"] for image in images}
        part = {**coco, "images": images}
        part["annotations"] = [one for one in coco["annotations"] if one["image_id"] in ids]
        paths.append(write_coco(part, folder / f"part {len(paths):02d}.json"))
    return paths


def pieces(images: Sequence[Any], ends: Sequence[int]) -> list[Shard]:
    """Images as shards; each ends before the image of a number. They can be pickled."""
    bounds = zip([0, *ends], [*ends, len(images)], strict=True)
    return [
        Shard(f"piece {i}", version=f"{begin}-{end}", make=partial(list, images[begin:end]))
        for i, (begin, end) in enumerate(bounds)
    ]


# --- What there is ------------------------------------------------------------------------------------------


def scored(shard: Shard, folder: Path, **options: Any) -> Path:
    """The counts file of a shard."""
    score_shard(shard, Storage(folder), MeasuringOptions(**options))
    return folder / counts_name(shard.key)


def about_of(path: Path) -> dict[str, Any]:
    """What the footer of a counts file, or of a file of image scores, says."""
    found: dict[str, Any] = json.loads(pq.read_metadata(path).metadata[b"tfdp_fast"])
    return found


def manifest_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_bytes())
    return found


def image_scores(folder: Path) -> pa.Table:
    """The image scores of a run, in data-set order, by pyarrow."""
    tables = [
        pq.read_table(folder / "images" / f"{shard['key']}.parquet")
        for shard in manifest_of(folder)["shards"]
    ]
    return pa.concat_tables([table for table in tables if len(table)] or tables[:1])


def content(folder: Path) -> dict[str, bytes]:
    """The files of a run that do not depend on how it came to its end."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    named = {path.relative_to(folder).as_posix(): path for path in paths}
    return {name: path.read_bytes() for name, path in named.items() if name.partition("/")[0] in SAME}


def times(folder: Path) -> dict[str, dict[str, int]]:
    """When the files of a run were written, by the folders that they are in; without logs."""
    found: dict[str, dict[str, int]] = {}
    for path in folder.rglob("*"):
        if path.is_file() and path.parent.name != "logs":
            found.setdefault(path.parent.relative_to(folder).as_posix(), {})[path.name] = (
                path.stat().st_mtime_ns
            )
    return found


def flip_in_page(path: Path, column: str, group: int = 0) -> None:
    """Change a bit of what a file of Parquet holds, where no footer says it."""
    metadata = pq.read_metadata(path)
    found = metadata.row_group(group).column(metadata.schema.names.index(column))
    data = bytearray(path.read_bytes())
    data[found.data_page_offset + found.total_compressed_size - 1] ^= 16
    path.write_bytes(data)


def events(folder: Path) -> list[dict[str, Any]]:
    """All that the logs of a run say, driver after driver."""
    logs = sorted((folder / "logs").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    return [event for path in logs for event in read_journal(path.read_bytes())]


def done(folder: Path) -> list[str]:
    """The shards that were scored in pass 1, as often as they were."""
    return [event["key"] for event in events(folder) if event["event"] == "done" and "instances" in event]


class Interrupted(BaseException):
    """Stops a run, as Ctrl-C does."""


class Interrupting(Watcher):
    """Stops a run at the event of a number, from 0."""

    def __init__(self, at: int) -> None:
        self.left = at

    def event(self, event: Event) -> None:
        del event
        self.left -= 1
        if self.left < 0:
            raise Interrupted


# --- One pass in memory -------------------------------------------------------------------------------------


def totals_of(scores: Scores) -> tfdp.ClassTotals:
    """The exact totals of all scored instances."""
    assert scores.instances is not None
    assert scores.classes is not None
    assert scores.variant is not None
    totals = tfdp.ClassTotals(
        "si_scs" if scale_invariant(scores.variant) else "scs", scores.classes.id.tolist()
    )
    found = scores.instances
    totals.add(found.category_id, BoundaryCounts(found.straight, found.diagonal, found.area2))
    return totals


def list_of(scores: Scores, chosen: Any) -> list[str]:
    """The lines of ``keep.txt``, or of ``drop.txt``."""
    images = zip(scores.images.id.tolist(), scores.images.file_name.tolist(), chosen.tolist(), strict=True)
    return [f"{i}\t" + (name or "").replace("\t", "\\t") for i, name, there in images if there]


def lines_of(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines()


def assert_is_one_pass(folder: Path, result: RunResult, scores: Scores, **choice: Any) -> None:
    """A run holds what `score` and `select` make of all of it, bit for bit."""
    assert not result.failed
    found, images = image_scores(folder), scores.images
    assert found.column_names == IMAGES
    assert found["image_id"].to_pylist() == images.id.tolist()
    assert found["file_name"].to_pylist() == images.file_name.tolist()
    assert found["score"].to_numpy().tobytes() == images.score.tobytes()
    assert found["annotation_count"].to_pylist() == images.annotations.tolist()
    assert found["instance_count"].to_pylist() == images.instances.tolist()
    totals = tfdp.ClassTotals.load(folder / "totals.json")
    assert totals == totals_of(scores)
    assert scores.classes is not None
    exact = dict(zip(totals.category_ids, totals.totals.tolist(), strict=True))
    classes = scores.classes
    of_class = zip(classes.id.tolist(), classes.name.tolist(), classes.instances.tolist(), strict=True)
    assert [(one.id, one.name, one.instances) for one in result.classes] == list(of_class)
    assert [one.total for one in result.classes] == [exact[one.id] for one in result.classes]
    assert (result.images, result.instances) == (len(images), int(images.instances.sum()))
    assert result.annotations == int(images.annotations.sum())
    assert (result.crowd, result.ignored, result.problems) == (
        scores.crowd,
        scores.ignored,
        len(scores.problems),
    )
    if not choice:
        assert result.chosen is None
        assert not (folder / "keep.txt").exists()
        return
    subset = tfdp.select(scores, **choice)
    assert result.chosen is not None
    assert (result.chosen.sha256, result.chosen.k) == (subset.sha256, subset.k)
    assert (result.chosen.candidates, result.chosen.images) == (subset.candidates, len(images))
    assert lines_of(folder / "keep.txt") == list_of(scores, subset.keep)
    assert lines_of(folder / "drop.txt") == list_of(scores, ~subset.keep)
    written = json.loads((folder / "result.json").read_bytes())
    assert written == json.loads(json.dumps(result.to_json())) | {"seconds": written["seconds"]}
