"""Where compiled kernels are kept: found again, never the wrong one, and done without where need be."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import textwrap
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from tfdp_fast.kernels import _cache, _policy, rle
from tfdp_fast.kernels._policy import F64, kernel

VALUES = np.array([2.5, 1.0])
Double = Callable[[Any], float]


@pytest.fixture
def compile_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """Make a small kernel, as a new process would: loaded if it has been kept, else compiled."""
    source = tmp_path / "doubled.py"
    source.write_text("def first_doubled(values):\n    return 2.0 * values[0]\n")
    monkeypatch.setattr(_policy, "caches", {})
    # Numba imports the module of a kernel that it finds again, unless it still has the first one.
    monkeypatch.setitem(sys.modules, "doubled", types.ModuleType("doubled"))

    def compiled() -> Any:
        scope: dict[str, Any] = {"__name__": "doubled"}
        exec(compile(source.read_text(), str(source), "exec"), scope)
        found = kernel(F64)(scope["first_doubled"])
        assert found(VALUES) == 5.0
        return found

    return compiled


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder that is the only one."""
    monkeypatch.setattr(_cache.config, "CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def run(script: str, cache: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a Python of its own, with a cache folder of its own."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join(sys.path), "NUMBA_CACHE_DIR": str(cache)}
        | environment,
    )


# --- kept and found again -----------------------------------------------------------------------------------


def test_a_kernel_is_kept_and_found_again(compile_kernel: Callable[[], Any], folder: Path) -> None:
    first = compile_kernel()._cache
    [path] = files(folder)
    assert (first.compiled, first.cache_path, first.refusals) == (True, path, [])
    content = path.read_bytes()
    second = compile_kernel()._cache
    assert (second.compiled, second.cache_path, second.refusals) == (False, path, [])
    assert [path.read_bytes() for path in files(folder)] == [content]


def test_others_may_read_what_is_kept(compile_kernel: Callable[[], Any], folder: Path) -> None:
    before = os.umask(0o022)
    try:
        compile_kernel()
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in files(folder)] == [0o644]


@pytest.mark.usefixtures("folder")
def test_a_read_only_folder_is_read(
    compile_kernel: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_kernel()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    for name in ("mkdir", "touch", "write_bytes"):  # permissions would not stop root
        monkeypatch.setattr(Path, name, refuse)
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    assert compile_kernel()._cache.compiled is False


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda content: content[:20],
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: bytes(len(content)),
        lambda content: content[:5000] + bytes([content[5000] ^ 1]) + content[5001:],
    ],
    ids=["empty", "short", "half", "last byte missing", "zeros", "one bit"],
)
def test_a_damaged_file_is_replaced(
    compile_kernel: Callable[[], Any],
    folder: Path,
    damage: Callable[[bytes], bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    compile_kernel()
    [path] = files(folder)
    path.write_bytes(damage(path.read_bytes()))
    with caplog.at_level(logging.INFO, "tfdp_fast"):
        assert compile_kernel()._cache.compiled is True
    assert caplog.messages == [f"{path} is damaged: the kernel is compiled again"]
    assert files(folder) == [path]
    assert compile_kernel()._cache.compiled is False


# --- never the wrong one ------------------------------------------------------------------------------------


def name_of(cache: _cache.KernelCache, source: str, *magic: str, signature: object = (F64,)) -> str:
    codegen = types.SimpleNamespace(magic_tuple=lambda: magic)
    return cache._name(source, signature, types.SimpleNamespace(codegen=lambda: codegen))


def test_names_differ_with_all_that_machine_code_depends_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = _cache.KernelCache(lambda values: values)
    one, two = tmp_path / "one.py", tmp_path / "two.py"
    one.write_text("1")
    two.write_text("2")
    base = name_of(cache, str(one), "triple", "cpu", "+avx2")
    assert name_of(cache, str(one), "triple", "cpu", "+avx2") == base
    names = [
        base,
        name_of(cache, str(two), "triple", "cpu", "+avx2"),
        name_of(cache, str(one), "triple", "other cpu", "+avx2"),
        name_of(cache, str(one), "triple", "cpu", "+avx2,+avx512f"),
        name_of(cache, str(one), "triple", "cpu", "+avx2", signature=(F64, F64)),
    ]
    for owner, attribute, value in [
        (numba, "__version__", "0.0"),
        (np, "__version__", "0.0"),
        (sys, "abiflags", "t"),
        (_cache.config, "OPT", 0),
        (_cache.config, "BOUNDSCHECK", 1),
    ]:
        with monkeypatch.context() as patch:
            patch.setattr(owner, attribute, value)
            names.append(name_of(cache, str(one), "triple", "cpu", "+avx2"))
    assert len(set(names)) == len(names)


def test_kernels_depend_on_the_policy_and_on_the_statuses() -> None:
    """Both are compiled into kernels of other files."""
    assert _cache._sources(rle.__file__).startswith(
        _cache._CHECKSUM(Path(rle.__file__).read_bytes()).digest()
    )
    for file in ("kernels/_policy.py", "status.py"):
        path = Path(_cache.__file__).parents[1] / file
        assert _cache._CHECKSUM(path.read_bytes()).digest() in _cache._sources(rle.__file__)


# --- where, and where nowhere -------------------------------------------------------------------------------


def test_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cache.config, "CACHE_DIR", "")
    monkeypatch.setattr(sys, "platform", "linux")
    beside = Path(_cache.__file__).parent / "__pycache__"
    for home, xdg, expected in [
        (str(tmp_path), "", [tmp_path / ".cache" / "tfdp-fast"]),
        (str(tmp_path), "/xdg", [Path("/xdg/tfdp-fast")]),
        (str(tmp_path / "missing"), "/xdg", [Path("/xdg/tfdp-fast")]),
        (str(tmp_path), "relative", [tmp_path / ".cache" / "tfdp-fast"]),
        (str(tmp_path / "missing"), "", []),
    ]:
        monkeypatch.setenv("HOME", home)
        monkeypatch.setenv("XDG_CACHE_HOME", xdg)
        assert _cache.cache_folders() == [beside, *expected]
    monkeypatch.setattr(_cache.config, "CACHE_DIR", str(tmp_path))
    assert _cache.cache_folders() == [tmp_path]


def test_the_next_folder_takes_what_the_first_refuses(
    compile_kernel: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(_cache, "cache_folders", lambda: [tmp_path / "file" / "below", tmp_path / "second"])
    cache = compile_kernel()._cache
    assert [cache.cache_path] == files(tmp_path / "second")
    assert cache.refusals == [f"{tmp_path / 'file' / 'below'}: Not a directory"]
    assert compile_kernel()._cache.compiled is False


def test_without_a_folder_each_process_compiles_and_says_so_once(
    compile_kernel: Callable[[], Any],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder.touch()
    monkeypatch.setattr(_cache.config, "CACHE_DIR", str(folder / "below"))
    with caplog.at_level(logging.INFO, "tfdp_fast"):
        found = compile_kernel()
        _policy.caches["another"] = found._cache
        compile_kernel()
    assert found._cache.cache_path is None
    why = f"{folder / 'below'}: Not a directory"
    assert caplog.messages == [f"kernels are compiled for this process only: {why}"]


def test_without_a_source_file(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_policy, "caches", {})
    scope: dict[str, Any] = {"__name__": "nowhere"}
    exec("def first(values): return values[0]", scope)
    with caplog.at_level(logging.INFO, "tfdp_fast"):
        assert kernel(F64)(scope["first"])(VALUES) == 2.5
    assert caplog.messages == [
        "kernels are compiled for this process only: <string>: No such file or directory"
    ]


def test_an_address_is_not_kept(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be another one in the next process."""
    source = tmp_path / "address.py"
    source.write_text("def first(values):\n    return values[0] + pointer()\n")
    monkeypatch.setattr(_policy, "caches", {})
    import ctypes

    scope: dict[str, Any] = {"__name__": "address", "pointer": ctypes.CFUNCTYPE(ctypes.c_double)(lambda: 1.0)}
    exec(compile(source.read_text(), str(source), "exec"), scope)
    with pytest.raises(TypeError, match="kernel first has an address compiled into it"):
        kernel(F64)(scope["first"])
    assert not folder.exists()


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    done = run(
        """
        import resource
        from tfdp_fast.kernels import _policy
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        from tfdp_fast.kernels import rle
        print(*[why for cache in _policy.caches.values() for why in cache.refusals], sep="\\n")
        """,
        tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == 2 * [f"{tmp_path}: File too large"]
    assert files(tmp_path) == []


# --- many at once -------------------------------------------------------------------------------------------

ENCODE = """
    import numpy as np

    def encode():
        from tfdp_fast.kernels.rle import decode_rle, encode_rle
        data, offsets = encode_rle(np.array([5, 2, 2, 2, 5], np.uint32), np.array([0, 5]))
        assert data.tobytes() == b"52203"
        assert decode_rle(data, offsets, np.array([16]))[0].tolist() == [5, 2, 2, 2, 5]
"""


def names(folder: Path) -> list[str]:
    return [path.name.partition("-")[0] for path in files(folder)]


def test_two_processes_start_cold(tmp_path: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(ENCODE) + "\nencode()"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "NUMBA_CACHE_DIR": str(tmp_path)}
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, env=environment) for _ in range(2)]
    assert [(process.communicate()[1], process.returncode) for process in processes] == 2 * [(b"", 0)]
    assert names(tmp_path) == ["rle._decode", "rle.encode_rle"]


def test_threads_start_cold(tmp_path: Path) -> None:
    """Each thread imports the kernels and uses them at once."""
    script = """
    import threading
    failed = []
    barrier = threading.Barrier(8)

    def work(number):
        barrier.wait()
        try:
            if number % 2:
                from tfdp_fast.kernels.sums import LIMBS, accumulate, round_limbs
                limbs = np.zeros((1, LIMBS), np.int64)
                accumulate(limbs, np.zeros(10, np.int64), np.full(10, 0.1))
                assert round_limbs(limbs).tolist() == [1.0]
            encode()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert not failed, failed
    """
    done = run(ENCODE + script, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(files(tmp_path)) == 8


FORK = """
    import os, sys, threading

    def children(n):
        started = []
        for _ in range(n):
            child = os.fork()
            if child == 0:
                try:
                    encode()
                    os._exit(0)
                except BaseException as error:
                    print(repr(error), file=sys.stderr, flush=True)
                    os._exit(1)
            started.append(child)
        for child in started:
            assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.parametrize("numba_in_parent", [False, True])
def test_forked_children_start_cold(tmp_path: Path, *, numba_in_parent: bool) -> None:
    script = f"{'    import numba' if numba_in_parent else ''}\n    children(3)\n"
    done = run(ENCODE + FORK + script, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert names(tmp_path) == ["rle._decode", "rle.encode_rle"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_forking_after_threads_have_used_the_kernels(tmp_path: Path) -> None:
    script = """
    threads = [threading.Thread(target=encode) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    children(3)
    encode()
    """
    done = run(ENCODE + FORK + script, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("part", ["_payload", "_rebuilt", "KernelCache._name"])
def test_a_numba_that_is_not_as_we_know_it(
    part: str, compile_kernel: Callable[[], Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is kept or loaded then, and everything works."""
    compile_kernel()
    before = files(folder)
    monkeypatch.setattr(_policy, "caches", {})

    def changed(*_: Any) -> Any:
        raise AttributeError("no such name")

    owner, _, name = part.rpartition(".")
    monkeypatch.setattr(getattr(_cache, owner) if owner else _cache, name, changed)
    if part == "_payload":
        before[0].unlink()
    compile_kernel()
    [cache] = _policy.caches.values()
    assert cache.compiled
    assert cache.cache_path is None
    assert cache.refusals == [f"Numba {numba.__version__}: AttributeError: no such name"]
