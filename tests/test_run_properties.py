"""However a data set is cut, and whatever happens to its shards: the same bits as one pass in memory."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import tfdp_fast as tfdp
from golden_support import VARIANTS
from record_support import Record
from run_strategies import CHOICES, LOSSES, WORKERS, cut, folder, unreliable
from run_support import Interrupted, Interrupting, assert_is_one_pass, content, done, pieces
from tfdp_fast import distributed
from tfdp_fast.distributed import Shard, run_status
from tfdp_fast.distributed.driving import Task, drive
from tfdp_fast.distributed.journal import read_journal
from tfdp_fast.scores import Variant

# --- Partitions by images -----------------------------------------------------------------------------------


@settings(max_examples=25)
@given(cut(), st.sampled_from(VARIANTS), CHOICES, st.integers(0, 2**32), WORKERS)
@example(([], [0, 0]), "tfdp", {"rate": 0.5}, 0, 1)
def test_any_partition_in_any_order(
    data: tuple[list[Record], list[int]], variant: Any, choice: dict[str, Any], seed: int, workers: int
) -> None:
    images, ends = data
    scores = tfdp.score(images, variant)
    with folder() as run, unreliable(seed, workers) as executor:
        result = distributed.run(
            pieces(images, ends), run, variant=variant, engine=executor, retries=LOSSES, **choice
        )
        assert_is_one_pass(run, result, scores, **choice)
        keys = done(run)
        assert sorted(keys) == sorted(set(keys))
        assert len(keys) == result.scored == len(ends) + 1


@settings(max_examples=12)
@given(data=cut(), seed=st.integers(0, 2**32), workers=WORKERS)
def test_the_same_bytes_whatever_happens(
    data: tuple[list[Record], list[int]], seed: int, workers: int
) -> None:
    images, ends = data
    with folder() as quiet, folder() as wild, unreliable(seed, workers) as executor:
        shards = pieces(images, ends)
        distributed.run(shards, quiet, rate=0.5, of="all", engine="threads", workers=1)
        distributed.run(shards, wild, rate=0.5, of="all", engine=executor, retries=LOSSES)
        assert content(wild) == content(quiet)


@settings(max_examples=12)
@given(cut(least=2), cut(least=2), st.sampled_from(["si_scs", "scs"]))
def test_totals_do_not_depend_on_the_cuts(
    data: tuple[list[Record], list[int]], other: tuple[list[Record], list[int]], shape: Any
) -> None:
    """All limbs, not the rounded totals only."""
    images, ends = data
    found = []
    for some in (ends, sorted(min(end, len(images)) for end in other[1])):
        with folder() as run:
            variant: Variant = "tfdp" if shape == "si_scs" else "cb"
            distributed.run(pieces(images, some), run, variant=variant, engine="threads", workers=2)
            totals = tfdp.ClassTotals.load(run / "totals.json")
        order = sorted(range(len(totals.category_ids)), key=lambda i: totals.category_ids[i])
        found.append((sorted(totals.category_ids), totals.limbs[order].tolist(), totals.shape))
    assert found[0] == found[1]
    assert found[0][2] == shape


@settings(max_examples=12)
@given(data=cut(least=1), draw=st.data())
def test_the_order_of_shards_moves_no_score(
    data: tuple[list[Record], list[int]], draw: st.DataObject
) -> None:
    """The data-set order is that of the shards: it decides about ties, and nothing else."""
    images, ends = data
    bounds = list(zip([0, *ends], [*ends, len(images)], strict=True))
    order = draw.draw(st.permutations(range(len(bounds))))
    moved = [image for i in order for image in images[slice(*bounds[i])]]
    shards = pieces(images, ends)
    with folder() as run:
        result = distributed.run([shards[i] for i in order], run, keep=0.5, of="all", engine="threads")
        assert_is_one_pass(run, result, tfdp.score(moved), keep=0.5, of="all")
        again = distributed.run(shards, run, keep=0.5, of="all", engine="threads")
        assert again.scored == 0
        assert_is_one_pass(run, again, tfdp.score(images), keep=0.5, of="all")


@pytest.mark.parametrize("workers", [2, 7])
def test_worker_processes(workers: int) -> None:
    """A few, since they take a while to start."""

    @settings(max_examples=1, database=None, derandomize=True)
    @given(cut(least=6))
    def with_processes(data: tuple[list[Record], list[int]]) -> None:
        images, ends = data
        shards = pieces(images, sorted([*ends, 2, 4]))
        with folder() as run:
            result = distributed.run(shards, run, rate=0.3, of="all", workers=workers)
            assert_is_one_pass(run, result, tfdp.score(images), rate=0.3, of="all")

    with_processes()


def test_the_executor_is_unreliable() -> None:
    """Else the tests above would show little."""
    order: list[int] = []
    tasks = [Task(f"{i}", order.append, (i,)) for i in range(50)]
    with unreliable(3, 1) as executor:
        outcomes = list(drive(tasks, executor, window=10, retries=LOSSES))
    assert [outcome.error for outcome in outcomes] == [None] * 50
    assert min(executor.happened[fate] for fate in ("done", "twice", "before", "after")) > 5
    assert max(outcome.tries for outcome in outcomes) == LOSSES + 1
    assert len(order) > 50
    assert order != sorted(order)


# --- Interrupted --------------------------------------------------------------------------------------------


@settings(max_examples=12)
@given(
    data=cut(least=2),
    stops=st.lists(st.integers(0, 30), max_size=4),
    seed=st.integers(0, 2**32),
    workers=WORKERS,
)
def test_interrupted_anywhere(
    data: tuple[list[Record], list[int]], stops: list[int], seed: int, workers: int
) -> None:
    images, ends = data
    shards = pieces(images, ends)
    with folder() as whole, folder() as run:
        distributed.run(shards, whole, rate=0.5, of="all", engine="threads", workers=1)
        for stop in stops:
            with unreliable(seed + stop, workers) as executor:
                try:
                    distributed.run(
                        shards,
                        run,
                        rate=0.5,
                        of="all",
                        engine=executor,
                        retries=LOSSES,
                        watcher=Interrupting(stop),
                    )
                except Interrupted:
                    assert run_status(run).result is None
            # What ran goes on, and what it writes is whole.
            assert run_status(run).failed == []
        result = distributed.run(shards, run, rate=0.5, of="all", engine="threads", workers=workers)
        assert content(run) == content(whole)
        assert_is_one_pass(run, result, tfdp.score(images), rate=0.5, of="all")
        assert len(list((run / "logs").iterdir())) == len(stops) + 1
        for path in (run / "logs").iterdir():
            assert all(event["event"] and event["time"] for event in read_journal(path.read_bytes()))


@settings(max_examples=12)
@given(data=cut(least=1), fails=st.lists(st.booleans(), min_size=7, max_size=7), workers=WORKERS)
def test_shards_that_fail_come_later(
    data: tuple[list[Record], list[int]], fails: list[bool], workers: int
) -> None:
    images, ends = data

    def broken() -> Any:
        raise OSError("not there")

    shards = pieces(images, ends)
    first = [
        Shard(shard.name, version=shard.version, make=broken if fail else shard.make)
        for shard, fail in zip(shards, fails, strict=False)
    ]
    names = [shard.name for shard in first if shard.make is broken]
    with folder() as run:
        result = distributed.run(first, run, keep=0.5, of="all", engine="threads", workers=workers, retries=0)
        assert [one.name for one in result.failed] == names
        assert result.scored == len(shards) - len(names)
        status = run_status(run)
        assert ([one.name for one in status.failed], status.missing) == (names, 0)
        assert status.complete == (not names)
        result = distributed.run(shards, run, keep=0.5, of="all", engine="threads", workers=workers)
        assert result.scored == len(names)
        assert_is_one_pass(run, result, tfdp.score(images), keep=0.5, of="all")
