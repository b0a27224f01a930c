"""What a time was measured on."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

from tfdp_fast import __version__, _core

PACKAGES = ("numpy", "numba", "msgspec", "pillow", "opencv-python-headless", "opencv-python", "pycocotools")


def describe_machine() -> dict[str, Any]:
    """Processor, memory, system, versions, the date in UTC, and how busy the machine was beforehand."""
    now = dt.datetime.now(dt.timezone.utc)
    return {
        "date": now.isoformat(timespec="minutes"),
        "processor": _processor(),
        "processors": os.cpu_count() or 1,
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "load": os.getloadavg()[0],
        "system": platform.platform(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "core": _core.build,
        "versions": {"tfdp-fast": __version__}
        | {name: version for name in PACKAGES if (version := _version(name)) is not None},
    }


def _processor() -> str:
    """Its name; Linux has it in a file, and `platform.processor` is often empty there."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
