"""Text for people: that of others on one line, and numbers."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def one_line(text: str) -> str:
    r"""The text with its control characters spelt out.

    Examples
    --------
    >>> print(one_line("a name\nwith two lines"))
    a name\nwith two lines
    """
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def number(value: int) -> str:
    """A whole number, in groups of three digits."""
    return f"{value:,}"
