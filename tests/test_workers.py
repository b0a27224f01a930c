"""Worker processes: real ones, that are killed, print, exit, and whose driver is killed."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

import pytest

import driving_support as support
from tfdp_fast.distributed.driving import Task, WorkerLostError, drive
from tfdp_fast.distributed.workers import WorkerProcesses, WorkersBrokenError
from tfdp_fast.errors import DataError, EngineError, OptionError


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_results(workers: int) -> None:
    with WorkerProcesses(workers) as executor:
        futures = [executor.submit(support.double, number) for number in range(50)]
        assert [future.result() for future in futures] == [2 * number for number in range(50)]
        named = executor.submit(int, "z", base=36)
        assert named.result() == 35
        pids = {executor.submit(support.pid).result() for _ in range(3)}
    assert os.getpid() not in pids
    assert not any(map(support.runs, pids))


def test_workers_work_at_once(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with WorkerProcesses(7) as executor:
        futures = [executor.submit(support.wait_for_file, str(gate)) for _ in range(7)]
        support.wait_until(lambda: len(support.waiting_at(gate)) == 7)
        gate.touch()
        assert sorted(future.result() for future in futures) == support.waiting_at(gate)


def test_no_worker_is_started_without_need() -> None:
    with WorkerProcesses(7) as executor:
        assert len({executor.submit(support.pid).result() for _ in range(5)}) == 1


@pytest.mark.parametrize("workers", [0, -1, 1.5, True, None])
def test_number_of_workers(workers: Any) -> None:
    with pytest.raises(OptionError, match="workers must be"):
        WorkerProcesses(workers)


def test_large_calls_and_answers() -> None:
    large = bytes(range(256)) * 40_000
    with WorkerProcesses(2) as executor:
        assert executor.submit(bytes.upper, large).result() == large.upper()


def test_a_worker_is_killed_in_mid_task(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with WorkerProcesses(3) as executor:
        futures = [executor.submit(support.wait_for_file, str(gate)) for _ in range(3)]
        support.wait_until(lambda: len(support.waiting_at(gate)) == 3)
        victim, *others = support.waiting_at(gate)
        os.kill(victim, signal.SIGKILL)
        done, going_on = wait(futures, return_when="FIRST_COMPLETED")
        [lost] = done
        with pytest.raises(WorkerLostError, match=r"killed by SIGKILL \(out of memory\?\)") as raised:
            lost.result()
        assert raised.value.worker.endswith(f":{victim}")
        gate.touch()
        assert sorted(future.result() for future in going_on) == others
        again = {executor.submit(support.pid).result() for _ in range(9)}
        assert victim not in again


@pytest.mark.parametrize(
    ("signal_number", "said"),
    [
        (signal.SIGTERM, "killed by SIGTERM"),
        (signal.SIGSEGV, "killed by SIGSEGV"),
        (40, "killed by signal 40"),
    ],
)
def test_other_ends(tmp_path: Path, signal_number: int, said: str) -> None:
    gate = tmp_path / "gate"
    with WorkerProcesses(1) as executor:
        future = executor.submit(support.wait_for_file, str(gate))
        support.wait_until(lambda: support.waiting_at(gate))
        os.kill(support.waiting_at(gate)[0], signal_number)
        with pytest.raises(WorkerLostError, match=f"{said}$"):
            future.result()


def test_a_task_that_ends_its_process() -> None:
    with WorkerProcesses(1) as executor:
        first = executor.submit(support.pid).result()
        with pytest.raises(WorkerLostError, match="ended with exit code 3"):
            executor.submit(support.leave, 3).result()
        assert executor.submit(support.pid).result() != first


def test_a_worker_that_dies_between_two_tasks_is_replaced() -> None:
    with WorkerProcesses(1) as executor:
        first = executor.submit(support.pid).result()
        os.kill(first, signal.SIGKILL)
        # With all its threads: until then nobody can know.
        support.wait_until(lambda: os.waitid(os.P_PID, first, os.WEXITED | os.WNOHANG | os.WNOWAIT))
        assert executor.submit(support.pid).result() != first


def test_a_worker_leaves_a_child_behind(tmp_path: Path) -> None:
    child = tmp_path / "child"
    with WorkerProcesses(1) as executor:
        future = executor.submit(support.fork_and_die, str(child))
        try:
            with pytest.raises(WorkerLostError):
                future.result(timeout=10)
        finally:
            os.kill(int(child.read_text()), signal.SIGKILL)


def test_prints_do_not_disturb(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    with WorkerProcesses(1) as executor:
        assert executor.submit(support.speak, "some words").result() == ""
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("some words") == 2
    with WorkerProcesses(1) as executor:
        executor.submit(support.speak_and_leave, "last words").exception()
    assert "last words" in capfd.readouterr().err


def test_errors_travel() -> None:
    with WorkerProcesses(1) as executor:
        error = executor.submit(support.raise_error, DataError, "a.tar", None, "torn").exception()
        assert isinstance(error, DataError)
        assert (error.source, error.reason) == ("a.tar", "torn")
        error = executor.submit(support.raise_error, support.TwoArgumentsError, "a", "b").exception()
        assert repr(error) == "RuntimeError('TwoArgumentsError: a and b')"
        error = executor.submit(support.raise_unpicklable).exception()
        assert repr(error) == "RuntimeError('ValueError: with a lock')"
        error = executor.submit(support.exit_politely, 5).exception()
        assert repr(error) == "RuntimeError('SystemExit: 5')"
        with pytest.raises(EngineError, match=r"the result cannot be pickled: TypeError: .*lock"):
            executor.submit(support.give_lock).result()
        assert executor.submit(support.double, 4).result() == 8


def test_what_cannot_be_sent() -> None:
    with WorkerProcesses(1) as executor:
        with pytest.raises(OptionError, match="a call cannot be sent to a worker process: "):
            executor.submit(lambda: 1)
        with pytest.raises(OptionError, match=r"cannot be sent .*lock"):
            executor.submit(support.pid, support.give_lock())
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(support.pid)


def test_ctrl_c_is_not_for_workers() -> None:
    with WorkerProcesses(1) as executor:
        assert executor.submit(support.interrupt).result() == "still here"
        # Not even while it starts.
        assert executor.submit(os.getpgid, 0).result() != os.getpgid(0)


def test_where_workers_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "users_module.py").write_text("def answer():\n    return 42\n")
    (tmp_path / "json.py").write_text("raise RuntimeError('not the one that is meant')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    import users_module  # type: ignore[import-not-found]

    with WorkerProcesses(1) as executor:
        monkeypatch.chdir("/")
        assert executor.submit(users_module.answer).result() == 42
        assert executor.submit(support.where).result() == (str(tmp_path), sys.path)
        names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]
        assert executor.submit(support.variables, *names).result() == ["1", "1", "1"]
        pytest.importorskip("pyarrow")
        assert executor.submit(support.arrow_threads).result() == 1


def test_a_folder_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (gone := tmp_path / "gone").mkdir()
    monkeypatch.chdir(gone)
    with WorkerProcesses(1) as executor:
        gone.rmdir()
        with pytest.raises(EngineError, match="no worker process can be started: No such file"):
            executor.submit(support.pid).result()
        gone.mkdir()
        executor.submit(support.pid).result()
        gone.rmdir()
    with WorkerProcesses(1) as executor:  # as for any other program
        gone.mkdir()


def test_no_worker_can_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with WorkerProcesses(2) as executor:
        error = executor.submit(support.pid).exception()
        assert isinstance(error, WorkersBrokenError)
        assert str(error) == "a worker process cannot be started: it ended with exit code 1"
        tasks = [Task("a", support.pid)]
        with pytest.raises(EngineError, match="ended with exit code 1"):
            list(drive(tasks, executor, window=2, retries=9))
    monkeypatch.setattr(sys, "executable", "")
    with WorkerProcesses(2) as executor, pytest.raises(EngineError, match="does not know its own program"):
        executor.submit(support.pid).result()


def test_cancelling_ends_workers_in_mid_task(tmp_path: Path) -> None:
    gate, other = tmp_path / "gate", tmp_path / "other"
    executor = WorkerProcesses(3)
    clumsy = executor.submit(support.fail_to_clean_up, str(other))
    polite = executor.submit(support.clean_up_after, str(gate))
    stubborn = executor.submit(support.hold_on, str(gate))
    queued = executor.submit(support.pid)
    support.wait_until(lambda: len(support.waiting_at(gate) + support.waiting_at(other)) == 3)
    assert Path(f"{gate}-temporary").exists()
    executor.shutdown(cancel_futures=True)
    assert queued.cancelled()
    for future in (polite, clumsy):
        with pytest.raises(WorkerLostError, match="killed by SIGTERM"):
            future.result()
    with pytest.raises(WorkerLostError, match="killed by SIGKILL"):
        stubborn.result()
    assert not Path(f"{gate}-temporary").exists()
    assert not any(map(support.runs, support.waiting_at(gate) + support.waiting_at(other)))


def test_a_block_that_fails_ends_workers(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    futures: list[Future[int]] = []

    def fail() -> None:
        with WorkerProcesses(1) as executor:
            futures.append(executor.submit(support.wait_for_file, str(gate)))
            support.wait_until(lambda: support.waiting_at(gate))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert isinstance(futures[0].exception(), WorkerLostError)
    assert not support.runs(support.waiting_at(gate)[0])


def test_shutdown_without_waiting(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    executor = WorkerProcesses(1)
    future = executor.submit(support.wait_for_file, str(gate))
    executor.shutdown(wait=False)
    gate.touch()
    worker = future.result()
    support.wait_until(lambda: not support.runs(worker))


SCRIPT = """
    import sys
    sys.path[:0] = {support!r}, {project!r}
    import driving_support as support
    from tfdp_fast.distributed.driving import Task, drive
    from tfdp_fast.distributed.workers import WorkerProcesses

    # No main guard.
    with WorkerProcesses(2) as executor:
        tasks = [Task(str(n), support.{function}, ({gate!r},)) for n in range(6)]
        for outcome in drive(tasks, executor, window=4, retries=0):
            print(outcome.result, outcome.error)
"""


def _script(function: str, gate: Path) -> subprocess.Popen[bytes]:
    project = Path(__file__).resolve().parents[1]
    script = gate.parent / "script.py"
    code = SCRIPT.format(
        support=str(project / "tests" / "support"), project=str(project), function=function, gate=str(gate)
    )
    script.write_text(textwrap.dedent(code))
    return subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=gate.parent
    )


def test_a_script_without_a_main_guard(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with _script("wait_for_file", gate) as script:
        gate.touch()
        out, err = script.communicate()
    assert (script.returncode, err) == (0, b"")
    assert len(out.splitlines()) == 6


@pytest.mark.parametrize("function", ["clean_up_after", "hold_on"])
def test_the_driver_is_killed(tmp_path: Path, function: str) -> None:
    gate = tmp_path / "gate"
    with _script(function, gate) as script:
        support.wait_until(lambda: len(support.waiting_at(gate)) >= 2)
        script.kill()
        script.communicate(timeout=20)
    workers = support.waiting_at(gate)
    begin = time.monotonic()
    support.wait_until(lambda: not any(map(support.runs, workers)), 5)
    assert time.monotonic() - begin < 5
    assert not Path(f"{gate}-temporary").exists()


def test_ctrl_c(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with _script("clean_up_after", gate) as script:
        support.wait_until(lambda: len(support.waiting_at(gate)) >= 2)
        script.send_signal(signal.SIGINT)
        out, err = script.communicate()
    assert script.returncode == -signal.SIGINT
    assert out == b""
    assert err.count(b"Traceback") == 1
    assert err.rstrip().endswith(b"KeyboardInterrupt")
    assert not any(map(support.runs, support.waiting_at(gate)))
    assert not Path(f"{gate}-temporary").exists()


def test_functions_of_the_script_itself(tmp_path: Path) -> None:
    code = f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).resolve().parents[1])!r})
        from tfdp_fast.distributed.workers import WorkerProcesses
        from tfdp_fast.errors import OptionError
        class Some: pass
        def mine(): pass
        with WorkerProcesses(1) as executor:
            for call in (mine,), (id, mine), (id, Some), (id, Some()), (id, {{1: [Some.__init__]}}):
                try:
                    executor.submit(*call)
                except OptionError as error:
                    print(error)
    """
    (tmp_path / "script.py").write_text(textwrap.dedent(code))
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, check=True)
    first, *more = done.stdout.decode().splitlines()
    assert first == (
        "mine is defined in the script itself, where worker processes cannot find it: put it into a module"
    )
    assert [line.split()[0] for line in more] == ["mine", "Some", "Some"]


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_killed_workers_cost_a_try_and_no_more(tmp_path: Path, workers: int) -> None:
    """Every third task kills its worker, once or more often than is forgiven."""
    kills = {n: (n // 3) % 4 if n % 3 == 0 else 0 for n in range(12)}
    tasks = [Task(str(n), support.die_until, (str(tmp_path / str(n)), kills[n])) for n in kills]
    with WorkerProcesses(workers) as executor:
        outcomes = {int(o.task.key): o for o in drive(tasks, executor, window=2 * workers, retries=2)}
    assert outcomes.keys() == kills.keys()
    for n, outcome in outcomes.items():
        assert outcome.tries == min(kills[n] + 1, 3)
        assert (outcome.error is None) == (kills[n] < 3)
        assert outcome.result == (kills[n] + 1 if kills[n] < 3 else None)


def test_the_lost_worker_can_be_pickled() -> None:
    error = pickle.loads(pickle.dumps(WorkerLostError("killed", "here:17")))
    assert (error.reason, error.worker, str(error)) == ("killed", "here:17", "the worker was lost: killed")
