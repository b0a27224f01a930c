"""What the command line says of results: one report per verb."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tfdp_fast._console import Listing, Report, Row
from tfdp_fast._reports_preset import preset_data, preset_rows
from tfdp_fast._reports_select import kept_rows, reckoning_data, strategy_data, strategy_rows
from tfdp_fast._text import number
from tfdp_fast.formats.dataset import Problem
from tfdp_fast.pruning import Pruned
from tfdp_fast.scores import Scores
from tfdp_fast.strategies import Strategy
from tfdp_fast.warming import Warmup

LISTED = 10
"""How many rows a listing on a terminal has at most."""


def warmup_report(done: Warmup) -> Report:
    """How many kernels were compiled, and where they are kept."""
    data = dataclasses.asdict(done) | {"folders": list(map(str, done.folders))}
    rows = [
        ("kernels", number(done.kernels)),
        ("compiled", number(done.compiled) if done.compiled else "0 (all had been kept before)"),
        *(("kept in", str(folder)) for folder in done.folders),
        ("time", f"{done.seconds:.2f} s"),
    ]
    return Report("All kernels are compiled and kept", data, rows)


def prune_report(pruned: Pruned, source: str | None) -> Report:
    """What was kept, dropped and skipped, and why. The source is what the user calls it, if they do."""
    scores, subset = pruned.scores, pruned.subset
    source = source or pruned.source
    output = "-" if pruned.destination is None else str(pruned.destination)
    images, beside = scores.images, pruned.beside
    bare = images.annotations == 0
    crowd_only = (images.annotations > 0) & (images.instances == 0)
    data: dict[str, Any] = {
        "source": source,
        "format": pruned.format,
        "output": output,
        "variant": scores.variant,
        "polygons": scores.polygons,
        **preset_data(scores.preset),
        "images": {
            **pruned.outcome.images,
            "candidates_are": subset.of,
            "without_annotations": images.id[bare].tolist(),
            "with_crowd_regions_only": images.id[crowd_only].tolist(),
        },
        **strategy_data(subset.strategy),
        **reckoning_data(subset),
        "rate": subset.rate,
        "keep": 1 - subset.rate,
        "annotations": {
            **pruned.outcome.annotations,
        },
        "problems": problem_data(scores.problems),
        "problems_path": _text(pruned.problems_path),
        "lists": None if beside is None else {"keep": str(beside.keep), "drop": str(beside.drop)},
        "record": None if beside is None else str(beside.record),
        "classes": [msgspec.structs.asdict(one) for one in pruned.outcome.classes],
        "sha256": subset.sha256,
    }
    annotations = data["annotations"]
    rows: list[Row] = [
        ("source", source),
        ("format", pruned.format),
        ("output", output),
        ("variant", f"{scores.variant}, polygons as {scores.polygons}"),
        *preset_rows(scores.preset),
        ("images", number(len(images))),
        *([] if subset.strategy == Strategy() else strategy_rows(subset.strategy)),
        *kept_rows(subset),
        ("without annotations", number(int(bare.sum()))),
        ("with crowd regions only", number(int(crowd_only.sum()))),
        ("annotations kept", number(annotations["kept"])),
        ("annotations dropped", number(annotations["dropped"])),
        *annotation_rows(annotations),
        *problem_rows(scores.problems, pruned.problems_path),
        *([("record", str(beside.record))] if beside else []),
        ("subset", subset.sha256[:16]),
    ]
    lost = sorted(data["classes"], key=lambda c: c["after"] / c["before"] if c["before"] else 1.0)[:LISTED]
    listing = Listing(
        "Classes that lose most" if len(data["classes"]) > LISTED else "Classes",
        ("class", "instances", "kept", "share"),
        [
            (c["name"], number(c["before"]), number(c["after"]), f"{c['after'] / (c['before'] or 1):.1%}")
            for c in lost
        ],
    )
    return Report(f"Pruned {source}", data, rows, [listing])


def score_report(source: str, output: str | None, scores: Scores, problems_path: Path | None) -> Report:
    """What the scores of a data set are like."""
    images = scores.images
    ranked = np.flatnonzero(images.instances > 0)
    ranked = ranked[np.argsort(-images.score[ranked], kind="stable")]
    best = [
        {"image_id": images.id[i].item(), "file_name": images.file_name[i], "score": float(images.score[i])}
        for i in ranked
    ]
    assert scores.instances is not None
    annotations = _annotations(scores)
    data: dict[str, Any] = {
        "source": source,
        "output": output,
        "variant": scores.variant,
        "polygons": scores.polygons,
        **preset_data(scores.preset),
        "images": len(images),
        "scored_images": len(ranked),
        "instances": len(scores.instances),
        "score_sum": float(images.score.sum()),
        "best": best[:LISTED],
        "last": best[-1:],
        "annotations": annotations,
        "problems": problem_data(scores.problems),
        "problems_path": _text(problems_path),
    }
    rows: list[Row] = [
        ("source", source),
        *([("output", output)] if output else []),
        ("variant", f"{scores.variant}, polygons as {scores.polygons}"),
        *preset_rows(scores.preset),
        ("images", number(len(images))),
        ("scored images", number(len(ranked))),
        ("scored instances", number(len(scores.instances))),
        *annotation_rows(annotations),
        *problem_rows(scores.problems, problems_path),
    ]
    if best:
        rows += [("best image", _named(best[0])), ("last image", _named(best[-1]))]
    listing = Listing(
        "Best images",
        ("image", "file name", "score"),
        [(str(b["image_id"]), b["file_name"] or "", f"{b['score']:.6g}") for b in best[:LISTED]],
    )
    return Report(f"Scored {source}", data, rows, [listing])


def _named(image: dict[str, Any]) -> str:
    return f"{image['image_id']} (score {image['score']:.6g})"


def _annotations(scores: Scores) -> dict[str, int]:
    assert scores.instances is not None
    return {
        "scored": len(scores.instances),
        "degenerate": int(np.count_nonzero(scores.instances.area2 == 0)),
        "crowd": scores.crowd,
        "ignored": scores.ignored,
        "set_aside": len(scores.problems),
    }


def annotation_rows(annotations: dict[str, int]) -> list[Row]:
    """The numbers of annotations that count for nothing, or for little."""
    return [
        ("degenerate", f"{number(annotations['degenerate'])} (no area: score 0)"),
        ("crowd regions", f"{number(annotations['crowd'])} (not scored)"),
        ("ignored", f"{number(annotations['ignored'])} (not scored)"),
    ]


def problem_data(problems: list[Problem]) -> list[dict[str, Any]]:
    """For machines: what was set aside."""
    return [dataclasses.asdict(problem) for problem in problems]


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def problem_rows(problems: list[Problem], path: Path | None) -> list[Row]:
    """For people: the first records that were set aside, and where all of them are listed."""
    if not problems:
        return []
    where = f", listed in {path}" if path else ""
    shown = [
        ("problem", ": ".join(part for part in (problem.file, problem.record, problem.reason) if part))
        for problem in problems[:LISTED]
    ]
    what = "record" if len(problems) == 1 else "records"
    return [("set aside", f"{number(len(problems))} {what}{where}"), *shown]
