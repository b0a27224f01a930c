"""An executor on which everything may go wrong."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

from tfdp_fast.distributed.tasks import WorkerLostError

R = TypeVar("R")


class Unreliable(Executor):
    """Runs tasks on threads, in an order that is drawn; may lose them, before or after, or run them twice.

    Parameters
    ----------
    seed : int
        Of what is drawn.
    workers : int
        How many tasks run at once.
    losses : int
        How often a task is lost, at most.
    """

    def __init__(self, seed: int, workers: int, losses: int) -> None:
        self._random = random.Random(seed)
        self._losses = losses
        self._lost: Counter[Any] = Counter()
        self._waiting: list[tuple[Future[Any], Callable[[], Any], Any]] = []
        self._there = threading.Condition()
        self._open = True
        self.happened: Counter[str] = Counter()
        self._max_workers = workers
        self._threads = [threading.Thread(target=self._work) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def submit(self, function: Callable[..., R], /, *arguments: Any, **named: Any) -> Future[R]:
        future: Future[R] = Future()
        with self._there:
            # `drive` submits a function with its arguments; the first of these says what the task is.
            key = (arguments[0].__name__, str(arguments[1][0]))
            self._waiting.append((future, lambda: function(*arguments, **named), key))
            self._there.notify()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        with self._there:
            self._open = False
            for future, _, _ in self._waiting if cancel_futures else ():
                future.cancel()
            self._there.notify_all()
        for thread in self._threads if wait else ():
            thread.join()

    def _work(self) -> None:
        while True:
            with self._there:
                while self._open and not self._waiting:
                    self._there.wait()
                if not self._waiting:
                    return
                future, call, key = self._waiting.pop(self._random.randrange(len(self._waiting)))
                fate = self._random.choice(["done", "done", "twice", "before", "after"])
                if fate in {"before", "after"}:
                    self._lost[key] += 1
                    if self._lost[key] > self._losses:
                        fate = "done"
                self.happened[fate] += 1
            if future.set_running_or_notify_cancel():
                self._answer(future, call, fate)

    @staticmethod
    def _answer(future: Future[Any], call: Callable[[], Any], fate: str) -> None:
        try:
            result = None if fate == "before" else call()
            result = call() if fate == "twice" else result
        except BaseException as error:
            future.set_exception(error)
            return
        if fate in {"before", "after"}:
            future.set_exception(WorkerLostError(f"lost {fate} its task"))
        else:
            future.set_result(result)
