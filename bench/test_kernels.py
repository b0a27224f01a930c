"""Each kernel next to its reference, over the table of the tests: ``pytest bench --benchmark-enable``.

The references are written to be read: their times are what plain Python costs, not those of a rival.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tfdp_fast.reference import KERNELS, Kernel

N = 20_000
# The size of these is in masks of hundreds of counts, or in accumulators of 68 limbs.
SMALL = dict.fromkeys(["decode_rle", "encode_rle", "canonicalise", "round_limbs"], 200)


def outcome(function: Any, arguments: tuple[Any, ...]) -> list[bytes]:
    """Call on copies; the bytes of what came back and of what became of the arguments."""
    arguments = copy.deepcopy(arguments)
    result = function(*arguments)
    results = result if isinstance(result, tuple) else (result,)
    return [np.asarray(value).tobytes() for value in (*results, *arguments) if value is not None]


@pytest.mark.parametrize("way", ["kernel", "reference"])
@pytest.mark.parametrize("row", KERNELS, ids=lambda row: row.name)
def test_kernel(benchmark: BenchmarkFixture, row: Kernel, way: str) -> None:
    arguments = row.inputs(np.random.default_rng(0), SMALL.get(row.function, N))
    kernel = row.load()  # compiled, or loaded from the cache, here
    assert outcome(kernel, arguments) == outcome(row.reference, arguments)

    benchmark.group = row.name
    benchmark.extra_info |= {"work": len(arguments[row.counted]), "unit": row.unit}
    pedantic: Any = benchmark.pedantic  # untyped
    pedantic(
        kernel if way == "kernel" else row.reference,
        setup=lambda: (copy.deepcopy(arguments), {}),
        rounds=50 if way == "kernel" else 5,
        warmup_rounds=1,
    )
