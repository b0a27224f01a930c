"""The package as a whole: what an import costs, the public names, the examples, errors, and forking."""

from __future__ import annotations

import doctest
import importlib
import importlib.metadata
import importlib.util
import inspect
import os
import pickle
import pkgutil
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import tfdp_fast as tfdp
from tfdp_fast import _core
from tfdp_fast.status import Status

HEADER = Path(__file__).resolve().parents[1] / "cpp" / "include" / "tfdp" / "status.hpp"
HEAVY = ["numpy", "numba", "llvmlite", "pyarrow", "pandas", "msgspec", "PIL", "rich", "matplotlib", "torch"]
EXTRAS = {
    "torch": "tfdp_fast.integrations.torch",
    "ray": "tfdp_fast.distributed.ray_engine",
    "distributed": "tfdp_fast.distributed.dask_engine",
}
"""Packages that a module cannot be imported without."""
WITHOUT = {module for package, module in EXTRAS.items() if importlib.util.find_spec(package) is None}
MODULES = sorted({m.name for m in pkgutil.walk_packages(tfdp.__path__, "tfdp_fast.")} - WITHOUT)


def run(script: str, *options: str) -> str:
    """Run a script in a Python of its own; what it prints."""
    command = [sys.executable, *options, "-c", textwrap.dedent(script)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def loaded_after(script: str) -> set[str]:
    """Which of the heavy packages are loaded once the script has run."""
    report = f"import sys\nprint(*[name for name in {HEAVY} if name in sys.modules])"
    return set(run(textwrap.dedent(script) + "\n" + report).split())


# --- imports ------------------------------------------------------------------------------------------------


def test_import_loads_nothing_heavy() -> None:
    assert loaded_after("import tfdp_fast") == set()
    assert loaded_after("import tfdp_fast; tfdp_fast.__version__; dir(tfdp_fast); tfdp_fast.Status") == set()
    assert loaded_after("import tfdp_fast; tfdp_fast.MaskError, tfdp_fast.DataError") == set()


PIXELS_AND_POLYGONS = """
import numpy as np
import tfdp_fast as tfdp

tfdp.measure(np.ones((3, 4, 5), bool), threads=2)
masks = [[[0, 0, 3, 0, 3, 3]], {"size": [4, 5], "counts": [3, 17]}, np.ones((4, 5), bool), None]
tfdp.measure(masks, (4, 5))
tfdp.measure(masks, (4, 5), polygons="opencv").si_scs()
tfdp.trace(masks[0], (4, 5))
tfdp.measure_labels(np.eye(4, dtype=int))
"""
COMPRESSED = "tfdp.measure([{'size': [1, 5], 'counts': '5'}])"


def test_masks_need_numba_for_compressed_rle_only() -> None:
    assert loaded_after(PIXELS_AND_POLYGONS) == {"numpy"}
    assert "numba" in loaded_after(PIXELS_AND_POLYGONS + COMPRESSED)


def test_every_module_can_be_imported_alone() -> None:
    """None needs another one to have been imported before."""
    run(f"""
        import importlib, sys
        for name in {[name for name in MODULES if "__main__" not in name]}:
            for loaded in [m for m in sys.modules if m.startswith("tfdp_fast") and m != "tfdp_fast._core"]:
                del sys.modules[loaded]
            importlib.import_module(name)
        """)


# --- names --------------------------------------------------------------------------------------------------


def test_public_names() -> None:
    assert sorted(tfdp.__all__) == dir(tfdp)
    assert len(set(tfdp.__all__)) == len(tfdp.__all__)
    for name in tfdp.__all__:
        value = getattr(tfdp, name)
        assert name in {"__version__", getattr(value, "__name__", None)}
        if inspect.isclass(value) or inspect.isfunction(value):
            assert name in importlib.import_module(value.__module__).__dict__
            assert value.__doc__
    names: dict[str, Any] = {}
    exec("from tfdp_fast import *", names)
    assert set(tfdp.__all__) <= set(names)
    with pytest.raises(AttributeError, match="module 'tfdp_fast' has no attribute 'nothing'"):
        _ = tfdp.nothing


def test_every_module_s_all_resolves() -> None:
    for name in MODULES:
        if name.endswith("__main__"):
            continue
        module = importlib.import_module(name)
        for public in getattr(module, "__all__", []):
            assert hasattr(module, public), (name, public)


def test_version() -> None:
    assert tfdp.__version__ == _core.__version__ == importlib.metadata.version("tfdp-fast")


def test_status_is_that_of_the_core() -> None:
    if not HEADER.exists():
        pytest.skip(f"no source tree: {HEADER} does not exist")
    enum = re.search(r"enum class Status[^{]*\{(.*?)\};", HEADER.read_text("utf-8"), re.DOTALL)
    assert enum is not None
    numbers = {
        name.upper(): int(number) for name, number in re.findall(r"^\s*(\w+) = (\d+)", enum[1], re.MULTILINE)
    }
    assert numbers == {status.name: status.value for status in Status}


# --- examples -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name.endswith("__main__"):
        return
    module = importlib.import_module(name)
    monkeypatch.chdir(tmp_path)
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    "name",
    [
        "measure",
        "measure_labels",
        "trace",
        "to_rle",
        "score",
        "select",
        "prune",
        "BoundaryCounts",
        "ClassTotals",
    ],
)
def test_there_is_an_example(name: str) -> None:
    assert ">>> " in getattr(tfdp, name).__doc__


# --- errors -------------------------------------------------------------------------------------------------

ERRORS: list[tfdp.TfdpError] = [
    tfdp.TfdpError("anything"),
    tfdp.MaskError(3, Status.COORDINATES_ODD),
    tfdp.DataError("a.json", "annotation 17", "is bad"),
    tfdp.DataError("a.json", None, "is bad"),
    tfdp.OptionError("makes no sense"),
    tfdp.OutputError("a.json: is a folder"),
    tfdp.MissingExtraError("pyarrow", "parquet"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_errors_travel(error: tfdp.TfdpError, protocol: int) -> None:
    again = pickle.loads(pickle.dumps(error, protocol))
    assert type(again) is type(error)
    assert (str(again), vars(again), again.args) == (str(error), vars(error), error.args)
    assert isinstance(error, tfdp.TfdpError)
    assert "\n" not in str(error)


def test_what_errors_are_besides() -> None:
    for kind, base in (
        (tfdp.MaskError, ValueError),
        (tfdp.DataError, ValueError),
        (tfdp.OptionError, ValueError),
        (tfdp.OutputError, OSError),
        (tfdp.MissingExtraError, ImportError),
    ):
        assert issubclass(kind, base)
        assert issubclass(kind, tfdp.TfdpError)
    assert str(tfdp.DataError("a.json", "annotation 17", "is bad")) == "a.json: annotation 17: is bad"
    assert str(tfdp.DataError("a.json", None, "is bad")) == "a.json: is bad"
    assert "tfdp-fast[parquet]" in str(tfdp.MissingExtraError("pyarrow", "parquet"))


# --- threads and processes ----------------------------------------------------------------------------------

FORK = """
    import os, sys, threading
    import numpy as np
    import tfdp_fast as tfdp

    def everything():
        assert tfdp.measure(rles, threads=2) == expected
        assert tfdp.measure(stack, threads=2) == expected
        scores = tfdp.score(data, threads=2)
        assert len(scores.instances) == 2000 and scores.images.score.sum() > 0.99
        assert threading.active_count() == 1

    stack = (np.random.default_rng(0).random((2000, 12, 12)) < 0.7).astype(np.uint8)
    expected = tfdp.measure(stack)
    rles = tfdp.to_rle(stack)
    data = {
        "images": [{"id": 1, "height": 12, "width": 12}],
        "categories": [{"id": 1, "name": "noise"}],
        "annotations": [
            {"id": i, "image_id": 1, "category_id": 1, "segmentation": rle} for i, rle in enumerate(rles)
        ],
    }
    everything()
    for _ in range(3):
        child = os.fork()
        if child == 0:
            try:
                everything()
                os._exit(0)
            except BaseException as error:
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(1)
        _, status = os.waitpid(child, 0)
        assert status == 0, status
    everything()
    print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_forking_after_threads() -> None:
    """As data loaders do. Python itself warns (an error here) if a thread is left over."""
    assert run(FORK, "-W", "error") == "done\n"


def test_kernels_may_be_loaded_by_a_thread() -> None:
    """The first use of Numba is inside the pool, from several threads at once."""
    script = """
        import sys
        import tfdp_fast as tfdp
        from tfdp_fast import masks
        masks.CHUNK = 1
        counts = tfdp.measure([{"size": [4, 5], "counts": "0d0"}] * 50, threads=7)
        assert "numba" in sys.modules
        assert list(counts) == 50 * [(14, 0, 24)], list(counts)
        """
    run(script)


def test_without_pytorch_the_error_names_the_extra() -> None:
    run("""
        import sys
        sys.modules["torch"] = None
        import tfdp_fast as tfdp
        try:
            import tfdp_fast.integrations.torch
        except tfdp.MissingExtraError as error:
            assert str(error) == "this needs PyTorch: pip install 'tfdp-fast[torch]'", error
        else:
            raise AssertionError
        """)
