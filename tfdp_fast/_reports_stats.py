"""What the command line says of the statistics of a data set."""

from __future__ import annotations

import numpy as np

from tfdp_fast._console import Listing, Report, Row, share
from tfdp_fast._reports import annotation_rows, problem_rows
from tfdp_fast._reports_preset import preset_data, preset_rows
from tfdp_fast._text import number
from tfdp_fast.report.areas import BINS, Areas
from tfdp_fast.report.balance import Balance
from tfdp_fast.report.distributions import Distribution
from tfdp_fast.report.statistics import ClassStatistics, Statistics

LISTED = 20
"""How many classes a terminal shows."""

NAMED = 5
"""How many of the classes that vanish are named."""

WIDTH = 12
EIGHTHS = " ▏▎▍▌▋▊▉█"
LEVELS = " ▁▂▃▄▅▆▇█"


def stats_report(found: Statistics, source: str, output: str | None) -> Report:
    """What a data set is like. The source is what the user calls it."""
    data = found.to_dict() | {"source": source, "output": output}
    data.update(preset_data(found.preset))
    balance = found.balance
    rows: list[Row] = [
        ("source", source),
        *([("output", output)] if output else []),
        ("format", found.format),
        ("variant", f"{found.variant}, polygons as {found.polygons}"),
        *preset_rows(found.preset),
        ("images", number(found.images)),
        ("annotated images", number(found.annotated)),
        ("scored images", number(found.scored)),
        ("scored instances", number(found.instances)),
        *annotation_rows({"degenerate": found.degenerate, "crowd": found.crowd, "ignored": found.ignored}),
        *problem_rows(found.problems, None),
        ("instances per image", _summary(found.instances_per_image)),
        ("classes", f"{number(balance.classes)} with an instance, of {number(len(found.classes))}"),
        *_size_rows(found.areas, found.instances),
        *_lost_rows(found.classes, balance),
    ]
    listings = [
        _class_listing(found.classes),
        *([_area_listing(found.areas)] if found.areas else []),
        _score_listing(found),
        _balance_listing(found),
        _kept_listing(found.classes, balance),
    ]
    return Report(f"Statistics of {source}", data, rows, [listing for listing in listings if listing.rows])


def _summary(values: Distribution) -> str:
    if not values.n:
        return "none"
    quartiles = " / ".join(map(_figure, (values.lower, values.median, values.upper)))
    least, most = _figure(values.min), _figure(values.max)
    return f"mean {_figure(values.mean)}, from {least} to {most}, quartiles {quartiles}"


def _size_rows(areas: Areas | None, instances: int) -> list[Row]:
    if areas is None:
        return []
    return [
        ("small", f"{share(areas.small, instances)} below 32 x 32 pixels"),
        ("medium", f"{share(areas.medium, instances)} below 96 x 96 pixels"),
        ("large", f"{share(areas.large, instances)} of 96 x 96 pixels or more"),
        *([("without an image size", number(areas.unsized))] if areas.unsized else []),
    ]


def _lost_rows(classes: ClassStatistics, balance: Balance) -> list[Row]:
    """The classes that vanish, where any do."""
    rows = []
    for after in balance.prunings:
        names = [str(name) for name in classes.name[after.vanished]]
        if names:
            shown = ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
            rows.append((f"classes lost at {100 * after.rate:.4g} %", f"{number(len(names))} ({shown})"))
    return rows


def _class_listing(classes: ClassStatistics) -> Listing:
    most = classes.share.max(initial=0.0) or 1.0
    rows = [
        (
            str(classes.name[i]),
            number(int(classes.instances[i])),
            f"{classes.share[i]:.1%}",
            bar(classes.share[i] / most),
            number(int(classes.images[i])),
            _figure(float(classes.si_scs_total[i])),
            _figure(float(classes.scs_total[i])),
            _figure(float(classes.mean_si_scs[i])),
        )
        for i in classes.by_instances().tolist()
    ]
    header = ("class", "instances", "share", "", "images", "SI-SCS total", "SCS total", "mean SI-SCS")
    return Listing.labelled("Classes, by number of instances", header, rows, "class", most=LISTED)


def _area_listing(areas: Areas) -> Listing:
    step = 100 // BINS
    most = areas.percent.max() or 1.0
    rows = [
        (f"{step * i}-{step * (i + 1)} %", number(int(n)), f"{percent:.1f}%", bar(percent / most))
        for i, (n, percent) in enumerate(zip(areas.counts, areas.percent, strict=True))
    ]
    header = ("of the image", "instances", "share", "")
    return Listing.labelled("Instance area, as a share of the image", header, rows, "area")


def _score_listing(found: Statistics) -> Listing:
    rows = []
    for variant, scores in found.scores.items():
        for what, values in (("instances", scores.instances), ("images", scores.images)):
            figures = (values.min, values.lower, values.median, values.upper, values.max)
            cells = (*map(_figure, (*figures, values.mean, values.gini)), sparkline(values))
            rows.append((f"{variant}, {what}", *cells))
    header = ("scores of", "min", "25 %", "median", "75 %", "max", "mean", "Gini", "")
    return Listing.labelled("Scores, by variant", header, rows, "scores")


def _balance_listing(found: Statistics) -> Listing:
    balance = found.balance
    rows = [
        (
            "0 %",
            number(found.scored),
            number(found.instances),
            *(_figure(1.0 if found.instances else None, percent=True),) * 3,
            _figure(balance.evenness),
            _figure(balance.ratio),
            "0",
        )
    ]
    for after in balance.prunings:
        kept = after.kept[np.isfinite(after.kept)]
        rows.append(
            (
                f"{100 * after.rate:.4g} %",
                number(after.images),
                number(after.instances),
                _figure(after.instances / found.instances if found.instances else None, percent=True),
                _figure(after.random, percent=True),
                _figure(float(kept.min()) if kept.size else None, percent=True),
                _figure(after.evenness),
                _figure(after.ratio),
                number(len(after.vanished)),
            )
        )
    header = (
        "pruned",
        "images",
        "instances",
        "kept",
        "by chance",
        "worst",
        "evenness",
        "max/min",
        "lost",
    )
    return Listing.labelled(f"Class balance, pruned by {found.variant}", header, rows, "pruned")


def _kept_listing(classes: ClassStatistics, balance: Balance) -> Listing:
    present = [i for i in classes.by_instances().tolist() if classes.instances[i]]
    rows = [
        (
            str(classes.name[i]),
            *(_figure(float(after.kept[i]), percent=True) for after in balance.prunings),
        )
        for i in present
    ]
    header = ("class", *(f"{100 * after.rate:.4g} %" for after in balance.prunings))
    title = "Instances kept of each class, by share of images pruned"
    return Listing.labelled(title, header, rows, "kept of", most=LISTED)


def _figure(value: float | None, *, percent: bool = False) -> str:
    if value is None or not np.isfinite(value):
        return "-"
    return f"{value:.1%}" if percent else f"{value:,.3g}" if abs(value) < 1e3 else f"{value:,.0f}"


def bar(part: float) -> str:
    """A bar as long as a share, 0 <= part <= 1, of its column.

    Examples
    --------
    >>> bar(0.5), bar(0.01)
    ('██████', '▏')
    """
    eighths = max(round(8 * WIDTH * part), 1 if part > 0 else 0)
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def sparkline(values: Distribution) -> str:
    """The histogram of a distribution in one line, from the least value above 0 to the greatest."""
    counts = values.histogram.counts
    if not len(counts):
        return ""
    columns = np.minimum(np.arange(len(counts)) * WIDTH // max(WIDTH, len(counts)), WIDTH - 1)
    heights = np.bincount(columns, counts)
    levels = np.ceil((len(LEVELS) - 1) * heights / heights.max()).astype(int)
    return "".join(LEVELS[level] for level in levels)
