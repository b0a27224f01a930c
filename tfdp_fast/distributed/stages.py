"""The two passes of a run, driven over an engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, closing
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from tfdp_fast._text import one_line
from tfdp_fast._threads import resolve_threads
from tfdp_fast.distributed.counts_about import CountsAbout
from tfdp_fast.distributed.driving import drive
from tfdp_fast.distributed.engines import Engine, open_engine
from tfdp_fast.distributed.exchanging import exchange_rows, shared_digest, sum_chunk
from tfdp_fast.distributed.folder import RunFolder
from tfdp_fast.distributed.images import ImagesAbout, ImagesFile, RunTotals, images_name, score_images
from tfdp_fast.distributed.journal import Journal
from tfdp_fast.distributed.manifest import ShardState
from tfdp_fast.distributed.progress import RunProgress
from tfdp_fast.distributed.shard_scoring import ShardScored, score_shard
from tfdp_fast.distributed.shards import Shard
from tfdp_fast.distributed.straddling import Straddling
from tfdp_fast.distributed.tasks import Event, Outcome, Task
from tfdp_fast.distributed.waiting import Waiting
from tfdp_fast.errors import DataError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Stages", "Watcher"]

R = TypeVar("R")

_AHEAD = 2
"""Tasks for each slot of the engine that are in flight: the next ones wait where they will run."""
_BETWEEN = 5.0
"""Seconds between two writes of the manifest while shards are scored."""
_AT_ONCE = 16


class Watcher:
    """Is told how a run goes on; this one does nothing of it."""

    def begun(self, stage: str, earlier: RunProgress, slots: Callable[[], int]) -> None:
        """A stage begins: ``"shards"``, then ``"rows"`` and ``"sums"`` of shared images, then ``"images"``.

        Parameters
        ----------
        stage : str
            Which.
        earlier : RunProgress
            What earlier runs have done of it, and how much there is.
        slots : callable
            How many tasks run at once, now.
        """

    def event(self, event: Event) -> None:
        """Something has happened to a task."""

    def tick(self) -> None:
        """About a second has passed."""


class Stages:
    """Does what is missing in a run folder. A context manager; the engine is started when it is needed.

    Parameters
    ----------
    folder : RunFolder
        The run.
    engine, workers, address
        See `open_engine`.
    retries : int
        How often a task that fails is tried again.
    watcher : Watcher
        Is told how it goes on.

    Attributes
    ----------
    journal : Journal
        The log.
    tries : int
        How often a task is tried, at most.
    """

    def __init__(
        self,
        folder: RunFolder,
        engine: str | Executor,
        workers: int | None,
        address: str | None,
        retries: int,
        watcher: Watcher,
    ) -> None:
        self.journal = Journal(folder.storage)
        self._folder = folder
        self._how = (engine, workers, address)
        self.tries = retries + 1
        self._watcher = watcher
        self._stack = ExitStack()
        self._engine: Engine | None = None

    def __enter__(self) -> Self:
        self._stack.enter_context(self.journal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.journal.write("stopped", reason=one_line(f"{type(error).__name__}: {error}"))
        # The engine is told of the error: it does not wait for what runs.
        self._stack.__exit__(kind, error, trace)

    def score_shards(self) -> tuple[int, list[tuple[Shard, ShardState]]]:
        """Pass 1: score the shards that are missing.

        Returns
        -------
        scored : int
            How many were scored now.
        failed : list of (Shard, ShardState)
            Those that could not be.
        """
        folder, shards = self._folder, self._folder.manifest.shards
        done = folder.done()
        states = {name: ShardState("done") for name in done}
        missing = {shard.key: shard for shard in shards if shard.name not in done}
        self.journal.write(
            "run", shards=len(shards), missing=len(missing), options=folder.manifest.options.to_json()
        )
        folder.write(states)
        written = time.monotonic()
        threads = self._threads_of(len(missing))
        tasks = [
            Task(key, score_shard, (shard, folder.storage, folder.manifest.options, threads), shard.size)
            for key, shard in missing.items()
        ]
        try:
            with closing(self._driven("shards", tasks, _earlier(shards, done))) as outcomes:
                for outcome in outcomes:
                    states[missing[outcome.task.key].name] = ShardState(
                        "done" if outcome.error is None else "failed", outcome.tries, outcome.error
                    )
                    if time.monotonic() - written > _BETWEEN:
                        folder.write(states)
                        written = time.monotonic()
        finally:
            folder.write(states)
        failed = [
            (shard, states[shard.name]) for shard in missing.values() if states[shard.name].state == "failed"
        ]
        return len(missing) - len(failed), failed

    def score_images(
        self, totals: RunTotals, straddling: Straddling
    ) -> tuple[list[ImagesAbout], list[tuple[str, str]]]:
        """Pass 2: score the images of the shards where that has not been done with these totals.

        Parameters
        ----------
        totals : RunTotals
            Of all shards.
        straddling : Straddling
            The images that several shards have.

        Returns
        -------
        abouts : list of ImagesAbout
            What the footers of all files of image scores say, in the order of the shards.
        failed : list of (str, str)
            Names of shards whose images could not be scored, and why; then `abouts` is of no use.
        """
        storage, shards = self._folder.storage, self._folder.manifest.shards
        there = storage.files("images")
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = dict(
                zip(
                    shards,
                    pool.map(lambda shard: self._images_of(shard, totals, straddling, there), shards),
                    strict=True,
                )
            )
        missing = {shard.key: shard for shard, about in found.items() if about is None}
        if missing.keys() & straddling.shards.keys() and (failed := self._sum_shared(totals, straddling)):
            return [], failed
        failed = []
        of_shared = dict.fromkeys(straddling.shards, straddling.digest)
        tasks = [Task(key, score_images, (key, storage, totals, of_shared.get(key))) for key in missing]
        earlier = _progress(len(shards) - len(missing), len(shards))
        with closing(self._driven("images", tasks, earlier)) as outcomes:
            for outcome in outcomes:
                shard = missing[outcome.task.key]
                if outcome.error is not None:
                    failed.append((shard.name, outcome.error))
                else:
                    found[shard] = outcome.result
        return [about for about in found.values() if about is not None], failed

    def _sum_shared(self, totals: RunTotals, straddling: Straddling) -> list[tuple[str, str]]:
        """Score the images that several shards have; what could not be done, and why."""
        storage, digest = self._folder.storage, straddling.digest
        rows = [Task(key, exchange_rows, (key, storage, digest)) for key in straddling.shards]
        chunks = [
            Task(f"chunk {chunk}", sum_chunk, (chunk, storage, digest, totals))
            for chunk in range(straddling.chunks)
        ]
        for stage, tasks in (("rows", rows), ("sums", chunks)):
            failed = [
                (straddling.shards[key][1] if key in straddling.shards else key, outcome.error)
                for outcome in self._driven(stage, tasks, _progress(0, len(tasks)))
                for key in [outcome.task.key]
                if outcome.error is not None
            ]
            if failed:
                return failed
        return []

    def _threads_of(self, tasks: int) -> int:
        """Threads of each task: with fewer of them than processors here, some would have nothing to do."""
        engine, workers, _ = self._how
        return max(1, resolve_threads(workers) // max(1, tasks)) if engine in {"local", "threads"} else 1

    def _images_of(
        self, shard: Shard, totals: RunTotals, straddling: Straddling, there: dict[str, int]
    ) -> ImagesAbout | None:
        """What the file of image scores of a shard says, if it is there and made with these totals."""
        name = images_name(shard.key)
        if name.rpartition("/")[2] not in there:
            return None
        try:
            with self._folder.storage.open(name) as file:
                about = ImagesFile(file, name).about
        except DataError:
            return None
        digest = totals.digest
        if shard.key in straddling.shards:
            digest = shared_digest(straddling.digest, totals)
        return about if (about.totals, about.shard) == (digest, shard.identity) else None

    def _driven(
        self, stage: str, tasks: Sequence[Task[R]], earlier: RunProgress
    ) -> Generator[Outcome[R], None, None]:
        """The outcomes of tasks, as they come; without a task, the engine is not needed."""
        if not tasks:
            return
        if self._engine is None:
            engine, workers, address = self._how
            self._engine = self._stack.enter_context(open_engine(engine, workers=workers, address=address))
        opened = self._engine
        self.journal.write(stage, tasks=len(tasks), engine=opened.name, slots=opened.slots())
        self._watcher.begun(stage, earlier, opened.slots)

        def on_event(event: Event) -> None:
            result = event.result
            more = (
                {"instances": result.instances, "images": result.images}
                if isinstance(result, ShardScored)
                else {}
            )
            self.journal.task(event, **more)
            self._watcher.event(event)

        waiting = Waiting(opened.slots, self.journal)

        def on_tick() -> None:
            waiting.look()
            self.journal.tick()
            self._watcher.tick()

        outcomes = drive(
            tasks,
            opened.executor,
            window=lambda: _AHEAD * opened.slots(),
            retries=self.tries - 1,
            on_event=on_event,
            on_tick=on_tick,
        )
        with closing(outcomes):
            yield from outcomes


def _earlier(shards: Sequence[Shard], done: Mapping[str, CountsAbout]) -> RunProgress:
    """What had been done of the shards before, and how much there is."""
    size = sum(shard.size for shard in shards) if all(shard.size for shard in shards) else None
    return _progress(
        len(done),
        len(shards),
        sum(about.images for about in done.values()),
        sum(about.instances for about in done.values()),
        sum(shard.size for shard in shards if shard.name in done),
        size,
    )


def _progress(
    done: int, tasks: int, images: int = 0, instances: int = 0, size: int = 0, all_size: int | None = None
) -> RunProgress:
    return RunProgress(done, 0, tasks, images, instances, size, all_size, 0.0, 0.0, 0.0, None)
