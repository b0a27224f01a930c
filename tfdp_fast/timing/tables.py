"""From times to rows and ratios: what is named how, and what is divided by what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tfdp_fast.timing.paper import REPORTED, SOURCE
from tfdp_fast.timing.results import Kind, Ratio, Row
from tfdp_fast.timing.rounds import Times
from tfdp_fast.timing.sources import Source
from tfdp_fast.timing.steps import ALL, BALANCE, LOAD, MASKS, PROCESS, SELECT

OUR_PROCESS = "tfdp prune, whole process"
ROUTE = "authors' route here, 1 thread"
PAPERS_TFDP, PAPERS_MEAN = "TFDP in the paper", "five baselines in the paper, mean"
SIZES_ALIKE = 0.02
"""Times of data sets whose numbers of images differ by more than this share are not divided."""

OUR_STEPS: Mapping[str, Mapping[str, str]] = {
    "coco": {
        LOAD: "load (masks stay text)",
        MASKS: "decode + measure (one pass)",
    },
    "cityscapes": {
        LOAD: "list the files",
        MASKS: "read + decode + measure (one pass)",
    },
}
ROUTE_STEPS: Mapping[str, Mapping[str, str]] = {
    "coco": {LOAD: "json.load", MASKS: "masks, contours, lengths"},
    "cityscapes": {LOAD: "Pillow", MASKS: "masks, contours, lengths"},
}
AFTER = {BALANCE: "class totals, CB-SCS, image sums", SELECT: "select", ALL: "all steps"}


@dataclass(frozen=True)
class Taken:
    """What was measured on a data set.

    Attributes
    ----------
    source : Source
    threads : int
    instances, images, sampled_instances, sampled_images : int
        Of the data set, and of the sample that the authors' route got.
    whole : mapping
        Times by job and step: ``"steps"``, ``"process"`` and ``"read"``, on all of it.
    sampled : mapping
        The same of ``"one"``, ``"all"``, ``"decode"`` and ``"route"``, on the sample. The last two need not
        be there.
    refusal : str or None
        Why the authors' route did not run.
    selection, pixels : mapping
        Of ``"random"`` and ``"ccs"``; of a million pixels, by method.
    pixels_of_box : float
        On average over some boxes.
    boxes : int
        Over how many.
    """

    source: Source
    threads: int
    instances: int
    images: int
    sampled_instances: int
    sampled_images: int
    whole: Mapping[str, Mapping[str, Times]]
    sampled: Mapping[str, Mapping[str, Times]]
    refusal: str | None
    selection: Mapping[str, Times]
    pixels: Mapping[str, Times]
    pixels_of_box: float
    boxes: int

    @property
    def all_sampled(self) -> bool:
        """Whether the sample is the whole data set."""
        return self.sampled_images == self.images

    @property
    def part(self) -> str:
        """What the sample is, in words; nothing if it is all of the data set."""
        if self.all_sampled:
            return ""
        return f"on {self.sampled_instances:,} of {self.instances:,} instances"

    @property
    def route_seconds(self) -> float:
        """What a process of the authors' route takes for all: its start, and its steps multiplied up."""
        steps, process = self.sampled["route"][ALL].seconds, self.sampled["route"][PROCESS].seconds
        return process - steps + steps * self.instances / max(self.sampled_instances, 1)

    @property
    def like_the_papers(self) -> bool:
        """Whether the data set is of the size that the paper's times are of."""
        images = REPORTED[self.source.name].images
        return abs(self.images - images) <= SIZES_ALIKE * images


def rows_of(taken: Taken) -> list[Row]:
    """All rows of a data set, group by group."""
    return [*_ours(taken), *_ours_sampled(taken), *_route(taken), *_baselines(taken), *_paper(taken)]


def _ours(taken: Taken) -> Iterator[Row]:
    group = f"ours, {threads_in_words(taken.threads)}"
    for step, what in {**OUR_STEPS[taken.source.format], **AFTER}.items():
        yield Row.measured(group, what, taken.whole["steps"][step])
    yield Row.measured(group, OUR_PROCESS, taken.whole["process"][ALL], "from start to subset on disk")
    yield Row.measured(group, "reading the bytes alone", taken.whole["read"][ALL], "one thread")


def _ours_sampled(taken: Taken) -> Iterator[Row]:
    group = f"ours, {threads_in_words(1)}"
    for step, what in {**OUR_STEPS[taken.source.format], **AFTER}.items():
        yield Row.measured(group, what, taken.sampled["one"][step], taken.part)
    if "decode" in taken.sampled:
        what = "reading and decoding PNG alone"
        yield Row.measured(group, what, taken.sampled["decode"][ALL], taken.part)
    if not taken.all_sampled and taken.threads > 1:
        what = f"all steps, {threads_in_words(taken.threads)}"
        yield Row.measured(group, what, taken.sampled["all"][ALL], taken.part)


def _route(taken: Taken) -> Iterator[Row]:
    group = ROUTE
    for step, what in {**ROUTE_STEPS[taken.source.format], **AFTER, PROCESS: "whole process"}.items():
        if taken.refusal is not None:
            yield Row.missing(group, what, taken.refusal)
        else:
            yield Row.measured(group, what, taken.sampled["route"][step], taken.part)
    if taken.refusal is None and not taken.all_sampled:
        each = taken.sampled["route"][ALL].seconds / max(taken.sampled_instances, 1)
        note = f"its start, and {each * 1e6:.0f} µs for each of {taken.instances:,} instances"
        yield Row(group, "whole process, all the data", "extrapolated", taken.route_seconds, note=note)


def _baselines(taken: Taken) -> Iterator[Row]:
    group, reported = "drawing a subset", REPORTED[taken.source.name]
    yield Row.measured(group, "random", taken.selection["random"])
    yield Row.measured(group, "stratified (CCS)", taken.selection["ccs"])
    yield _quoted(group, "stratified (CCS)", reported.stratifying)
    pixels = taken.pixels_of_box * taken.instances
    group = "scoring all boxes once"
    note = f"{pixels / 1e6:,.0f} M pixels, by {taken.boxes:,} boxes; no forward pass"
    for method, times in taken.pixels.items():
        yield Row(group, method, "extrapolated", times.seconds * pixels / 1e6, note=note)


def _paper(taken: Taken) -> Iterator[Row]:
    reported = REPORTED[taken.source.name]
    yield _quoted("the paper", "TFDP, all of it", reported.tfdp)
    for baseline in reported.baselines:
        yield _quoted("the paper", f"{baseline.name}: training", baseline.training)
        if baseline.scoring:
            yield _quoted("the paper", f"{baseline.name}: scoring", baseline.scoring)


def _quoted(group: str, what: str, seconds: float) -> Row:
    return Row(group, what, "quoted", seconds, note=SOURCE)


def ratios_of(taken: Taken) -> list[Ratio]:
    """All ratios of a data set: those of one machine first."""
    return [*_ratios_here(taken), *_ratios_to_the_paper(taken)]


def _ratios_here(taken: Taken) -> Iterator[Ratio]:
    one, every = "our steps, 1 thread", f"our steps, {threads_in_words(taken.threads)}"
    sampled = {job: times[ALL].seconds for job, times in taken.sampled.items()}
    process = taken.whole["process"][ALL].seconds
    whole: Kind = "measured" if taken.all_sampled else "extrapolated"
    pairs: list[tuple[str, Kind, float]] = [(one, "measured", sampled["one"]), (OUR_PROCESS, whole, process)]
    if taken.threads > 1:
        pairs.insert(1, (every, "measured", sampled["all"]))
    for over, kind, seconds in pairs:
        if taken.refusal is not None:
            yield Ratio(ROUTE, "not measured", over, None, same_machine=True)
        else:
            theirs = taken.route_seconds if over == OUR_PROCESS else sampled["route"]
            yield Ratio(ROUTE, kind, over, theirs / seconds, same_machine=True)
    if taken.threads > 1:
        yield Ratio(one, "measured", every, sampled["one"] / sampled["all"], same_machine=True)


def _ratios_to_the_paper(taken: Taken) -> Iterator[Ratio]:
    reported, process = REPORTED[taken.source.name], taken.whole["process"][ALL].seconds

    def quoted(what: str, seconds: float, over: str = OUR_PROCESS, ours: float = process) -> Ratio:
        value = seconds / ours if taken.like_the_papers else None
        return Ratio(what, "quoted", over, value, same_machine=False)

    every, steps = f"our steps, {threads_in_words(taken.threads)}", taken.whole["steps"][ALL].seconds
    yield quoted(PAPERS_TFDP, reported.tfdp)
    yield quoted(PAPERS_TFDP, reported.tfdp, every, steps)
    for baseline in reported.baselines:
        yield quoted(f"{baseline.name} in the paper", baseline.seconds)
    yield quoted(PAPERS_MEAN, reported.mean)
    yield Ratio(PAPERS_MEAN, "quoted", PAPERS_TFDP, reported.speed_up, same_machine=True)
    what, drawing = "CCS in the paper, stratifying alone", taken.selection["ccs"].seconds
    yield quoted(what, reported.stratifying, "stratified (CCS)", drawing)


def threads_in_words(threads: int) -> str:
    """A number of threads, for people."""
    return "1 thread" if threads == 1 else f"{threads} threads"
