"""Files that are read as a whole."""

from __future__ import annotations

import os
from pathlib import Path

from tfdp_fast.errors import DataError


def read_whole(path: str | os.PathLike[str]) -> bytes:
    """The content of a file; DataError if it cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise DataError(os.fspath(path), None, f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a null character in the name
        raise DataError(os.fspath(path), None, f"cannot be read: {error}") from error
