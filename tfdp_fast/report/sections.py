"""The parts of a page."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tfdp_fast import __version__
from tfdp_fast._reports_preset import preset_rows
from tfdp_fast._text import number
from tfdp_fast.report._wording import power_of_ten
from tfdp_fast.report.contents import GALLERY_SIDE, Contents, VariantGallery
from tfdp_fast.report.figures_html import statistics_figures
from tfdp_fast.report.markup import Child, Markup, element
from tfdp_fast.report.method import method
from tfdp_fast.report.numbers import per_cent, plural, significant
from tfdp_fast.report.pictures import Picture
from tfdp_fast.report.pruning_html import pruning
from tfdp_fast.report.tables import Column, definitions, filter_box, name, scrolled, table
from tfdp_fast.report.thumbnails import drawn, most_of, unit_below
from tfdp_fast.report.words import GLOSSARY, VARIANTS
from tfdp_fast.scores import Scores

__all__ = ["SECTIONS", "Section"]

TOLD = 3
"""How many instances are named below a picture: those that add most to its score."""

CLASS_RATES = (30, 50, 70, 90)
"""Pruning rates of the class table, in per cent."""

LISTED = 1000
"""How many images the table has at most: the best half and the least half of them."""

Section = tuple[str, str, Callable[[Contents], Child]]
"""Its id, its heading, and what makes it."""


def _overview(contents: Contents) -> Child:
    found = contents.statistics
    classes = int(np.count_nonzero(found.classes.instances))
    figures: list[tuple[str, Child]] = [
        ("images", number(found.images)),
        ("with a scored instance", number(found.scored)),
        ("scored instances", number(found.instances)),
        (f"of {plural(len(found.classes), 'class', 'classes')} with instances", number(classes)),
    ]
    facts: list[tuple[str, Child]] = [
        ("Source", name(found.source)),
        ("Format", found.format),
        ("Polygons", f"filled as {'OpenCV' if found.polygons == 'opencv' else 'pycocotools'} does"),
        ("Annotated images", number(found.annotated)),
        ("Degenerate", f"{plural(found.degenerate, 'instance')} without area, score 0"),
        ("Crowd regions", f"{number(found.crowd)}, not scored"),
        ("Ignored", f"{number(found.ignored)}, not scored"),
        ("Set aside", number(len(found.problems)) if found.problems else None),
        *((label[0].upper() + label[1:], text) for label, text in preset_rows(found.preset)),
    ]
    if (mark := contents.fingerprint) is not None:
        what = f"{plural(mark.files, 'file')}, {number(mark.size)} bytes"
        facts.append(("SHA-256", [element("code", mark.sha256), f" ({what})"]))
    return [definitions(figures, "figures"), definitions([f for f in facts if f[1] is not None], "facts")]


def _method(contents: Contents) -> Child:
    variant = contents.variant
    others = "; ".join(f"{other}: {what}" for other, what in VARIANTS.items() if other != variant)
    return [
        method(variant),
        element(
            "p",
            f"This is the variant {variant}, {VARIANTS[variant]}. The others: {others}.",
            class_="muted small",
        ),
    ]


def _statistics(contents: Contents) -> Child:
    return statistics_figures(contents.statistics)


def _galleries(contents: Contents) -> Child:
    parts: list[Child] = [
        element(
            "p",
            "With the contours of all annotations, and the scores of the instances that add most.",
        )
    ]
    for variant, gallery in contents.galleries.items():
        parts.append(
            element("h3", f"By {variant}", element("span", f", {VARIANTS[variant]}", class_="muted"))
        )
        ranks = gallery.ranking.ranks
        for heading, pictures in (("Best", gallery.best), ("Least", gallery.least)):
            items = [_picture(picture, gallery, int(ranks[picture.position])) for picture in pictures]
            shown = element("ul", items, class_="gallery") if items else element("p", "none")
            parts += [element("h4", heading), shown]
    return parts


def _picture(picture: Picture, gallery: VariantGallery, rank: int) -> Markup:
    scores = gallery.scores
    instances = int(scores.images.instances[picture.position])
    called = picture.file_name or f"image {picture.id}"
    label = f"{called}, rank {number(rank)}, with the contours of {plural(instances, 'instance')}"
    score = significant(float(scores.images.score[picture.position]))
    caption = [
        element("b", f"{number(rank)}."), " ", name(called), element("br"),
        f"score {score}, {plural(instances, 'instance')}",
        element("br"), _told(picture, scores),
        [element("br"), f"no image: {picture.note}"] if picture.note else None,
    ]  # fmt: skip
    return element(
        "li", drawn(picture, scores, GALLERY_SIDE, label), element("span", caption, class_="caption")
    )


def _told(picture: Picture, scores: Scores) -> Child:
    most = most_of(picture, scores)
    parts: list[Child] = []
    for value, outline in most[:TOLD]:
        parts += [", " if parts else None, name(outline.category_name), f" {significant(value, 2)}"]
    unit = unit_below(picture, scores)
    written = f"; numbers in {power_of_ten(unit)}" if unit else ""
    return [*parts, ", …" if len(most) > TOLD else None, written]


def _classes(contents: Contents) -> Child:
    classes, left = contents.statistics.classes, contents.remains.by_class
    headings = ("id", "instances", "images", "of all instances", "mean SI-SCS", "total SI-SCS")
    kept = (f"kept at {rate} %" for rate in CLASS_RATES)
    heads = [Column("class", False), *map(Column, headings), *map(Column, kept)]
    rows = [
        (
            name(str(classes.name[i])),
            name(str(classes.id[i])),
            number(int(classes.instances[i])),
            number(int(classes.images[i])),
            per_cent(float(classes.share[i])),
            significant(float(classes.mean_si_scs[i]), 3),
            significant(float(classes.si_scs_total[i]), 6),
            *(per_cent(int(left[rate, i]), int(left[0, i])) for rate in CLASS_RATES),
        )
        for i in classes.by_instances().tolist()
    ]
    made = table(heads, rows, identifier="classes-table", sortable=True)
    return [filter_box("classes-table", "Filter classes"), scrolled(made, "Classes", tall=len(rows) > 25)]


def _images(contents: Contents) -> Child:
    images, ranking = contents.scores.images, contents.remains.ranking
    n = len(ranking)
    ranks = list(range(n)) if n <= LISTED else [*range(LISTED // 2), *range(n - LISTED // 2, n)]
    heads = [
        Column("rank"), Column("image", False), Column("id"), Column("instances"), Column("score"),
        Column("dropped from, %"),
    ]  # fmt: skip
    kept = contents.remains.images
    rows = [
        (
            number(rank + 1),
            name(str(images.file_name[at])) if images.file_name[at] is not None else "–",
            name(str(images.id[at])),
            number(int(images.instances[at])),
            significant(float(images.score[at])),
            str(int(np.argmax(kept <= rank))) if kept[-1] <= rank else "stays",
        )
        for rank, at in ((rank, int(ranking[rank])) for rank in ranks)
    ]
    which = f"All {plural(n, 'ranked image')}"
    if n > LISTED:
        which = f"The best {LISTED // 2} and the least {LISTED // 2} of {number(n)} ranked images"
    text = f"{which} by {contents.variant}. “Dropped from” is the first pruning rate at which the image goes."
    made = table(heads, rows, identifier="images-table", sortable=True)
    return [
        element("p", text),
        filter_box("images-table", "Filter images"),
        scrolled(made, "Images", tall=len(rows) > 25),
    ]


def _making(contents: Contents) -> Child:
    facts: list[tuple[str, Child]] = [("Made by", f"tfdp-fast {__version__}"), *contents.options]
    if contents.command is not None:
        facts.append(("Again", element("code", contents.command)))
    return definitions(facts, "facts")


def _glossary(_: Contents) -> Child:
    return definitions(GLOSSARY, "terms")


SECTIONS: tuple[Section, ...] = (
    ("data-set", "The data set", _overview),
    ("method", "The method", _method),
    ("statistics", "Statistics", _statistics),
    ("pruning", "Pruning", pruning),
    ("galleries", "Best and least images", _galleries),
    ("classes", "Classes", _classes),
    ("images", "Images", _images),
    ("making", "How this was made", _making),
    ("glossary", "Terms", _glossary),
)
