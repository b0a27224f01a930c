"""COCO train2017 in figures: what `coco_like` draws images and categories from.

The instances of each category and the numbers of images, annotations, crowd regions and empty images are
those of ``instances_train2017.json``. The shares of the image sizes are rounded. The number of annotations of
an image is a rounded log-normal variable: median 4, mean 7.3, 18 % of the images with one, up to 93.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IMAGES, ANNOTATIONS, CROWDS, EMPTY_IMAGES = 118_287, 860_001, 10_498, 1_021
LAST_IMAGE_ID = 581_929
MOST_IN_AN_IMAGE = 93
CROWDS_OF_PERSONS = 0.5
# An instance has the category of the one before it with this probability: 2.9 categories in an image.
SAME_CATEGORY = 0.6

# Supercategory, then id, name and instances of each of its categories.
CATEGORIES = {
    "person": [(1, "person", 262465)],
    "vehicle": [
        *[(2, "bicycle", 7113), (3, "car", 43867), (4, "motorcycle", 8725), (5, "airplane", 5135)],
        *[(6, "bus", 6069), (7, "train", 4571), (8, "truck", 9973), (9, "boat", 10759)],
    ],
    "outdoor": [
        *[(10, "traffic light", 12884), (11, "fire hydrant", 1865), (13, "stop sign", 1983)],
        *[(14, "parking meter", 1285), (15, "bench", 9838)],
    ],
    "animal": [
        *[(16, "bird", 10806), (17, "cat", 4768), (18, "dog", 5508), (19, "horse", 6587)],
        *[(20, "sheep", 9509), (21, "cow", 8147), (22, "elephant", 5513), (23, "bear", 1294)],
        *[(24, "zebra", 5303), (25, "giraffe", 5131)],
    ],
    "accessory": [
        *[(27, "backpack", 8720), (28, "umbrella", 11431), (31, "handbag", 12354), (32, "tie", 6496)],
        *[(33, "suitcase", 6192)],
    ],
    "sports": [
        *[(34, "frisbee", 2682), (35, "skis", 6646), (36, "snowboard", 2685), (37, "sports ball", 6347)],
        *[(38, "kite", 9076), (39, "baseball bat", 3276), (40, "baseball glove", 3747)],
        *[(41, "skateboard", 5543), (42, "surfboard", 6126), (43, "tennis racket", 4812)],
    ],
    "kitchen": [
        *[(44, "bottle", 24342), (46, "wine glass", 7913), (47, "cup", 20650), (48, "fork", 5479)],
        *[(49, "knife", 7770), (50, "spoon", 6165), (51, "bowl", 14358)],
    ],
    "food": [
        *[(52, "banana", 9458), (53, "apple", 5851), (54, "sandwich", 4373), (55, "orange", 6399)],
        *[(56, "broccoli", 7308), (57, "carrot", 7852), (58, "hot dog", 2918), (59, "pizza", 5821)],
        *[(60, "donut", 7179), (61, "cake", 6353)],
    ],
    "furniture": [
        *[(62, "chair", 38491), (63, "couch", 5779), (64, "potted plant", 8652), (65, "bed", 4192)],
        *[(67, "dining table", 15714), (70, "toilet", 4157)],
    ],
    "electronic": [
        *[(72, "tv", 5805), (73, "laptop", 4970), (74, "mouse", 2262), (75, "remote", 5703)],
        *[(76, "keyboard", 2855), (77, "cell phone", 6434)],
    ],
    "appliance": [
        *[(78, "microwave", 1673), (79, "oven", 3334), (80, "toaster", 225), (81, "sink", 5610)],
        *[(82, "refrigerator", 2637)],
    ],
    "indoor": [
        *[(84, "book", 24715), (85, "clock", 6334), (86, "vase", 6613), (87, "scissors", 1481)],
        *[(88, "teddy bear", 4793), (89, "hair drier", 198), (90, "toothbrush", 1954)],
    ],
}

# Height, width, and the images of this size in a thousand; the rest is 640 pixels wide and of any height.
SIZES = [
    *[(480, 640, 245), (427, 640, 110), (640, 480, 75), (426, 640, 75), (428, 640, 50), (375, 500, 45)],
    *[(425, 640, 40), (640, 427, 35), (333, 500, 30), (640, 426, 25), (640, 640, 20), (612, 612, 20)],
    *[(360, 640, 20), (429, 640, 15), (424, 640, 15), (500, 375, 15), (640, 428, 15), (640, 425, 10)],
]


@dataclass(frozen=True)
class Plan:
    """What a file holds, without its shapes.

    Attributes
    ----------
    image_ids, heights, widths : int64 [M]
        Of the images, in the order of the file.
    image_rows, category_ids : int64 [N]
        Of the annotations, in the order of the file: by category, the crowd regions last.
    crowds : int
        How many of the annotations are crowd regions.
    """

    image_ids: NDArray[np.int64]
    heights: NDArray[np.int64]
    widths: NDArray[np.int64]
    image_rows: NDArray[np.int64]
    category_ids: NDArray[np.int64]
    crowds: int


def draw_plan(rng: np.random.Generator, images: int) -> Plan:
    """Draw the images of a file and which annotations they have."""
    image_ids = rng.choice(max(LAST_IMAGE_ID, 5 * images), images, replace=False) + 1
    heights, widths = _draw_sizes(rng, images)
    crowds = round(images * CROWDS / IMAGES)
    annotations = round(images * ANNOTATIONS / IMAGES)
    rows = np.repeat(np.arange(images), _draw_instances(rng, images, annotations - crowds))
    categories = draw_categories(rng, rows)
    by_category = np.argsort(categories, kind="stable")
    crowd_rows = rng.choice(images, crowds, replace=False)
    return Plan(
        image_ids,
        heights,
        widths,
        np.concatenate([rows[by_category], crowd_rows]),
        np.concatenate([categories[by_category], _draw_crowd_categories(rng, crowds)]),
        crowds,
    )


def _draw_sizes(rng: np.random.Generator, images: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    table = np.array(SIZES)
    shares = np.append(table[:, 2], 1000 - table[:, 2].sum()) / 1000
    drawn = rng.choice(len(shares), images, p=shares)
    heights = np.append(table[:, 0], 0)[drawn]
    widths = np.append(table[:, 1], 640)[drawn]
    heights[heights == 0] = rng.integers(300, 641, np.count_nonzero(heights == 0))
    return heights, widths


def _draw_instances(rng: np.random.Generator, images: int, instances: int) -> NDArray[np.int64]:
    """How many instances each image has; `instances` in all."""
    counts = np.rint(rng.lognormal(np.log(4), 1.1, images)).astype(np.int64).clip(1, MOST_IN_AN_IMAGE)
    counts[rng.permutation(images)[: round(images * EMPTY_IMAGES / IMAGES)]] = 0
    while (missing := instances - int(counts.sum())) != 0:
        step = 1 if missing > 0 else -1
        fitting = np.flatnonzero((counts > (step < 0)) & (counts < MOST_IN_AN_IMAGE))
        counts[rng.permutation(fitting)[: abs(missing)]] += step
    return counts


def _frequencies() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    ids, instances = np.array([row[::2] for group in CATEGORIES.values() for row in group]).T
    return ids, instances / instances.sum()


def draw_categories(rng: np.random.Generator, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Categories of the instances of images; those of one image are often the same."""
    ids, shares = _frequencies()
    fresh = rng.random(len(rows)) >= SAME_CATEGORY
    fresh |= np.diff(rows, prepend=-1) != 0
    drawn = rng.choice(ids, len(rows), p=shares)
    return drawn[np.maximum.accumulate(np.where(fresh, np.arange(len(rows)), 0))]


def _draw_crowd_categories(rng: np.random.Generator, crowds: int) -> NDArray[np.int64]:
    ids, shares = _frequencies()
    drawn = rng.choice(ids, crowds, p=shares)
    drawn[rng.random(crowds) < CROWDS_OF_PERSONS] = 1
    return drawn
