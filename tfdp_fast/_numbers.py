"""What counts as a number."""

from __future__ import annotations


def is_number(value: object, *types: type) -> bool:
    """Is the value of one of these types? A bool is no number."""
    return isinstance(value, types) and not isinstance(value, bool)
