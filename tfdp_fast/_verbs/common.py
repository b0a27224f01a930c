"""What verbs share: where their input comes from, and where their output goes."""

from __future__ import annotations

import argparse
import os
import stat
import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from tfdp_fast.errors import DataError, OutputError

if TYPE_CHECKING:
    from tfdp_fast._console import Report
    from tfdp_fast.formats.opening import Opening

STANDARD_INPUT = "/dev/stdin"

OK, WITH_PROBLEMS, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
DIFFERENT = 1
"""What ``compare`` says, as ``diff`` and ``cmp`` do."""


def source_of(arguments: argparse.Namespace) -> str | bytes:
    """The path that was given, or what standard input holds."""
    if arguments.input != "-":
        return str(arguments.input)
    # A file is mapped by its name. A pipe is read here, because a socket cannot be opened by name.
    if sys.stdin is None or stat.S_ISREG(os.fstat(sys.stdin.fileno()).st_mode):
        return STANDARD_INPUT
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise DataError(STANDARD_INPUT, None, f"cannot be read: {error.strerror}") from error


def how_many(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options of `select`: --keep is a share or a number."""
    kept = arguments.keep
    return {
        "rate": arguments.rate,
        "keep": kept if isinstance(kept, Fraction) else None,
        "k": kept if isinstance(kept, int) else arguments.k,
    }


def strategy(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options of `select` that say which images."""
    return {name: getattr(arguments, name) for name in ("strategy", "order", "seed", "beta", "strata")}


def opening(arguments: argparse.Namespace) -> Opening:
    """The options of `open_dataset`."""
    return {
        "format": arguments.format,
        "split": arguments.split,
        "difficult": arguments.difficult,
        "image_size": arguments.image_size,
    }


def check_output_of(output: str | Path, source: str) -> None:
    """Refuse, before anything is read, what cannot be written or would overwrite the source."""
    from tfdp_fast._output import check_output, refuse_to_overwrite

    check_output(output)
    try:
        there = Path(STANDARD_INPUT if source == "-" else source).stat()
    except OSError:  # the reader will say so
        return
    refuse_to_overwrite(output, there)


def standard_output() -> BinaryIO:
    """The bytes of standard output; OutputError if it is closed."""
    if sys.stdout is None:
        raise OutputError("standard output is closed")
    return sys.stdout.buffer


def show(report: Report, arguments: argparse.Namespace, *, to_stderr: bool = False) -> None:
    """Print what a verb has to say."""
    from tfdp_fast import _console

    stream = sys.stderr if to_stderr else sys.stdout
    _console.show(report, as_json=arguments.json, quiet=arguments.quiet, stream=stream)
