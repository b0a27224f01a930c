"""Ray as an engine, on a cluster of several nodes on this machine."""

from __future__ import annotations

import logging
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path

import pytest

pytest.importorskip("ray")
pytest.importorskip("psutil")

import ray

from engine_support import Squares, refuse, run_script
from ray_support import RayCluster, ray_cluster
from tfdp_fast.distributed.engines import open_engine
from tfdp_fast.distributed.ray_engine import RayExecutor
from tfdp_fast.errors import EngineError, OptionError


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    with ray_cluster() as it:
        yield it


def wait_for_slots(executor: RayExecutor, slots: int) -> None:
    deadline = time.monotonic() + 30
    while executor.slots() != slots:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_calls_and_their_errors(cluster: RayCluster) -> None:
    with open_engine("ray", address=cluster.address) as engine:
        assert (engine.name, engine.slots()) == ("ray", 2)
        assert engine.executor.submit(divmod, 17, 5).result(60) == (3, 2)
        assert engine.executor.submit(int, "ff", base=16).result(60) == 255
        error = engine.executor.submit(refuse, 3).exception(60)
        assert type(error) is ValueError
        assert error.args == ("not 3\nnor any other",)
        with pytest.raises(OptionError, match="leave the address"):
            RayExecutor(cluster.address)
    assert not ray.is_initialized()
    with pytest.raises(RuntimeError, match="after shutdown"):
        engine.executor.submit(divmod, 17, 5)


def test_a_worker_is_killed(cluster: RayCluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    squares, killed = Squares(tmp_path / "squares"), []
    with open_engine("ray", address=cluster.address) as engine:
        outcomes = squares.drive(
            engine.executor,
            engine.slots,
            {
                8: lambda: killed.append(squares.kill_a_worker()),
                16: lambda: killed.append(squares.kill_a_worker()),
            },
        )
    squares.check(outcomes)
    assert [event.key for event in squares.lost()] == list(map(str, killed))
    assert all(event.again and "killed" in (event.reason or "") for event in squares.lost())
    assert capfd.readouterr() == ("", "")


def test_a_node_dies_and_another_one_comes(cluster: RayCluster, tmp_path: Path) -> None:
    squares = Squares(tmp_path / "squares", seconds=0.4)
    with RayExecutor(cluster.address) as executor:
        # Both are at work, and so a task is lost with either.
        outcomes = squares.drive(executor, executor.slots, {6: cluster.kill_node, 12: cluster.add_node})
        squares.check(outcomes)
        assert squares.lost()
        assert all("node" in (event.reason or "") for event in squares.lost())
        wait_for_slots(executor, 2)
    assert len({event.worker for event in squares.events if event.kind == "done"}) >= 3


def test_calls_are_cancelled(cluster: RayCluster) -> None:
    with RayExecutor(cluster.address) as executor:
        futures = [executor.submit(time.sleep, 100) for _ in range(6)]
        time.sleep(1)
        assert all(future.cancel() for future in futures)
        assert not wait(futures, 0).not_done
        assert executor.submit(divmod, 17, 5).result(60) == (3, 2)
        executor.submit(time.sleep, 100)
        executor.shutdown(cancel_futures=True)


def test_who_has_connected_keeps_the_connection(cluster: RayCluster) -> None:
    ray.init(cluster.address, log_to_driver=False, logging_level=logging.ERROR)
    try:
        with open_engine("ray") as engine:
            assert engine.slots() == 2
            assert engine.executor.submit(divmod, 17, 5).result(60) == (3, 2)
        with RayExecutor(num_cpus=0.5) as executor:
            assert executor.slots() == 4
        assert ray.is_initialized()
        with pytest.raises(OptionError, match="workers"):
            RayExecutor(workers=2)
    finally:
        ray.shutdown()


def test_a_module_that_nodes_do_not_have(
    cluster: RayCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here.py").write_text("def ten():\n    return 10\n")
    monkeypatch.syspath_prepend(tmp_path)
    import only_here  # type: ignore[import-not-found]

    with RayExecutor(cluster.address) as executor:
        error = executor.submit(only_here.ten).exception(60)
    del sys.modules["only_here"]
    assert isinstance(error, EngineError)
    assert str(error) == (
        "on a node: No module named 'only_here'; install it there, or name it in a runtime_env"
    )


def test_addresses_that_lead_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}"):
        with pytest.raises(EngineError, match=f"no Ray answers at {address}"):
            RayExecutor(address)
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")  # of a cluster of long ago
    for default in ("auto", None):
        with pytest.raises(EngineError, match=f"no Ray answers at 127.0.0.1:{port}"):
            RayExecutor(default)
    for address in ("nonsense", "http://127.0.0.1:1"):
        with pytest.raises(EngineError, match=f"Ray cannot be reached at {address}: .*"):
            RayExecutor(address)
    assert not ray.is_initialized()


@pytest.mark.parametrize("num_cpus", [0, -1])
def test_options_that_make_no_sense(num_cpus: int) -> None:
    with pytest.raises(OptionError, match="num_cpus"):
        RayExecutor(num_cpus=num_cpus)
    with pytest.raises(OptionError, match="workers"):
        RayExecutor("127.0.0.1:1", workers=2)


HERE = """
from tfdp_fast.distributed.engines import open_engine

def square(number):
    print("not to be seen")
    return number * number

with open_engine("ray", workers=1) as engine:
    print(engine.slots(), [f.result() for f in [engine.executor.submit(square, n) for n in range(5)]])
    import os
    print(engine.executor.submit(os._exit, 3).exception())
"""


def test_ray_is_started_here_and_says_nothing(tmp_path: Path) -> None:
    code, out, err = run_script(HERE, tmp_path)
    assert (code, err) == (0, "")
    assert out == ("1 [0, 1, 4, 9, 16]\nthe worker was lost: the worker process died, or was killed\n")


HEAD_LOST = """
import time
from engine_support import Squares
from pathlib import Path
from ray_support import ray_cluster
from tfdp_fast.distributed.engines import open_engine
from tfdp_fast.errors import EngineError

if __name__ == "__main__":
    context = ray_cluster(1)
    cluster = context.__enter__()
    squares = Squares(Path("FOLDER"), count=1000)
    begin = time.monotonic()
    try:
        with open_engine("ray", address=cluster.address) as engine:
            squares.drive(engine.executor, engine.slots, {5: cluster.kill_head})
    except EngineError as error:
        print(type(error).__name__, error, flush=True)
    print("and goes on" if time.monotonic() - begin < 60 else "late", flush=True)
"""


def test_the_head_is_lost(tmp_path: Path) -> None:
    script = HEAD_LOST.replace("FOLDER", str(tmp_path / "squares"))
    _, out, err = run_script(script, tmp_path, RAY_gcs_rpc_server_reconnect_timeout_s="10")
    said = "EngineBrokenError the head of the Ray cluster does not answer any more\nand goes on\n"
    assert out == said, err
