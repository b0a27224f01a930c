"""Tables: how they are read."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tfdp_fast as tfdp
from arrow_support import (
    BY_IMAGE,
    LAYOUTS,
    MASKS,
    NOTHING,
    PLACES,
    RLE,
    RUN_MASK,
    TRIANGLE,
    instances,
    lists_of_structs,
    write_parquet,
    write_stream,
)
from record_support import REAL, Coco, assert_same, coco_named, made_coco, scores_of, with_rle
from tfdp_fast.errors import DataError, MissingExtraError
from tfdp_fast.formats import _arrow_dataset
from tfdp_fast.formats.dataset import Progress


def expected_of(coco: Coco, layout: str) -> tfdp.Scores:
    """With a row per instance, images without one are not there."""
    if layout not in BY_IMAGE:
        annotated = {annotation["image_id"] for annotation in coco["annotations"]}
        coco = {**coco, "images": [image for image in coco["images"] if image["id"] in annotated]}
    return scores_of(with_rle(coco))


def one_row(**columns: Any) -> pa.Table:
    return pa.table({"image_id": [7], "height": [10], "width": [10], "category_id": [1], **columns})


# --- what is the same as in COCO's form ---------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_score_as_coco_does(layout: str, place: str, tmp_path: Path) -> None:
    coco = made_coco(11)
    table = LAYOUTS[layout](coco)
    for threads in (1, 2, 7):
        (folder := tmp_path / str(threads)).mkdir()
        scores = tfdp.score(PLACES[place](table, folder), threads=threads)
        assert_same(scores, expected_of(coco, layout))
        assert scores.images.file_name.tolist() == [
            image["file_name"] for image in coco["images"] if image["id"] in scores.images.id
        ]


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_real_annotations(request: pytest.FixtureRequest, tmp_path: Path, layout: str, name: str) -> None:
    coco = coco_named(name, request)
    path = write_parquet(LAYOUTS[layout](coco), tmp_path / "x.parquet", row_group_size=50)
    assert_same(tfdp.score(path), expected_of(coco, layout))


@pytest.mark.parametrize("rows", [1, 3, 1000])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_pieces_of_any_size(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, layout: str, rows: int) -> None:
    monkeypatch.setattr(_arrow_dataset, "IMAGE_ROWS", rows)
    monkeypatch.setattr(_arrow_dataset, "INSTANCE_ROWS", rows)
    coco = made_coco(11)
    for place in ("parquet", "stream", "table"):
        source = PLACES[place](LAYOUTS[layout](coco), tmp_path)
        assert_same(tfdp.score(source, threads=2), expected_of(coco, layout))


@pytest.mark.parametrize("rows", [1, 2, 1000])
def test_rows_of_an_image_need_not_be_adjacent(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(_arrow_dataset, "INSTANCE_ROWS", rows)
    coco = made_coco(11)
    table = instances(coco)
    order = np.random.default_rng(3).permutation(len(table))
    seen: list[Progress] = []
    mixed = table.take(order)
    data = tfdp.open_dataset(mixed)
    found = tfdp.score(data, threads=2, progress=seen.append)
    assert found.images.id.tolist() == list(dict.fromkeys(mixed["image_id"].to_pylist()))
    assert found.instances is not None
    crowd = np.array(mixed["iscrowd"].to_pylist(), bool)
    assert found.instances.id.tolist() == mixed["id"].filter(pa.array(~crowd)).to_pylist()
    assert found.instances.image_id.tolist() == mixed["image_id"].filter(pa.array(~crowd)).to_pylist()
    expected = expected_of(coco, "instances")
    assert dict(zip(found.images.id.tolist(), found.images.score.tolist(), strict=True)) == dict(
        zip(expected.images.id.tolist(), expected.images.score.tolist(), strict=True)
    )
    sizes = {image["id"]: [image["height"], image["width"]] for image in coco["images"]}
    assert data.image_sizes.tolist() == [sizes[i] for i in found.images.id.tolist()]
    assert seen[-1] == Progress(len(found.images), len(table))


# --- columns of masks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MASKS)
def test_columns_of_masks(kind: str) -> None:
    expected = tfdp.measure([RUN_MASK if "un lengths" in kind else [TRIANGLE]], size=(10, 10))
    found = tfdp.score(one_row(segmentation=MASKS[kind])).instances
    assert found is not None
    assert (found.straight[0], found.diagonal[0], found.area2[0]) == (
        expected.straight[0],
        expected.diagonal[0],
        expected.area2[0],
    )
    assert found.area2[0] > 0
    assert found.id.tolist() == [0]


def test_polygons_become_masks_as_is_asked() -> None:
    areas = {}
    for polygons in ("coco", "opencv"):
        found = tfdp.score(one_row(segmentation=MASKS["polygons"]), polygons=polygons).instances
        assert found is not None
        areas[polygons] = found.area2.tolist()
        assert areas[polygons] == tfdp.measure([[TRIANGLE]], (10, 10), polygons=polygons).area2.tolist()
    assert areas["coco"] != areas["opencv"]


@pytest.mark.parametrize("kind", NOTHING)
def test_null_is_a_mask_without_a_pixel(kind: str) -> None:
    found = tfdp.score(one_row(segmentation=NOTHING[kind]))
    assert found.instances is not None
    assert found.instances.area2.tolist() == [0]
    assert found.images.score.tolist() == [0.0]


def test_nulls_among_masks() -> None:
    masks = pa.array([None, RLE, None, RLE], MASKS["struct"].type)
    table = pa.table(
        {"image_id": [1] * 4, "height": [10] * 4, "width": [10] * 4, "category": ["b", "a", "b", "b"]}
    ).append_column("segmentation", masks)
    for source in (table, table.slice(1)):
        found = tfdp.score(source)
        assert found.instances is not None
        assert (found.instances.area2 > 0).tolist() == [False, True, False, True][-len(source) :]
        assert found.classes is not None
        assert found.classes.id.tolist() == ["a", "b"]


# --- other columns ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (pa.array([7], pa.uint8()), [7]),
        (pa.array([7], pa.uint64()), [7]),
        (pa.array([-(2**63)]), [-(2**63)]),
        (pa.array(["é x"]), ["é x"]),
        (pa.array(["é x"]).dictionary_encode(), ["é x"]),
    ],
)
def test_ids(ids: Any, expected: list[Any]) -> None:
    table = pa.table({"image_id": ids, "height": [10], "width": [10.0], "category_id": ids, "id": ids})
    found = tfdp.score(table.append_column("counts", MASKS["counts"]))
    assert found.images.id.tolist() == expected
    assert found.instances is not None
    assert found.instances.id.tolist() == found.instances.category_id.tolist() == expected


def test_an_image_without_an_id_is_known_by_its_position(tmp_path: Path) -> None:
    table = lists_of_structs(made_coco(8)).drop_columns("image_id")
    assert tfdp.score(table).images.id.tolist() == list(range(8))
    (tmp_path / "two").mkdir()
    write_parquet(table.slice(0, 3), tmp_path / "two" / "1.parquet")
    write_parquet(table.slice(3), tmp_path / "two" / "2.parquet")
    assert tfdp.score(tmp_path / "two").images.id.tolist() == list(range(8))


def test_flags() -> None:
    n = 6
    table = pa.table(
        {
            "image_id": range(n),
            "height": [10] * n,
            "width": [10] * n,
            "category_id": [1] * n,
            "counts": [RLE["counts"]] * n,
            "iscrowd": [0.0, 1.0, None, 0, 0, 0],
            "ignore": [None, False, False, True, False, False],
        }
    )
    found = tfdp.score(table)
    assert (found.crowd, found.ignored) == (1, 1)
    assert found.images.annotations.tolist() == [1, 1, 1, 0, 1, 1]
    assert found.images.instances.tolist() == [1, 0, 1, 0, 1, 1]


@pytest.mark.parametrize("more", [{"predicted_iou": 0.9}, {}])
def test_what_segment_anything_makes_needs_no_class(more: dict[str, float]) -> None:
    rows = [
        {
            "image": {"image_id": 5 + i, "height": 10, "width": 10, "file_name": f"sa_{5 + i}.jpg"},
            "annotations": [{"id": i, "segmentation": RLE, **more}],
        }
        for i in range(2)
    ]
    found = tfdp.score(pa.Table.from_pylist(rows))
    assert found.images.id.tolist() == [5, 6]
    assert found.images.file_name.tolist() == ["sa_5.jpg", "sa_6.jpg"]
    assert found.classes is not None
    assert (found.classes.id.tolist(), found.classes.name.tolist()) == ([1], ["object"])
    flat = one_row(segmentation=MASKS["struct"], stability_score=[0.9]).drop_columns("category_id")
    assert tfdp.score(flat).images.score.tolist() == [1.0]


def test_names_of_classes() -> None:
    label = {"names": ["cat", "dog", "cow"], "_type": "ClassLabel"}
    features = {"objects": {"category": {"feature": label, "_type": "List"}}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    table = LAYOUTS["structs of lists"](made_coco()).replace_schema_metadata(metadata)
    classes = tfdp.score(table).classes
    assert classes is not None
    assert classes.name.tolist() == ["cat", "dog", "cow"]
    label["names"] = ["cat", "dog"]
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    with pytest.raises(
        DataError, match="annotation 101: category 2 is none of the 2 classes of the data set"
    ):
        tfdp.score(table.replace_schema_metadata(metadata))
    for broken in ("{", "[]", '{"info": 5}', '{"info": {"features": [1, 2]}}'):
        classes = tfdp.score(table.replace_schema_metadata({"huggingface": broken})).classes
        assert classes is not None
        assert classes.name.tolist() == ["0", "1", "2"]


def test_progress_knows_how_many_images_there_are(tmp_path: Path) -> None:
    table = lists_of_structs(made_coco(8))
    for source in (write_parquet(table, tmp_path / "x.parquet"), table):
        seen: list[Progress] = []
        tfdp.score(source, progress=seen.append)
        assert seen[-1] == Progress(8, len(made_coco(8)["annotations"]), 8)


def test_a_table_without_rows(tmp_path: Path) -> None:
    for layout, make in LAYOUTS.items():
        table = make(made_coco()).slice(0, 0)
        for place, put in PLACES.items():
            if place == "frame":
                continue  # without a row, a frame does not know what its columns hold
            (folder := tmp_path / layout / place).mkdir(parents=True)
            source = table.schema.empty_table().to_reader() if place == "batch" else put(table, folder)
            scores = tfdp.score(source)
            assert len(scores.images) == 0
            assert scores.instances is not None
            assert len(scores.instances) == 0


# --- files --------------------------------------------------------------------------------------------------


def test_only_the_columns_that_are_needed_are_read(tmp_path: Path) -> None:
    table = lists_of_structs(made_coco()).append_column("image", pa.array([b"\xff" * 50_000] * 9))
    path = tmp_path / "x.parquet"
    write_parquet(table, path, compression="none", use_dictionary=False)
    expected = tfdp.score(path)
    data = bytearray(path.read_bytes())
    while (place := data.find(b"\xff" * 1000)) >= 0:  # all pages of the images
        data[place : place + 1000] = b"\0" * 1000
    path.write_bytes(bytes(data))
    assert_same(tfdp.score(path), expected)


def test_fingerprints(tmp_path: Path) -> None:
    folder = PLACES["folder"](lists_of_structs(made_coco()), tmp_path)
    names = ["a.parquet", "b.arrow", "c/c.feather"]
    digests = [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names]
    for threads in (1, 2, 7):
        data = tfdp.open_dataset(folder, fingerprint=True)
        tfdp.score(data, threads=threads)
        found = data.fingerprint()
        assert found is not None
        lines = "".join(f"{digest}  {name}\n" for name, digest in zip(names, digests, strict=True))
        assert found.sha256 == hashlib.sha256(lines.encode()).hexdigest()
        assert (found.files, found.size) == (3, sum((folder / name).stat().st_size for name in names))
    data = tfdp.open_dataset(folder / "a.parquet", fingerprint=True)
    tfdp.score(data)
    alone = data.fingerprint()
    assert alone is not None
    for source, asked in ((folder, False), (pq.read_table(folder / "a.parquet"), True)):
        data = tfdp.open_dataset(source, fingerprint=asked)
        tfdp.score(data)
        assert data.fingerprint() is None


def test_a_reader_is_read_once() -> None:
    data = tfdp.open_dataset(lists_of_structs(made_coco()).to_reader())
    assert len(tfdp.score(data).images) == 9
    with pytest.raises(DataError, match="is a reader that has been read: it can be read once"):
        tfdp.score(data)


def test_names_of_files_that_are_no_utf8(tmp_path: Path) -> None:
    path = Path(str(tmp_path).encode().decode()) / "\udcff é.parquet"
    write_parquet(lists_of_structs(made_coco()), tmp_path / "x.parquet").rename(path)
    assert len(tfdp.score(path).images) == 9
    write_stream(lists_of_structs(made_coco()), tmp_path / "x.arrow").rename(path.with_suffix(".arrow"))
    assert len(tfdp.score(path.with_suffix(".arrow")).images) == 9
    data = tfdp.open_dataset(tmp_path / "\udcff é.arrow", fingerprint=True)
    tfdp.score(data)
    assert data.fingerprint() is not None


def test_without_pyarrow(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "import tfdp_fast as tfdp\n"
        "try:\n    tfdp.open_dataset(sys.argv[1])\n"
        "except tfdp.errors.MissingExtraError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "not there.parquet")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == str(MissingExtraError("pyarrow", "parquet"))
