"""What the benchmarks share: the size of the large file, the files, versions, and a summary at the end."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import pytest

from bench_data import REAL, REAL_FILES, real_file
from c_loops import compiler_version
from coco_like import CocoFiles
from instance_tables import Tables, TableSets, write_tables
from tfdp_fast.timing.coco_like import CocoFile, write_coco_like
from tfdp_fast.timing.coco_statistics import IMAGES

SEED = 0
RUN_INSTANCES = 20_000_000
PACKAGES = [
    *["tfdp-fast", "numpy", "numba", "llvmlite", "msgspec"],
    *["opencv-python-headless", "pycocotools", "faster-coco-eval", "hotcoco", "rlemasklib"],
    *["pyarrow", "duckdb", "polars", "ray"],
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the size of the file that stands for COCO train2017, and that of the data that outgrow memory."""
    parser.addoption(
        "--coco-images",
        type=int,
        default=IMAGES // 10,
        help=f"images of the large generated file (COCO train2017: {IMAGES}; default: a tenth)",
    )
    parser.addoption(
        "--run-instances",
        type=int,
        default=RUN_INSTANCES // 10,
        help=f"instances of the largest generated tables (default: a tenth of {RUN_INSTANCES:,})",
    )


def pytest_configure() -> None:
    """Keep OpenCV to one thread: all rows are for one, unless they say something else."""
    cv2.setNumThreads(1)


@pytest.fixture(scope="session")
def coco_images(request: pytest.FixtureRequest) -> int:
    """How many images the large file has."""
    images: int = request.config.getoption("--coco-images")
    return images


@pytest.fixture(scope="session")
def coco_files() -> Iterator[CocoFiles]:
    """Files in the likeness of COCO train2017, by their number of images; each is made once."""
    with tempfile.TemporaryDirectory(prefix="tfdp-bench-") as folder:

        @cache
        def make(images: int) -> CocoFile:
            return write_coco_like(Path(folder) / f"coco_like_{images}.json", images, SEED, REAL)

        yield make


@pytest.fixture(scope="session")
def run_instances(request: pytest.FixtureRequest) -> int:
    """How many instances the largest tables have."""
    instances: int = request.config.getoption("--run-instances")
    return instances


@pytest.fixture(scope="session")
def table_sets() -> Iterator[TableSets]:
    """Tables of instances, by how many they have, and how many a file has; each is made once."""
    with tempfile.TemporaryDirectory(prefix="tfdp-bench-") as folder:

        @cache
        def make(instances: int, per_file: int) -> Tables:
            output = Path(folder) / f"{instances}-{per_file}"
            return write_tables(output, instances, per_file, SEED, processes=os.cpu_count() or 1)

        yield make


def version_of(package: str) -> str:
    """The installed version of a package."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """Add versions, the compiler and the seed to what pytest-benchmark says of the machine."""
    from tfdp_fast import _core

    versions = {package: version_of(package) for package in PACKAGES}
    real = [name for name in REAL_FILES if real_file(name)]
    machine_info |= {
        "versions": versions,
        "core": _core.build,
        "c_compiler": compiler_version(),
        "os": platform.platform(),
        "processors": os.cpu_count(),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "seed": SEED,
        "real_annotations": ", ".join(real) or "none: made polygons only",
    }


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the median of each job, and how many times as long the others take."""
    session = getattr(terminalreporter.config, "_benchmarksession", None)
    for benchmark in session.benchmarks if session else []:
        if benchmark.stats and "entries" in benchmark.extra_info:
            info = benchmark.extra_info
            unit, amount = next(iter(info["work"].items()))
            line = ", ".join(
                f"{entry['name']} {entry['seconds'] / amount * 1e6:.3g} us"
                + (f" ({entry['ratio']:.3g} x)" if position else "")
                for position, entry in enumerate(info["entries"])
            )
            terminalreporter.write_line(f"{info['what']} ({amount:,} {unit}): {line}")
