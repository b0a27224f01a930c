"""What a billion instances take, on paper: ``python bench/scale_model.py --fit A B --many M --check C``.

A, B, C and M are what `run_figures.py` has measured on one machine: runs over the same kind of data, of
several sizes, and M one over many small shards. A few constants are fitted to A, B and M alone; C, the
largest, says how far the model is off. The tables go into a page between two marks. The model itself is in
`scaling`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from run_figures import Figures
from scaling import Cloud, Job, Model, job_like
from tfdp_fast.timing.text import duration, markdown

BEGIN, END = "<!-- model: written by bench/scale_model.py -->", "<!-- end of model -->"
MACHINES = [1, 2, 4, 8, 16, 32, 64, 128]
GB = 1e9


def check_table(model: Model, run: Figures) -> str:
    """The model beside a run that it has not seen."""
    job = Job(run.instances, run.images, run.shards, run.read)
    parts = model.here(job)
    rows = [
        ("planning, by the driver", parts.start, run.start),
        ("first pass: boundary counts", parts.pass1, run.pass1),
        ("putting together, by the driver", parts.merge, run.merge),
        ("second pass: image scores", parts.pass2, run.pass2),
        ("choosing, by the driver", parts.choose, run.choose + run.end),
        ("**all of it**", parts.seconds, run.seconds),
    ]
    cells = [[name, duration(ours), duration(real), off(ours, real)] for name, ours, real in rows]
    memory = model.memory(run.shards, run.cores)
    cells.append(["memory", f"{memory / 1e6:,.0f} MB", f"{run.peak / 1e6:,.0f} MB", off(memory, run.peak)])
    what = f"{run.instances / 1e6:,.0f} M instances, {run.shards:,} shards, {run.cores} cores"
    return markdown([what, "model", "measured", "off by"], cells)


def off(ours: float, real: float) -> str:
    return f"{round((ours / real - 1) * 100):+d} %" if real else ""


def constants_table(model: Model) -> str:
    """What was fitted."""
    start = (model.task1.base + model.idle1.base) / model.cores
    rows = [
        ["first pass, an instance, one core", duration(model.task1.each)],
        ["second pass, an instance, one core", duration(model.task2.each)],
        ["a worker, until it works", duration(start)],
        ["a core that waits, a shard", duration(model.idle1.each + model.idle2.each)],
        ["driver: start, and the end", duration(model.start.base + model.merge.base + model.choose.base)],
        ["driver: planning and putting together, a shard", duration(model.start.each + model.merge.each)],
        ["driver: choosing, an image", duration(model.choose.each)],
        ["driver: memory", f"{model.driver_memory.base / 1e6:.0f} MB"],
        ["driver: memory, a shard", f"{model.driver_memory.each / 1e3:.1f} kB"],
        ["worker: memory", f"{model.worker_memory / 1e6:.0f} MB"],
    ]
    return markdown(["constant", ""], rows)


def scale_table(model: Model, job: Job, cloud: Cloud) -> str:
    """A job on more and more machines."""
    alone = model.on(job, 1, cloud).seconds
    rows = []
    for machines in MACHINES:
        parts = model.on(job, machines, cloud)
        dollars = parts.seconds / 3600 * machines * cloud.cores * cloud.core_hour + job.read / GB * cloud.gb
        rows.append(
            [
                str(machines),
                f"{machines * cloud.cores:,}",
                clock(parts.seconds),
                f"{parts.driver / parts.seconds * 100:.0f} %",
                f"{alone / parts.seconds:.1f} ×",
                f"{job.read / machines / GB:,.1f} GB",
                f"{model.memory(job.shards, cloud.cores) / GB:.1f} GB",
                f"{dollars:.2f}",
            ]
        )
    columns = ["machines", "cores", "time", "of it driver alone", "speed-up", "read by each"]
    return markdown([*columns, "memory of each", "dollars"], rows)


def clock(seconds: float) -> str:
    """``75 s``, ``12 min``, ``3.4 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def limits(model: Model, job: Job, cloud: Cloud) -> str:
    """Where it stops scaling."""
    parts = model.on(job, 1, cloud)
    found = [
        (
            f"- The driver alone takes {clock(parts.driver)}: of that {clock(parts.start)} until the shards "
            f"are planned, {clock(parts.merge)} to put them together, {clock(parts.choose)} to choose."
        ),
        (
            f"- {job.shards:,} shards keep {job.shards:,} cores busy, {job.shards / cloud.cores:,.0f} "
            "machines. More of them need smaller shards."
        ),
    ]
    many = range(1, 4096)
    half = next((n for n in many if (at := model.on(job, n, cloud)).driver > at.seconds / 2), None)
    if half is not None:
        found.append(f"- From {half:,} machines on the driver takes more than half of the time.")
    bound = job.read / cloud.network
    compute = parts.pass1
    found.append(
        f"- One machine reads its bytes in {clock(bound)}, and measures them in {clock(compute)}: "
        + ("the network binds." if bound >= compute else "the cores bind, not the network.")
    )
    return "\n".join(found)


def part_of_page(
    fit: Sequence[Figures],
    many: Sequence[Figures],
    check: Figures | None,
    job: Job,
    cloud: Cloud,
    title: str,
) -> Iterator[str]:
    """Everything about one kind of data."""
    model = Model.fitted(fit, many)
    sizes = " and ".join(f"{run.instances / 1e6:,.0f}" for run in fit)
    yield f"### {title}"
    text = f"Fitted to runs of {sizes} million instances on {model.cores} cores"
    yield (
        text + "".join(f", and for what a shard costs to one of {run.shards:,} shards" for run in many) + ":"
    )
    yield constants_table(model)
    if check is not None:
        yield "Against a run that it was not fitted to:"
        yield check_table(model, check)
    yield (
        f"{job.instances / 1e9:,.1f} billion instances of {job.images / 1e6:,.0f} million images, "
        f"{job.shards:,} shards, {job.read / GB:,.0f} GB:"
    )
    yield scale_table(model, job, cloud)
    yield limits(model, job, cloud)


def assumptions(cloud: Cloud) -> str:
    return (
        f"Assumed, not measured: machines of {cloud.cores} cores like those that were measured, each reading "
        f"{cloud.network / GB:.2g} GB a second from an object store that answers after "
        f"{cloud.request * 1000:.0f} ms; {cloud.core_hour} dollars for a core and an hour, {cloud.gb} "
        "dollars for a GB that is read."
    )


def load(path: Path) -> Figures:
    return Figures(**json.loads(path.read_text()))


def with_model(text: str, model: str) -> str:
    """A page with what is between its marks replaced."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    if not after:
        raise SystemExit("the marks of the model are missing in the page")
    return f"{before}{BEGIN}\n\n{model}\n\n{END}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Write what a billion instances take into a page.")
    parser.add_argument("--fit", type=Path, nargs="+", required=True, metavar="FIGURES")
    parser.add_argument(
        "--many", type=Path, nargs="+", default=[], metavar="FIGURES", help="of many small shards"
    )
    parser.add_argument("--check", type=Path, metavar="FIGURES")
    parser.add_argument("--tars", type=Path, nargs="+", default=[], metavar="FIGURES", help="like SA-1B's")
    parser.add_argument("--page", type=Path, help="(default: standard output)")
    parser.add_argument("--cores", type=int, default=16, help="of a machine")
    parser.add_argument("--network", type=float, default=1.25, help="GB a second that a machine reads")
    parser.add_argument("--request", type=float, default=0.05, help="seconds until an object store answers")
    parser.add_argument("--core-hour", type=float, default=0.05, help="dollars")
    parser.add_argument("--gb", type=float, default=0.0, help="dollars for a GB that is read")
    options = parser.parse_args()
    cloud = Cloud(options.cores, options.network * GB, options.request, options.core_hour, options.gb)
    fit, many, tars = ([load(path) for path in paths] for paths in (options.fit, options.many, options.tars))
    parts = [assumptions(cloud)]
    check = load(options.check) if options.check else None
    billion = job_like(fit[-1], 10**9, 10**6)
    parts += part_of_page(
        fit, many, check, billion, cloud, "A billion instances as Parquet of compressed RLE"
    )
    if tars:
        sa1b = job_like(tars[-1], 1_100_000_000, 1_100_000)
        parts += part_of_page(tars, many, None, sa1b, cloud, "SA-1B's documents in tars")
    text = "\n\n".join(parts)
    if options.page:
        options.page.write_text(with_model(options.page.read_text(), text))
    else:
        print(text)


if __name__ == "__main__":
    main()
