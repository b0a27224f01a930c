"""The example of Spark, on a cluster of two executors that are processes of their own."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("pyspark")
if shutil.which("java") is None:
    pytest.skip("java is not on the path", allow_module_level=True)

from pyspark.sql import SparkSession

import spark_run
import tfdp_fast as tfdp
from tfdp_fast.distributed.relaying import environment, python_path

pytestmark = pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")


def instances(images: int, seed: int, ids: type = int) -> pa.Table:
    """Boxes and diamonds of several classes, by image; some images are alike, so that scores tie."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    shapes = []
    for _ in range(40):
        mask = np.zeros((48, 64), np.uint8)
        y, x = rng.integers(0, 30, 2)
        if rng.random() < 0.5:
            mask[y : y + rng.integers(1, 18), x : x + rng.integers(1, 30)] = 1
        else:
            yy, xx = np.mgrid[:48, :64]
            mask[abs(yy - y - 8) + abs(xx - x - 8) <= rng.integers(0, 14)] = 1
        shapes.append(tfdp.to_rle(mask)[0]["counts"])
    for image in range(images):
        same = np.random.default_rng(image // 2) if image % 10 < 4 else rng
        for _ in range(same.integers(0, 9)):
            rows.append(
                {
                    "image_id": image + 1 if ids is int else f"{image:06d}",
                    "id": len(rows) + 1,
                    "category_id": int(same.choice([1, 1, 1, 1, 7, 7, 90])),
                    "iscrowd": int(same.random() < 0.05),
                    "height": 48,
                    "width": 64,
                    "counts": shapes[same.integers(len(shapes))],
                }
            )
    return pa.Table.from_pylist(rows)


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    variables = {"PYSPARK_PYTHON": sys.executable, "PYTHONPATH": python_path()}
    with environment(**variables):
        session = (
            SparkSession.builder.master("local-cluster[2,1,1024]")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.shuffle.partitions", "3")
            .config("spark.sql.execution.arrow.maxRecordsPerBatch", "100")
            .config("spark.executorEnv.PYTHONPATH", variables["PYTHONPATH"])
            .config("spark.log.level", "ERROR")
            .getOrCreate()
        )
        yield session
        session.stop()


@pytest.mark.parametrize("ids", [int, str])
def test_the_same_bits_as_in_memory(spark: Any, tmp_path: Path, ids: type) -> None:
    table = instances(400, 1, ids)
    for i, part in enumerate(np.array_split(np.arange(len(table)), 4)):
        (tmp_path / "instances").mkdir(exist_ok=True)
        pq.write_table(table.take(pa.array(part)), tmp_path / "instances" / f"{i}.parquet")
    frame = spark.read.parquet(str(tmp_path / "instances"))
    # Rows that have lost all order, cut elsewhere.
    measured = spark_run.measure(frame.repartition(3, "id")).cache()
    totals = spark_run.class_totals(measured)
    scores = spark_run.image_scores(measured, totals).cache()

    expected = tfdp.score(table)
    assert expected.classes is not None
    classes = expected.classes
    found_classes = zip(totals.category_ids, totals.totals, totals.instances, strict=True)
    assert sorted(found_classes) == sorted(zip(classes.id, classes.total, classes.instances, strict=True))
    images = expected.images
    scored = images.instances > 0
    found = {row["image_id"]: (row["score"], row["instances"]) for row in scores.collect()}
    wanted = zip(images.score.tolist(), images.instances.tolist(), strict=True)
    assert found == {
        i: pair for i, pair, there in zip(images.id.tolist(), wanted, scored, strict=True) if there
    }
    assert len(set(images.score[scored].tolist())) < scored.sum()  # some tie
    for rate in ("0.7", "0.123"):
        chosen = [row["image_id"] for row in spark_run.best(scores, Fraction(rate)).collect()]
        assert chosen == tfdp.select(expected, rate=Fraction(rate)).ranking.tolist()


def test_the_command_line(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last test: it ends the session, as the program does."""
    assert spark.version
    table = instances(60, 2)
    pq.write_table(table, tmp_path / "instances.parquet")
    arguments = [str(tmp_path / "instances.parquet"), "-o", str(tmp_path / "out"), "--rate", "0.7"]
    monkeypatch.setattr(sys, "argv", ["spark_run.py", *arguments])
    spark_run.main()
    expected = tfdp.score(table)
    subset = tfdp.select(expected, rate=0.7)
    instances_, classes, kept, images = map(int, re.findall(r"\d+", capsys.readouterr().out.replace(",", "")))
    assert expected.instances is not None
    assert (instances_, classes) == (len(expected.instances), 3)
    assert (kept, images) == (len(subset), subset.candidates)
    assert pq.read_table(tmp_path / "out" / "keep").column("image_id").to_pylist() == subset.ranking.tolist()
