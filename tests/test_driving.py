"""The loop that drives tasks: any pattern of failures, over real executors and over one that tests steer."""

from __future__ import annotations

import concurrent.futures
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import driving_support as support
from tfdp_fast.distributed.driving import Event, Outcome, Task, WorkerLostError, drive
from tfdp_fast.distributed.tasks import worker_name
from tfdp_fast.errors import DataError, EngineError, OptionError


class Steered(Executor):
    """Runs one of the calls in flight, as `choose` says, whenever the loop waits."""

    def __init__(self, choose: Callable[[int], int], lose: Callable[[Any], bool] = lambda _: False) -> None:
        self.choose = choose
        self.lose = lose
        self.flying: list[tuple[Future[Any], Callable[[], Any], Any]] = []
        self.most = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.flying.append((future, lambda: fn(*args, **kwargs), args[1][0]))
        self.most = max(self.most, len(self.flying))
        return future

    def step(self) -> None:
        future, call, argument = self.flying.pop(self.choose(len(self.flying)))
        if self.lose(argument):
            future.set_exception(WorkerLostError("killed", "there:7"))
        else:
            future.set_result(call())

    def drive(self, tasks: Iterable[Task[Any]], **options: Any) -> list[Outcome[Any]]:
        def wait(*arguments: Any) -> Any:
            self.step()
            return concurrent.futures.wait(*arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tfdp_fast.distributed.driving.wait", wait)
            return list(drive(tasks, self, **options))


WAYS = st.sampled_from(["done", "failed", "lost"])


@given(
    ways=st.lists(st.lists(WAYS, max_size=5), max_size=12),
    window=st.integers(-1, 7),
    retries=st.integers(0, 4),
    data=st.data(),
)
def test_any_pattern_of_failures(
    ways: list[list[str]], window: int, retries: int, data: st.DataObject
) -> None:
    """Each task does in turn what is drawn for it, and succeeds from then on."""
    turns = [[*way, *["done"] * 9] for way in ways]
    begun: Counter[int] = Counter()

    def work(key: int) -> int:
        begun[key] += 1
        if turns[key][begun[key] - 1] == "failed":
            raise ValueError(f"try {begun[key]}")
        return begun[key]

    def lose(key: int) -> bool:
        if turns[key][begun[key]] == "lost":
            begun[key] += 1
            return True
        return False

    executor = Steered(lambda n: data.draw(st.integers(0, n - 1)), lose)
    events: list[Event] = []
    tasks = (Task(str(n), work, (n,), size=10 * n) for n in range(len(ways)))
    found = executor.drive(tasks, window=window, retries=retries, on_event=events.append)
    outcomes = {int(outcome.task.key): outcome for outcome in found}
    assert len(found) == len(outcomes)
    assert sorted(outcomes) == list(range(len(ways)))
    assert executor.most <= max(1, window)
    for key, outcome in outcomes.items():
        first = turns[key].index("done") + 1
        assert outcome.tries == begun[key] == min(first, retries + 1)
        assert (outcome.error is None) == (first <= retries + 1)
        assert outcome.result == (first if outcome.error is None else None)
        mine = [event for event in events if event.key == str(key)]
        expected = [(kind, n) for n in range(1, outcome.tries + 1) for kind in ("started", turns[key][n - 1])]
        assert [(event.kind, event.tries) for event in mine] == expected
        assert all(event.size == 10 * key for event in mine)
        ends = [event for event in mine if event.kind != "started"]
        assert [event.again for event in ends] == [True] * (len(ends) - 1) + [False]
        assert ends[-1].reason == outcome.error
        assert all((event.worker == "there:7") == (event.kind == "lost") for event in ends)
    assert len(events) == 2 * sum(begun.values())


@given(
    failures=st.lists(st.integers(0, 4), max_size=20),
    workers=st.sampled_from([1, 2, 7]),
    retries=st.integers(0, 3),
)
def test_on_threads(failures: list[int], workers: int, retries: int) -> None:
    begun: Counter[int] = Counter()
    lock = threading.Lock()

    def work(key: int) -> int:
        with lock:
            begun[key] += 1
            if begun[key] <= failures[key]:
                raise OSError(f"{begun[key]}")
            return begun[key]

    tasks = [Task(str(n), work, (n,)) for n in range(len(failures))]
    with ThreadPoolExecutor(workers) as pool:
        outcomes = list(drive(tasks, pool, window=2 * workers, retries=retries))
    assert sorted(int(o.task.key) for o in outcomes) == list(range(len(failures)))
    for outcome in outcomes:
        fails = failures[int(outcome.task.key)]
        assert outcome.tries == min(fails, retries) + 1
        assert outcome.error == (None if fails <= retries else f"OSError: {retries + 1}")


def test_failures_go_to_the_end() -> None:
    order: list[int] = []

    def work(key: int) -> None:
        order.append(key)
        if key in {1, 3} and order.count(key) == 1:
            raise ValueError

    tasks = [Task(str(n), work, (n,)) for n in range(6)]
    keys = [outcome.task.key for outcome in Steered(lambda _: 0).drive(tasks, window=2, retries=1)]
    assert order == [0, 1, 2, 3, 4, 5, 1, 3]
    assert keys == ["0", "2", "4", "5", "1", "3"]


def test_tasks_are_taken_as_they_are_needed() -> None:
    taken = 0

    def tasks() -> Iterator[Task[int]]:
        nonlocal taken
        for taken in range(1, 10**9):
            yield Task(str(taken), support.double, (taken,))

    with ThreadPoolExecutor(1) as pool:
        loop = drive(tasks(), pool, window=3, retries=0)
        with closing(loop):
            for done, outcome in enumerate(loop, 1):
                assert outcome.result == 2 * int(outcome.task.key)
                assert taken <= done + 3 + 3
                if done == 100:
                    break


def test_what_the_window_says_now_counts() -> None:
    executor = Steered(lambda _: 0)
    sizes = iter([1, 1, 5, *[2] * 20])
    flying: list[int] = []

    def note(event: Event) -> None:
        if event.kind == "started":
            flying.append(len(executor.flying))

    tasks = [Task(str(n), support.double, (n,)) for n in range(12)]
    assert len(executor.drive(tasks, window=lambda: next(sizes), retries=0, on_event=note)) == 12
    assert flying[:2] == [1, 1]
    assert max(flying) == 5
    assert flying[-1] <= 2


def test_reasons() -> None:
    def work(key: int) -> None:
        errors: list[BaseException] = [
            DataError("a.tar", "annotation 7", "torn"),
            ValueError("two\nlines"),
            MemoryError(),
            SystemExit(3),
            ValueError("x" * 10_000),
        ]
        raise errors[key]

    events: list[Event] = []
    with ThreadPoolExecutor(1) as pool:
        tasks = [Task(str(n), work, (n,)) for n in range(5)]
        reasons = [o.error for o in drive(tasks, pool, window=1, retries=0, on_event=events.append)]
    assert reasons[:4] == [
        "a.tar: annotation 7: torn",
        r"ValueError: two\nlines",
        "MemoryError",
        "SystemExit: 3",
    ]
    assert len(reasons[4] or "") == 2000
    traces = [event.trace for event in events if event.kind == "failed"]
    assert traces[0] is None
    assert "in work" in (traces[1] or "")
    assert all(event.worker == worker_name() for event in events if event.kind == "failed")
    assert max(len(trace or "") for trace in traces) <= 8000


def test_what_comes_with_an_outcome() -> None:
    events: list[Event] = []
    task = Task("a", time.sleep, (0.05,), size=7)
    before = time.time()
    with ThreadPoolExecutor(1) as pool:
        [outcome] = drive([task], pool, window=1, retries=0, on_event=events.append)
    assert outcome == Outcome(task, None, None, 1, outcome.seconds, worker_name())
    assert 0.05 <= outcome.seconds <= time.time() - before
    started, done = events
    assert before <= started.time <= done.time <= time.time()
    assert done == replace(
        started, kind="done", time=done.time, seconds=outcome.seconds, worker=outcome.worker
    )


def test_nothing_to_do() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert list(drive([], pool, window=1, retries=1)) == []


def test_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """They come while nothing finishes."""
    monkeypatch.setattr("tfdp_fast.distributed.driving.TICK", 0.02)
    ticks: list[int] = []
    reached = threading.Event()

    def tick() -> None:
        ticks.append(1)
        if len(ticks) >= 3:
            reached.set()

    with ThreadPoolExecutor(1) as pool:
        [outcome] = drive([Task("a", reached.wait, (10,))], pool, window=2, retries=2, on_tick=tick)
    assert outcome.result is True


def test_what_has_failed_is_tried_again_after_the_others() -> None:
    order: list[str] = []

    def work(key: str) -> None:
        order.append(key)
        if key == "a" and order.count("a") == 1:
            raise OSError

    tasks = [Task(key, work, (key,)) for key in "abcdef"]
    with ThreadPoolExecutor(1) as pool:
        list(drive(tasks, pool, window=1, retries=1))
    assert order == [*"abcdef", "a"]


def test_closing_cancels_what_has_not_begun() -> None:
    gate = threading.Event()
    begun: list[int] = []

    def work(key: int) -> None:
        begun.append(key)
        if key:
            gate.wait(30)

    with ThreadPoolExecutor(1) as pool:
        loop = drive([Task(str(n), work, (n,)) for n in range(9)], pool, window=5, retries=3)
        next(loop)
        loop.close()
        gate.set()
    assert begun in ([0], [0, 1])


def test_an_interrupt_cancels_what_has_not_begun() -> None:
    gate = threading.Event()
    begun: list[int] = []

    def work(key: int) -> None:
        begun.append(key)
        gate.wait(30)

    def interrupt(event: Event) -> None:
        if event.key == "4":
            raise KeyboardInterrupt

    with ThreadPoolExecutor(1) as pool:
        loop = drive(
            [Task(str(n), work, (n,)) for n in range(9)], pool, window=5, retries=3, on_event=interrupt
        )
        with pytest.raises(KeyboardInterrupt):
            list(loop)
        gate.set()
    assert begun in ([], [0])


class Breaking(Executor):
    """Works for a while."""

    def __init__(self, good: int, broken: Callable[[], Exception], *, when_submitting: bool) -> None:
        self.good = good
        self.broken = broken
        self.when_submitting = when_submitting

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.good -= 1
        if self.good >= 0:
            future.set_result(fn(*args, **kwargs))
        elif self.when_submitting:
            raise self.broken()
        else:
            future.set_exception(self.broken())
        return future


@pytest.mark.parametrize("when_submitting", [False, True])
@pytest.mark.parametrize("window", [1, 3, 20])
def test_a_dead_executor(window: int, when_submitting: bool) -> None:
    executor = Breaking(5, lambda: BrokenProcessPool("a process died"), when_submitting=when_submitting)
    tasks = (Task(str(n), support.double, (n,)) for n in range(9))
    loop = drive(tasks, executor, window=window, retries=5)
    assert [next(loop).result for _ in range(5)] == [0, 2, 4, 6, 8]
    with pytest.raises(EngineError, match=r"^the engine has stopped: BrokenProcessPool: a process died$"):
        next(loop)


def test_errors_of_an_engine_that_are_our_own() -> None:
    executor = Breaking(1, lambda: OptionError("put it into a module"), when_submitting=True)
    loop = drive([Task(str(n), support.double, (n,)) for n in range(3)], executor, window=9, retries=5)
    assert next(loop).result == 0
    with pytest.raises(OptionError, match="put it into a module"):
        next(loop)
    executor = Breaking(0, lambda: EngineError("no cluster"), when_submitting=True)
    with pytest.raises(EngineError, match=r"^no cluster$"):
        list(drive([Task("a", support.pid)], executor, window=9, retries=5))


def test_an_executor_that_was_shut_down() -> None:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(EngineError, match="the engine has stopped: RuntimeError: cannot schedule"):
        list(drive([Task("a", support.pid)], pool, window=1, retries=1))


def test_tasks_that_cannot_be_listed() -> None:
    def tasks() -> Iterator[Task[int]]:
        yield Task("a", support.double, (1,))
        raise RuntimeError("the list ends here")

    with ThreadPoolExecutor(1) as pool:
        loop = drive(tasks(), pool, window=1, retries=1)
        assert next(loop).result == 2
        with pytest.raises(RuntimeError, match="the list ends here"):
            next(loop)


def test_a_task_that_the_engine_cancels() -> None:
    class Cancelling(Steered):
        def step(self) -> None:
            if self.flying[0][2] == 1 and not cancelled:
                future = self.flying.pop(0)[0]
                cancelled.append(future.cancel())
                future.set_running_or_notify_cancel()
            else:
                super().step()

    cancelled: list[bool] = []
    events: list[Event] = []
    tasks = [Task(str(n), support.double, (n,)) for n in range(3)]
    executor = Cancelling(lambda _: 0)
    outcomes = executor.drive(tasks, window=2, retries=1, on_event=events.append)
    assert [(outcome.result, outcome.tries) for outcome in outcomes] == [(0, 1), (4, 1), (2, 2)]
    assert [event.reason for event in events if event.kind == "failed"] == ["the engine cancelled the task"]


def test_a_process_pool(tmp_path: Path) -> None:
    """One that dies as a whole with one of its processes: what it has done is not lost."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        tasks = [Task(str(n), support.double, (n,)) for n in range(5)]
        assert sorted(o.result or 0 for o in drive(tasks, pool, window=4, retries=0)) == [0, 2, 4, 6, 8]
        failing = [Task("a", support.fail_until, (str(tmp_path / "a"), 2))]
        assert [(o.result, o.tries) for o in drive(failing, pool, window=4, retries=2)] == [(3, 3)]
        odd = [Task("a", support.raise_error, (support.TwoArgumentsError, "a", "b"))]
        assert [o.error for o in drive(odd, pool, window=4, retries=0)] == ["TwoArgumentsError: a and b"]
        dying = [Task("a", support.leave, (1,))]
        with pytest.raises(EngineError, match="the engine has stopped: BrokenProcessPool"):
            list(drive(dying, pool, window=4, retries=2))
