"""``tfdp explain``."""

from __future__ import annotations

import argparse
from typing import Any

from tfdp_fast._arguments import add_image_folder, add_input, add_scoring, add_verb
from tfdp_fast._verbs.common import OK, WITH_PROBLEMS, check_output_of, opening, show, source_of

EPILOG = """\
examples:
  tfdp explain instances_train.json 42                      why image 42 has its score and its rank
  tfdp explain instances_train.json 000000000042.jpg        the same, by file name
  tfdp explain instances_train.json 42 --variant si         by another variant
  tfdp explain instances_train.json 42 -o 42.png --images train2017    with a picture
  tfdp explain VOCdevkit/VOC2012 2007_000032 -o 32.svg      formats that say where their images are
"""


def add(verbs: Any) -> None:
    """Add the verb and its arguments."""
    parser = add_verb(verbs, "explain", "say why an image has its score and its rank", run, EPILOG)
    add_input(parser)
    parser.add_argument(
        "image_id", metavar="IMAGE_ID", help="the image's id, or its file name, with or without its suffix"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="draw the image with its instances, numbered: .png, .svg or .pdf",
    )
    add_image_folder(parser)
    add_scoring(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do it, and return the exit code."""
    from tfdp_fast._console import progress_bar
    from tfdp_fast._reports_pictures import explain_report
    from tfdp_fast.report.explaining import explain

    if arguments.output:
        check_output_of(arguments.output, arguments.input)
    with progress_bar(enabled=not (arguments.quiet or arguments.json)) as progress:
        explanation = explain(
            source_of(arguments),
            arguments.image_id,
            arguments.variant,
            destination=arguments.output,
            images=arguments.images,
            polygons=arguments.polygons,
            preset=arguments.preset,
            on_error=arguments.on_error,
            threads=arguments.threads,
            progress=progress,
            **opening(arguments),
        )
    show(explain_report(arguments.input, arguments.output, explanation), arguments)
    return WITH_PROBLEMS if explanation.problems else OK
