"""Each Numba kernel beside its definition, over the table of the tests; RLE decoding beside plain C as well.

The definitions are written to be read: their times are what plain Python costs, not those of a rival.
"""

from __future__ import annotations

import copy
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import _mask as coco_mask
from pytest_benchmark.fixture import BenchmarkFixture

from bench_data import Masks, decode, rle_masks, strings
from c_loops import compile_loops, compiler, decoder, reader
from contest import Contender, claim, contest
from tfdp_fast.reference import KERNELS, Kernel

N = 20_000
# The size of these is in masks of hundreds of counts, or in accumulators of 68 limbs.
SMALL = dict.fromkeys(["decode_rle", "encode_rle", "canonicalise", "round_limbs"], 200)
PASSES, REPEAT = 5, 5


def outcome(function: Any, arguments: tuple[Any, ...]) -> list[bytes]:
    """Call on copies; the bytes of what came back and of what became of the arguments."""
    arguments = copy.deepcopy(arguments)
    result = function(*arguments)
    results = result if isinstance(result, tuple) else (result,)
    return [np.asarray(value).tobytes() for value in (*results, *arguments) if value is not None]


@pytest.mark.parametrize("row", KERNELS, ids=lambda row: row.name)
def test_kernel(benchmark: BenchmarkFixture, row: Kernel) -> None:
    arguments = row.inputs(np.random.default_rng(0), SMALL.get(row.function, N))
    kernel = row.load()  # compiled, or loaded from the cache, here
    assert outcome(kernel, arguments) == outcome(row.reference, arguments)

    # Some kernels work in place: each call has arguments of its own.
    ours, theirs = (
        iter([copy.deepcopy(arguments) for _ in range(calls + 1)]) for calls in (PASSES * REPEAT, PASSES)
    )
    contest(
        benchmark,
        row.name,
        lambda: kernel(*next(ours)),
        [Contender("definition in Python", lambda: row.reference(*next(theirs)))],
        work={f"{row.unit}s": len(arguments[row.counted])},
        passes=PASSES,
        repeat=REPEAT,
    )


def areas_by_pycocotools(masks: Masks) -> NDArray[np.uint32]:
    """Pixels of each mask; `area` takes at most 255 at a time."""
    parts = [masks.segmentations[i : i + 255] for i in range(0, len(masks), 255)]
    return np.concatenate([coco_mask.area(part) for part in parts])


def test_rle_decoding(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    command = compiler()
    if command is None:
        pytest.skip("no C compiler")
    masks = rle_masks()
    data, offsets, pixels = strings(masks)
    loops = compile_loops(command, tmp_path)
    rivals = [
        Contender("plain C loop, no checks", decoder(loops, data, offsets), repeat=5),
        Contender("pycocotools, up to the area", lambda: areas_by_pycocotools(masks), repeat=5),
        Contender("C loop that reads the bytes only", reader(loops, data), repeat=5),
    ]
    (counts, count_offsets), answers = contest(
        benchmark,
        f"RLE decoding to counts, {masks.name}",
        partial(decode, data, offsets, pixels),
        rivals,
        work={"bytes": len(data)} | masks.work(),
        passes=15,
        repeat=5,
        note="pycocotools shows no counts; its shortest way over them is the area, and it works by object. "
        "The kernel checks every string; the C loop trusts them.",
    )
    in_c, areas, _ = answers.values()
    np.testing.assert_array_equal(counts, in_c)
    ours = [counts[begin:end][1::2].sum() for begin, end in pairwise(count_offsets)]
    np.testing.assert_array_equal(ours, areas)
    if benchmark.enabled:
        in_c = benchmark.extra_info["entries"][1]
        claim(
            benchmark, "RLE decoding kernel", "plain C loop", 1 / in_c["ratio"], at_most=1.5, unit="× as long"
        )
