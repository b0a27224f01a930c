"""All that a page shows of a data set, before it is HTML."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from tfdp_fast._threads import timed
from tfdp_fast.formats.dataset import Fingerprint
from tfdp_fast.measuring import MeasuredDataset
from tfdp_fast.report.pictures import Picture, Ranking, take_pictures
from tfdp_fast.report.rates import RATES, Remains, remains
from tfdp_fast.report.statistics import Statistics, measured_areas, statistics_of
from tfdp_fast.report.thumbnails import Thumbnail, thumbnail
from tfdp_fast.scores import Scores, Variant

__all__ = ["EDGE", "Contents", "Edge", "VariantGallery", "gather_contents"]

GALLERY_SIDE, EDGE_SIDE = 320, 128
"""The longer side of pictures in galleries, and beside the slider, in pixels."""

EDGE = 3
"""How many images are shown at either side of what a pruning rate keeps."""

EDGE_BYTES = 2_000_000
"""How much of a page pictures beside the slider may take; those at round rates come first."""


@dataclass(frozen=True, eq=False)
class VariantGallery:
    """The best and the least images by a variant, the best of all and the least of all first."""

    scores: Scores
    ranking: Ranking
    best: list[Picture]
    least: list[Picture]


@dataclass(frozen=True)
class Edge:
    """A picture beside the slider: the thumbnail, and all of its contours as one path."""

    thumbnail: Thumbnail
    contours: str


@dataclass(frozen=True, eq=False)
class Contents:
    """What a page shows.

    Attributes
    ----------
    title : str
        Its heading.
    command : str or None
        What makes it again; None if no command does.
    options : list of (str, str)
        How it was made, for people.
    fingerprint : Fingerprint or None
        Of the annotation files, if asked for.
    statistics : Statistics
        The data set in numbers.
    variant : str
        By which it is pruned.
    galleries : dict of str to VariantGallery
        By variant, that one first.
    remains : Remains
        What remains at each pruning rate.
    edges : dict of int to Edge
        By rank from 0, the pictures of images beside a pruning rate, as far as there is room.
    """

    title: str
    command: str | None
    options: list[tuple[str, str]]
    fingerprint: Fingerprint | None
    statistics: Statistics
    variant: Variant
    galleries: dict[Variant, VariantGallery]
    remains: Remains
    edges: dict[int, Edge]

    @property
    def scores(self) -> Scores:
        """By the variant that prunes."""
        return self.galleries[self.variant].scores


def gather_contents(
    measured: MeasuredDataset,
    variant: Variant,
    *,
    n: int,
    areas: bool,
    images: Any,
    threads: int,
    **about: Any,
) -> Contents:
    """All that a page shows of a data set that has been measured.

    Parameters
    ----------
    measured : MeasuredDataset
        The data set.
    variant : {"tfdp", "scs", "si", "cb"}
        By which to prune.
    n : int
        Images of each gallery.
    areas : bool
        Whether to count the pixels of the masks.
    images : path or None
        Where images are; see `take_pictures`.
    threads : int
        Threads to use.
    **about
        The first attributes of `Contents`.
    """
    pixels = measured_areas(measured, threads=threads) if areas else None
    with timed("described"):
        found = statistics_of(measured, variant, areas=pixels)
    by_variant = {name: measured.scores(name) for name in _first(variant)}
    rankings = {name: Ranking.of(scores) for name, scores in by_variant.items()}
    left = remains(measured, by_variant[variant])
    with timed("took pictures"):
        ends = {name: _ends(ranking, n) for name, ranking in rankings.items()}
        wanted = np.unique(np.concatenate([part for pair in ends.values() for part in pair]))
        taken = take_pictures(measured, wanted, images=images, longest=GALLERY_SIDE, threads=threads)
        pictures = dict(zip(wanted.tolist(), taken, strict=True))
        edges = _edges(measured, left, images, threads)
    galleries = {
        name: VariantGallery(
            by_variant[name], rankings[name], *([pictures[i] for i in part.tolist()] for part in ends[name])
        )
        for name in by_variant
    }
    return Contents(
        statistics=found, variant=variant, galleries=galleries, remains=left, edges=edges, **about
    )


def _first(variant: Variant) -> list[Variant]:
    return [variant, *(other for other in get_args(Variant) if other != variant)]


def _ends(ranking: Ranking, n: int) -> tuple[Any, Any]:
    """Positions of the best n images and of the least n; of few images, none is among both."""
    best = min(n, (len(ranking) + 1) // 2)
    return ranking.positions[:best], ranking.positions[max(best, len(ranking) - n) :][::-1]


def _edges(measured: MeasuredDataset, left: Remains, images: Any, threads: int) -> dict[int, Edge]:
    ranks = list(edge_ranks(left))
    positions = left.ranking[ranks]
    edges: dict[int, Edge] = {}
    spent = 0
    pictures = take_pictures(measured, positions, images=images, longest=EDGE_SIDE, threads=threads)
    for rank, picture in zip(ranks, pictures, strict=True):
        small = thumbnail(picture, EDGE_SIDE)
        contours = small.path(points for outline in picture.outlines for points in outline.contours)
        spent += len(contours) + len(small.source or "")
        if spent > EDGE_BYTES:
            break
        edges[rank] = Edge(small, contours)
    return edges


def edge_ranks(left: Remains) -> Iterator[int]:
    """Ranks of the images beside each pruning rate, each once; those at tens come first, then at fives."""
    seen = set()
    for step in (10, 5, 1):
        for rate in range(0, RATES, step):
            kept = int(left.images[rate])
            for rank in range(max(0, kept - EDGE), min(len(left.ranking), kept + EDGE)):
                if rank not in seen:
                    seen.add(rank)
                    yield rank
