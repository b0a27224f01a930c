"""stub"""

from __future__ import annotations
import contextlib, glob, os
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Input:
    path: str
    size: int
    modified: int
    is_folder: bool = False


def expand(sources: Any, format: Any = None) -> list[Input]:
    out = []
    for s in sources:
        for p in sorted(glob.glob(s)) or [s]:
            st = os.stat(p)
            out.append(
                Input(
                    os.path.abspath(p),
                    0 if os.path.isdir(p) else st.st_size,
                    0 if os.path.isdir(p) else st.st_mtime_ns,
                    os.path.isdir(p),
                )
            )
    return out


def identity(path: str) -> tuple[int, int]:
    st = os.stat(path)
    return st.st_size, st.st_mtime_ns


@contextlib.contextmanager
def staged(path: str, format: Any = None):
    yield path
