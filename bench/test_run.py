"""Data sets that outgrow memory: `tfdp run` over tables of compressed RLE, and over shards like SA-1B's.

Runs are processes of their own, watched together with the workers that they start. Whatever the size, image
scores and subset are those of one pass in memory, bit for bit.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

import tfdp_fast as tfdp
from child import Child, run_python, run_tfdp
from contest import Contender, claim, contest, table
from instance_tables import Tables, TableSets
from over_pixels import Pairs
from process_tree import Tree, run_tfdp_tree
from sa1b_like import Sa1bTars, write_tars
from tfdp_fast._batches import measure_batch
from tfdp_fast._core import FillConvention, SegmentationBatch
from tfdp_fast.boundary import BoundaryCounts
from tfdp_fast.distributed.counts_reading import CountsFile
from tfdp_fast.distributed.shard_scoring import counts_name, score_shard
from tfdp_fast.distributed.shards import Shard
from tfdp_fast.distributed.storage import Storage
from tfdp_fast.timing.over_pixels import decoded, primary_contour

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

RATE = 0.7
SMALL = 10_000
"""Instances, where only answers are checked."""
MB = 1e6
KERNEL = "reading the columns, and the kernels"
OF_THE_RIVAL = 1000
"""Masks that the way over pixels gets."""
OVER_PIXELS = "pycocotools + OpenCV, one thread, without reading"
IN_MEMORY = "tfdp score and select, in memory, all processors"
BATCH = 8192
"""Rows that are read at a time for the kernels alone: what is quickest."""


@pytest.fixture
def one_arrow_thread() -> Iterator[None]:
    """Keep pyarrow to one thread, as in a worker."""
    before = pa.cpu_count()
    pa.set_cpu_count(1)
    yield
    pa.set_cpu_count(before)


# --- a shard ------------------------------------------------------------------------------------------------


def kernels_alone(paths: Sequence[Path]) -> NDArray[np.int64]:
    """Read all columns and measure the masks; nothing is kept but their counts."""
    found = [np.empty((0, 3), np.int64)]
    for path in paths:
        for rows in pq.ParquetFile(path).iter_batches(BATCH, use_threads=False):
            masks = rows["counts"].cast(pa.large_binary())
            _, offsets, text = masks.buffers()
            ends = np.frombuffer(offsets, np.int64)[masks.offset : masks.offset + len(masks) + 1]
            sizes = np.stack([rows["height"].to_numpy(), rows["width"].to_numpy()], axis=1)
            spans = np.stack([ends[:-1], ends[1:]], axis=1)
            batch = SegmentationBatch.from_text(text, spans, np.full_like(sizes, -1), sizes)
            found.append(measure_batch(batch, FillConvention.COCO)[0])
    return np.concatenate(found)


def counts_of(shards: Sequence[Shard], storage: Storage) -> NDArray[np.int64]:
    """What the counts files of shards hold."""
    found = []
    for shard in shards:
        with storage.open(counts_name(shard)) as file:
            found += [block.counts.to_array() for block in CountsFile(file, shard.name).blocks()]
    return np.concatenate(found)


@pytest.mark.usefixtures("one_arrow_thread")
def test_counts_files(
    benchmark: BenchmarkFixture, run_instances: int, table_sets: TableSets, tmp_path: Path
) -> None:
    made = table_sets(run_instances // 10 if benchmark.enabled else SMALL)
    shards = [Shard(str(path), str(path)) for path in made.paths]
    storage = Storage(str(tmp_path))
    what = f"Parquet of RLE to counts files, {made.instances / 1e6:g} M instances"
    scored, answers = contest(
        benchmark,
        what,
        Contender("score_shard", lambda: [score_shard(shard, storage) for shard in shards]),
        [Contender(KERNEL, partial(kernels_alone, made.paths))],
        work={"instances": made.instances, "bytes": made.bytes},
        passes=3,
    )
    np.testing.assert_array_equal(counts_of(shards, storage), answers[KERNEL])
    if benchmark.enabled:
        ours, kernels = (entry["seconds"] / made.instances * 1e9 for entry in benchmark.extra_info["entries"])
        read, written = made.bytes / made.instances, sum(one.written for one in scored) / made.instances
        rows = [
            ["read", f"{read:.1f}", KERNEL, f"{kernels:.0f}"],
            ["written", f"{written:.1f}", "score_shard", f"{ours:.0f}"],
        ]
        table(benchmark, ["bytes", "an instance", "one process", "ns an instance"], rows)
        claim(benchmark, what, KERNEL, 1 / benchmark.extra_info["entries"][1]["ratio"], at_most=1.3, unit="×")


# --- a run --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """A run that has come to its end.

    Attributes
    ----------
    folder : Path
        The run folder.
    tree : Tree
        The processes.
    """

    folder: Path
    tree: Tree

    def scores(self) -> Any:
        """Image ids and scores, in data-set order."""
        manifest = json.loads((self.folder / "manifest.json").read_text())
        paths = [self.folder / f"images/{shard['key']}.parquet" for shard in manifest["shards"]]
        return pa.concat_tables(pq.read_table(path, columns=["image_id", "score"]) for path in paths)

    def kept(self) -> NDArray[np.int64]:
        """The ids of the subset."""
        return kept_ids(self.folder / "keep.txt")


def kept_ids(path: Path) -> NDArray[np.int64]:
    lines = path.read_text().splitlines()
    return np.array([int(line.split("\t")[0]) for line in lines], np.int64)


def run(sources: Sequence[Path], folder: Path, *more: str, resume: bool = False) -> Run:
    """`tfdp run` with all processors, into a new folder unless it is to go on."""
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)
    return Run(folder, run_tfdp_tree(*command(sources, folder, *more)))


def command(sources: Sequence[Path], folder: Path, *more: str) -> list[str]:
    return ["run", *map(str, sources), "-o", str(folder), "--rate", str(RATE), "-q", *more]


def in_memory(made: Tables, folder: Path) -> Child:
    """One pass in memory, to a file of scores and a list of the subset."""
    scores = str(folder / "scores.parquet")
    first = run_tfdp("score", str(made.paths[0].parent), "-o", scores, "-q")
    second = run_tfdp("select", scores, "--rate", str(RATE), "-o", str(folder / "keep.txt"), "-q")
    return Child(first.seconds + second.seconds, max(first.peak, second.peak), "")


def over_pixels(made: Tables) -> Pairs:
    """Area and perimeter of the first masks."""
    rows = next(pq.ParquetFile(made.paths[0]).iter_batches(OF_THE_RIVAL)).to_pylist()
    rles = [{"size": [row["height"], row["width"]], "counts": row["counts"]} for row in rows]
    return np.array([primary_contour(decoded(rle)) for rle in rles])


def test_run(benchmark: BenchmarkFixture, run_instances: int, table_sets: TableSets, tmp_path: Path) -> None:
    made = table_sets(run_instances if benchmark.enabled else SMALL)
    what = f"tfdp run, {made.instances / 1e6:g} M instances"
    ours, answers = contest(
        benchmark,
        what,
        Contender("tfdp run", lambda: run(made.paths, tmp_path / "run"), lambda run, _: run.tree.seconds),
        [
            Contender(IN_MEMORY, lambda: in_memory(made, tmp_path), lambda child, _: child.seconds),
            Contender(
                OVER_PIXELS,
                lambda: over_pixels(made),
                lambda pairs, elapsed: elapsed * made.instances / len(pairs),
            ),
        ],
        work={"instances": made.instances, "images": made.images, "bytes": made.bytes},
        passes=3,
        warm=False,
    )
    expected = tfdp.Scores.load(tmp_path / "scores.parquet").images
    np.testing.assert_array_equal(ours.scores()["image_id"].to_numpy(), expected.id)
    np.testing.assert_array_equal(ours.scores()["score"].to_numpy(), expected.score)
    np.testing.assert_array_equal(ours.kept(), kept_ids(tmp_path / "keep.txt"))
    pairs = answers[OVER_PIXELS]
    first = BoundaryCounts.from_array(kernels_alone(made.paths[:1])[: len(pairs)])
    np.testing.assert_array_equal(first.area, pairs[:, 0])
    np.testing.assert_allclose(first.perimeter, pairs[:, 1], rtol=1e-7)
    if not benchmark.enabled:
        return
    small = run(table_sets(run_instances // 10).paths, tmp_path / "small")
    rows = [
        [
            f"tfdp run, {millions / 1e6:g} M",
            *(f"{size / MB:.0f}" for size in (tree.peak, sum(tree.own_peaks))),
        ]
        for millions, tree in ((run_instances // 10, small.tree), (run_instances, ours.tree))
    ]
    rows.append([f"{IN_MEMORY}, {made.instances / 1e6:g} M", "", f"{answers[IN_MEMORY].peak / MB:.0f}"])
    table(benchmark, ["process", "peak of all together, MB", "peaks of each, summed, MB"], rows)
    rate = made.instances / benchmark.extra_info["entries"][0]["seconds"] / 1e6
    claim(benchmark, what, "–", rate, at_least=1, unit="M/s")
    claim(benchmark, "its peak memory, all processes", "–", ours.tree.peak / MB, at_most=1500, unit="MB")
    growth = ours.tree.peak / small.tree.peak
    claim(benchmark, "its peak memory", "a tenth of the data", growth, at_most=1.1, unit="×")


def test_resume(
    benchmark: BenchmarkFixture, run_instances: int, table_sets: TableSets, tmp_path: Path
) -> None:
    made = table_sets(run_instances if benchmark.enabled else SMALL)
    whole, half = tmp_path / "whole", tmp_path / "half"

    def killed() -> Run:
        """Kill a run when half of the counts files are there, and go on."""
        shutil.rmtree(half, ignore_errors=True)
        counts = half / "counts"
        run_tfdp_tree(
            *command(made.paths, half),
            kill_when=lambda: counts.is_dir() and len(list(counts.glob("*.parquet"))) >= len(made.paths) / 2,
        )
        return run(made.paths, half, resume=True)

    what = f"going on after a kill at half, {made.instances / 1e6:g} M instances"
    full = "a full run"
    resumed, answers = contest(
        benchmark,
        what,
        Contender("tfdp run, again", killed, lambda run, _: run.tree.seconds),
        [Contender(full, lambda: run(made.paths, whole), lambda run, _: run.tree.seconds)],
        work={"instances": made.instances},
        passes=3,
        warm=False,
    )
    assert resumed.scores().equals(answers[full].scores())
    np.testing.assert_array_equal(resumed.kept(), answers[full].kept())
    if benchmark.enabled:
        claim(benchmark, what, full, 1 / benchmark.extra_info["entries"][1]["ratio"], at_most=0.6, unit="×")


@pytest.mark.parametrize("engine", ["ray", "dask"])
def test_engines(
    benchmark: BenchmarkFixture, run_instances: int, table_sets: TableSets, tmp_path: Path, engine: str
) -> None:
    pytest.importorskip({"ray": "ray", "dask": "distributed"}[engine])
    made = table_sets(run_instances if benchmark.enabled else SMALL)
    little = table_sets(SMALL)

    def without_start(name: str) -> tuple[Run, float]:
        """A run, and how much longer it takes than one of next to nothing."""
        start = run(little.paths, tmp_path / f"little-{name}", "--engine", name)
        whole = run(made.paths, tmp_path / name, "--engine", name)
        return whole, whole.tree.seconds - start.tree.seconds

    what = f"engine {engine}, {made.instances / 1e6:g} M instances, without starting up"
    (ours, _), answers = contest(
        benchmark,
        what,
        Contender(f"engine {engine}", lambda: without_start(engine), lambda answer, _: answer[1]),
        [Contender("engine local", lambda: without_start("local"), lambda answer, _: answer[1])],
        work={"instances": made.instances},
        passes=3 if benchmark.enabled else 1,
        warm=False,
    )
    local, _ = answers["engine local"]
    assert ours.scores().equals(local.scores())
    np.testing.assert_array_equal(ours.kept(), local.kept())
    if benchmark.enabled and engine == "ray":
        ratio = 1 / benchmark.extra_info["entries"][1]["ratio"]
        claim(benchmark, what, "engine local", ratio, at_most=1.25, unit="×")


def test_counts_to_subset(
    benchmark: BenchmarkFixture, run_instances: int, table_sets: TableSets, tmp_path: Path
) -> None:
    made = table_sets(run_instances if benchmark.enabled else SMALL)
    first = run(made.paths, tmp_path / "run")
    databases = [name for name in ("duckdb", "polars") if importlib.util.find_spec(name)]

    def again() -> Run:
        """Do all that comes after the counts files."""
        for path in first.folder.iterdir():
            if path.name in {"images", "totals.json", "keep.txt", "drop.txt", "result.json"}:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        return run(made.paths, first.folder, resume=True)

    def database(name: str) -> Child:
        arguments = (str(first.folder / "counts"), str(len(first.kept())), str(tmp_path / name))
        return run_python(str(Path(__file__).with_name("rival_counts.py")), name, *arguments)

    ours, _ = contest(
        benchmark,
        f"from counts files to the subset, {made.instances / 1e6:g} M instances",
        Contender("tfdp run, all counts files there", again, lambda run, _: run.tree.seconds),
        [Contender(name, partial(database, name), lambda child, _: child.seconds) for name in databases],
        work={"instances": made.instances, "images": made.images},
        passes=3,
        warm=False,
        note="The sums of the databases are not exact, and change from run to run; ours is told to go on, "
        "and looks at every shard and counts file first.",
    )
    expected = ours.scores().sort_by("image_id")
    for name in databases:
        theirs = pq.read_table(tmp_path / name).sort_by("image_id")
        np.testing.assert_array_equal(theirs["image_id"].to_numpy(), expected["image_id"].to_numpy())
        np.testing.assert_allclose(theirs["score"].to_numpy(), expected["score"].to_numpy(), rtol=1e-9)
        lines = (tmp_path / f"{name}.keep.csv").read_text().split()[1:]
        differ = np.setxor1d(np.array(lines, np.int64), ours.kept())
        assert len(differ) <= len(lines) // 1000 + 2  # those that tie with the last one


# --- shards like SA-1B's ------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def tar_sets() -> Iterator[Callable[[int], Sa1bTars]]:
    with tempfile.TemporaryDirectory(prefix="tfdp-bench-") as folder:

        @cache
        def make(documents: int) -> Sa1bTars:
            shard = min(1000, -(-documents // 8))
            return write_tars(
                Path(folder) / str(documents), documents, shard=shard, processes=os.cpu_count() or 1
            )

        yield make


def test_tars(
    benchmark: BenchmarkFixture,
    run_instances: int,
    tar_sets: Callable[[int], Sa1bTars],
    tmp_path: Path,
) -> None:
    made = tar_sets(run_instances // 1000 if benchmark.enabled else 16)
    what = f"tfdp run, SA-1B as tars, {made.bytes / MB:.0f} MB of JSON"
    ours, _ = contest(
        benchmark,
        what,
        Contender("tfdp run", lambda: run(made.paths, tmp_path / "run"), lambda run, _: run.tree.seconds),
        work={"masks": made.masks, "documents": made.documents, "bytes": made.bytes},
        passes=3,
        warm=False,
    )
    expected = tfdp.score(made.paths[0].parent)
    np.testing.assert_array_equal(ours.scores()["image_id"].to_numpy(), expected.images.id)
    np.testing.assert_array_equal(ours.scores()["score"].to_numpy(), expected.images.score)
    chosen = tfdp.select(expected, rate=RATE).keep
    np.testing.assert_array_equal(ours.kept(), expected.images.id[chosen])
    if benchmark.enabled:
        speed = made.bytes / benchmark.extra_info["entries"][0]["seconds"] / MB
        claim(benchmark, what, "–", speed, at_least=200, unit="MB/s")
