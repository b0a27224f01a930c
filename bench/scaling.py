"""A model of what runs take, fitted to some, for more instances and more machines.

Both passes are tasks over shards, which any number of cores share:

    passes = start of a worker + waves * (task of a shard + what its core waits for)
    waves  = shards / cores, rounded up

and the first takes no less than its bytes through the network of all machines. The rest is done by the driver
alone, however many machines there are: planning and putting together, by shards, and choosing, by images. On
an object store it waits for the footers of the shards, some at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from run_figures import Figures

AT_ONCE = 16
"""Footers that the driver reads at the same time."""


@dataclass(frozen=True)
class Line:
    """What does not depend on how much there is, and what each piece adds; neither is negative."""

    base: float
    each: float

    def at(self, amount: float) -> float:
        """What so many pieces take."""
        return self.base + self.each * amount

    @classmethod
    def through(cls, amounts: Sequence[float], values: Sequence[float]) -> Line:
        """The line with the least squares."""
        x, y = np.array(amounts, np.float64), np.array(values, np.float64)
        each, base = np.polyfit(x, y, 1) if len(set(amounts)) > 1 else (y.mean() / x.mean(), 0.0)
        if base < 0:
            each, base = x @ y / (x @ x), 0.0
        if each < 0:
            each, base = 0.0, y.mean()
        return cls(float(base), float(each))


@dataclass(frozen=True)
class Cloud:
    """What machines are assumed to be.

    Attributes
    ----------
    cores : int
        Of a machine.
    network : float
        Bytes a second that a machine reads.
    request : float
        Seconds until an object store answers.
    core_hour, gb : float
        Dollars for a core and an hour, and for a GB that is read.
    """

    cores: int
    network: float
    request: float
    core_hour: float
    gb: float


@dataclass(frozen=True)
class Job:
    """How much there is to do.

    Attributes
    ----------
    instances, images, shards : int
    read : float
        Bytes.
    """

    instances: int
    images: int
    shards: int
    read: float


@dataclass(frozen=True)
class Parts:
    """What a run takes, by its parts; seconds."""

    start: float
    pass1: float
    merge: float
    pass2: float
    choose: float

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.driver + self.pass1 + self.pass2

    @property
    def driver(self) -> float:
        """What the driver does alone."""
        return self.start + self.merge + self.choose


@dataclass(frozen=True)
class Model:
    """The constants; seconds and bytes, of one core.

    Attributes
    ----------
    task1, task2 : Line
        Of the tasks of the passes, all of them, by instances.
    idle1, idle2 : Line
        Cores that wait for their tasks, by shards: workers that start, the driver's part, the last wave.
    start, merge : Line
        Of the driver, by shards.
    choose : Line
        Of the driver, by images; and the end of the process.
    driver_memory : Line
        By shards.
    worker_memory : int
    cores : int
        Of the machine that was measured.
    """

    task1: Line
    task2: Line
    idle1: Line
    idle2: Line
    start: Line
    merge: Line
    choose: Line
    driver_memory: Line
    worker_memory: int
    cores: int

    @classmethod
    def fitted(cls, runs: Sequence[Figures], many: Sequence[Figures] = ()) -> Model:
        """To some runs on one machine.

        Parameters
        ----------
        runs : sequence of Figures
            Runs of shards of the same size.
        many : sequence of Figures
            Runs of many small shards. They say what a shard costs the driver, which a few large ones do not.
        """

        def line(by: str, value: Callable[[Figures], float], more: Sequence[Figures] = ()) -> Line:
            chosen = [*runs, *more]
            return Line.through([getattr(run, by) for run in chosen], [value(run) for run in chosen])

        return cls(
            task1=line("instances", lambda run: run.tasks1),
            task2=line("instances", lambda run: run.tasks2),
            idle1=line("shards", lambda run: max(run.pass1 * run.cores - run.tasks1, 0)),
            idle2=line("shards", lambda run: max(run.pass2 * run.cores - run.tasks2, 0)),
            start=line("shards", lambda run: run.start, many),
            merge=line("shards", lambda run: run.merge, many),
            choose=line("images", lambda run: run.choose + run.end),
            driver_memory=line("shards", lambda run: run.driver, many),
            worker_memory=max(run.worker for run in runs),
            cores=runs[0].cores,
        )

    def here(self, job: Job) -> Parts:
        """On the machine that was measured, from its disk."""
        return self._parts(job, self.cores, math.inf, 0.0)

    def on(self, job: Job, machines: int, cloud: Cloud) -> Parts:
        """On several machines, from an object store."""
        waiting = cloud.request * math.ceil(job.shards / AT_ONCE)
        return self._parts(job, machines * cloud.cores, machines * cloud.network, waiting)

    def _parts(self, job: Job, cores: int, network: float, waiting: float) -> Parts:
        waves = math.ceil(job.shards / cores)
        one = job.instances / job.shards

        def wall(task: Line, idle: Line) -> float:
            return (task.base + idle.base) / self.cores + waves * (task.each * one + idle.each)

        return Parts(
            start=self.start.at(job.shards) + waiting,
            pass1=max(wall(self.task1, self.idle1), job.read / network),
            merge=self.merge.at(job.shards) + waiting,
            pass2=wall(self.task2, self.idle2),
            choose=self.choose.at(job.images) + waiting,
        )

    def memory(self, shards: int, cores: int) -> float:
        """Of a machine with the driver and so many workers, bytes; what they share counts for each."""
        return self.driver_memory.at(shards) + cores * self.worker_memory


def job_like(run: Figures, instances: int, per_shard: int) -> Job:
    """The same kind of data, of another size."""
    scale = instances / run.instances
    return Job(instances, round(run.images * scale), math.ceil(instances / per_shard), run.read * scale)
