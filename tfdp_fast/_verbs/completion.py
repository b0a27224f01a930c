"""``tfdp completion``."""

from __future__ import annotations

import argparse
from typing import Any

from tfdp_fast._arguments import SHELLS, add_verb
from tfdp_fast._verbs.common import OK, show, standard_output


def add(verbs: Any) -> None:
    """Add the verb and its arguments."""
    parser = add_verb(verbs, "completion", "print a completion script for a shell", run)
    parser.add_argument("shell", choices=SHELLS)


def run(arguments: argparse.Namespace) -> int:
    """Do it, and return the exit code."""
    import shtab

    from tfdp_fast._console import Report
    from tfdp_fast._verbs.parser import build_parser

    files = dict.fromkeys(("ANNOTATIONS", "A", "B", "FILE", "LIST", "SCORES"), shtab.FILE)
    completions = files | {"FOLDER": shtab.DIRECTORY}
    script = shtab.complete(build_parser(completions=completions), arguments.shell)
    if arguments.json:
        show(Report("", {"shell": arguments.shell, "script": script}, []), arguments)
    else:
        standard_output().write(f"{script}\n".encode())
    return OK
