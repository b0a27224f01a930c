"""Shows how a run goes on: a bar on a terminal, lines in the log of the package."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from tfdp_fast.distributed.progress import Meter, RunProgress, log_event, run_bar
from tfdp_fast.distributed.stages import Watcher
from tfdp_fast.distributed.tasks import Event

__all__ = ["watched"]


@contextlib.contextmanager
def watched(*, bar: bool) -> Iterator[Watcher]:
    """What shows a run: a bar, if it is wanted and standard error is a terminal; and logging."""
    with run_bar(enabled=bar) as show:
        yield _Shown(show)


class _Shown(Watcher):
    def __init__(self, show: Callable[[RunProgress], None] | None) -> None:
        self._show = show
        self._meter: Meter | None = None

    def begun(self, stage: str, earlier: RunProgress, slots: Callable[[], int]) -> None:  # noqa: ARG002
        self._meter = Meter(earlier.all_shards, earlier.all_size, slots=slots, earlier=earlier)
        self.tick()

    def event(self, event: Event) -> None:
        assert self._meter is not None
        self._meter.see(event)
        log_event(event, self._meter.now())
        self.tick()

    def tick(self) -> None:
        if self._show is not None and self._meter is not None:
            self._show(self._meter.now())
