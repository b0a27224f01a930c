"""Lists of names, one a line: what several formats know a subset by."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from tfdp_fast._output import Outputs
from tfdp_fast.errors import OutputError


def write_lines(outputs: Outputs, destination: Any, lines: Iterable[str]) -> None:
    """Write lines to a path or a binary file.

    Raises
    ------
    OutputError
        If a line has a line break in it, and the list could not be read again; or if it cannot be written.
    """
    file = outputs.open(destination)
    for line in lines:
        if "\n" in line or "\r" in line:
            raise OutputError(f"a list cannot hold a name with a line break: {line!r}")
        file.write(os.fsencode(line) + b"\n")
