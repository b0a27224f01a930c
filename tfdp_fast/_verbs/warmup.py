"""``tfdp warmup``."""

from __future__ import annotations

import argparse
from typing import Any

from tfdp_fast._arguments import add_verb
from tfdp_fast._verbs.common import OK, show
from tfdp_fast.errors import OutputError

EPILOG = """\
Kernels are compiled on first use, which takes seconds, and kept for later processes: beside the package or,
where that is read-only, in the user's cache folder. NUMBA_CACHE_DIR names another folder. Run this while an
image is built (RUN tfdp warmup). It fails if a kernel cannot be kept; the other verbs do without.
"""


def add(verbs: Any) -> None:
    """Add the verb."""
    add_verb(verbs, "warmup", "compile all kernels and keep them", run, EPILOG)


def run(arguments: argparse.Namespace) -> int:
    """Do it, and return the exit code."""
    from tfdp_fast._reports import warmup_report
    from tfdp_fast.warming import warmup

    done = warmup()
    if not done.kernels:
        raise OutputError("nothing is compiled while NUMBA_DISABLE_JIT is set")
    if done.kept < done.kernels:
        lost = f"{done.kernels - done.kept} of {done.kernels} kernels cannot be kept"
        raise OutputError(f"{lost}: {'; '.join(done.refusals)}")
    show(warmup_report(done), arguments)
    return OK
