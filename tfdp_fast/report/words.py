"""What a page calls things."""

from __future__ import annotations

from tfdp_fast.scores import Variant

__all__ = ["GLOSSARY", "VARIANTS"]

VARIANTS: dict[Variant, str] = {
    "tfdp": "scale-invariant and class-balanced: the method",
    "si": "scale-invariant, classes not balanced",
    "cb": "class-balanced, not scale-invariant",
    "scs": "neither: perimeter over area",
}

GLOSSARY: tuple[tuple[str, str], ...] = (
    (
        "Instance",
        "One annotated object with its mask. Crowd regions and annotations marked “ignore” are none.",
    ),
    (
        "Primary contour",
        (
            "The outer contour of a mask that encloses the largest area, drawn through the centres of "
            "its pixels. Holes do not count, nor do smaller parts."
        ),
    ),
    (
        "Perimeter P, area A",
        "Of the primary contour, in pixels. A is what the contour encloses (shoelace formula).",
    ),
    (
        "SCS",
        "Shape complexity: P / A (Eq. 8). It falls as an object grows.",
    ),
    (
        "SI-SCS",
        (
            "SCS divided by that of the circle of the same area: P / (2 √(π A)) (Eq. 11). It does not "
            "change with scale: about 1 for a disc, more for what is long, jagged or branched."
        ),
    ),
    (
        "Class total Tc",
        "The sum over all instances of a class in the data set (Eq. 13).",
    ),
    (
        "CB-SCS",
        "The value of an instance divided by the total of its class (Eq. 13): every class has 1 to give.",
    ),
    (
        "Image score",
        "The sum over the instances of an image (Eq. 14).",
    ),
    (
        "Degenerate",
        "An instance whose contour encloses nothing: a line, a single pixel, no pixel. It scores 0.",
    ),
    (
        "Candidates",
        "The images that a rate refers to: those with a scored instance, unless a preset says otherwise.",
    ),
    (
        "Pruning rate",
        (
            "The share of the candidates that is dropped, the lowest scores first. Images of equal "
            "score go in the reverse order of the data set."
        ),
    ),
    (
        "Evenness",
        (
            "Entropy of the distribution of instances over classes, divided by its maximum: 1 if all "
            "classes have as many, 0 if one has all."
        ),
    ),
    (
        "Small, medium, large",
        "COCO’s sizes: masks below 32² pixels, below 96², and the others.",
    ),
)
