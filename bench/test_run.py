"""Data sets that outgrow memory: `tfdp run` over tables of compressed RLE, and over shards like SA-1B's.

Runs are processes of their own, watched together with the workers that they start. Whatever the size, image
scores and subset are those of one pass in memory, bit for bit.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

import tfdp_fast as tfdp
from child import Child, run_python
from contest import Contender, claim, contest, table
from instance_tables import PER_FILE, TableSets
from process_tree import run_tfdp_tree
from run_process import RATE, Run, command, kept_ids, run
from run_rivals import in_memory, kernels_alone, over_pixels
from sa1b_like import Sa1bTars, write_tars
from tfdp_fast.boundary import BoundaryCounts
from tfdp_fast.distributed.counts_reading import CountsFile, counts_name
from tfdp_fast.distributed.shard_scoring import score_shard
from tfdp_fast.distributed.shards import Shard
from tfdp_fast.distributed.storage import Storage

SMALL = 10_000
"""Instances, where only answers are checked."""
FILES = 20
"""Of the largest tables, if these are files of a million instances at the most."""
MB = 1e6
KERNEL = "reading the columns, and the kernels"
OVER_PIXELS = "pycocotools + OpenCV, one thread, without reading"
IN_MEMORY = "tfdp score and select, in memory, all processors"


@pytest.fixture
def one_arrow_thread() -> Iterator[None]:
    """Keep pyarrow to one thread, as in a worker."""
    before = pa.cpu_count()
    pa.set_cpu_count(1)
    yield
    pa.set_cpu_count(before)


def size_of(benchmark: BenchmarkFixture, run_instances: int, share: int = 1) -> tuple[int, int]:
    """How many instances there are, or a share of them, and how many a file has: the same for all shares."""
    instances = run_instances if benchmark.enabled else SMALL
    return instances // share, min(PER_FILE, -(-instances // FILES))


# --- a shard ------------------------------------------------------------------------------------------------


def counts_of(shards: Sequence[Shard], storage: Storage) -> NDArray[np.int64]:
    """What the counts files of shards hold."""
    found = []
    for shard in shards:
        with storage.open(counts_name(shard.key)) as file:
            found += [block.counts.to_array() for block in CountsFile(file, shard.name).blocks()]
    return np.concatenate(found)


@pytest.mark.usefixtures("one_arrow_thread")
def test_counts_files(
    benchmark: BenchmarkFixture, run_instances: int, table_sets: TableSets, tmp_path: Path
) -> None:
    made = table_sets(*size_of(benchmark, run_instances, share=10))
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


def test_run(benchmark: BenchmarkFixture, run_instances: int, table_sets: TableSets, tmp_path: Path) -> None:
    made = table_sets(*size_of(benchmark, run_instances))
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
    small = run(
        table_sets(run_instances // 10, size_of(benchmark, run_instances)[1]).paths, tmp_path / "small"
    )
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
    made = table_sets(*size_of(benchmark, run_instances))
    whole, half = tmp_path / "whole", tmp_path / "half"

    def counts_files() -> list[Path]:
        return list((half / "counts").glob("*.parquet"))

    def killed() -> Run:
        """Kill a run when half of the counts files are there, and go on."""
        shutil.rmtree(half, ignore_errors=True)
        if benchmark.enabled:
            enough = len(made.paths) / 2
            run_tfdp_tree(*command(made.paths, half), kill_when=lambda: len(counts_files()) >= enough)
        else:  # it may be too quick to be killed in time
            run(made.paths, half)
            forget(half)
            for path in counts_files()[::2]:
                path.unlink()
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
    made = table_sets(*size_of(benchmark, run_instances))
    little = table_sets(SMALL, SMALL // FILES)

    def without_start(name: str) -> tuple[Run, float]:
        """A run, and how much longer it takes than one of next to nothing."""
        whole = run(made.paths, tmp_path / name, "--engine", name)
        start = (
            run(little.paths, tmp_path / f"little-{name}", "--engine", name) if benchmark.enabled else whole
        )
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


def forget(folder: Path) -> None:
    """Delete what comes after the counts files."""
    shutil.rmtree(folder / "images")
    for name in ("totals.json", "keep.txt", "drop.txt", "result.json"):
        (folder / name).unlink()


def test_counts_to_subset(
    benchmark: BenchmarkFixture, run_instances: int, table_sets: TableSets, tmp_path: Path
) -> None:
    made = table_sets(*size_of(benchmark, run_instances))
    first = run(made.paths, tmp_path / "run")
    databases = [name for name in ("duckdb", "polars") if importlib.util.find_spec(name)]

    def again() -> Run:
        """Do all that comes after the counts files."""
        forget(first.folder)
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
