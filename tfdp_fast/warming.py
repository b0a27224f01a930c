"""Compile all kernels ahead of their first use."""

from __future__ import annotations

import importlib
import pkgutil
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Warmup", "warmup"]


@dataclass(frozen=True)
class Warmup:
    """What `warmup` has found and done.

    Attributes
    ----------
    kernels : int
        How many kernels there are. All of them are now in the memory of this process.
    compiled : int
        How many of them this process has compiled; the others were loaded.
    kept : int
        How many of them are in a file, so that no later process has to compile them.
    folders : tuple of Path
        Where these files are.
    refusals : tuple of str
        Why the rest could not be kept: folders and reasons.
    seconds : float
        How long the call took.
    """

    kernels: int
    compiled: int
    kept: int
    folders: tuple[Path, ...]
    refusals: tuple[str, ...]
    seconds: float


def warmup() -> Warmup:
    """Compile all kernels, or load those that have been compiled before.

    Kernels are compiled on first use otherwise, and kept in the first folder that takes them: ``__pycache__``
    beside the package, then ``tfdp-fast`` in the user's cache folder (``XDG_CACHE_HOME``, else ``~/.cache``).
    ``NUMBA_CACHE_DIR`` names another folder, and then the only one. Call it while an image is built, so that
    containers start warm: kernels are also read from folders that cannot be written. Or call it in a server
    before it forks, so that the kernels are there for all workers, even where nothing can be kept.

    Returns
    -------
    Warmup
        How many kernels were compiled and kept, and where. It is no error if none could be kept.

    Examples
    --------
    >>> import tfdp_fast as tfdp
    >>> done = tfdp.warmup()
    >>> tfdp.warmup().kernels == done.kernels >= done.kept
    True
    """
    begin = time.perf_counter()
    from tfdp_fast import kernels
    from tfdp_fast.kernels._policy import caches

    for module in pkgutil.iter_modules(kernels.__path__, f"{kernels.__name__}."):
        importlib.import_module(module.name)
    # A copy: another thread may import a kernel that is defined elsewhere.
    found = list(caches.values())
    kept = [cache.cache_path for cache in found if cache.cache_path is not None]
    return Warmup(
        kernels=len(found),
        compiled=sum(cache.compiled for cache in found),
        kept=len(kept),
        folders=tuple(sorted({path.parent for path in kept})),
        refusals=tuple(
            dict.fromkeys(why for cache in found if cache.cache_path is None for why in cache.refusals)
        ),
        seconds=time.perf_counter() - begin,
    )
