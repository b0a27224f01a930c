"""Everything that is timed on one data set."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from tfdp_fast._batches import fill_convention
from tfdp_fast.errors import DataError
from tfdp_fast.timing.agreement import Agreement, compare_answers
from tfdp_fast.timing.baselines import box_pixels, time_selection
from tfdp_fast.timing.ours import POLYGONS, RATE, OurProcess, OurSteps, decode_alone, read_alone, run_python
from tfdp_fast.timing.paper import REPORTED
from tfdp_fast.timing.results import DataSetTiming
from tfdp_fast.timing.rounds import Stopwatch, Times, lap, run_rounds
from tfdp_fast.timing.sources import SAMPLE, Source, files_of, sample_of
from tfdp_fast.timing.steps import PROCESS
from tfdp_fast.timing.tables import Taken, ratios_of, rows_of

BOXES_OF = 1500
"""Images, at most, in which the pixels of boxes are counted."""


def missing_packages() -> list[str]:
    """What the authors' route needs and is not installed."""
    packages = {"cv2": "OpenCV", "pycocotools": "pycocotools"}
    return [name for module, name in packages.items() if importlib.util.find_spec(module) is None]


class Trial:
    """Times our way and the authors' on a data set.

    Parameters
    ----------
    source : Source
        The data set.
    folder : Path
        Where subsets, a sample and answers go.
    threads, rounds : int
        See `time_against_paper`.
    pixels : mapping of str to Times
        Of a million pixels, by method.
    """

    def __init__(
        self, source: Source, folder: Path, threads: int, rounds: int, pixels: Mapping[str, Times]
    ) -> None:
        self.source = source
        self.folder = folder
        self.threads = threads
        self.rounds = rounds
        self.pixels = pixels
        self.files = files_of(source)

    def run(self, on_stage: Callable[[str], None]) -> DataSetTiming:
        """Measure everything, and put it into rows."""
        source, reported = self.source, REPORTED[self.source.name]
        sample = sample_of(source, SAMPLE[source.format], self.folder)
        one = OurSteps(sample, 1)
        one()  # so that nobody pays for what a first time costs

        on_stage(f"{reported.title}: ours")
        every = OurSteps(source.path, self.threads)
        process = OurProcess(source.path, self.folder / "subset.out", self.threads)
        jobs: dict[str, Callable[[], Stopwatch]] = {
            "steps": every,
            "process": process,
            "read": partial(read_alone, self.files),
        }
        whole = run_rounds(jobs, self.rounds)

        on_stage(f"{reported.title}: the authors' route")
        route, agreement, refusal = self._sampled(sample, one)
        on_stage(f"{reported.title}: baselines")
        pixels, boxes = box_pixels(one.measured, BOXES_OF, fill_convention(POLYGONS))
        assert every.scores.instances is not None
        assert one.scores.instances is not None
        taken = Taken(
            source=source,
            threads=self.threads,
            instances=len(every.scores.instances),
            images=len(every.scores.images),
            sampled_instances=len(one.scores.instances),
            sampled_images=len(one.scores.images),
            whole=whole,
            sampled=route,
            refusal=refusal,
            selection=time_selection(every.scores, self.rounds),
            pixels=self.pixels,
            pixels_of_box=pixels / boxes if boxes else 0.0,
            boxes=boxes,
        )
        return DataSetTiming(
            name=source.name,
            title=reported.title,
            origin=source.origin,
            scale=source.scale,
            images=taken.images,
            instances=taken.instances,
            bytes=sum(Path(file).stat().st_size for file in self.files),
            files=len(self.files),
            made_in=None,
            rows=rows_of(taken),
            ratios=ratios_of(taken),
            agreement=agreement,
        )

    def _sampled(
        self, sample: Path, one: OurSteps
    ) -> tuple[dict[str, dict[str, Times]], Agreement | None, str | None]:
        """Ours on one thread and on all, and the authors' route on the same data; or why it did not run."""
        jobs: dict[str, Callable[[], Stopwatch]] = {"one": one, "all": OurSteps(sample, self.threads)}
        files = files_of(Source(self.source.name, sample, self.source.origin, self.source.scale))
        if self.source.format == "cityscapes" and all(file.endswith(".png") for file in files):
            jobs["decode"] = partial(decode_alone, files)
        refusal = self._refusal(files)
        if refusal is not None:
            return run_rounds(jobs, self.rounds), None, refusal
        answers = self.folder / "answers.npz"
        module = "tfdp_fast.timing.opencv_route"
        arguments = ("-m", module, self.source.format, str(sample), str(float(RATE)), str(answers))

        def route() -> Stopwatch:
            watch: Stopwatch = {}
            with lap(watch, PROCESS):
                output = run_python(*arguments)
            steps: Stopwatch = json.loads(output)
            return watch | steps

        try:
            times = run_rounds(jobs | {"route": route}, self.rounds)
        except DataError as error:
            return run_rounds(jobs, self.rounds), None, f"it failed: {error.reason}"
        return times, compare_answers(one.scores, one.subset, answers), None

    def _refusal(self, files: list[str]) -> str | None:
        """Why the authors' route cannot run, if it cannot."""
        if missing := missing_packages():
            return f"needs {' and '.join(missing)}: pip install 'tfdp-fast[test]'"
        if self.source.format == "cityscapes" and not all(file.endswith(".png") for file in files):
            return "needs a label map of every image, as PNG"
        return None
