"""Versions, without importing what they are of."""

from __future__ import annotations

import importlib.metadata
import platform

from tfdp_fast import __version__
from tfdp_fast._console import Report


def version_report() -> Report:
    """Versions of the package, its build, and what it runs on."""
    from tfdp_fast import _core

    packages = ("numpy", "numba", "msgspec", "pyarrow", "pycocotools")
    versions = {"tfdp-fast": __version__, "build": _core.build, "Python": platform.python_version()}
    versions |= {package: _version_of(package) for package in packages}
    return Report("tfdp-fast", versions, list(versions.items()))


def _version_of(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
