"""Peak memory of `tfdp prune`, and how it grows with the number of annotations."""

from __future__ import annotations

from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture

from child import run_tfdp
from coco_like import CocoFiles
from contest import Contender, claim, contest, table

MB = 1e6


def test_growth_of_memory(
    benchmark: BenchmarkFixture, coco_images: int, coco_files: CocoFiles, tmp_path: Path
) -> None:
    files = [coco_files(images) for images in (coco_images // 100, coco_images // 10, coco_images)]
    output = str(tmp_path / "subset.json")
    children = [run_tfdp("prune", str(file.path), "--rate", "0.3", "-o", output) for file in files[:-1]]
    large = files[-1]
    last, _ = contest(
        benchmark,
        "tfdp prune, peak memory",
        Contender(
            "tfdp prune",
            lambda: run_tfdp("prune", str(large.path), "--rate", "0.3", "-o", output),
            lambda child, _: child.seconds,
        ),
        work={"annotations": large.annotations, "bytes": large.bytes},
        passes=1,
        warm=False,
    )
    peaks = [child.peak for child in [*children, last]]
    table(
        benchmark,
        ["annotations", "file, MB", "peak memory, MB", "more than the smallest, bytes an annotation"],
        [
            [
                f"{file.annotations:,}",
                f"{file.bytes / MB:.1f}",
                f"{peak / MB:.0f}",
                f"{(peak - peaks[0]) / (file.annotations - files[0].annotations or 1):.0f}",
            ]
            for file, peak in zip(files, peaks, strict=True)
        ],
    )
    assert peaks[0] < peaks[-1]
    claim(
        benchmark,
        "growth of peak memory",
        "growth of the file",
        (peaks[-1] - peaks[0]) / (large.bytes - files[0].bytes),
        at_most=1,
        unit="×",
    )
