"""Signals that end a verb, or a worker, wherever it is at that moment."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from driving_support import wait_until, waiting_at
from stopping_support import in_a_callback
from tfdp_fast._verbs.stopping import Stopped, stoppable
from tfdp_fast.distributed.tasks import WorkerLostError
from tfdp_fast.distributed.workers import WorkerProcesses

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def test_a_signal_is_raised() -> None:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        for number, said in zip(SIGNALS, ["interrupted", "terminated", "hung up"], strict=True):
            with pytest.raises(Stopped, match=said) as caught, stoppable():  # noqa: PT012
                os.kill(os.getpid(), number)
                time.sleep(10)
            assert caught.value.code == 128 + number
            for one, handler in before.items():
                signal.signal(one, handler)
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def test_nothing_stays_if_nothing_comes() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with stoppable():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before
    with pytest.raises(ZeroDivisionError), stoppable():
        print(1 / 0)
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_handlers_of_others_are_left_alone() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stoppable():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_have_no_signals() -> None:
    failures = []

    def body() -> None:
        try:
            with stoppable():
                pass
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert failures == []


def test_in_a_callback_from_c(capfd: pytest.CaptureFixture[str]) -> None:
    """Python forgets what is raised there; it is raised once more."""
    before = {number: signal.getsignal(number) for number in [*SIGNALS, signal.SIGALRM]}
    called = []

    def callback() -> None:
        called.append(True)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)

    c_callback: Callable[[], None] = ctypes.CFUNCTYPE(None)(callback)
    try:
        with pytest.raises(Stopped, match="terminated"), stoppable():  # noqa: PT012
            c_callback()
            time.sleep(10)
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    assert called == [True]
    assert capfd.readouterr() == ("", "")


def test_a_worker_in_a_callback_from_c(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    executor = WorkerProcesses(1)
    future = executor.submit(in_a_callback, str(tmp_path / "go"))
    wait_until(lambda: waiting_at(tmp_path / "go"))
    executor.shutdown(cancel_futures=True)
    error = future.exception()
    assert isinstance(error, WorkerLostError)
    assert error.reason == "killed by SIGTERM"
    assert capfd.readouterr() == ("", "")
