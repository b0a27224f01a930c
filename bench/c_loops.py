"""Plain C loops over the bytes of compressed RLE, built here and now: what a kernel could cost."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SOURCE = """
#include <stddef.h>
#include <stdint.h>

/* The loop of pycocotools' rleFrString, over all strings of a batch, without any check. */
int64_t decode(const uint8_t *data, const int64_t *offsets, int64_t n, uint32_t *counts) {
  int64_t m = 0;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t first = m;
    for (int64_t k = offsets[i]; k < offsets[i + 1];) {
      int64_t value = 0, shift = 0, more = 1;
      while (more) {
        const int64_t code = data[k++] - 48;
        value |= (code & 31) << shift;
        more = code & 32;
        shift += 5;
        if (!more && (code & 16)) value |= -1LL << shift;
      }
      if (m - first > 2) value += counts[m - 2];
      counts[m++] = (uint32_t)value;
    }
  }
  return m;
}

/* The floor: every byte is looked at, one after the other. */
int64_t read_bytes(const uint8_t *data, int64_t n) {
  int64_t seen = 0;
  for (int64_t k = 0; k < n; ++k) seen += data[k] & 32;
  return seen;
}
"""


def compiler() -> str | None:
    """The system's C compiler, if there is one."""
    return shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc") or shutil.which("clang")


def compiler_version() -> str:
    """The first line of what the compiler says of itself."""
    command = compiler()
    if command is None:
        return "no C compiler"
    said = subprocess.run([command, "--version"], check=True, stdout=subprocess.PIPE, text=True)
    return f"{said.stdout.splitlines()[0]}, -O2"


def compile_loops(command: str, folder: Path) -> ctypes.CDLL:
    """Build the loops into a folder and load them."""
    source, library = folder / "loops.c", folder / "loops.so"
    source.write_text(SOURCE)
    subprocess.run([command, "-O2", "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
    loops = ctypes.CDLL(str(library))
    loops.decode.restype = loops.read_bytes.restype = ctypes.c_int64
    return loops


def decoder(loops: ctypes.CDLL, data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> Callable[[], Any]:
    """Decode a batch in C; the counts come in a new array, as those of the kernel do."""

    def decode() -> NDArray[np.uint32]:
        counts = np.empty(len(data), np.uint32)
        n = ctypes.c_int64(len(offsets) - 1)
        used: int = loops.decode(_pointer(data), _pointer(offsets), n, _pointer(counts))
        return counts[:used]

    return decode


def reader(loops: ctypes.CDLL, data: NDArray[np.uint8]) -> Callable[[], Any]:
    """Read the bytes of a batch in C."""
    return lambda: loops.read_bytes(_pointer(data), ctypes.c_int64(len(data)))


def _pointer(array: NDArray[Any]) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)
