"""Many threads that use the same inputs at once; on free-threaded Python they do run at once."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import textwrap
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import tfdp_fast as tfdp

THREADS = 8
ROUNDS = 5


def test_threads_share_their_inputs() -> None:
    rng = np.random.default_rng(0)
    stack = (rng.random((100, 24, 24)) < 0.7).astype(np.uint8)
    rles = tfdp.to_rle(stack)
    polygons = [[rng.uniform(0, 60, 16).tolist()] for _ in range(100)]
    mixed = [mask for masks in zip(rles, polygons, stack, strict=True) for mask in masks]
    sizes = np.tile([[24, 24], [64, 64], [24, 24]], (100, 1))
    label_map = rng.integers(0, 30, (100, 100)).astype(np.int32)
    category_ids = rng.integers(0, 5, 100)
    barrier = Barrier(THREADS)

    def everything() -> bytes:
        counts = tfdp.measure(rles)
        totals = tfdp.ClassTotals()
        totals.add(category_ids, counts)
        results: list[NDArray[Any]] = [
            counts.si_scs(),
            tfdp.measure(stack).si_scs(),
            tfdp.measure(mixed, sizes).si_scs(),
            tfdp.measure(polygons, (64, 64), polygons="opencv").si_scs(),
            tfdp.measure_labels(label_map)[1].si_scs(),
            totals.totals,
            *tfdp.trace(stack[0]),
        ]
        return b"".join(array.tobytes() for array in results) + str(tfdp.to_rle(polygons, (64, 64))).encode()

    def at_once(_: int) -> set[bytes]:
        barrier.wait()
        return {everything() for _ in range(ROUNDS)}

    expected = everything()
    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(at_once, range(THREADS))) == THREADS * [{expected}]


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="not a free-threaded Python")
def test_the_gil_stays_off() -> None:
    """An extension that does not say that it needs no GIL switches it on for the whole process."""
    script = """
        import sys
        import tfdp_fast as tfdp
        tfdp.measure(tfdp.to_rle([[[1, 1, 4, 1, 4, 3]]], (5, 5)))
        assert not sys._is_gil_enabled()
        """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, env=environment)
