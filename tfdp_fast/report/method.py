"""The method in three lines, with its formulas as MathML."""

from __future__ import annotations

from tfdp_fast.report.markup import Markup, element, joined
from tfdp_fast.scores import Variant, class_balanced, scale_invariant

__all__ = ["method"]


def method(variant: Variant) -> Markup:
    """How a variant scores."""
    invariant, balanced = scale_invariant(variant), class_balanced(variant)
    shape = "SI-SCS" if invariant else "SCS"
    score = shape if not balanced else "CB-SCS" if invariant else "score"
    steps = (_shape(shape, invariant=invariant), _balance(shape, score, balanced=balanced), _sum(score))
    return element("ol", [element("li", step) for step in steps], class_="method")


def _shape(shape: str, *, invariant: bool) -> Markup:
    root = element("msqrt", _letter("π"), _letter("A"))
    below = element("mrow", element("mn", "2"), root) if invariant else _letter("A")
    return joined(
        "Each instance is measured by the perimeter ",
        element("var", "P"),
        " and the area ",
        element("var", "A"),
        " of its primary contour, the outer contour that encloses the largest area:",
        _equation(_name(shape), _over(_letter("P"), below)),
    )


def _balance(shape: str, score: str, *, balanced: bool) -> Markup:
    if not balanced:
        return joined(f"Classes are not balanced: the {shape} of an instance is its score.")
    total = element("msub", _letter("T"), _letter("c"))
    return joined(
        "Classes are balanced: the value is divided by ",
        element("math", total),
        ", the sum over all instances of its class ",
        element("var", "c"),
        " in the data set:",
        _equation(_name(score), _over(_name(shape), total)),
    )


def _sum(score: str) -> Markup:
    total = element("msub", _letter("S"), _letter("i"))
    over = element("munder", element("mo", "∑"), _letter("j"))
    return joined(
        "The score of an image is the sum over its instances. The images with the highest scores stay.",
        _equation(total, joined(over, element("msub", _name(score), _letter("ij")))),
    )


def _equation(left: Markup, right: Markup) -> Markup:
    return element("math", left, element("mo", "="), right, display="block")


def _letter(letter: str) -> Markup:
    return element("mi", letter)


def _name(name: str) -> Markup:
    return element("mtext", name)


def _over(above: Markup, below: Markup) -> Markup:
    return element("mfrac", above, below)
