"""Dask as an engine, on a scheduler and workers that are processes of their own."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path

import pytest

pytest.importorskip("distributed")

import distributed

from dask_support import DaskCluster, dask_cluster
from engine_support import Squares, refuse, run_script
from tfdp_fast.distributed.dask_engine import DaskExecutor
from tfdp_fast.distributed.engines import Engine, open_engine
from tfdp_fast.errors import EngineError, OptionError


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with dask_cluster(tmp_path_factory.mktemp("dask")) as it:
        yield it


def wait_for_slots(engine: Engine, slots: int) -> None:
    deadline = time.monotonic() + 60
    while engine.slots() != slots:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_calls_and_their_errors(cluster: DaskCluster) -> None:
    with open_engine("dask", address=cluster.address) as engine:
        assert engine.name == "dask"
        wait_for_slots(engine, 2)
        assert engine.executor.submit(divmod, 17, 5).result(60) == (3, 2)
        assert engine.executor.submit(int, "ff", base=16).result(60) == 255
        error = engine.executor.submit(refuse, 3).exception(60)
        assert type(error) is ValueError
        assert error.args == ("not 3\nnor any other",)
        # Equal calls are calls all the same.
        pids = {engine.executor.submit(os.getpid).result(60) for _ in range(2)}
        assert pids <= {worker.pid for worker in cluster.workers}
        seen = [engine.executor.submit(time.perf_counter).result(60) for _ in range(3)]
        assert len(set(seen)) == 3
    with pytest.raises(ValueError, match="No clients"):
        distributed.Client.current()
    with pytest.raises(RuntimeError, match="after shutdown"):
        engine.executor.submit(divmod, 17, 5)


def test_a_worker_is_killed_and_another_one_comes(
    cluster: DaskCluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    squares, killed = Squares(tmp_path / "squares"), []
    with open_engine("dask", address=cluster.address) as engine:
        wait_for_slots(engine, 2)
        outcomes = squares.drive(
            engine.executor,
            engine.slots,
            {8: lambda: killed.append(squares.kill_a_worker()), 12: cluster.add_worker},
        )
        squares.check(outcomes)
        # To Dask, a task that waits for the worker to be free is lost as well.
        assert str(killed[0]) in [event.key for event in squares.lost()]
        assert len(squares.lost()) <= 2
        assert all(event.again and "died" in (event.reason or "") for event in squares.lost())
        wait_for_slots(engine, 2)
    assert capfd.readouterr() == ("", "")


def test_dask_tries_again_by_itself_if_its_scheduler_says_so(tmp_path: Path) -> None:
    squares = Squares(tmp_path / "squares", count=20)
    with (
        dask_cluster(tmp_path / "dask", allowed_failures=3) as cluster,
        DaskExecutor(cluster.address) as executor,
    ):
        killed: list[int] = []
        outcomes = squares.drive(
            executor, executor.slots, {5: lambda: killed.append(squares.kill_a_worker())}
        )
    assert sorted(int(outcome.task.key) for outcome in outcomes) == list(range(20))
    assert all(outcome.result == int(outcome.task.key) ** 2 for outcome in outcomes)
    assert not squares.lost()
    assert squares.begun().count(str(killed[0])) == 2


def test_calls_are_cancelled(cluster: DaskCluster) -> None:
    with DaskExecutor(cluster.address) as executor:
        futures = [executor.submit(time.sleep, 1) for _ in range(20)]
        time.sleep(0.2)
        assert all(future.cancel() for future in futures)
        assert not wait(futures, 0).not_done
        assert executor.submit(divmod, 17, 5).result(60) == (3, 2)
        executor.submit(time.sleep, 1)
        executor.shutdown(cancel_futures=True)


def test_who_has_connected_keeps_the_connection(cluster: DaskCluster) -> None:
    with distributed.Client(cluster.address) as client:
        with open_engine("dask") as engine:
            assert engine.executor.submit(divmod, 17, 5).result(60) == (3, 2)
        with pytest.raises(OptionError, match="workers"):
            DaskExecutor(workers=2)
        # What Dask itself has for this is an executor like any other.
        with open_engine(client.get_executor()) as engine:
            assert engine.name == "ClientExecutor"
            wait_for_slots(engine, 2)
            assert engine.executor.submit(divmod, 17, 5).result(60) == (3, 2)
        assert client.submit(divmod, 17, 5).result(60) == (3, 2)


def test_a_module_that_workers_do_not_have(
    cluster: DaskCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_on_the_driver.py").write_text("def ten():\n    return 10\n")
    monkeypatch.syspath_prepend(tmp_path)
    import only_on_the_driver  # type: ignore[import-not-found]

    with DaskExecutor(cluster.address) as executor:
        error = executor.submit(only_on_the_driver.ten).exception(60)
    del sys.modules["only_on_the_driver"]
    assert isinstance(error, EngineError)
    assert str(error) == "on a worker of Dask: No module named 'only_on_the_driver'; install it there"


def test_addresses_that_lead_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfdp_fast.distributed.dask_engine._KNOCK", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    for address in (f"tcp://127.0.0.1:{port}", "nonsense", "127.0.0.1:nonsense"):
        with pytest.raises(EngineError, match=f"no scheduler of Dask answers at {address}: ."):
            DaskExecutor(address)
    with pytest.raises(OptionError, match="workers"):
        DaskExecutor("tcp://127.0.0.1:1", workers=2)


def test_the_scheduler_is_lost(tmp_path: Path) -> None:
    squares = Squares(tmp_path / "squares", count=1000)
    with (
        dask_cluster(tmp_path / "dask") as cluster,
        DaskExecutor(cluster.address) as executor,
        pytest.raises(EngineError, match="the scheduler of Dask is gone"),
    ):
        squares.drive(executor, lambda: 2, {5: cluster.scheduler.kill})


HERE = """
import os
from engine_support import end_the_process
from tfdp_fast.distributed.engines import open_engine

def square(number):
    return number * number

if __name__ == "__main__":
    with open_engine("dask", workers=1) as engine:
        print(engine.slots(), [f.result() for f in [engine.executor.submit(square, n) for n in range(5)]])
        error = engine.executor.submit(end_the_process, 3).exception()
        print(type(error).__name__, engine.executor.submit(divmod, 17, 5).result())
"""


def test_dask_is_started_here_and_says_nothing(tmp_path: Path) -> None:
    code, out, err = run_script(HERE, tmp_path)
    assert (code, err) == (0, "")
    assert out == "1 [0, 1, 4, 9, 16]\nWorkerLostError (3, 2)\n"
