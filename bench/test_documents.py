"""Documents of one image each, in the likeness of SA-1B: read and measured, from files, tars and lines.

The rival decodes the JSON with the standard library, or with msgspec, each mask with pycocotools, and traces
it with OpenCV. It gets a few of the documents, and what it takes for them counts for all. To read the bytes
alone is the least that there is to do.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from contest import Contender, claim, contest, table
from over_pixels import Pairs
from sa1b_like import Sa1b, Sa1bSets, write_sa1b_like
from tfdp_fast._core import FillConvention
from tfdp_fast.boundary import BoundaryCounts
from tfdp_fast.formats.dataset import OpenOptions
from tfdp_fast.formats.documents import open_jsonl, open_sa1b
from tfdp_fast.timing.over_pixels import decoded, primary_contour

MB = 1e6
LIKE_SA1B, SMALL = 1500, 40
OF_THE_RIVAL = 2
"""Documents that the rival gets."""
READING = "reading the bytes alone"
GOAL = 200
"""MB of JSON a second on two threads."""
LOADERS: dict[str, Callable[[bytes], Any]] = {"json": json.loads, "msgspec": msgspec.json.decode}


@pytest.fixture(scope="session")
def sa1b_sets() -> Iterator[Sa1bSets]:
    with tempfile.TemporaryDirectory(prefix="tfdp-bench-") as folder:

        @cache
        def make(documents: int) -> Sa1b:
            return write_sa1b_like(Path(folder) / str(documents), documents)

        yield make


def measured(path: Path, threads: int, *, fingerprint: bool = False) -> NDArray[np.int64]:
    opener = open_jsonl if path.suffix == ".jsonl" else open_sa1b
    dataset = opener(path, OpenOptions(fingerprint=fingerprint))
    return dataset.measure(FillConvention.COCO, threads=threads, progress=None)[0]


def read_alone(path: Path) -> int:
    """The bytes of the files; of tars, with what is not JSON."""
    paths = [path] if path.is_file() else sorted(path.iterdir())
    return sum(len(file.read_bytes()) for file in paths)


def over_pixels(load: Callable[[bytes], Any], folder: Path) -> Pairs:
    """Area and perimeter of the masks of the first documents."""
    texts = [(folder / f"sa_{number}.json").read_bytes() for number in range(OF_THE_RIVAL)]
    documents = [load(text)["annotations"] for text in texts]
    return np.array(
        [
            primary_contour(decoded(annotation["segmentation"]))
            for annotations in documents
            for annotation in annotations
        ]
    )


@pytest.mark.parametrize("layout", ["files", "tars", "lines"])
def test_documents(benchmark: BenchmarkFixture, sa1b_sets: Sa1bSets, layout: str) -> None:
    made = sa1b_sets(LIKE_SA1B if benchmark.enabled else SMALL)
    path = {"files": made.folder, "tars": made.tars, "lines": made.lines}[layout]
    rivals = [
        Contender("one thread", partial(measured, path, 1)),
        Contender("two threads, hashed", partial(measured, path, 2, fingerprint=True)),
        Contender(READING, partial(read_alone, path)),
        *(
            Contender(
                f"{name} + pycocotools + OpenCV, one thread",
                partial(over_pixels, load, made.folder),
                lambda _, elapsed: elapsed * made.documents / OF_THE_RIVAL,
            )
            for name, load in LOADERS.items()
        ),
    ]
    what = f"SA-1B as {layout}, {made.bytes / MB:.0f} MB of JSON"
    counts, answers = contest(
        benchmark,
        what,
        Contender("two threads", partial(measured, path, 2)),
        rivals,
        work={"masks": made.masks, "documents": made.documents, "bytes": made.bytes},
    )
    assert len(counts) == made.masks
    assert answers[READING] >= made.bytes
    for ours in ("one thread", "two threads, hashed"):
        np.testing.assert_array_equal(answers[ours], counts)
    for name, pairs in answers.items():
        if "OpenCV" in name:
            of_sample = BoundaryCounts.from_array(counts[: len(pairs)])
            np.testing.assert_array_equal(of_sample.area, pairs[:, 0])
            np.testing.assert_allclose(of_sample.perimeter, pairs[:, 1], rtol=1e-7)
    if benchmark.enabled:
        entries = benchmark.extra_info["entries"]
        rows = [[entry["name"], f"{made.bytes / entry['seconds'] / MB:.3g}"] for entry in entries]
        table(benchmark, ["who", "MB of JSON a second"], rows)
        claim(benchmark, what, "-", made.bytes / entries[0]["seconds"] / MB, at_least=GOAL, unit="MB/s")
