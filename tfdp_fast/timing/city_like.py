"""Label maps in the likeness of Cityscapes' fine annotations of its training images.

What it imitates: 2,975 maps of 1024 x 2048, 16 bits a pixel, in 18 folders, compressed as Pillow does it;
about 52 thousand instances with the shares of the eight classes, many in some images and none in a few;
regions of sky, houses, trees, pavement and road behind them, with ragged outlines, poles and signs, which are
labels of the map as well; and a crowd region in every fifth image.

What it does not: instances have the shapes of `coco_shapes` at half their size, which know nothing of their
class, and lie where they like.

The same seed and shapes give the same maps, whatever the number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tfdp_fast._threads import map_in_order
from tfdp_fast.timing.coco_shapes import Shapes, load_shapes, place

HEIGHT, WIDTH = 1024, 2048
IMAGES, CITIES = 2975, 18
SKY, HOUSE, TREES, ROAD, PAVEMENT, POLE, SIGN, OWN_CAR = 23, 11, 21, 7, 8, 17, 20, 1

# Instances of the training images, rounded as in the data set's own statistics.
INSTANCES = {24: 17_900, 25: 1_800, 26: 26_900, 27: 500, 28: 400, 31: 200, 32: 700, 33: 3_700}
PER_CLASS = 1000
"""An instance's label is that of its class times this, plus its number."""
# Of the number of instances of an image: gamma-Poisson, with the mean of the data set and long tails.
DISPERSION = 1.5
WITH_CROWD = 0.2


@dataclass(frozen=True)
class CityFolder:
    """A folder of label maps and what it holds.

    Attributes
    ----------
    path : Path
        It holds ``gtFine/train``.
    images, bytes : int
    shapes : str
        Where the outlines of instances are from.
    """

    path: Path
    images: int
    bytes: int
    shapes: str


def write_city_like(
    path: Path, images: int = IMAGES, seed: int = 0, shapes_from: Path | None = None, threads: int = 1
) -> CityFolder:
    """Write a folder in the likeness of Cityscapes.

    Parameters
    ----------
    path : Path
        Where ``gtFine`` is made.
    images : int
        How many maps.
    seed : int
        Same seed, same maps.
    shapes_from : Path, optional
        A folder with COCO-100 and LVIS-100, whose polygons are taken; blobs without it.
    threads : int
        Threads that draw and compress.
    """
    source, shapes = city_shapes(np.random.default_rng(seed), shapes_from)
    root = path / "gtFine" / "train"
    for city in range(min(CITIES, images)):
        (root / f"city{city:02d}").mkdir(parents=True)

    def write(number: int) -> int:
        rng = np.random.default_rng([seed, number])
        city = f"city{number * CITIES // images if images > CITIES else number:02d}"
        file = root / city / f"{city}_{number:06d}_000019_gtFine_instanceIds.png"
        Image.fromarray(draw_map(rng, shapes, draw_labels(rng))).save(file)
        return file.stat().st_size

    return CityFolder(path, images, sum(map_in_order(write, range(images), threads)), source)


def city_shapes(rng: np.random.Generator, folder: Path | None) -> tuple[str, Shapes]:
    """The shapes of `load_shapes`, shrunk towards the middle of the image."""
    source, shapes = load_shapes(rng, folder)
    return source, replace(shapes, points=0.25 + shapes.points / 2)


def draw_labels(rng: np.random.Generator) -> list[int]:
    """Labels of the instances and crowd regions of one image."""
    classes, numbers = np.array(list(INSTANCES.items())).T
    mean = numbers.sum() / IMAGES
    n = int(rng.negative_binomial(DISPERSION, DISPERSION / (DISPERSION + mean)))
    drawn = rng.choice(classes, n, p=numbers / numbers.sum()).tolist()
    labels = [PER_CLASS * label + drawn[:i].count(label) for i, label in enumerate(drawn)]
    if labels and rng.random() < WITH_CROWD:
        labels.append(drawn[0])
    return labels


def draw_map(rng: np.random.Generator, shapes: Shapes, labels: list[int]) -> NDArray[np.uint16]:
    """Draw a street with something of each label, the largest first, so that few are hidden."""
    picture = _street(rng)
    n = len(labels)
    if n:
        drawing = ImageDraw.Draw(picture)
        placed = place(rng, shapes, np.full(n, HEIGHT), np.full(n, WIDTH))
        outlines = list(placed.segmentations())
        for row in np.argsort(-placed.areas, kind="stable").tolist():
            for outline in outlines[row]:
                drawing.polygon(outline, fill=labels[row])
    return np.asarray(picture).astype(np.uint16)


def _street(rng: np.random.Generator) -> Image.Image:
    picture = Image.new("I", (WIDTH, HEIGHT), HOUSE)
    drawing = ImageDraw.Draw(picture)
    x = np.arange(0, WIDTH + 16, 16)

    def below(top: float, raggedness: float, label: int) -> None:
        y = top + rng.normal(0, raggedness, len(x)).cumsum()
        outline = [(0, HEIGHT), *zip(x.tolist(), y.tolist(), strict=True), (WIDTH, HEIGHT)]
        drawing.polygon(outline, fill=label)

    drawing.rectangle((0, 0, WIDTH, 300), fill=SKY)
    below(250, 8, HOUSE)
    below(450, 6, TREES)
    below(600, 1, PAVEMENT)
    below(650, 2, ROAD)
    for label, width, height in [(POLE, 12, 500), (SIGN, 50, 50)] * 30:
        left, top = int(rng.integers(0, WIDTH)), int(rng.integers(100, 500))
        right, bottom = left + int(rng.integers(4, width)), top + int(rng.integers(10, height))
        drawing.rectangle((left, top, right, bottom), fill=label)
    drawing.polygon([(0, HEIGHT), (100, 930), (1000, 900), (1900, 930), (WIDTH, HEIGHT)], fill=OWN_CAR)
    return picture
