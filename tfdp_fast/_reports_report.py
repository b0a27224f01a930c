"""What the command line says of a page."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tfdp_fast._console import Report, Row
from tfdp_fast._reports_preset import preset_data, preset_rows
from tfdp_fast._text import number
from tfdp_fast.report.writing import WrittenReport


def report_report(written: WrittenReport, source: str) -> Report:
    """What was written, about what. The source is what the user calls it."""
    contents = written.contents
    found = contents.statistics
    output = "-" if written.destination is None else str(written.destination)
    shown = [
        picture for gallery in contents.galleries.values() for picture in (*gallery.best, *gallery.least)
    ]
    blank = {picture.position for picture in shown if picture.pixels is None}
    data: dict[str, Any] = {
        "source": source,
        "format": found.format,
        "output": output,
        "bytes": written.size,
        "title": contents.title,
        "variant": contents.variant,
        "polygons": found.polygons,
        **preset_data(found.preset),
        "images": found.images,
        "candidates": contents.remains.candidates,
        "instances": found.instances,
        "classes": int(np.count_nonzero(found.classes.instances)),
        "galleries": {
            variant: {
                "best": [picture.id for picture in gallery.best],
                "least": [picture.id for picture in gallery.least],
            }
            for variant, gallery in contents.galleries.items()
        },
        "pictures": {"shown": len({picture.position for picture in shown}), "blank": len(blank)},
        "problems": [dataclasses.asdict(problem) for problem in found.problems],
    }
    rows: list[Row] = [
        ("source", source),
        ("output", f"{output}, {number(written.size)} bytes"),
        ("variant", f"{contents.variant}, polygons as {found.polygons}"),
        *preset_rows(found.preset),
        ("images", f"{number(found.images)}, {number(contents.remains.candidates)} candidates"),
        ("scored instances", number(found.instances)),
        ("classes", number(data["classes"])),
        (
            "pictures",
            f"{number(data['pictures']['shown'])} in galleries, {number(len(blank))} on blank canvases",
        ),
        *([("set aside", number(len(found.problems)))] if found.problems else []),
    ]
    return Report(f"Wrote {output}", data, rows)
