"""Run `tfdp run` and write down what it took: ``python bench/run_figures.py RUN -o FIGURES SOURCE...``.

The times of its parts come from the log that it leaves in its run folder, memory from watching its processes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from process_tree import Tree, run_tfdp_tree
from tfdp_fast.distributed.journal import read_journal

RATE = 0.7


@dataclass(frozen=True)
class Figures:
    """A run, measured. Times are seconds, sizes bytes.

    Attributes
    ----------
    instances, images, shards, cores : int
        How much there was to do, crowd regions included, and how many shards were scored at once.
    read, counts, scores, lists : int
        Of the shards; of counts files; of files of image scores; of the lists of images.
    start, pass1, merge, pass2, choose, end : float
        Until the shards were planned; until the last was scored; until the second pass began; until its last
        task was done; until the images were chosen and listed; until the process had ended.
    tasks1, tasks2 : float
        What the tasks of the two passes took, summed.
    peak, driver, worker : int
        Memory of all processes at the most; that of the first; that of the largest of the others.
    """

    instances: int
    images: int
    shards: int
    cores: int
    read: int
    counts: int
    scores: int
    lists: int
    start: float
    pass1: float
    merge: float
    pass2: float
    choose: float
    end: float
    tasks1: float
    tasks2: float
    peak: int
    driver: int
    worker: int

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.start + self.pass1 + self.merge + self.pass2 + self.choose + self.end


def figures_of(folder: Path, tree: Tree, begun: float) -> Figures:
    """What a run that did everything in one go has left.

    Parameters
    ----------
    folder : Path
        The run folder; of a run that had nothing done before.
    tree : Tree
        Its processes.
    begun : float
        When the first of them was started, seconds since 1970.
    """
    (log,) = sorted((folder / "logs").glob("*.jsonl"))
    events = list(read_journal(log.read_bytes()))
    names = [event["event"] for event in events]
    planned, first, second = (names.index(name) for name in ("run", "shards", "images"))
    passes = [_done(events[first:second]), _done(events[second:])]
    marks = [
        _moment(events[planned]),
        _moment(passes[0][-1]),
        _moment(events[second]),
        _moment(passes[1][-1]),
    ]
    marks = [begun, *marks, _moment(events[-1]), begun + tree.seconds]
    start, pass1, merge, pass2, choose, end = (later - before for before, later in pairwise(marks))
    result = json.loads((folder / "result.json").read_text())
    return Figures(
        result["annotations"],
        result["images"],
        len(passes[0]),
        events[first]["slots"],
        sum(event["bytes"] for event in passes[0]),
        _size(folder / "counts"),
        _size(folder / "images"),
        sum((folder / name).stat().st_size for name in ("keep.txt", "drop.txt")),
        start,
        pass1,
        merge,
        pass2,
        choose,
        end,
        sum(event["seconds"] for event in passes[0]),
        sum(event["seconds"] for event in passes[1]),
        tree.peak,
        tree.own_peaks[0],
        max(tree.own_peaks[1:], default=0),
    )


def _done(events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in events if event["event"] == "done"]


def _moment(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp()


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def measured(sources: Sequence[str], folder: Path) -> Figures:
    """Run it, with the local engine and all processors."""
    begun = datetime.now().astimezone().timestamp()
    tree = run_tfdp_tree("run", *sources, "-o", str(folder), "--rate", str(RATE), "-q")
    return figures_of(folder, tree, begun)


def main() -> None:
    parser = argparse.ArgumentParser(description="Run tfdp run, and write down what it took.")
    parser.add_argument("run", type=Path, help="the run folder, which must not be there")
    parser.add_argument("sources", nargs="+", metavar="SOURCE")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="JSON")
    options = parser.parse_args()
    if options.run.exists():
        parser.error(f"{options.run} is there already")
    figures = measured(options.sources, options.run)
    options.output.write_text(json.dumps(asdict(figures), indent=1) + "\n")
    print(f"{figures.instances:,} instances in {figures.seconds:.1f} s, {figures.peak / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
