"""Engines without a worker: a cluster may lose all, and get others. A run waits for them, and says so."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from tfdp_fast.distributed.journal import Journal

__all__ = ["Waiting"]

PATIENCE = 30.0
"""Seconds without a worker, after which it is said."""

_log = logging.getLogger(__name__.partition(".")[0])


class Waiting:
    """Notices that nobody is there to take tasks.

    After half a minute it is said, as a warning of the logger ``tfdp_fast`` and as an event ``waiting`` in
    the log; and once there are workers again, as an event ``workers``.

    Parameters
    ----------
    slots : callable
        How many tasks can run at once, now.
    journal : Journal
        The log.
    """

    def __init__(self, slots: Callable[[], int], journal: Journal) -> None:
        self._slots = slots
        self._journal = journal
        self._since: float | None = None
        self._said = False

    def look(self) -> None:
        """Look whether there is a worker; to be called every now and then."""
        slots, now = self._slots(), time.monotonic()
        if slots:
            if self._said:
                self._journal.write("workers", slots=slots)
            self._since, self._said = None, False
        elif self._since is None:
            self._since = now
        elif not self._said and now - self._since >= PATIENCE:
            self._said = True
            self._journal.write("waiting", reason="the engine has no workers")
            _log.warning("the engine has no workers any more: waiting for others")
