"""Counts files against the data sets that they are made of."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pycocotools import mask as coco_mask

import tfdp_fast as tfdp
from arrow_support import LAYOUTS as TABLES
from documents_support import LAYOUTS as DOCUMENTS
from documents_support import made
from record_support import Coco, general, made_coco, rle_of
from run_support import about_of, odd_coco, scored, write_coco
from tfdp_fast.distributed import Shard, counts_writing
from tfdp_fast.distributed.counts_reading import CountsBlock, CountsFile
from tfdp_fast.scores import Scores
from voc_support import IMAGES as VOC
from voc_support import make_voc
from yolo_support import write_yolo

COLUMNS = ["image_id", "file_name", "height", "width", "instance_id", "category_id"]
COLUMNS += ["straight", "diagonal", "area2", "flags"]
NOTHING = (None,) * 6


def rows_of(path: Path) -> list[tuple[Any, ...]]:
    """By pyarrow."""
    table = pq.read_table(path)
    assert table.column_names == COLUMNS
    return list(zip(*(table[name].to_pylist() for name in COLUMNS), strict=True))


def expected_rows(coco: Coco, opencv: Any) -> list[tuple[Any, ...]]:
    """The rows of a COCO file, by pycocotools and OpenCV."""
    rows: list[tuple[Any, ...]] = []
    for image in coco["images"]:
        about = (image["id"], image.get("file_name"), image["height"], image["width"])
        own = [one for one in coco["annotations"] if one["image_id"] == image["id"] and not one["ignore"]]
        for one in own:
            counts = opencv.counts(coco_mask.decode(rle_of(one, image)))
            rows.append((*about, one["id"], one["category_id"], *counts, one["iscrowd"]))
        if not own:
            rows.append((*about, *NOTHING))
    return rows


def exact(text: str) -> Fraction:
    """A sum as the footer has it."""
    numerator, _, exponent = text.removeprefix("0x").partition("p")
    return int(numerator, 16) * Fraction(2) ** int(exponent)


def opened(path: Path) -> list[CountsBlock]:
    with path.open("rb") as file:
        return list(CountsFile(file, "counts").blocks())


# --- Rows and the footer ------------------------------------------------------------------------------------


@pytest.mark.parametrize("text_ids", [False, True])
def test_coco(tmp_path: Path, opencv: Any, text_ids: bool) -> None:
    coco = odd_coco(text_ids=text_ids)
    path = write_coco(coco, tmp_path / "a.json")
    shard = Shard("a", path)
    file = scored(shard, tmp_path)
    rows = expected_rows(coco, opencv)
    assert rows_of(file) == rows
    about = about_of(file)
    ids = [image["id"] for image in coco["images"]]
    there = [row for row in rows if row[4] is not None]
    own = [row for row in there if not row[-1]]
    assert about["shard"] == shard.identity
    assert about["format"] == "coco"
    assert about["images"] == len(ids)
    assert about["annotations"] == len(there)
    assert about["instances"] == len(own)
    assert about["degenerate"] == sum(row[8] == 0 for row in own) >= 2
    assert (about["crowd"], about["ignored"]) == (len(there) - len(own), 1)
    assert (about["lowest"], about["highest"]) == (min(ids), max(ids))
    assert (about["continues"], about["problems"]) == (True, [])
    assert [(one["id"], one["name"]) for one in about["classes"]] == [
        (category["id"], category["name"]) for category in coco["categories"]
    ]


@pytest.mark.parametrize("polygons", ["coco", "opencv"])
def test_sums_are_exact(tmp_path: Path, polygons: Any) -> None:
    path = write_coco(made_coco(30), tmp_path / "a.json")
    about = about_of(scored(Shard("a", path), tmp_path, polygons=polygons))
    variants: dict[str, Any] = {"si_scs": "si", "scs": "scs"}
    for shape, variant in variants.items():
        instances = tfdp.score(path, variant, polygons=polygons).instances
        assert instances is not None
        values = defaultdict(list)
        for category, value in zip(instances.category_id.tolist(), instances.shape.tolist(), strict=True):
            values[category].append(value)
        assert len(values) == len(about["classes"]) == 3
        for one in about["classes"]:
            own = values[one["id"]]
            assert one["instances"] == len(own) > 3
            assert exact(one[shape]) == sum(map(Fraction, own))
            assert float.fromhex(one[shape]) == math.fsum(own)


def test_what_is_set_aside(tmp_path: Path, opencv: Any) -> None:
    coco = odd_coco(bad=True)
    bad = [i for i, one in enumerate(coco["annotations"]) if one["id"] in {104, 109}]
    path = write_coco(coco, tmp_path / "a.json")
    file = scored(Shard("a", path), tmp_path, on_error="skip")
    kept = [one for i, one in enumerate(coco["annotations"]) if i not in bad]
    assert rows_of(file) == expected_rows({**coco, "annotations": kept}, opencv)
    about = about_of(file)
    scores = tfdp.score(path, on_error="skip")
    assert about["problems"] == [
        {"record": one.record, "reason": one.reason, "row": one.row, "file": one.file}
        for one in scores.problems
    ]
    assert [one["row"] for one in about["problems"]] == bad
    with pytest.raises(tfdp.DataError, match=f"annotation {coco['annotations'][bad[0]]['id']}"):
        scored(Shard("b", path), tmp_path)
    assert len(list((tmp_path / "counts").iterdir())) == 1


def assert_rows_are_of(path: Path, scores: Scores) -> None:
    """The rows are those of one pass in memory, the rows of an image together; no crowd regions."""
    assert scores.instances is not None
    images, found = scores.images, scores.instances
    of_image: dict[Any, list[tuple[Any, ...]]] = {image_id: [] for image_id in images.id.tolist()}
    names = ("image_id", "id", "category_id", "straight", "diagonal", "area2")
    for image_id, *rest in zip(*(getattr(found, name).tolist() for name in names), strict=True):
        of_image[image_id].append((*rest, 0))
    expected = []
    for (image_id, own), name in zip(of_image.items(), images.file_name.tolist(), strict=True):
        expected += [(image_id, name, *one) for one in own or [NOTHING]]
    assert [(*row[:2], *row[4:]) for row in rows_of(path)] == expected
    assert about_of(path)["images"] == len(images)


@pytest.mark.parametrize("layout", DOCUMENTS, ids=lambda layout: layout.__name__)
def test_documents(tmp_path: Path, layout: Callable[..., Path]) -> None:
    source = layout(tmp_path / "data", made()[0])
    shard = Shard("a", str(source))
    file = scored(shard, tmp_path)
    scores = tfdp.score(source)
    assert_rows_are_of(file, scores)
    about, ids = about_of(file), sorted(scores.images.id.tolist())
    assert (about["lowest"], about["highest"], about["continues"]) == (ids[0], ids[-1], False)


def test_ranges_of_numbers(tmp_path: Path) -> None:
    documents, _ = made(12)
    source = DOCUMENTS[0](tmp_path / "data", documents)
    numbers = sorted(documents)
    for begin, end in ((0, 5), (5, 6), (6, 12)):
        last = 10**9 if end == 12 else numbers[end]
        shard = Shard(f"{begin}", str(source), begin=numbers[begin], end=last)
        one = [int(row[0]) for row in rows_of(scored(shard, tmp_path))]
        assert sorted(set(one)) == numbers[begin:end]
    whole = rows_of(scored(Shard("all", str(source)), tmp_path))
    parts = [path for path in (tmp_path / "counts").iterdir() if not path.name.startswith("all")]
    order = sorted(parts, key=lambda path: int(path.name.partition("-")[0]))
    assert [row for path in order for row in rows_of(path)] == whole


@pytest.mark.parametrize("name", TABLES)
def test_tables(tmp_path: Path, name: str) -> None:
    coco = {**made_coco(12)}
    coco["annotations"] = [one for one in coco["annotations"] if not one["iscrowd"]]
    path = tmp_path / "a.parquet"
    table = TABLES[name](coco)
    pq.write_table(table, path, row_group_size=3)
    assert_rows_are_of(scored(Shard("a", str(path)), tmp_path), tfdp.score(path))
    part = scored(Shard("b", str(path), begin=1, end=3), tmp_path)
    assert_rows_are_of(part, tfdp.score(table.slice(3, 6)))
    assert about_of(part)["continues"] == (name not in {"lists of structs", "structs of lists"})


def test_voc_yolo_and_objects(tmp_path: Path) -> None:
    voc = make_voc(tmp_path / "voc", VOC)
    for difficult in ("include", "exclude"):
        file = scored(Shard(difficult, str(voc)), tmp_path, difficult=difficult, split="train")
        assert_rows_are_of(file, tfdp.score(voc, difficult=difficult, split="train"))
    coco = made_coco()
    coco["annotations"] = [one for one in coco["annotations"] if isinstance(one["segmentation"], list)]
    yolo = write_yolo(tmp_path / "yolo", coco)
    assert_rows_are_of(scored(Shard("yolo", str(yolo)), tmp_path), tfdp.score(yolo))
    objects = list(general(coco))
    assert_rows_are_of(scored(Shard("made", make=lambda: objects), tmp_path), tfdp.score(objects))


@pytest.mark.parametrize("images", [0, 1, 3])
def test_nothing_and_next_to_nothing(tmp_path: Path, images: int) -> None:
    coco = odd_coco()
    coco["images"] = [{"id": 3 * i, "height": 7, "width": 9} for i in range(images)]
    coco["annotations"] = []
    file = scored(Shard("a", write_coco(coco, tmp_path / "a.json")), tmp_path)
    assert rows_of(file) == [(3 * i, None, 7, 9, *NOTHING) for i in range(images)]
    about = about_of(file)
    assert (about["lowest"], about["highest"]) == ((0, 3 * images - 3) if images else (None, None))
    assert [one["si_scs"] for one in about["classes"]] == ["0x0p0"] * 4
    assert [len(block.image_ids) for block in opened(file)] == ([images] if images else [])


# --- The file -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text_ids", [False, True])
def test_encodings(tmp_path: Path, text_ids: bool) -> None:
    file = scored(Shard("a", write_coco(odd_coco(text_ids=text_ids), tmp_path / "a.json")), tmp_path)
    metadata = pq.read_metadata(file)
    assert metadata.num_row_groups == 1
    columns = [metadata.row_group(0).column(i) for i in range(metadata.num_columns)]
    dictionaries = {"file_name", "category_id", "flags"} | ({"image_id"} if text_ids else set())
    for name, column in zip(COLUMNS, columns, strict=True):
        assert column.path_in_schema == name
        assert column.compression == "ZSTD"
        assert column.has_dictionary_page == (name in dictionaries)
        assert ("DELTA_BINARY_PACKED" in column.encodings) == (name not in dictionaries)
        assert "PLAIN" not in column.encodings or name in dictionaries
    schema = pq.read_schema(file)
    text = pa.string()
    assert schema.field("image_id").type == (text if text_ids else pa.int64())
    assert [field.nullable for field in schema] == [
        name not in {"image_id", "height", "width"} for name in COLUMNS
    ]
    assert schema.metadata.keys() == {b"tfdp_fast", b"tfdp_fast_sha256"}


def test_long_names_are_in_a_dictionary(tmp_path: Path) -> None:
    """Each once, however many rows its image has, although there are more than pyarrow's megabyte of them."""
    square = {"segmentation": [[1, 1, 7, 1, 7, 7, 1, 7]], "category_id": 1}
    noise = np.random.default_rng(0)
    about = {"height": 9, "width": 9, "annotations": [square] * 20}
    images = [{"image_id": i, "file_name": noise.bytes(600).hex(), **about} for i in range(1500)]
    file = scored(Shard("a", make=lambda: images), tmp_path)
    column = pq.read_metadata(file).row_group(0).column(1)
    assert (column.path_in_schema, column.has_dictionary_page) == ("file_name", True)
    assert 1500 * 1200 < column.total_uncompressed_size < 1500 * 1200 + 100_000
    [block] = opened(file)
    assert block.file_names.to_pylist() == [image["file_name"] for image in images]


@pytest.mark.parametrize("rows", [1, 2, 4, 7, 100])
def test_row_groups_end_where_images_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    path = write_coco(odd_coco(), tmp_path / "a.json")
    whole = scored(Shard("a", path), tmp_path / "whole")
    monkeypatch.setattr(counts_writing, "ROWS", rows)
    cut = scored(Shard("a", path), tmp_path / "cut")
    assert rows_of(cut) == rows_of(whole)
    file = pq.ParquetFile(cut)
    groups = [file.read_row_group(i)["image_id"].to_pylist() for i in range(file.num_row_groups)]
    ids = list(dict.fromkeys(row[0] for row in rows_of(whole)))
    assert [i for group in groups for i in dict.fromkeys(group)] == ids
    for group, following in zip(groups, [*groups[1:], None], strict=True):
        assert len(group) <= rows or len(set(group)) == 1
        if following is not None:
            assert len(group) + following.count(following[0]) > rows
    assert len(groups) == (1 if rows == 100 else len(groups))
    blocks = opened(cut)
    assert [i for block in blocks for i in block.image_ids.tolist()] == ids
    [one] = opened(whole)
    assert (
        np.concatenate([np.diff(block.offsets) for block in blocks]).tolist() == np.diff(one.offsets).tolist()
    )
    for name in ("straight", "diagonal", "area2"):
        joined = np.concatenate([getattr(block.counts, name) for block in blocks])
        assert joined.tolist() == getattr(one.counts, name).tolist()
    assert np.concatenate([block.crowd for block in blocks]).tolist() == one.crowd.tolist()
    assert [x for block in blocks for x in block.category_ids.tolist()] == one.category_ids.tolist()
    assert [x for block in blocks for x in block.file_names.to_pylist()] == one.file_names.to_pylist()


def test_blocks_are_the_rows(tmp_path: Path, opencv: Any) -> None:
    coco = odd_coco()
    [block] = opened(scored(Shard("a", write_coco(coco, tmp_path / "a.json")), tmp_path))
    rows = [row for row in expected_rows(coco, opencv) if row[4] is not None]
    assert block.image_ids.tolist() == [image["id"] for image in coco["images"]]
    assert block.file_names.to_pylist() == [image.get("file_name") for image in coco["images"]]
    of_image = np.repeat(block.image_ids, np.diff(block.offsets)).tolist()
    counts = (block.counts.straight, block.counts.diagonal, block.counts.area2)
    found = zip(of_image, block.category_ids, *counts, block.crowd, strict=True)
    assert [tuple(map(int, one)) for one in found] == [(row[0], *row[5:]) for row in rows]


def test_the_same_bytes_each_time(tmp_path: Path) -> None:
    path = write_coco(odd_coco(), tmp_path / "a.json")
    files = [scored(Shard("a", path), tmp_path / str(i)) for i in range(3)]
    assert len({file.read_bytes() for file in files}) == 1
    assert {file.name for file in files} == {files[0].name}
    again = files[0].read_bytes()
    scored(Shard("a", path), tmp_path / "0")
    assert files[0].read_bytes() == again
    assert len(list(files[0].parent.iterdir())) == 1
