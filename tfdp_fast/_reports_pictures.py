"""What the command line says of images: one that is explained, and those of a gallery."""

from __future__ import annotations

import dataclasses
from typing import Any

from tfdp_fast._console import Listing, Report, Row
from tfdp_fast._text import number
from tfdp_fast.report._wording import rate_text
from tfdp_fast.report.explanations import ExplainedInstance, Explanation
from tfdp_fast.report.gallery import Gallery, GalleryImage, Which

_HEADER = [
    *("#", "annotation", "class", "straight", "diagonal", "area", "perimeter"),
    *("SCS", "SI-SCS", "T_c", "CB-SCS", "share", "rank"),
]
_ROWS: dict[Which, str] = {"best": "best", "cut": "at the cut", "least": "least"}
_NOT_SCORED = {
    "crowd": "crowd region, not scored",
    "left out": "left out by the preset, not scored",
    "set aside": "set aside because of a fault, not scored",
}


def explain_report(source: str, output: str | None, found: Explanation) -> Report:
    """Why an image has its score and its rank."""
    image = str(found.image_id)
    name = f" ({found.file_name})" if found.file_name else ""
    instances = [instance for instance in found.instances if instance.role == "scored"]
    rows: list[Row] = [
        ("image", image + name),
        *([("output", output)] if output else []),
        *([("not drawn", found.not_shown)] if found.not_shown else []),
        ("size", f"{found.height} x {found.width} (height, width)"),
        ("variant", f"{found.variant}, polygons as {found.polygons}"),
        ("score", f"{found.score:.9g}"),
        *_rank_rows(found),
        ("instances", f"{number(len(instances))} scored, of {number(found.instances_ranked)}"),
    ]
    listing = Listing(
        "Instances, by their part in the image's score",
        _HEADER,
        [_cells(instance) for instance in found.instances],
        [(f"instance {instance.number}", _line(instance)) for instance in found.instances],
    )
    return Report(f"Image {image}{name}", _data(source, output, found), rows, [listing])


def _data(source: str, output: str | None, found: Explanation) -> dict[str, Any]:
    data = dataclasses.asdict(found)
    data["kept_at"] = {f"{rate:g}": kept for rate, kept in found.kept_at.items()}
    for entry, instance in zip(data["instances"], found.instances, strict=True):
        entry["degenerate"] = instance.degenerate
        del entry["position"]
    return data | {"source": source, "output": output}


def _rank_rows(found: Explanation) -> list[Row]:
    if found.rank is None:
        return [("rank", f"none of {number(found.ranked)}: {found.not_ranked}")]
    assert found.largest_rate is not None
    kept = [f"{100 * rate:g} %" for rate, is_kept in found.kept_at.items() if is_kept]
    return [
        ("rank", f"{number(found.rank)} of {number(found.ranked)}"),
        ("percentile", f"{found.percentile:.2f}: that many per cent of the ranked images come after it"),
        ("largest rate", f"{rate_text(found.largest_rate)}: it is kept up to this pruning rate"),
        ("kept at", ", ".join(kept) or "none of 10 %, 20 %, ..., 90 %"),
    ]


def _cells(instance: ExplainedInstance) -> list[str]:
    head = [str(instance.number), str(instance.id), instance.category]
    if instance.score is None:
        return [*head, *[""] * (len(_HEADER) - 4), instance.role]
    kind = " (no area)" if instance.degenerate else ""
    values = (instance.scs, instance.si_scs, instance.class_total, instance.cb_scs)
    return [
        *head[:2],
        head[2] + kind,
        f"{instance.straight:,}",
        f"{instance.diagonal:,}",
        f"{instance.area:,.1f}",
        f"{instance.perimeter:,.1f}",
        *(f"{value:.4g}" for value in values),
        f"{instance.share:.1%}",
        f"{instance.rank:,}",
    ]


def _line(instance: ExplainedInstance) -> str:
    head = f"annotation {instance.id}, {instance.category}"
    if instance.score is None:
        return f"{head}: {_NOT_SCORED[instance.role]}"
    kind = " (no area: score 0)" if instance.degenerate else ""
    return (
        f"{head}{kind}: straight {instance.straight}, diagonal {instance.diagonal}, twice the area "
        f"{instance.area2}, SCS {instance.scs:.6g}, SI-SCS {instance.si_scs:.6g}, class total "
        f"{instance.class_total:.6g}, CB-SCS {instance.cb_scs:.6g}, score {instance.score:.6g}, share "
        f"{instance.share:.2%}, rank {number(instance.rank or 0)}"
    )


def gallery_report(source: str, drawn: Gallery) -> Report:
    """Which images a gallery shows."""
    data = {
        **dataclasses.asdict(drawn),
        "source": source,
        "output": str(drawn.destination),
        "not_shown": [
            {"image_id": image_id, "reason": reason} for image_id, reason in drawn.not_shown.items()
        ],
    }
    del data["destination"]
    rows: list[Row] = [
        ("source", source),
        ("output", str(drawn.destination)),
        ("polygons", f"as {drawn.polygons}"),
    ]
    for variant, ranked in drawn.ranked.items():
        kept = f", {number(drawn.kept[variant])} kept" if variant in drawn.kept else ""
        rows.append((f"{variant}, ranked images", f"{number(ranked)}{kept}"))
        rows += [
            (f"{variant}, {_ROWS[row.which]}", ", ".join(map(_named, row.images)))
            for row in drawn.rows
            if row.variant == variant
        ]
    rows += [("not drawn", f"image {image_id}: {reason}") for image_id, reason in drawn.not_shown.items()]
    if drawn.problems:
        what = "annotation" if len(drawn.problems) == 1 else "annotations"
        rows.append(("set aside", f"{number(len(drawn.problems))} {what}"))
    return Report(f"Drew {drawn.destination}", data, rows)


def _named(image: GalleryImage) -> str:
    return f"{image.id} ({image.score:.6g})"
