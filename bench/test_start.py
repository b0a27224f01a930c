"""What a process pays before its first score."""

from __future__ import annotations

import statistics

from pytest_benchmark.fixture import BenchmarkFixture

from child import Child, run_python
from contest import Contender, claim, contest, table

# Prints the seconds of each step, in a process in which nothing is imported but what Python itself needs.
FIRST_SCORE = """
import time
times = [("", time.perf_counter())]
def step(name):
    times.append((name, time.perf_counter()))
import numpy
step("import numpy")
import tfdp_fast as tfdp
tfdp.measure, tfdp.ClassTotals, tfdp._core
step("import the package and its core")
masks = [[[10.0, 10.0, 20.0, 10.0, 20.0, 20.0, 10.0, 20.0]]] * 7
counts = tfdp.measure(masks, (40, 40))
step("measure 7 polygons")
import tfdp_fast.kernels.sums
step("import Numba, load the kernels of sums from the cache")
totals = tfdp.ClassTotals()
totals.add([1, 2, 1, 1, 3, 1, 2], counts)
score = float((counts.si_scs() / totals.totals[[0, 1, 0, 0, 2, 0, 1]]).sum())
step("add up, first score")
import json
steps = {name: end - begin for (_, begin), (name, end) in zip(times, times[1:])}
print(json.dumps({"score": score, "steps": steps}))
"""


def importing(what: str) -> Contender:
    code = f"import time; begin = time.perf_counter(); {what}; print(time.perf_counter() - begin)"
    return Contender(what, lambda: run_python("-c", code), lambda child, _: float(child.output))


def test_import(benchmark: BenchmarkFixture) -> None:
    contest(
        benchmark,
        "import tfdp_fast",
        importing("import tfdp_fast"),
        [importing("import numpy"), importing("import pycocotools.mask"), importing("import cv2")],
        work={"import": 1},
        passes=15,
        note="The package imports NumPy, its core and Numba when the first name that needs them is used.",
    )
    if benchmark.enabled:
        ratio = 1 / benchmark.extra_info["entries"][1]["ratio"]
        claim(benchmark, "import tfdp_fast", "import numpy", ratio, at_most=1.2, unit="× as long")


def test_first_score(benchmark: BenchmarkFixture) -> None:
    children: list[Child] = []

    def start() -> Child:
        children.append(run_python("-c", FIRST_SCORE))
        return children[-1]

    child, _ = contest(
        benchmark,
        "first score in a new process",
        Contender("tfdp-fast, kernels in the cache", start, lambda child, _: child.seconds),
        work={"process": 1},
        passes=15,
    )
    assert abs(child.json()["score"] - 3) < 1e-12
    if not benchmark.enabled:
        return
    steps = [child.json()["steps"] for child in children[1:]]
    medians = {name: statistics.median(step[name] for step in steps) for name in steps[0]}
    whole = benchmark.extra_info["entries"][0]["seconds"]
    medians["start and end of the interpreter"] = whole - sum(medians.values())
    table(
        benchmark,
        ["part of the first score", "ms"],
        [[name, f"{seconds * 1e3:.1f}"] for name, seconds in [*medians.items(), ("all of it", whole)]],
    )
    claim(benchmark, "first score in a new process, kernels in the cache", "–", whole, at_most=0.8, unit="s")
