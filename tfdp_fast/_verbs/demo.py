"""``tfdp demo``."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

from tfdp_fast._arguments import add_verb
from tfdp_fast._verbs.common import OK, show
from tfdp_fast.errors import OptionError


def add(verbs: Any) -> None:
    """Add the verb and its arguments."""
    parser = add_verb(verbs, "demo", "make a small data set with images and prune it", run)
    parser.add_argument(
        "-o", "--output", metavar="FOLDER", default="tfdp-demo", help="where to (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Do it, and return the exit code."""
    from tfdp_fast._console import Report
    from tfdp_fast._reports import prune_report, score_report
    from tfdp_fast.demo import is_demo, make_demo
    from tfdp_fast.pruning import prune

    if arguments.output == "-":
        raise OptionError("a demo is a folder: it cannot go to standard output")
    folder = Path(arguments.output)
    annotations, output = folder / "annotations.json", folder / "pruned.json"
    # What is there may be somebody's: only an earlier demo is replaced.
    if folder.exists() and not is_demo(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise OptionError(f"{folder}: is there already, and is no earlier demo")
    make_demo(folder)
    pruned = prune(annotations, output, rate=0.5)
    report = prune_report(pruned, str(annotations))
    scored = score_report(str(annotations), None, pruned.scores, None)
    again = shlex.join(["tfdp", "prune", str(annotations), "--rate", "0.5", "-o", str(output)])
    named = [(label, value) for label, value in scored.rows if label in {"best image", "last image"}]
    report = Report(
        f"Made 60 images of shapes in {folder / 'images'}, and pruned their annotations",
        report.data
        | {"images_folder": str(folder / "images"), "best": scored.data["best"], "command": again},
        [("images in", str(folder / "images")), *report.rows, *named, ("by hand", again)],
        [*report.listings, *scored.listings],
    )
    show(report, arguments)
    return OK
