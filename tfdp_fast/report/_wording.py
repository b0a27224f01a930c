"""Numbers and names as figures have them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from tfdp_fast.scores import Variant

TITLES: dict[Variant, str] = {
    "tfdp": "TFDP: scale-invariant and class-balanced (CB-SCS)",
    "si": "SI: scale-invariant, not class-balanced (SI-SCS)",
    "cb": "CB: class-balanced, not scale-invariant (SCS / Σ SCS of the class)",
    "scs": "SCS: neither scale-invariant nor class-balanced (P / A)",
}
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def power_of_ten(exponent: int) -> str:
    """Ten to some power.

    Examples
    --------
    >>> power_of_ten(-5)
    '10⁻⁵'
    """
    return "10" + str(exponent).translate(_SUPERSCRIPT)


def score_text(value: float, digits: int = 4) -> str:
    """A score of some significant digits.

    Examples
    --------
    >>> score_text(65.5), score_text(5.0962e-05), score_text(1234.0), score_text(0.0)
    ('65.50', '5.096×10⁻⁵', '1234', '0')
    """
    if value == 0:
        return "0"
    text = f"{value:#.{digits}g}".removesuffix(".")
    mantissa, e, exponent = text.partition("e")
    return f"{mantissa}×{power_of_ten(int(exponent))}" if e else text


def unit_of(scores: Sequence[float]) -> int:
    """The power of ten, a multiple of 3, in which some scores are written.

    The middle one is from 0.1 to below 100, unless the largest would then be 1000 or more.

    Examples
    --------
    >>> unit_of([65.5]), unit_of([0.21]), unit_of([0.00078]), unit_of([1234.0]), unit_of([])
    (0, 0, -3, 3, 0)
    >>> unit_of([0.05, 0.0002, 0.0001])
    -3
    """
    positive = sorted(score for score in scores if score > 0)
    if not positive:
        return 0
    middle, largest = math.log10(positive[len(positive) // 2]), math.log10(positive[-1])
    return 3 * max(math.floor((middle + 1) / 3), math.floor(largest / 3))


def in_unit(value: float, unit: int) -> str:
    """A score as a multiple of a power of ten, in few characters.

    Examples
    --------
    >>> [in_unit(value, -3) for value in (0.2098, 0.0042, 0.00042, 0.000001, 0.0)]
    ['210', '4.2', '0.42', '<0.01', '0']
    """
    scaled = value / 10.0**unit
    if scaled == 0:
        return "0"
    if scaled < 0.005:
        return "<0.01"
    return f"{scaled:.0f}" if scaled >= 9.95 else f"{scaled:.1f}" if scaled >= 0.995 else f"{scaled:.2f}"


def rate_text(rate: float) -> str:
    """A pruning rate in per cent, rounded down, so that it still holds.

    Examples
    --------
    >>> rate_text(0.99966), rate_text(0.3)
    ('99.96 %', '30.00 %')
    """
    return f"{math.floor(Fraction(repr(rate)) * 10000) / 100:.2f} %"
