"""Where compiled kernels are kept between processes.

Numba's own cache asks for a folder that can be written even where all kernels are there to be read, keeps an
index that can come to disagree with its files, and runs whatever bytes it finds. Here a kernel is one file.
The name stands for all that the machine code depends on; the file starts with a checksum of the rest, and
appears whole or not at all.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import logging
import os
import pickle
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np

from tfdp_fast import status

config: Any = numba.config
"""Numba's settings, which are variables of a module."""

_log = logging.getLogger(__name__)
_HERE = Path(__file__).resolve().parent
_CHECKSUM = hashlib.sha256


def cache_folders() -> list[Path]:
    """The folders to look into, in this order; a new kernel goes to the first that takes it.

    ``NUMBA_CACHE_DIR`` names a folder, and then the only one. Else it is ``__pycache__`` beside the kernels,
    and where that is read-only, one below the user's cache folder.
    """
    if config.CACHE_DIR:
        return [Path(config.CACHE_DIR).absolute()]
    folders = [_HERE / "__pycache__"]
    base = os.environ.get("XDG_CACHE_HOME", "")
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 (Path.home() raises for a user without a home)
    if Path(base).is_absolute():
        folders.append(Path(base) / "tfdp-fast")
    elif home.is_dir():  # a home that does not exist is not made
        folders.append(home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "tfdp-fast")
    return folders


@functools.cache
def _sources(path: str) -> bytes:
    """The kernels of a file, and the files with the options and the constants that are compiled into them."""
    files = (path, _HERE / "_policy.py", __file__, status.__file__)
    return b"".join(_CHECKSUM(Path(file).read_bytes()).digest() for file in files)


class KernelCache:
    """The cache of one kernel, of the form that a Numba dispatcher asks for.

    Attributes
    ----------
    cache_path : Path or None
        The file that the kernel was loaded from or saved to; None if there is none.
    compiled : bool
        Was it compiled by this process?
    refusals : list of str
        Why it could not be kept: folders and reasons.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._file_name: str | None = None
        self.cache_path: Path | None = None
        self.compiled = False
        self.refusals: list[str] = []

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        """The compiled kernel, or None if it is not there."""
        source = inspect.getfile(self._function)
        try:
            self._file_name = self._name(source, signature, target_context)
        except OSError as error:
            self.refusals.append(f"{source}: {error.strerror}")
            return None
        except Exception as error:
            self._refuse_numba(error)
            return None
        for folder in cache_folders():
            path = folder / self._file_name
            try:
                content = path.read_bytes()
            except OSError:
                continue
            checksum, payload = content[: _CHECKSUM().digest_size], content[_CHECKSUM().digest_size :]
            if _CHECKSUM(payload).digest() != checksum:
                _log.info("%s is damaged: the kernel is compiled again", path)
                continue
            try:
                kernel = _rebuilt(payload, target_context)
            except Exception as error:
                self._refuse_numba(error)
                return None
            self.cache_path = path
            return kernel
        return None

    def save_overload(self, _signature: Any, result: Any) -> None:
        """Keep a kernel that has been compiled, if a folder takes it."""
        self.compiled = True
        if result.library.has_dynamic_globals:
            raise TypeError(f"kernel {self._function.__name__} has an address compiled into it")
        if self._file_name is None:
            return
        try:
            payload = _payload(result)
        except Exception as error:
            self._refuse_numba(error)
            return
        for folder in cache_folders():
            path = folder / self._file_name
            try:
                folder.mkdir(parents=True, exist_ok=True)
                _write(path, _CHECKSUM(payload).digest() + payload)
            except OSError as error:
                self.refusals.append(f"{folder}: {error.strerror}")
            else:
                self.cache_path = path
                return

    def _refuse_numba(self, error: Exception) -> None:
        """Take in that this version of Numba is not as we know it: kernels are compiled, and not kept."""
        self._file_name = None
        self.refusals.append(f"Numba {numba.__version__}: {type(error).__name__}: {error}")

    def _name(self, source: str, signature: Any, target_context: Any) -> str:
        identity = (
            _sources(source),
            (sys.implementation.cache_tag, getattr(sys, "abiflags", ""), numba.__version__, np.__version__),
            target_context.codegen().magic_tuple(),  # the processor's name and instructions
            (config.OPT, config.BOUNDSCHECK, config.DEBUGINFO_DEFAULT),
            str(signature),
        )
        digest = _CHECKSUM(repr(identity).encode()).hexdigest()[:16]
        return f"{self._function.__module__.rpartition('.')[2]}.{self._function.__name__}-{digest}.kernel"


# What Numba does not document is used in these two functions and for the name, and imported here: a version
# that has changed it must not do more harm than that nothing is kept.


def _rebuilt(payload: bytes, target_context: Any) -> Any:
    """The kernel of a file, with all that a finished one needs: Numba's runtime, but not its compiler."""
    from numba.core.compiler import CompileResult
    from numba.core.runtime.nrt import rtsys

    result_type: Any = CompileResult
    rtsys.initialize(target_context)
    return result_type._rebuild(target_context, *pickle.loads(payload))


def _payload(result: Any) -> bytes:
    """What goes into a file."""
    from numba.core import serialize

    dumps: Any = serialize.dumps
    payload: bytes = dumps(result._reduce())
    return payload


def _write(path: Path, content: bytes) -> None:
    """Make a file appear whole or not at all, readable to whom the umask allows."""
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex[:16]}")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
