"""Numbers as people read them."""

from __future__ import annotations

import math

__all__ = ["per_cent", "plural", "short", "significant"]


def plural(count: int, one: str, many: str | None = None) -> str:
    """A count and what is counted.

    Examples
    --------
    >>> plural(1, "image"), plural(1200, "class", "classes")
    ('1 image', '1,200 classes')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def per_cent(part: float, whole: float = 1.0) -> str:
    """A share; a dash where there is no whole."""
    return f"{100 * part / whole:.1f} %" if whole else "–"


def significant(value: float | None, digits: int = 4) -> str:
    """A number to so many digits, without an exponent unless it is very small or large.

    Examples
    --------
    >>> significant(0.00078125), significant(12.5), significant(3.2e-9), significant(123456.7)
    ('0.0007813', '12.5', '3.2e-9', '123,457')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if abs(value) >= 10**digits:
        return f"{value:,.0f}"
    if value != 0 and abs(value) < 1e-5:
        mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
        return f"{float(mantissa):g}e{int(power)}"
    places = digits - 1 - (math.floor(math.log10(abs(value))) if value else 0)
    return f"{value:.{max(places, 0)}f}".rstrip("0").rstrip(".") if places > 0 else f"{value:.0f}"


def short(value: float) -> str:
    """A number for an axis.

    Examples
    --------
    >>> short(12000), short(2500000), short(0.25), short(0), short(0.00002)
    ('12k', '2.5M', '0.25', '0', '0.00002')
    """
    for limit, suffix in ((1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.4g}{suffix}"
    return significant(value, 3)
