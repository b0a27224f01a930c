"""Times, ratios and tables as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def number(value: float, unit: str) -> str:
    """Three digits at most, then the unit.

    Examples
    --------
    >>> number(1234.6, "×"), number(1.234, "×")
    ('1,235 ×', '1.23 ×')
    """
    digits = f"{value:,.0f}" if value >= 99.5 else f"{value:.3g}" if value < 9.95 else f"{value:.0f}"
    return f"{digits} {unit}".rstrip()


def duration(seconds: float) -> str:
    """Seconds in a unit that suits them.

    Examples
    --------
    >>> duration(75), duration(2e-6)
    ('75 s', '2 µs')
    """
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if seconds * factor >= 0.9995:
            return number(seconds * factor, unit)
    return number(seconds * 1e9, "ns")


def quotation(seconds: float) -> str:
    """Seconds with all of their digits, and hours from two hours on, as the paper has them.

    Examples
    --------
    >>> quotation(40860.0), quotation(3676.48), quotation(0.009)
    ('11.35 h', '3676.48 s', '0.009 s')
    """
    return f"{seconds / 3600:.2f} h" if seconds >= 7200 else f"{seconds:.10g} s"


def markdown(columns: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown.

    Examples
    --------
    >>> print(markdown(["a", "b"], [["1", "2"]]))
    | a | b |
    | --- | --- |
    | 1 | 2 |
    """
    lines = [list(columns)]
    lines.append(["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in [*lines, *rows])
