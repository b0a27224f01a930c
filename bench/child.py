"""A Python process of its own: how long it took, and how much memory at its peak.

The peak of a process, as the system reports it, is never below that of the process which started it. So a
small one stands in between: this file, as a script. It starts the program, waits for it, and reports.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Child:
    """A process that has ended well.

    Attributes
    ----------
    seconds : float
        From its start to its end.
    peak : int
        Resident memory at the most, bytes.
    output : str
        What it wrote to its standard output.
    """

    seconds: float
    peak: int
    output: str

    def json(self) -> Any:
        """Its output as JSON."""
        return json.loads(self.output)


def run_python(*arguments: str) -> Child:
    """Run a Python process with these arguments; an exit code other than 0 is an error."""
    launcher = [sys.executable, "-I", "-S", __file__, *arguments]
    done = subprocess.run(launcher, check=True, stdout=subprocess.PIPE)
    return Child(**json.loads(done.stdout))


def run_tfdp(*arguments: str) -> Child:
    """Run the command line ``tfdp`` with these arguments."""
    return run_python("-c", "import sys; from tfdp_fast.cli import run; sys.exit(run())", *arguments)


def _launch(arguments: list[str]) -> int:
    begin = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE)
    assert process.stdout is not None
    output = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({"seconds": seconds, "peak": peak, "output": output}))
    return process.returncode


if __name__ == "__main__":
    sys.exit(_launch(sys.argv[1:]))
