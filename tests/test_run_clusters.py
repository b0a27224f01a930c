"""`tfdp run` on clusters whose workers and nodes are killed: the log says what was lost and done again."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kills_support import Expected, RunProcess, kill_at, temporaries, write_corpus
from run_support import events
from tfdp_fast.distributed import run_status

psutil = pytest.importorskip("psutil")

if TYPE_CHECKING:
    from dask_support import DaskCluster
    from ray_support import RayCluster


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Expected:
    folder = tmp_path_factory.mktemp("plain")
    return Expected.of(write_corpus(folder / "data", per_image=24), folder / "run")


def killed_at(run: RunProcess, name: str, processes: Callable[[], list[int]]) -> bool:
    """Kill the process that has a file open, when there is one."""
    return run.until(lambda: kill_at(name, processes()))


def has_done(run: RunProcess, tasks: int) -> bool:
    return run.stage() == "shards" and run.done() >= tasks


def lost_and_done_again(expected: Expected, run: RunProcess, said: str) -> list[str]:
    """Wait for the good end, each shard done once; the numbers of the shards that had been lost."""
    ended = run.end()
    assert (ended.code, ended.err) == (0, "")
    expected.check(run.folder)
    found = events(run.folder)
    done = [event for event in found if event["event"] == "done" and "instances" in event]
    assert len(done) == len(expected.corpus.paths)
    tries = {event["key"]: event["try"] for event in done}
    assert len(tries) == len(done)
    lost = [event for event in found if event["event"] == "lost"]
    for event in lost:
        assert event["again"]
        assert said in event["reason"]
        assert tries[event["key"]] > event["try"]
    assert not [event for event in found if event["event"] == "failed"]
    return [event["key"].partition("-")[2][:3] for event in lost]


def goes_on(expected: Expected, run: RunProcess) -> None:
    """Wait for the good end of a run that had begun before."""
    ended = run.end()
    assert (ended.code, ended.err) == (0, "")
    expected.check(run.folder)
    assert not [event for event in events(run.folder) if event["event"] in {"lost", "failed"}]


# --- Ray ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ray_nodes() -> Iterator[RayCluster]:
    pytest.importorskip("ray")
    from ray_support import ray_cluster

    with ray_cluster() as cluster:
        yield cluster


def of_ray(cluster: RayCluster) -> list[int]:
    """The processes of all nodes."""
    raylets = [node.all_processes["raylet"][0].process.pid for node in cluster.nodes]
    return [child.pid for raylet in raylets for child in psutil.Process(raylet).children(recursive=True)]


def on_ray(cluster: RayCluster, expected: Expected, folder: Path) -> RunProcess:
    return RunProcess(expected.corpus.paths, folder, "--engine", "ray", "--address", cluster.address)


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of Ray's own processes
class TestRay:
    def test_a_worker_is_killed(self, ray_nodes: RayCluster, plain: Expected, tmp_path: Path) -> None:
        run = on_ray(ray_nodes, plain, tmp_path)
        assert killed_at(run, "part-007.json", partial(of_ray, ray_nodes))
        assert lost_and_done_again(plain, run, "killed") == ["007"]

    def test_a_node_dies(self, ray_nodes: RayCluster, plain: Expected, tmp_path: Path) -> None:
        run = on_ray(ray_nodes, plain, tmp_path)
        assert run.until(partial(has_done, run, 6))
        ray_nodes.kill_node()
        # The other one does the rest.
        assert 1 <= len(lost_and_done_again(plain, run, "node")) <= 2
        ray_nodes.add_node()

    def test_all_nodes_die(self, ray_nodes: RayCluster, plain: Expected, tmp_path: Path) -> None:
        """The run waits for others: a cluster may grow again."""
        run = on_ray(ray_nodes, plain, tmp_path)
        assert run.until(partial(has_done, run, 6))
        while ray_nodes.nodes:
            ray_nodes.kill_node()
        time.sleep(3)
        done = run_status(tmp_path).done
        assert run.alive()
        assert done < 24
        time.sleep(1)
        assert run_status(tmp_path).done == done
        ray_nodes.add_node()
        ray_nodes.add_node()
        assert lost_and_done_again(plain, run, "node")

    def test_the_driver_is_killed(self, ray_nodes: RayCluster, plain: Expected, tmp_path: Path) -> None:
        run = on_ray(ray_nodes, plain, tmp_path)
        assert run.frozen_when(partial(has_done, run, 6))
        run.kill()
        plain.check_unfinished(tmp_path)
        goes_on(plain, on_ray(ray_nodes, plain, tmp_path))

    def test_it_is_told_to_stop(self, ray_nodes: RayCluster, plain: Expected, tmp_path: Path) -> None:
        run = on_ray(ray_nodes, plain, tmp_path)
        assert run.frozen_when(partial(has_done, run, 6))
        ended = run.kill(signal.SIGTERM)
        assert (ended.code, ended.out, ended.err) == (143, "", "tfdp: terminated\n")
        plain.check_unfinished(tmp_path)
        assert 6 <= run_status(tmp_path).done < 24
        assert temporaries(tmp_path) == []


# --- Dask ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dask_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    pytest.importorskip("distributed")
    from dask_support import dask_cluster

    with dask_cluster(tmp_path_factory.mktemp("dask")) as cluster:
        yield cluster


def on_dask(cluster: DaskCluster, expected: Expected, folder: Path) -> RunProcess:
    return RunProcess(expected.corpus.paths, folder, "--engine", "dask", "--address", cluster.address)


class TestDask:
    def test_a_worker_is_killed(self, dask_workers: DaskCluster, plain: Expected, tmp_path: Path) -> None:
        run = on_dask(dask_workers, plain, tmp_path)
        assert killed_at(run, "part-007.json", lambda: [one.pid for one in dask_workers.workers])
        # To Dask, a task that waits for this worker is lost as well.
        lost = lost_and_done_again(plain, run, "died")
        assert "007" in lost
        assert len(lost) <= 2
        dask_workers.add_worker()

    def test_it_is_told_to_stop(self, dask_workers: DaskCluster, plain: Expected, tmp_path: Path) -> None:
        run = on_dask(dask_workers, plain, tmp_path)
        assert run.frozen_when(partial(has_done, run, 6))
        ended = run.kill(signal.SIGTERM)
        assert (ended.code, ended.out, ended.err) == (143, "", "tfdp: terminated\n")
        time.sleep(1)  # what had begun goes on to its end
        plain.check_unfinished(tmp_path)
        goes_on(plain, on_dask(dask_workers, plain, tmp_path))
