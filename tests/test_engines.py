"""Engines by name, executors of the caller's, and what is common to those over a cluster."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine_support import Squares, refuse
from tfdp_fast.distributed import engines
from tfdp_fast.distributed.driving import drive
from tfdp_fast.distributed.engines import check_engine, open_engine
from tfdp_fast.distributed.relaying import EngineBrokenError, RelayExecutor, environment
from tfdp_fast.distributed.tasks import Task
from tfdp_fast.errors import EngineError, MissingExtraError, OptionError


@pytest.mark.parametrize("name", ["local", "threads"])
@pytest.mark.parametrize("workers", [1, 2, 7])
def test_engines_of_this_machine(name: str, workers: int, tmp_path: Path) -> None:
    squares = Squares(tmp_path / "squares", count=20, seconds=0)
    with open_engine(name, workers=workers) as engine:
        assert (engine.name, engine.slots()) == (name, workers)
        squares.check(squares.drive(engine.executor, engine.slots))
    with pytest.raises(RuntimeError, match="after shutdown"):
        engine.executor.submit(refuse, 1)


def test_as_many_workers_as_there_are_processors() -> None:
    with open_engine("threads") as engine:
        assert engine.slots() == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"engine": "spark"}, "engine must be one of local, threads, ray, dask, got 'spark'"),
        ({"engine": None}, "engine must be one of"),
        ({"engine": "local", "address": "10.0.0.1:6379"}, "'local' is on this machine, and has no address"),
        ({"engine": "threads", "address": "auto"}, "'threads' is on this machine, and has no address"),
        ({"engine": "ray", "address": "auto", "workers": 2}, "workers are those of the cluster"),
        ({"engine": "dask", "address": "tcp://x:1", "workers": 2}, "workers are those of the cluster"),
        ({"engine": "local", "workers": 0}, "workers must be a whole number of at least 1, got 0"),
        ({"engine": "local", "workers": True}, "workers must be a whole number"),
        ({"engine": "local", "workers": 1.5}, "workers must be a whole number"),
        ({"engine": Executor(), "address": "auto"}, "an executor is where it is"),
        ({"engine": Executor(), "workers": -1}, "workers must be a whole number"),
    ],
)
def test_what_makes_no_sense(arguments: dict[str, Any], reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda _: True)
    with pytest.raises(OptionError, match=reason):
        check_engine(**arguments)
    with pytest.raises(OptionError, match=reason), open_engine(**arguments):
        pass


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ray", r"this needs ray: pip install 'tfdp-fast\[ray\]'"),
        ("dask", r"this needs distributed: pip install 'tfdp-fast\[dask\]'"),
    ],
)
def test_a_package_that_is_missing(name: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=reason):
        check_engine(name)


def test_executors_of_the_callers(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    with ThreadPoolExecutor(3) as threads, ProcessPoolExecutor(2, mp_context=spawn) as processes:
        for executor, name, slots in (
            (threads, "ThreadPoolExecutor", 3),
            (processes, "ProcessPoolExecutor", 2),
        ):
            squares = Squares(tmp_path / name, count=20, seconds=0)
            with open_engine(executor) as engine:
                assert (engine.name, engine.executor, engine.slots()) == (name, executor, slots)
                squares.check(squares.drive(engine.executor, engine.slots))
            assert executor.submit(abs, -1).result() == 1  # it is left as it is
        with open_engine(threads, workers=5) as engine:
            assert engine.slots() == 5
    with open_engine(Executor()) as engine:
        assert engine.slots() == len(os.sched_getaffinity(0))


def test_a_pool_of_processes_breaks_as_a_whole(tmp_path: Path) -> None:
    """What is known of such pools, and why there are others: the loop says so, and what was done is done."""
    spawn = multiprocessing.get_context("spawn")
    squares = Squares(tmp_path / "squares")
    with (
        ProcessPoolExecutor(2, mp_context=spawn) as pool,
        pytest.raises(EngineError, match="terminated abruptly"),
    ):
        squares.drive(pool, lambda: 2, {5: squares.kill_a_worker})
    assert sum(event.kind == "done" for event in squares.events) >= 5


def test_a_worker_process_dies_alone(tmp_path: Path) -> None:
    squares = Squares(tmp_path / "squares")
    killed: list[int] = []
    with open_engine("local", workers=2) as engine:
        outcomes = squares.drive(
            engine.executor, engine.slots, {5: lambda: killed.append(squares.kill_a_worker())}
        )
    squares.check(outcomes)
    assert [event.key for event in squares.lost()] == list(map(str, killed))


def test_a_block_that_fails_cancels_what_runs() -> None:
    begin = time.monotonic()
    futures: list[Future[None]] = []

    def interrupted() -> None:
        with open_engine("local", workers=1) as engine:
            futures.extend(engine.executor.submit(time.sleep, 100) for _ in range(3))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert all(future.done() for future in futures)
    assert time.monotonic() - begin < 100


class Relay(RelayExecutor[Future[Any]]):
    """A cluster that is a pool of threads."""

    def __init__(self, threads: int = 2) -> None:
        super().__init__()
        self.pool = ThreadPoolExecutor(threads)
        self.stopped: list[Future[Any]] = []
        self.closed = 0

    def slots(self) -> int:
        return 2

    def _start(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> tuple[Future[Any], Future[tuple[Any, Exception | None]]]:
        from tfdp_fast.distributed.relaying import call

        future = self.pool.submit(call, function, arguments, keywords)
        return future, future

    def _stop(self, handle: Future[Any]) -> None:
        self.stopped.append(handle)
        handle.cancel()

    def _in_our_words(self, error: BaseException) -> BaseException:
        if isinstance(error, CancelledError):
            return EngineBrokenError("somebody has cancelled it")
        return EngineError(f"cluster: {error}")

    def _close(self) -> None:
        self.closed += 1
        self.pool.shutdown()


def test_a_call_there_is_as_a_call_here() -> None:
    with Relay() as executor, open_engine(executor) as engine:
        assert engine.slots() == 2
        assert executor.submit(int, "ff", base=16).result() == 255
        error = executor.submit(refuse, 3).exception()
        assert type(error) is ValueError
        assert list(executor.map(abs, range(-3, 0))) == [3, 2, 1]
    assert executor.closed == 1
    executor.shutdown()
    assert executor.closed == 1
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(abs, 1)


def test_what_is_cancelled_is_stopped_there_and_ends_here_at_once() -> None:
    go = threading.Event()
    with Relay(1) as executor:
        running, waiting, last = (executor.submit(go.wait, 60) for _ in range(3))
        assert running.cancel()
        assert waiting.cancel()
        assert wait([running, waiting], 0).not_done == set()
        assert len(executor.stopped) == 2
        go.set()
        assert last.result() is True  # others are not touched, and the executor is not broken


def test_an_error_of_the_cluster_is_one_of_that_call() -> None:
    with Relay(1) as executor:
        failing = executor.submit(_base_exception)
        assert str(failing.exception()) == "cluster: gone"
        assert executor.submit(abs, -1).result() == 1


class GoneError(BaseException):
    pass


def _base_exception() -> None:
    raise GoneError("gone")


def test_a_cluster_that_is_lost() -> None:
    go = threading.Event()
    with Relay(1) as executor:
        futures = [executor.submit(go.wait, 60) for _ in range(5)]
        executor._flying[futures[3]].cancel()  # by the cluster
        for future in futures:
            assert isinstance(future.exception(10), EngineBrokenError)
        with pytest.raises(EngineBrokenError, match="somebody has cancelled it"):
            executor.submit(abs, -1)
        with pytest.raises(EngineError, match="somebody has cancelled it"):
            list(drive([Task("x", abs, (-1,))], executor, window=1, retries=3))
        go.set()


@pytest.mark.parametrize("cancel", [False, True])
def test_shutting_down_without_waiting(cancel: bool) -> None:
    go = threading.Event()
    executor = Relay(1)
    futures = [executor.submit(go.wait, 60) for _ in range(3)]
    executor.shutdown(wait=False, cancel_futures=cancel)
    assert [future.cancelled() for future in futures] == [cancel] * 3
    go.set()
    wait(futures)
    while not executor.closed:
        time.sleep(0.01)
    assert cancel or all(future.result() for future in futures)


@given(st.lists(st.sampled_from(["run", "fail", "cancel"]), max_size=20))
def test_each_future_ends_as_its_call_did(calls: list[str]) -> None:
    with Relay() as executor:
        functions: dict[str, Callable[[], Any]] = {
            "run": partial(abs, -1),
            "fail": partial(refuse, 1),
            "cancel": partial(time.sleep, 0.001),
        }
        futures = [executor.submit(functions[call]) for call in calls]
        for call, future in zip(calls, futures, strict=True):
            if call == "cancel":
                future.cancel()
        assert not wait(futures, 10).not_done
        for call, future in zip(calls, futures, strict=True):
            if call == "run":
                assert future.result() == 1
            elif call == "fail":
                assert isinstance(future.exception(), ValueError)
            else:
                assert future.cancelled() or future.result() is None
    assert not executor._flying


def test_the_environment_is_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFDP_SET", "before")
    monkeypatch.delenv("TFDP_NOT_SET", raising=False)
    with environment(TFDP_SET="1", TFDP_NOT_SET="2"):
        assert (os.environ["TFDP_SET"], os.environ["TFDP_NOT_SET"]) == ("1", "2")
    assert os.environ["TFDP_SET"] == "before"
    assert "TFDP_NOT_SET" not in os.environ
