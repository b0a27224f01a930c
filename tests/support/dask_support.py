"""A Dask cluster of processes, each of which can be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tfdp_fast.distributed.relaying import python_path


class DaskCluster:
    """A scheduler, and workers of one thread that nothing starts again."""

    def __init__(self, folder: Path, allowed_failures: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._file = folder / "scheduler.json"
        self._env = {
            **os.environ,
            "PYTHONPATH": python_path(),
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": str(allowed_failures),
        }
        self._logs: list[IO[bytes]] = []
        self.workers: list[subprocess.Popen[bytes]] = []
        options = (
            "--port",
            "0",
            "--host",
            "127.0.0.1",
            "--no-dashboard",
            "--dashboard-address",
            "127.0.0.1:0",
        )
        self.scheduler = self._start("scheduler", *options)
        deadline = time.monotonic() + 60
        while not self._file.exists():
            assert time.monotonic() < deadline
            assert self.scheduler.poll() is None
            time.sleep(0.05)
        self.address = str(json.loads(self._file.read_text())["address"])

    def add_worker(self) -> None:
        """Start a worker; it joins some seconds later."""
        options = ("--no-nanny", "--nthreads", "1", "--no-dashboard", "--local-directory", str(self._folder))
        self.workers.append(self._start("worker", *options))

    def stop(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()
        for log in self._logs:
            log.close()

    def _start(self, what: str, *options: str) -> subprocess.Popen[bytes]:
        log = (self._folder / f"{what}-{len(self._logs)}.log").open("wb")
        self._logs.append(log)
        return subprocess.Popen(
            [sys.executable, "-m", "dask", what, "--scheduler-file", str(self._file), *options],
            env=self._env,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


@contextmanager
def dask_cluster(folder: Path, workers: int = 2, allowed_failures: int = 0) -> Iterator[DaskCluster]:
    """Start a cluster, and stop it."""
    cluster = DaskCluster(folder, allowed_failures)
    try:
        for _ in range(workers):
            cluster.add_worker()
        yield cluster
    finally:
        cluster.stop()
