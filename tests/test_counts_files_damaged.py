"""Counts files and files of image scores that are not what was written, or are read by others."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tfdp_fast as tfdp
from run_support import about_of, flip_in_page, image_scores, manifest_of, odd_coco, scored, write_coco
from tfdp_fast import distributed
from tfdp_fast.distributed import Shard, Storage, counts_writing
from tfdp_fast.distributed.counts_reading import CountsFile
from tfdp_fast.distributed.images import ImagesFile, RunTotals, score_images
from tfdp_fast.errors import DataError

IMAGE_COLUMNS = ["image_id", "file_name", "score", "annotation_count", "instance_count"]


def counts_file(folder: Path) -> Path:
    return scored(Shard("a", write_coco(odd_coco(), folder / "a.json")), folder)


def image_file(folder: Path) -> Path:
    path = write_coco(odd_coco(), folder / "a.json")
    distributed.run(path, folder / "run", engine="threads")
    [found] = (folder / "run" / "images").iterdir()
    return found


def read_counts(data: bytes) -> list[Any]:
    file = CountsFile(io.BytesIO(data), "x.parquet")
    found: list[Any] = [file.about, file.image_ids().tolist()]
    for block in file.blocks():
        arrays = [block.image_ids, block.offsets, block.category_ids, block.crowd]
        arrays += [block.counts.straight, block.counts.diagonal, block.counts.area2]
        found += [*(array.tolist() for array in arrays), block.file_names.to_pylist()]
    return found


def read_images(data: bytes) -> list[Any]:
    file = ImagesFile(io.BytesIO(data), "x.parquet")
    return [file.about, *(batch.to_pylist() for batch in file.batches(IMAGE_COLUMNS))]


Kind = tuple[Callable[[Path], Path], Callable[[bytes], list[Any]]]
KINDS = pytest.mark.parametrize("kind", [(counts_file, read_counts), (image_file, read_images)])


def refusal(read: Callable[[bytes], Any], data: bytes) -> str:
    with pytest.raises(DataError) as caught:
        read(data)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("x.parquet: ")
    return str(caught.value)


@KINDS
def test_flipped_bits(tmp_path: Path, kind: Kind) -> None:
    """They are noticed, or change nothing that is read."""
    make, read = kind
    data = make(tmp_path).read_bytes()
    good = read(data)
    refused = 0
    for i in range(0, len(data), 3):
        damaged = bytearray(data)
        damaged[i] ^= 1 << (i // 3 * 5 % 8)
        try:
            assert read(bytes(damaged)) == good
        except DataError:
            refused += 1
    assert refused > len(data) // 9


@KINDS
def test_the_text_of_the_footer_has_a_checksum(tmp_path: Path, kind: Kind) -> None:
    """It holds the class totals: a digit of them would not be missed."""
    make, read = kind
    data = make(tmp_path).read_bytes()
    text = about = pq.read_metadata(io.BytesIO(data)).metadata[b"tfdp_fast"]
    begin = data.index(text)
    for i in range(begin, begin + len(about), 7):
        damaged = bytearray(data)
        damaged[i] ^= 1
        assert "checksum" in refusal(read, bytes(damaged))


@KINDS
def test_truncated(tmp_path: Path, kind: Kind) -> None:
    make, read = kind
    data = make(tmp_path).read_bytes()
    for size in [*range(0, len(data), 97), len(data) - 1]:
        refusal(read, data[:size])


@KINDS
def test_other_files(tmp_path: Path, kind: Kind) -> None:
    make, read = kind

    def foreign(folder: Path) -> Path:
        return written(folder / "x.parquet", {})

    others: list[Callable[[Path], Path]] = [counts_file, image_file, foreign]
    for number, other in enumerate(others):
        (tmp_path / str(number)).mkdir()
        if other is not make:
            reason = refusal(read, other(tmp_path / str(number)).read_bytes())
            assert "is no file of " in reason or "columns" in reason
    assert "cannot be read" in refusal(read, b"PAR1 and so on PAR1")


def written(path: Path, metadata: dict[bytes, bytes], table: pa.Table | None = None) -> Path:
    """A file of Parquet with these metadata."""
    table = pa.table({"image_id": [1]}) if table is None else table
    pq.write_table(table.replace_schema_metadata(metadata), path)
    return path


@KINDS
def test_other_versions_columns_and_rows(tmp_path: Path, kind: Kind) -> None:
    make, read = kind
    path = make(tmp_path)
    table = pq.read_table(path)

    def again(about: Any, some: pa.Table = table) -> bytes:
        text = json.dumps(about).encode()
        metadata = {b"tfdp_fast": text, b"tfdp_fast_sha256": hashlib.sha256(text).hexdigest().encode()}
        return written(tmp_path / "x.parquet", metadata, some).read_bytes()

    about = about_of(path)
    assert read(again(about)) == read(path.read_bytes())
    assert re.search("is of format 2|is no file of ", refusal(read, again(about | {"format_version": 2})))
    others: list[Any] = [[], {}, None, 3, about | {"more": 1}]
    others.append({key: about[key] for key in about if key != "shard"})
    for other in others:
        assert "is no file of " in refusal(read, again(other))
    assert "columns" in refusal(read, again(about, table.drop_columns(["file_name"])))
    assert "rows" in refusal(read, again(about, table.slice(1)))
    # Of an image with several annotations, one less: as many images as before.
    assert "rows" in refusal(read, again(about, pa.concat_tables([table.slice(0, 2), table.slice(3)])))
    assert "rows" in refusal(read, again(about, pa.concat_tables([table, table.slice(1, 4)])))


def test_a_damaged_page_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last row group is damaged: what has been written of image scores before goes away."""
    monkeypatch.setattr(counts_writing, "ROWS", 2)
    path = counts_file(tmp_path)
    flip_in_page(path, "straight", pq.read_metadata(path).num_row_groups - 2)
    totals = RunTotals.of(tfdp.ClassTotals(category_ids=[5, 900, 2, 7]), "si", "")
    with pytest.raises(DataError, match=r"counts/a-.*\.parquet: cannot be read: .*checksum|CRC"):
        score_images(path.stem, Storage(tmp_path), totals)
    assert list((tmp_path / "images").iterdir()) == []


# --- Other readers ------------------------------------------------------------------------------------------


def test_duckdb_reads_them(tmp_path: Path) -> None:
    database: Any = pytest.importorskip("duckdb")
    path = write_coco(odd_coco(), tmp_path / "a.json")
    distributed.run(path, tmp_path / "run", engine="threads")
    scores = tfdp.score(path)
    assert scores.instances is not None
    query = f"SELECT sum(straight), sum(area2) FROM '{tmp_path}/run/counts/*.parquet' WHERE flags = 0"
    straight, area2 = database.sql(query).fetchall()[0]
    assert (straight, area2) == (scores.instances.straight.sum(), scores.instances.area2.sum())
    rows = database.sql(
        f"SELECT image_id, file_name, score FROM '{tmp_path}/run/images/*.parquet'"
    ).fetchall()
    images = scores.images
    assert rows == list(
        zip(images.id.tolist(), images.file_name.tolist(), images.score.tolist(), strict=True)
    )


@pytest.mark.parametrize("text_ids", [False, True])
def test_polars_reads_them(tmp_path: Path, text_ids: bool) -> None:
    polars = pytest.importorskip("polars")
    run = tmp_path / "run"
    path = write_coco(odd_coco(text_ids=text_ids), tmp_path / "a.json")
    distributed.run(path, run, engine="threads")
    [key] = [shard["key"] for shard in manifest_of(run)["shards"]]
    for name in (f"counts/{key}.parquet", f"images/{key}.parquet"):
        table = pq.read_table(run / name)
        assert polars.read_parquet(run / name).to_dicts() == table.to_pylist()
    assert np.array_equal(image_scores(run)["score"].to_numpy(), tfdp.score(path).images.score)
