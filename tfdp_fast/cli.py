"""The command line ``tfdp``: parse, call, print.

Nothing but the standard library is imported until a verb has something to do, so that ``--help`` is quick.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from tfdp_fast._verbs.common import BAD_INPUT, INTERRUPTED, OK, STANDARD_INPUT, show
from tfdp_fast._verbs.parser import VERBS, build_parser
from tfdp_fast._verbs.stopping import Stopped
from tfdp_fast.errors import DataError, TfdpError


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    try:
        code = _run(argv)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        _drop_standard_output()
        return OK
    except (TfdpError, OSError, MemoryError) as error:
        logging.getLogger(__name__).debug("failed", exc_info=True)
        if not isinstance(error, (TfdpError, MemoryError)):
            _drop_standard_output()
        _say(f"error: {_message(error)}")
        return BAD_INPUT
    except Stopped as stopped:
        _say(str(stopped))
        return stopped.code
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED


def _version_or_usage(arguments: argparse.Namespace) -> int:
    if not arguments.version:
        names = [verb.__name__.rpartition(".")[2] for verb in VERBS]
        arguments.parser.error(f"say what to do: {', '.join(names[:-1])} or {names[-1]}")
    from tfdp_fast._versions import version_report

    show(version_report(), arguments)
    return OK


def _run(argv: Sequence[str] | None) -> int:
    try:
        arguments, unknown = build_parser(_version_or_usage).parse_known_args(argv)
        if unknown:
            from tfdp_fast._text import one_line

            arguments.parser.error(f"unrecognized arguments: {one_line(' '.join(unknown))}")
        if arguments.verbose:
            logging.basicConfig(format="%(name)s: %(message)s", stream=sys.stderr)
            level = logging.INFO if arguments.verbose == 1 else logging.DEBUG
            logging.getLogger("tfdp_fast").setLevel(level)
        return int(arguments.run(arguments))
    except SystemExit as leaving:  # argparse has said what there was to say
        return int(leaving.code or OK)


def _message(error: Exception) -> str:
    if isinstance(error, DataError) and error.source == "<bytes>":  # what `_source` has read
        return str(DataError(STANDARD_INPUT, error.record, error.reason))
    if isinstance(error, OSError) and not isinstance(error, TfdpError) and error.strerror:
        return f"{error.filename or 'standard output'}: {error.strerror}"
    return str(error) or "out of memory"


def _say(message: str) -> None:
    if sys.stderr is not None:
        from tfdp_fast._text import one_line

        sys.stderr.write(f"tfdp: {one_line(message)}\n")


def _drop_standard_output() -> None:
    """Let go of what cannot be written: Python would complain when it flushes at the end."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run() -> NoReturn:
    """Run the command line of this process.

    The process ends with its verb, so cyclic garbage is left to the system, at the end as well: that saves a
    tenth of the time. NumPy's linear algebra is not used, so it need not start threads that wait for work.
    """
    gc.disable()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    code = main()
    gc.freeze()
    sys.exit(code)
