"""``tfdp gallery``."""

from __future__ import annotations

import argparse
from typing import Any

from tfdp_fast._arguments import VARIANTS, add_how_many, add_image_folder, add_input, add_scoring, add_verb
from tfdp_fast._verbs.common import (
    OK,
    WITH_PROBLEMS,
    check_output_of,
    how_many,
    opening,
    show,
    source_of,
)

EPILOG = """\
examples:
  tfdp gallery instances_train.json -o gallery.png                          contours on a blank canvas
  tfdp gallery instances_train.json -o gallery.png --images train2017       over the images
  tfdp gallery instances_train.json -o gallery.svg -n 4 --variant all       4 images a row, every variant
  tfdp gallery instances_train.json -o gallery.pdf --rate 0.5               and those at the cut
"""


def add(verbs: Any) -> None:
    """Add the verb and its arguments."""
    summary = "draw the best and the least ranked images, with contours and scores"
    parser = add_verb(verbs, "gallery", summary, run, EPILOG)
    add_input(parser)
    parser.add_argument("-o", "--output", metavar="FILE", required=True, help="where to: .png, .svg or .pdf")
    parser.add_argument(
        "-n", "--columns", type=int, metavar="N", default=8, help="images in a row (default: %(default)s)"
    )
    add_image_folder(parser)
    add_how_many(parser)
    add_scoring(parser, several=True)


def run(arguments: argparse.Namespace) -> int:
    """Do it, and return the exit code."""
    from tfdp_fast._console import progress_bar
    from tfdp_fast._reports_pictures import gallery_report
    from tfdp_fast.report.gallery import gallery

    named = arguments.variants or ["tfdp"]
    check_output_of(arguments.output, arguments.input)
    with progress_bar(enabled=not (arguments.quiet or arguments.json)) as progress:
        drawn = gallery(
            source_of(arguments),
            arguments.output,
            arguments.columns,
            VARIANTS if "all" in named else named,
            **how_many(arguments),
            images=arguments.images,
            polygons=arguments.polygons,
            preset=arguments.preset,
            on_error=arguments.on_error,
            threads=arguments.threads,
            progress=progress,
            **opening(arguments),
        )
    show(gallery_report(arguments.input, drawn), arguments)
    return WITH_PROBLEMS if drawn.problems else OK
