"""What a worker does when it is stopped."""

from __future__ import annotations

import ctypes
import time

from driving_support import wait_for_file


def in_a_callback(path: str) -> None:
    """Wait for a file where what a handler raises is lost, then for ever."""
    ctypes.CFUNCTYPE(None)(lambda: wait_for_file(path) and None)()
    time.sleep(60)
