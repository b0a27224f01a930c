"""The log of a run for machines: lines of JSON, one for each event, in a file for each driver.

The files are ``logs/<UTC time>-<random>.jsonl`` in the run folder. On an object store, to which nothing can
be appended, a long log goes on in ``…-2.jsonl``, ``…-3.jsonl`` and so on. Each line has

=============  ========================================================================================
``time``       UTC, ISO 8601 with milliseconds: ``2026-01-31T12:00:00.123Z``
``event``      one of those below
=============  ========================================================================================

Those of tasks, which `drive` sends:

=============  ========================================================================================
``started``    handed to the engine, where it may wait for a worker: ``key``, ``try`` (from 1), ``bytes``
``done``       ``key``, ``try``, ``bytes``, ``seconds``, ``worker`` (host:pid), and what the run adds
``failed``     as ``done``, and ``reason`` (one line), ``again`` (whether it will be tried again), ``trace``
               (the traceback of an error that nobody expected)
``lost``       the worker has died: as ``failed``
=============  ========================================================================================

A run writes events of its own beside them, with the fields that it likes. Fields that are not known, a worker
for example, are left out.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfdp_fast.distributed.tasks import Event

if TYPE_CHECKING:
    from typing_extensions import Self

    from tfdp_fast.distributed.storage import Storage

__all__ = ["Journal", "read_journal"]

FOLDER = "logs"
"""Where logs are in a run folder."""

_log = logging.getLogger(__name__.partition(".")[0])

_PART = 4 << 20
"""Bytes after which a log on an object store goes on in another object."""


class Journal:
    """The log of one driver. A context manager.

    On a local file system each event is there at once. An object store gets what there is when `tick` is
    called and a while has passed, and at the end. A log that cannot be written does not stop anything: that
    is said at the end, as a warning of the logger ``tfdp_fast``, unless an error ends the block, which says
    enough. Use it from one thread.

    Parameters
    ----------
    folder : Storage
        The run folder.
    every : float
        Seconds between two writes to an object store.

    Attributes
    ----------
    name : str
        Of the file, in the run folder.

    Examples
    --------
    >>> import tempfile
    >>> from tfdp_fast.distributed.storage import Storage
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Journal(Storage(folder)) as journal:
    ...         journal.write("chosen", images=17)
    ...     event, = read_journal(Storage(folder).read_bytes(journal.name))
    >>> event["event"], event["images"]
    ('chosen', 17)
    """

    def __init__(self, folder: Storage, *, every: float = 30.0) -> None:
        self._stem = f"{FOLDER}/{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(4)}"
        self.name = f"{self._stem}.jsonl"
        self._sink = _File(folder.local / self.name) if folder.local else _Objects(folder, self._stem)
        self._every = every
        self._next_write = time.monotonic() + every
        self._failure: Exception | None = None

    def write(self, event: str, /, **fields: Any) -> None:
        """Log an event.

        Parameters
        ----------
        event : str
            Its name.
        **fields
            What JSON can hold; anything else becomes its text. None is left out.
        """
        self._write(time.time(), event, fields)

    def task(self, event: Event, /, **fields: Any) -> None:
        """Log an event of `drive`, and more about it."""
        of_it: dict[str, Any] = {"key": event.key, "try": event.tries, "bytes": event.size or None}
        if event.kind != "started":
            of_it |= {"seconds": round(event.seconds, 6), "worker": event.worker or None}
        if event.reason is not None:
            of_it |= {"reason": event.reason, "again": event.again, "trace": event.trace}
        self._write(event.time, event.kind, of_it | fields)

    def tick(self) -> None:
        """Send what is due to an object store; call it once a second or so."""
        if time.monotonic() >= self._next_write:
            self._flush()
            self._next_write = time.monotonic() + self._every

    def close(self, *, warn: bool = True) -> None:
        """Write what is left; say it, if something could not be written."""
        self._flush()
        with self._forgiven():
            self._sink.close()
        if warn and (failure := self._failure) is not None:
            self._failure = None
            reason = failure.strerror if isinstance(failure, OSError) and failure.strerror else failure
            _log.warning("the log %s cannot be written: %s", self.name, reason)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close(warn=kind is None)

    def _write(self, moment: float, event: str, fields: dict[str, Any]) -> None:
        when = datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="milliseconds")
        known = {name: value for name, value in fields.items() if value is not None}
        with self._forgiven():
            line = json.dumps({"time": f"{when[:-6]}Z", "event": event, **known}, default=str)
            self._sink.append(line.encode() + b"\n")

    def _flush(self) -> None:
        with self._forgiven():
            self._sink.flush()

    @contextlib.contextmanager
    def _forgiven(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._failure = self._failure or error


class _File:
    """A local file that is appended to; a line is there whole or not at all."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._size = 0

    def append(self, line: bytes) -> None:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            written = os.write(self._file, line)
            if written < len(line):  # the disk is full; a second try says so
                os.write(self._file, line[written:])
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(line)

    def flush(self) -> None:
        """All is there already."""

    def close(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            os.close(file)


class _Objects:
    """Objects that are written again as they grow."""

    def __init__(self, folder: Storage, stem: str) -> None:
        self._folder = folder
        self._stem = stem
        self._part = 1
        self._content = bytearray()
        self._written = 0

    def append(self, line: bytes) -> None:
        self._content += line

    def flush(self) -> None:
        if len(self._content) > self._written:
            name = f"{self._stem}.jsonl" if self._part == 1 else f"{self._stem}-{self._part}.jsonl"
            self._folder.write_bytes(name, bytes(self._content))
            self._written = len(self._content)
        if self._written >= _PART:
            self._content.clear()
            self._written = 0
            self._part += 1

    def close(self) -> None:
        """All is there already."""


def read_journal(content: bytes) -> Iterator[dict[str, Any]]:
    r"""The events of a log, in the order in which they were written.

    A last line that has no end, as a driver may leave it that was killed, is left out.

    Parameters
    ----------
    content : bytes
        Of a file.

    Yields
    ------
    dict
        With ``time``, ``event`` and the fields of the event.

    Examples
    --------
    >>> lines = b'{"time": "2026-01-31T12:00:00.123Z", "event": "done", "key": "a"}\n{"time": "202'
    >>> [event["event"] for event in read_journal(lines)]
    ['done']
    """
    complete, _, _ = content.rpartition(b"\n")
    for line in complete.splitlines():
        yield json.loads(line)
