"""From boundary counts to a subset, by a database: ``python rival_counts.py NAME COUNTS K OUTPUT``.

COUNTS is a folder of counts files, as `tfdp_fast.distributed.counts_writing` describes them. OUTPUT gets the
score of each image as Parquet, and beside it, with the suffix ``.keep.csv``, the ids of the best K. Sums are
those of doubles in any order, so the last digits are not the same each time. What it took, without importing,
is printed as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

THREADS = 2
SCORES = """
    WITH instances AS (
        SELECT image_id, category_id, CASE WHEN flags & 1 = 0 AND area2 > 0 THEN
            (straight + sqrt(2) * diagonal) / (2 * sqrt(pi() * area2 / 2)) END AS complexity
        FROM read_parquet('{counts}/*.parquet')
    ), classes AS (
        SELECT category_id, sum(complexity) AS total FROM instances GROUP BY category_id
    )
    SELECT image_id, coalesce(sum(complexity / total), 0) AS score
    FROM instances LEFT JOIN classes USING (category_id) GROUP BY image_id
"""
BEST = "SELECT image_id FROM scores ORDER BY score DESC, image_id LIMIT {k}"


def by_duckdb(counts: str, k: int, output: Path) -> float:
    import duckdb

    begin = time.perf_counter()
    database = duckdb.connect(config={"threads": THREADS})
    database.execute(f"CREATE TABLE scores AS {SCORES.format(counts=counts)}")
    database.execute(f"COPY scores TO '{output}' (FORMAT parquet, COMPRESSION zstd)")
    database.execute(f"COPY ({BEST.format(k=k)}) TO '{output}.keep.csv'")
    return time.perf_counter() - begin


def by_polars(counts: str, k: int, output: Path) -> float:
    import polars as pl

    begin = time.perf_counter()
    use = (pl.col("flags") & 1 == 0) & (pl.col("area2") > 0)
    perimeter = pl.col("straight") + 2**0.5 * pl.col("diagonal")
    circle = 2 * (3.141592653589793 * pl.col("area2") / 2).sqrt()
    instances = pl.scan_parquet(f"{counts}/*.parquet").select(
        "image_id", "category_id", pl.when(use).then(perimeter / circle).alias("complexity")
    )
    classes = instances.group_by("category_id").agg(pl.col("complexity").sum().alias("total"))
    scores = (
        instances.join(classes, "category_id", "left")
        .group_by("image_id")
        .agg((pl.col("complexity") / pl.col("total")).sum().alias("score"))
        .collect(engine="streaming")
    )
    scores.write_parquet(output, compression="zstd")
    best = scores.sort(["score", "image_id"], descending=[True, False]).head(k)
    best.select("image_id").write_csv(f"{output}.keep.csv")
    return time.perf_counter() - begin


def main() -> None:
    name, counts, k, output = sys.argv[1:]
    by = {"duckdb": by_duckdb, "polars": by_polars}[name]
    print(json.dumps(by(counts, int(k), Path(output))))


if __name__ == "__main__":
    main()
