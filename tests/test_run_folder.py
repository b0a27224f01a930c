"""What is in a run folder belongs together; and how the processors are shared out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from run_support import coco_parts, odd_coco
from tfdp_fast import distributed
from tfdp_fast.distributed import Shard, score_shard


@pytest.fixture
def parts(tmp_path: Path) -> list[str]:
    return coco_parts(odd_coco(), [2, 4], tmp_path / "parts")


def go(source: Any, folder: Path, **options: Any) -> distributed.RunResult:
    return distributed.run(source, folder, rate=0.5, engine="threads", **options)


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_no_older_lists_beside_images_that_could_not_be_scored(
    parts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    go(parts, run)
    came_out = {"keep.txt", "drop.txt", "result.json"}
    assert came_out < names_in(run)

    def broken(*_: Any) -> Any:
        raise OSError("the disk is gone")

    monkeypatch.setattr("tfdp_fast.distributed.stages.score_images", broken)
    next((run / "images").iterdir()).unlink()
    assert [one.reason for one in go(parts, run, retries=0).failed] == ["OSError: the disk is gone"]
    assert not came_out & names_in(run)


@pytest.mark.parametrize(("shards", "workers", "threads"), [(1, 7, 7), (3, 7, 2), (9, 2, 1)])
def test_a_few_shards_have_all_processors(
    shards: int, workers: int, threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def noted(*arguments: Any) -> Any:
        seen.append(arguments[-1])
        return score_shard(*arguments)

    monkeypatch.setattr("tfdp_fast.distributed.stages.score_shard", noted)
    made = [Shard(f"{number}", make=list) for number in range(shards)]
    distributed.run(made, tmp_path, engine="threads", workers=workers)
    assert seen == [threads] * shards
    with ThreadPoolExecutor(1) as pool:  # whose processors are not ours to share out
        distributed.run(made, tmp_path / "other", engine=pool, workers=workers)
    assert seen[shards:] == [1] * shards
