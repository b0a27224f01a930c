"""Engines that have no workers for a while."""

from __future__ import annotations

import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from record_support import general, made_coco
from run_support import events, pieces
from tfdp_fast import distributed


class Deserted(ThreadPoolExecutor):
    """Has no workers for a while; then it has one."""

    def __init__(self, seconds: float) -> None:
        super().__init__(1)
        self._there = time.monotonic() + seconds

    def slots(self) -> int:
        return int(time.monotonic() >= self._there)

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        def late() -> Any:
            time.sleep(max(0.0, self._there - time.monotonic()) + 0.1)
            return fn(*args, **kwargs)

        return super().submit(late)


@pytest.mark.parametrize("patience", [0.1, 30.0])
def test_it_waits_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, patience: float
) -> None:
    monkeypatch.setattr("tfdp_fast.distributed.waiting.PATIENCE", patience)
    monkeypatch.setattr("tfdp_fast.distributed.driving.TICK", 0.02)
    with Deserted(0.6) as executor, caplog.at_level(logging.WARNING):
        result = distributed.run(pieces(list(general(made_coco(4))), [2]), tmp_path, engine=executor)
    assert not result.failed
    said = [event["event"] for event in events(tmp_path) if event["event"] in {"waiting", "workers"}]
    if patience == 30.0:
        assert said == []
        assert caplog.messages == []
    else:
        assert said == ["waiting", "workers"]
        assert caplog.messages == ["the engine has no workers any more: waiting for others"]
