"""`tfdp run` as a process, and what it leaves in its folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from process_tree import Tree, run_tfdp_tree

RATE = 0.7
"""The share of the images that is dropped."""


@dataclass(frozen=True)
class Run:
    """A run that has come to its end.

    Attributes
    ----------
    folder : Path
        The run folder.
    tree : Tree
        The processes.
    """

    folder: Path
    tree: Tree

    def scores(self) -> Any:
        """Image ids and scores, in data-set order."""
        manifest = json.loads((self.folder / "manifest.json").read_text())
        paths = [self.folder / f"images/{shard['key']}.parquet" for shard in manifest["shards"]]
        return pa.concat_tables(pq.read_table(path, columns=["image_id", "score"]) for path in paths)

    def kept(self) -> NDArray[np.int64]:
        """The ids of the subset."""
        return kept_ids(self.folder / "keep.txt")


def kept_ids(path: Path) -> NDArray[np.int64]:
    lines = path.read_text().splitlines()
    return np.array([int(line.split("\t")[0]) for line in lines], np.int64)


def run(sources: Sequence[Path], folder: Path, *more: str, resume: bool = False) -> Run:
    """`tfdp run` with all processors, into a new folder unless it is to go on."""
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)
    return Run(folder, run_tfdp_tree(*command(sources, folder, *more)))


def command(sources: Sequence[Path], folder: Path, *more: str) -> list[str]:
    return ["run", *map(str, sources), "-o", str(folder), "--rate", str(RATE), "-q", *more]
