"""What the tests of the command line share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def buffered() -> dict[str, str]:
    """The environment of a user, whose output is buffered, so that it can still fail when a process ends."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


def process(
    *arguments: str, cwd: Path, data: bytes = b"", code: str | None = None, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """Run ``tfdp`` (or some code) in a process of its own."""
    run = code or f"import sys; from tfdp_fast.cli import main; sys.exit(main({list(arguments)!r}))"
    environment = buffered() | {"NO_COLOR": "1", "COLUMNS": "100"} | environment
    return subprocess.run(
        [sys.executable, "-c", run], cwd=cwd, input=data, capture_output=True, env=environment, check=False
    )


def changed(folder: Path, change: Any) -> None:
    data = json.loads((folder / "data.json").read_text())
    change(data)
    (folder / "data.json").write_text(json.dumps(data))
