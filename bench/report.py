"""Write ``docs/benchmarks.md``, and the table of the README, from a run of the benchmarks.

``python bench/report.py RESULTS``, where RESULTS is what ``pytest bench --benchmark-json`` has written. Every
figure on that page comes from there, and so do the sentences about single benchmarks (`contest`). What a
theme is about is said here.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfdp_fast.timing.text import duration, markdown, number

ROOT = Path(__file__).resolve().parents[1]
PAGE, README = ROOT / "docs" / "benchmarks.md", ROOT / "README.md"
BEGIN, END = "<!-- benchmarks: written by bench/report.py -->", "<!-- end of benchmarks -->"


INTRODUCTION = """\
This page is written by `bench/report.py`; `make bench` measures and writes it anew.

Ratios are the rival's time over ours. Rivals run in the same rounds as ours, alternately; a ratio is the \
median over the rounds, with the lowest and the highest in brackets. Times are medians, and their spread is \
from the lowest to the highest. Every benchmark compares the answers.

A time for an item is for one of what the work names first."""


@dataclass(frozen=True)
class Theme:
    """A section of the page: the benchmarks of one module."""

    module: str
    title: str
    text: str


THEMES = [
    Theme(
        "test_measure",
        "Masks to three integers",
        "`tfdp.measure` and `tfdp.measure_labels` against decoding or filling, `findContours`, `contourArea` "
        "and `arcLength`. One thread, except where two are compared with one. The way over pixels pays for "
        "the whole image of each mask; ours pays for the runs of its columns, so the ratio is lower where "
        "masks have many runs. Dense masks and label maps have to be read pixel by pixel by both.",
    ),
    Theme(
        "test_files",
        "A whole file",
        "`tfdp prune` as a process, on all processors, from its start until the subset is written. The two "
        "rivals that do the same job were given a tenth of the file; what they take for it, without "
        "starting up, counts ten times.",
    ),
    Theme(
        "test_formats",
        "Data sets of many files",
        "Label maps from the disk to boundary counts, hashes included, against Pillow, which decodes the "
        "same files and does nothing else. One thread; ours on two threads is compared with ours on one.",
    ),
    Theme(
        "test_documents",
        "Documents of one image each",
        "JSON in the likeness of SA-1B's, a hundred masks for each image, as files, as shards in tar, and "
        "as lines: read, decoded and measured in one process. To read the bytes alone is the least that "
        "there is to do. The rivals were given two documents; what they take for them counts for all.",
    ),
    Theme(
        "test_tables",
        "Tables with a row per instance",
        "Parquet like COCO, drawn shapes as compressed counts, to boundary counts and the columns "
        "of a data set. The least that there is to do is to read the columns and to run the kernel over the "
        "masks. Below, `measure_table` on a table in memory against the way over pixels.",
    ),
    Theme(
        "test_run",
        "Data that outgrow memory",
        "`tfdp run` as a process, with a worker for each processor, until image scores and lists are "
        "written: over Parquet files of compressed RLE, a row for each instance, in the likeness of COCO, "
        "and over shards like SA-1B's. Image scores and subset are those of one pass in memory, bit for "
        "bit. The way over pixels was given 1,000 masks; what it takes for them counts for all. What "
        "processes share counts once in their memory. See [scale.md](scale.md).",
    ),
    Theme(
        "test_paper",
        "What the paper times",
        "The way of the paper's authors, step by step, against ours; one thread each, without starting up. "
        "`tfdp bench paper` puts it beside the times that the paper reports: see "
        "[paper-timing.md](paper-timing.md).",
    ),
    Theme(
        "test_selection",
        "Choosing images",
        "`tfdp.select` by each strategy, from scores in memory, of as many images and instances as COCO "
        "train2017 has; see [selection.md](selection.md).",
    ),
    Theme(
        "test_pixels",
        "Mask logits",
        "The baselines of `tfdp_fast.baselines` from float32 logits in memory, one thread, against NumPy, "
        "and PyTorch where it is installed. Ours sums over box and mask in one pass, and checks every pixel.",
    ),
    Theme(
        "test_memory",
        "Memory",
        "The peak is what the system reports for the process: its own memory and the pages of the file that "
        "it has mapped.",
    ),
    Theme(
        "test_latency",
        "One image in a data loader",
        "`Scorer.image_score`, call by call. The rival is the way over pixels with the same class totals.",
    ),
    Theme(
        "test_growth",
        "Growth",
        "The same job with more and more instances. The times of the smaller ones are multiplied up to the "
        "number of the largest, so ratios are costs of an instance: 1.0 × is flat.",
    ),
    Theme(
        "test_start",
        "Starting up",
        "New processes, one after the other. Nothing is preloaded, files are in the system's cache.",
    ),
    Theme(
        "test_kernels",
        "Kernels",
        "The Numba kernels beside their definitions in plain Python, which are written to be read: those "
        "ratios say what compiling is worth, not more.",
    ),
    Theme(
        "test_peers",
        "Peers",
        "Packages that do a part of the job, each beside our way of the same part. One thread; files are "
        "loaded by a process of its own, ours on all processors.",
    ),
]

# Rows of the README: how the benchmark's name begins, which of its rivals, and what the README calls it.
README_ROWS = [
    ("VOC 2012 train, RLE", 0, "a mask of VOC 2012 train, RLE"),
    ("COCO-100, RLE", 0, "a mask of COCO, RLE"),
    ("COCO-100, polygons, coco", 0, "the same, polygons, `coco`"),
    ("COCO-100, polygons, opencv", 0, "the same, polygons, `opencv`"),
    ("LVIS-100, RLE", 0, "a mask of LVIS, RLE"),
    ("LVIS-100, polygons, coco", 0, "the same, polygons, `coco`"),
    ("LVIS-100, polygons, opencv", 0, "the same, polygons, `opencv`"),
    ("dense masks", 0, "a dense mask, 480 × 640"),
    ("label map, 1024 x 2048, 40", 0, "a label map, 1024 × 2048, 40 instances"),
    ("an image of 7 masks, polygons", 0, "an image of 7 polygons, by a `Scorer`"),
    ("tfdp prune, ", 0, "`tfdp prune`, whole process"),
    ("tfdp prune, ", 1, "the same"),
    ("tfdp prune, ", 2, "the same"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description="Write docs/benchmarks.md and the README's table.")
    parser.add_argument("results", type=Path, help="what pytest --benchmark-json has written")
    results = json.loads(parser.parse_args().results.read_text())
    PAGE.write_text(page(results))
    README.write_text(with_table(README.read_text(), readme_table(results)))


def page(results: dict[str, Any]) -> str:
    """The page as Markdown."""
    parts = ["# Benchmarks", INTRODUCTION]
    parts += ["## Where", environment(results)]
    parts += ["## Goals", goals(results)]
    parts += ["## Losses", losses(results)]
    for theme in THEMES:
        benchmarks = [b for b in contests(results) if f"/{theme.module}.py" in f"/{b['fullname']}"]
        if benchmarks:
            parts += [f"## {theme.title}", theme.text, *section(benchmarks)]
    return "\n\n".join(parts) + "\n"


def contests(results: dict[str, Any]) -> list[dict[str, Any]]:
    """The benchmarks that have something to report."""
    return [b for b in results["benchmarks"] if "entries" in b["extra_info"]]


def environment(results: dict[str, Any]) -> str:
    machine = results["machine_info"]
    processor = machine["cpu"].get("brand_raw", machine["machine"])
    python = f"{machine['python_implementation']} {machine['python_version']}"
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    rows = [
        ["when", results["datetime"][:16].replace("T", " ")],
        ["processor", f"{processor}, {machine['processors']} processors"],
        ["memory", f"{machine['memory'] / 2**30:.0f} GiB"],
        ["system", machine["os"]],
        ["Python", f"{python} ({machine['python_compiler']})"],
        ["packages", versions],
        ["core built with", machine["core"]],
        ["C loops built with", machine["c_compiler"]],
        ["seed of made data", str(machine["seed"])],
        ["real annotations", machine["real_annotations"]],
    ]
    return markdown(["", ""], rows)


def goals(results: dict[str, Any]) -> str:
    rows = [
        [goal["what"], goal["against"], bound(goal), number(goal["measured"], goal["unit"]), verdict(goal)]
        for benchmark in contests(results)
        for goal in benchmark["extra_info"].get("goals", [])
    ]
    return markdown(["what", "against", "goal", "measured", ""], rows)


def bound(goal: dict[str, Any]) -> str:
    if "at_least" in goal:
        return f"≥ {number(goal['at_least'], goal['unit'])}"
    return f"≤ {number(goal['at_most'], goal['unit'])}"


def met(goal: dict[str, Any]) -> bool:
    if "at_least" in goal:
        return bool(goal["measured"] >= goal["at_least"])
    return bool(goal["measured"] <= goal["at_most"])


def verdict(goal: dict[str, Any]) -> str:
    if met(goal):
        return "met"
    low, high = sorted([goal["measured"], goal.get("at_least", goal.get("at_most"))])
    return f"missed by {(1 - low / high) * 100:.0f} %"


def losses(results: dict[str, Any]) -> str:
    """Where somebody else is faster, and which goals are missed: a line for each benchmark."""
    lines = []
    for benchmark in contests(results):
        info = benchmark["extra_info"]
        found = []
        if "test_growth" not in benchmark["fullname"]:  # those compare ours with ours
            found += [
                f"{entry['name']} takes {number(entry['ratio'], '×')} our time"
                for entry in info["entries"][1:]
                if entry["ratio"] < 1
            ]
        for goal in info.get("goals", []):
            if not met(goal):
                subject = "" if goal["what"] == info["what"] else f"{goal['what']}: "
                against = "" if goal["against"] == "–" else f" against {goal['against']}"
                measured = number(goal["measured"], goal["unit"])
                found.append(f"{subject}{measured}{against}, the goal is {bound(goal)}")
        if found:
            lines.append(f"- **{info['what']}**: {'; '.join(found)}. {info['note']}".rstrip())
    return "\n".join(lines) or "None."


def section(benchmarks: Sequence[dict[str, Any]]) -> Iterator[str]:
    rows = [row for benchmark in benchmarks for row in rows_of(benchmark["extra_info"])]
    yield markdown(["what", "work", "who", "time", "an item", "rounds", "spread", "ratio"], rows)
    notes = {benchmark["extra_info"]["note"]: benchmark["extra_info"]["what"] for benchmark in benchmarks}
    lines = [f"- {what}: {note}" for note, what in notes.items() if note]
    if lines:
        yield "\n".join(lines)
    for benchmark in benchmarks:
        for table in benchmark["extra_info"].get("tables", []):
            yield markdown(table["columns"], table["rows"])


def rows_of(info: dict[str, Any]) -> Iterator[list[str]]:
    """A row for each contender, ours first."""
    amount = next(iter(info["work"].values()))
    for position, entry in enumerate(info["entries"]):
        yield [
            "" if position else info["what"],
            ""
            if position
            else ", ".join(f"{amount_of(count)} {name}" for name, count in info["work"].items()),
            entry["name"],
            duration(entry["seconds"]),
            duration(entry["seconds"] / amount) if amount > 1 else "",
            str(entry["rounds"]),
            f"{duration(entry['low'])} – {duration(entry['high'])}",
            ratio(entry) if position else "",
        ]


def ratio(entry: dict[str, Any]) -> str:
    low, high = number(entry["ratio_low"], ""), number(entry["ratio_high"], "")
    return f"**{number(entry['ratio'], '×')}** ({low} – {high})"


def readme_table(results: dict[str, Any]) -> str:
    rows = []
    for begin, rival, title in README_ROWS:
        for info in (benchmark["extra_info"] for benchmark in contests(results)):
            if info["what"].startswith(begin) and len(info["entries"]) > rival + 1:
                ours, theirs = info["entries"][0], info["entries"][rival + 1]
                unit, amount = next(iter(info["work"].items()))
                items = amount if unit == "masks" else 1
                times = (duration(entry["seconds"] / items) for entry in (ours, theirs))
                rows.append([title, theirs["name"], *times, number(theirs["ratio"], "×")])
                break
    return markdown(["what", "rival", "tfdp-fast", "rival", "ratio"], rows)


def with_table(text: str, table: str) -> str:
    """The README with the part between its two marks replaced."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    if not after:
        raise SystemExit(f"{README}: the marks of the table are missing")
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


def amount_of(count: int) -> str:
    """A count, in millions if there are some."""
    return f"{count / 1e6:,.1f} M" if count >= 10**6 else f"{count:,}"


if __name__ == "__main__":
    main()
