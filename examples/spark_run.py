"""Choose images with Spark: a table of masks goes in, image scores and the ids to keep come out.

    spark-submit examples/spark_run.py s3a://bucket/instances/ -o s3a://bucket/chosen/ --rate 0.7

The table has a row for each instance: `image_id`, `category_id`, and masks as `measure_table` takes them, for
example `height`, `width` and `counts`. Images of equal score are ranked by their id. All sums are exact, so
that no partitioning changes a bit of the result.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import tfdp_fast as tfdp
from tfdp_fast.integrations.arrow import measure_table
from tfdp_fast.kernels.sums import LIMBS, balance, canonicalise, sum_groups

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

MEASURED = ["straight", "diagonal", "area2"]


def counts_of(batch: pa.RecordBatch) -> tfdp.BoundaryCounts:
    """The three integers of each instance, from a batch that has been measured."""
    return tfdp.BoundaryCounts(*(batch.column(name).to_numpy() for name in MEASURED))


def measure(instances: DataFrame) -> DataFrame:
    """Masks in, three integers for each out; rows with crowd regions are left out."""
    if "iscrowd" in instances.columns:
        instances = instances.where("coalesce(cast(iscrowd as int), 0) = 0")
    kept = ["image_id", "category_id"]

    def measured(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield measure_table(batch, columns=kept)

    types = dict(instances.select(kept).dtypes)
    columns = [f"{name} {types[name]}" for name in kept] + [f"{name} long" for name in MEASURED]
    return instances.mapInArrow(measured, ", ".join(columns))


def class_totals(measured: DataFrame) -> tfdp.ClassTotals:
    """The totals T_c of Eq. 13: exact within a partition, and Spark adds the limbs of all partitions.

    A limb is below 2**32, and a sum of them fits into 64 bits for 2**30 partitions.
    """
    from pyspark.sql import functions as f

    kind = dict(measured.dtypes)["category_id"]

    def totals_of(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        totals, ids_as = tfdp.ClassTotals(), pa.null()
        for batch in batches:
            totals.add(batch.column("category_id").to_pylist(), counts_of(batch))
            ids_as = batch.column("category_id").type
        ids = pa.array(totals.category_ids, ids_as)
        offsets = np.arange(len(ids) + 1, dtype=np.int32) * LIMBS
        limbs = pa.ListArray.from_arrays(offsets, totals.limbs.ravel())
        names = ["category_id", "instances", "limbs"]
        if len(ids):
            yield pa.RecordBatch.from_arrays([ids, pa.array(totals.instances), limbs], names)

    partial = measured.mapInArrow(totals_of, f"category_id {kind}, instances long, limbs array<long>")
    sums = [f.sum(f.col("limbs")[k]).alias(f"limb{k}") for k in range(LIMBS)]
    rows = partial.groupBy("category_id").agg(f.sum("instances").alias("instances"), *sums).collect()
    limbs = np.array([[row[f"limb{k}"] for k in range(LIMBS)] for row in rows], np.int64).reshape(-1, LIMBS)
    canonicalise(limbs)
    return tfdp.ClassTotals.from_limbs(
        "si_scs", [row["category_id"] for row in rows], [row["instances"] for row in rows], list(limbs)
    )


def image_scores(measured: DataFrame, totals: tfdp.ClassTotals) -> DataFrame:
    """The score of each image (Eq. 14). Rows come by image, and an image may go on in the next batch."""
    classes, sums = pa.array(totals.category_ids), totals.totals

    def of_images(rows: pa.Table) -> pa.RecordBatch:
        ids = rows.column("image_id").combine_chunks().dictionary_encode()
        labels = pc.index_in(rows.column("category_id"), classes.cast(rows.schema.field("category_id").type))
        counts = tfdp.BoundaryCounts(*(rows.column(name).to_numpy() for name in MEASURED))
        scores = balance(counts.si_scs(), labels.to_numpy().astype(np.int64), sums)
        numbers = np.bincount(ids.indices.to_numpy())
        ends = np.concatenate([[0], np.cumsum(numbers)])
        order = np.arange(len(scores), dtype=np.int64)
        columns = [ids.dictionary, pa.array(numbers), pa.array(sum_groups(scores, order, ends))]
        return pa.RecordBatch.from_arrays(columns, ["image_id", "instances", "score"])

    def scored(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rest: pa.Table | None = None
        for batch in batches:
            if not batch.num_rows:
                continue
            rows = pa.Table.from_batches([batch])
            if rest is not None:
                rows = pa.concat_tables([rest, rows])
            last = pc.index(rows.column("image_id"), rows.column("image_id")[-1]).as_py()
            if last:
                yield of_images(rows.slice(0, last))
            rest = rows.slice(last)
        if rest is not None:
            yield of_images(rest)

    by_image = measured.repartition("image_id").sortWithinPartitions("image_id")
    kind = dict(measured.dtypes)["image_id"]
    return by_image.mapInArrow(scored, f"image_id {kind}, instances long, score double")


def best(scores: DataFrame, rate: Fraction) -> DataFrame:
    """The images that stay when the share `rate` of them is dropped, best first."""
    from pyspark.sql import functions as f

    keep = math.floor(scores.count() * (1 - rate) + Fraction(1, 2))
    return scores.orderBy(f.desc("score"), "image_id").limit(keep)


def run(spark: SparkSession, source: str, output: str, rate: Fraction) -> None:
    """Write `counts`, `images` and `keep` into a folder, and print what came out."""
    measure(spark.read.parquet(source)).write.parquet(f"{output}/counts")
    measured = spark.read.parquet(f"{output}/counts")  # masks are read once
    totals = class_totals(measured)
    image_scores(measured, totals).write.parquet(f"{output}/images")
    scores = spark.read.parquet(f"{output}/images")
    best(scores, rate).select("image_id").write.parquet(f"{output}/keep")
    kept = spark.read.parquet(f"{output}/keep").count()
    instances = int(totals.instances.sum())
    print(f"{instances:,} instances of {len(totals.instances)} classes")
    print(f"{kept:,} of {scores.count():,} images kept")


def main() -> None:
    """The command line."""
    from pyspark.sql import SparkSession

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", help="Parquet files with a row for each instance")
    parser.add_argument("-o", "--output", required=True, help="a folder that is not there yet")
    parser.add_argument("--rate", type=Fraction, required=True, help="the share to drop, such as 0.7")
    arguments = parser.parse_args()
    spark = SparkSession.builder.appName("tfdp").getOrCreate()
    try:
        run(spark, arguments.source, arguments.output, arguments.rate)
    finally:
        spark.stop()


if __name__ == "__main__":
    main()
