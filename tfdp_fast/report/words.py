"""What a page says of the method: its formulas and its terms."""

from __future__ import annotations

from tfdp_fast.report.markup import Child, Markup, element, joined
from tfdp_fast.scores import Variant, class_balanced, scale_invariant

__all__ = ["GLOSSARY", "VARIANTS", "method"]

VARIANTS: dict[Variant, str] = {
    "tfdp": "scale-invariant and class-balanced: the method",
    "si": "scale-invariant, classes not balanced",
    "cb": "class-balanced, not scale-invariant",
    "scs": "neither: perimeter over area",
}

GLOSSARY = (
    ("Instance", "One annotated object with its mask. Crowd regions and annotations marked “ignore” are none."),
    ("Primary contour", "The outer contour of a mask that encloses the largest area, drawn through the centres "
     "of its pixels. Holes do not count, nor do smaller parts."),
    ("Perimeter P, area A", "Of the primary contour, in pixels. A is what the contour encloses (shoelace formula)."),
    ("SCS", "Shape complexity: P / A (Eq. 8). It falls as an object grows."),
    ("SI-SCS", "SCS divided by that of the circle of the same area: P / (2 √(π A)) (Eq. 11). It does not change "
     "with scale: about 1 for a disc, more for what is long, jagged or branched."),
    ("Class total Tc", "The sum over all instances of a class in the data set (Eq. 13)."),
    ("CB-SCS", "The value of an instance divided by the total of its class (Eq. 13): every class has 1 to give."),
    ("Image score", "The sum over the instances of an image (Eq. 14)."),
    ("Degenerate", "An instance whose contour encloses nothing: a line, a single pixel, no pixel. It scores 0."),
    ("Candidates", "The images that a rate refers to: those with a scored instance, unless a preset says otherwise."),
    ("Pruning rate", "The share of the candidates that is dropped, the lowest scores first. Images of equal score "
     "go in the reverse order of the data set."),
    ("Evenness", "Entropy of the distribution of instances over classes, divided by its maximum: 1 if all classes "
     "have as many, 0 if one has all."),
    ("Small, medium, large", "COCO’s sizes: masks below 32² pixels, below 96², and the others."),
)  # fmt: skip


def _math(*children: Child) -> Markup:
    return element("math", *children)


def _mi(name: str) -> Markup:
    return element("mi", name)


def _mo(sign: str) -> Markup:
    return element("mo", sign)


def _text(name: str) -> Markup:
    return element("mtext", name)


def _sub(name: str, index: str) -> Markup:
    return element("msub", _mi(name), _mi(index))


def _fraction(above: Markup, below: Markup) -> Markup:
    return element("mfrac", above, below)


def method(variant: Variant) -> Markup:
    """How a variant scores, in three lines."""
    invariant, balanced = scale_invariant(variant), class_balanced(variant)
    value, part = ("SI-SCS" if invariant else "SCS"), ("CB-SCS" if invariant else "SCS / T")
    circle = element("mrow", element("mn", "2"), element("msqrt", _mi("π"), _mi("A")))
    shape = _math(_text(value), _mo("="), _fraction(_mi("P"), circle if invariant else _mi("A")))
    lines = [
        [
            "Each instance is measured by the perimeter ", element("var", "P"), " and the area ",
            element("var", "A"), " of its primary contour, the outer contour that encloses the largest area: ",
            shape, ".",
        ],
        _balance(value, balanced=balanced, invariant=invariant),
    ]  # fmt: skip
    summand = part if balanced and invariant else "score" if balanced else value
    total = _math(
        _sub("S", "i"), _mo("="), element("munder", _mo("∑"), _mi("j")), element("msub", _text(summand), _mi("ij"))
    )
    lines.append(
        ["The score of an image is the sum over its instances, ", total, ". The images with the highest scores stay."]
    )
    return element("ol", [element("li", joined(*line)) for line in lines], class_="method")


def _balance(value: str, *, balanced: bool, invariant: bool) -> list[Child]:
    if not balanced:
        return [f"Classes are not balanced: the {value} of an instance is its score."]
    name = "CB-SCS" if invariant else "score"
    formula = _math(_text(name), _mo("="), _fraction(_text(value), _sub("T", "c")))
    return [
        "Classes are balanced: the value is divided by ",
        _math(_sub("T", "c")),
        ", the sum over all instances of its class ",
        element("var", "c"),
        " in the data set: ",
        formula,
        ".",
    ]
