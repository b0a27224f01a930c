"""The log of a run: lines that are there at once, whole or not at all, and never a reason to stop."""

from __future__ import annotations

import json
import logging
import re
import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfdp_fast.distributed.driving import Event, Task, drive
from tfdp_fast.distributed.journal import Journal, read_journal
from tfdp_fast.distributed.storage import Storage
from tfdp_fast.errors import OutputError

NAME = re.compile(r"logs/\d{8}T\d{6}Z-[0-9a-f]{8}\.jsonl")


class ObjectStore(Storage):
    """A folder to which nothing can be appended."""

    def __init__(self) -> None:
        super().__init__("memory://run")
        self.objects: dict[str, bytes] = {}
        self.writes = 0
        self.down = False

    def write_bytes(self, name: str, content: bytes) -> None:
        self.writes += 1
        if self.down:
            raise OutputError("no route to host")
        self.objects[name] = content


@pytest.fixture
def store() -> ObjectStore:
    return ObjectStore()


def test_lines_are_there_at_once(tmp_path: Path) -> None:
    with Journal(Storage(tmp_path / "run")) as journal:
        assert NAME.fullmatch(journal.name)
        assert not (tmp_path / "run").exists()
        before = datetime.now(timezone.utc)
        journal.write("begun", shards=3, source="a\nb", path=Path("c"), nothing=None)
        [event] = read_journal((tmp_path / "run" / journal.name).read_bytes())
        assert list(event) == ["time", "event", "shards", "source", "path"]
        assert (event["event"], event["source"], event["path"]) == ("begun", "a\nb", "c")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["time"])
        seconds = (datetime.fromisoformat(event["time"][:-1] + "+00:00") - before).total_seconds()
        assert -0.001 <= seconds < 60
        journal.write("ended")
        lines = (tmp_path / "run" / journal.name).read_bytes().split(b"\n")
        assert [json.loads(line)["event"] for line in lines[:-1]] == ["begun", "ended"]


def test_each_driver_has_its_own(tmp_path: Path) -> None:
    names = {Journal(Storage(tmp_path)).name for _ in range(20)}
    assert len(names) == 20


def test_events_of_tasks(tmp_path: Path) -> None:
    def work(text: str) -> int:
        return int(text)

    with Journal(Storage(tmp_path)) as journal, ThreadPoolExecutor(1) as pool:
        tasks = [Task("a", work, ("17",), size=100), Task("b", work, ("x",))]

        def note(event: Event) -> None:
            journal.task(event, **({"instances": event.result} if event.kind == "done" else {}))

        list(drive(tasks, pool, window=1, retries=1, on_event=note))
    events = list(read_journal((tmp_path / journal.name).read_bytes()))
    assert [(e["event"], e["key"], e["try"], e.get("again")) for e in events] == [
        ("started", "a", 1, None),
        ("done", "a", 1, None),
        ("started", "b", 1, None),
        ("failed", "b", 1, True),
        ("started", "b", 2, None),
        ("failed", "b", 2, False),
    ]
    assert list(events[0]) == ["time", "event", "key", "try", "bytes"]
    assert list(events[1]) == ["time", "event", "key", "try", "bytes", "seconds", "worker", "instances"]
    assert events[1]["instances"] == 17
    assert list(events[3]) == ["time", "event", "key", "try", "seconds", "worker", "reason", "again", "trace"]
    assert events[3]["reason"] == "ValueError: invalid literal for int() with base 10: 'x'"
    assert "in work" in events[3]["trace"]


NAMES = st.text(max_size=9).filter(lambda name: name not in {"time", "event"})
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)


@given(st.lists(st.dictionaries(NAMES, SCALARS, max_size=4), max_size=5))
def test_anything_can_be_read_again(events: list[dict[str, Any]]) -> None:
    store = ObjectStore()
    with Journal(store) as journal:
        for fields in events:
            journal.write("some", **fields)
    found = list(read_journal(store.objects.get(journal.name, b"")))
    for event in found:
        assert event.pop("event") == "some"
        del event["time"]
    assert found == [{name: v for name, v in fields.items() if v is not None} for fields in events]


@given(st.binary(max_size=30).filter(lambda tail: b"\n" not in tail))
def test_a_torn_line_is_left_out(tail: bytes) -> None:
    assert list(read_journal(b'{"event": "a"}\n' + tail)) == [{"event": "a"}]


def test_a_killed_driver_leaves_what_it_has_written(tmp_path: Path) -> None:
    code = f"""
        import os, sys
        sys.path.insert(0, {str(Path(__file__).resolve().parents[1])!r})
        from tfdp_fast.distributed.journal import Journal
        from tfdp_fast.distributed.storage import Storage
        journal = Journal(Storage({str(tmp_path)!r}))
        for number in range(100):
            journal.write("some", number=number)
        os.kill(os.getpid(), {int(signal.SIGKILL)})
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert done.returncode == -signal.SIGKILL
    [log] = (tmp_path / "logs").iterdir()
    assert [event["number"] for event in read_journal(log.read_bytes())] == list(range(100))


def test_a_full_disk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A limit on the size of files stands for it: the line that does not fit leaves nothing behind."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with Journal(Storage(tmp_path)) as journal:
            journal.write("first")
            resource.setrlimit(resource.RLIMIT_FSIZE, (200, before[1]))
            journal.write("too long", text=300 * "x")
            journal.write("too long", text=300 * "x")
            journal.write("short")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    events = read_journal((tmp_path / journal.name).read_bytes())
    assert [event["event"] for event in events] == ["first", "short"]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "File too large" in caplog.text


def test_no_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "logs").write_text("not a folder")
    with Journal(Storage(tmp_path)) as journal:
        for _ in range(5):
            journal.write("some")
            journal.tick()
    [record] = caplog.records
    assert record.name == "tfdp_fast"
    assert f"the log {journal.name} cannot be written: " in record.getMessage()


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let time pass."""
    now = [1000.0]
    monkeypatch.setattr("tfdp_fast.distributed.journal.time.monotonic", lambda: now[0])

    def wait(seconds: float) -> None:
        now[0] += seconds

    return wait


def events_of(store: ObjectStore) -> list[int]:
    return [event["number"] for name in store.objects for event in read_journal(store.objects[name])]


def test_an_object_store_gets_it_now_and_then(store: ObjectStore, later: Callable[[float], None]) -> None:
    with Journal(store, every=30) as journal:
        for number in range(61):
            journal.write("some", number=number)
            later(1)
            journal.tick()
            assert store.writes == (number + 1) // 30
        assert events_of(store) == list(range(60))
        later(60)
        journal.tick()
        assert store.writes == 3
        later(60)
        journal.tick()
        assert store.writes == 3  # nothing is new
        journal.write("some", number=61)
    assert store.writes == 4
    assert list(store.objects) == [journal.name]
    assert events_of(store) == list(range(62))


def test_a_long_log_has_parts(
    store: ObjectStore, later: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tfdp_fast.distributed.journal._PART", 1000)
    with Journal(store, every=30) as journal:
        for number in range(200):
            journal.write("some", number=number)
            later(10)
            journal.tick()
    stem = journal.name[: -len(".jsonl")]
    assert list(store.objects)[:3] == [journal.name, f"{stem}-2.jsonl", f"{stem}-3.jsonl"]
    assert max(map(len, store.objects.values())) < 1500
    assert events_of(store) == list(range(200))


def test_an_object_store_that_is_down_for_a_while(
    store: ObjectStore, later: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    with Journal(store, every=30) as journal:
        store.down = True
        for number in range(5):
            journal.write("some", number=number)
            later(30)
            journal.tick()
        assert (store.writes, store.objects) == (5, {})
        store.down = False
        later(30)
        journal.tick()
        assert events_of(store) == list(range(5))
    assert [record.getMessage() for record in caplog.records] == [
        f"the log {journal.name} cannot be written: no route to host"
    ]
