"""HTML and SVG out of functions: what is not markup already is escaped, so that no name can be one."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from typing import Any, TypeAlias

from tfdp_fast._text import one_line

__all__ = ["Child", "Markup", "element", "escaped", "joined", "json_script"]

_VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})
_RAW = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


class Markup(str):
    """Text that is HTML or SVG, and stays as it is."""

    __slots__ = ()


Child: TypeAlias = "str | Iterable[Child] | None"
"""What can be inside an element: text, markup, nothing, or several of these."""


def escaped(text: str) -> Markup:
    r"""Text as markup, its control characters and lone surrogates spelt out.

    Examples
    --------
    >>> escaped('<b> & "\udc80"')
    '&lt;b&gt; &amp; &quot;\\udc80&quot;'
    """
    return text if isinstance(text, Markup) else Markup(html.escape(one_line(text)))


def joined(*children: Child) -> Markup:
    """Several children as one piece of markup."""
    parts: list[str] = []
    for child in children:
        if isinstance(child, str):
            parts.append(escaped(child))
        elif child is not None:
            parts.append(joined(*child))
    return Markup("".join(parts))


def element(tag: str, /, *children: Child, **attributes: Any) -> Markup:
    """An element.

    Parameters
    ----------
    tag : str
        Its name.
    *children : str, iterable or None
        What is in it. A `Markup` stays as it is, other text is escaped.
    **attributes
        ``class_`` is ``class``, ``aria_label`` is ``aria-label``. True is an attribute without a value; None
        and False are none.

    Examples
    --------
    >>> element("p", "1 < 2", element("br"), class_="note", hidden=True)
    '<p class="note" hidden>1 &lt; 2<br></p>'
    """
    written = "".join(
        f" {_attribute(key)}" if value is True else f' {_attribute(key)}="{escaped(str(value))}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if tag in _VOID:
        return Markup(f"<{tag}{written}>")
    return Markup(f"<{tag}{written}>{joined(*children)}</{tag}>")


def _attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def json_script(value: Any, **attributes: Any) -> Markup:
    r"""Data for a script, as JSON in an element that nothing in it can close.

    Examples
    --------
    >>> json_script(["</script>"], id="data")
    '<script type="application/json" id="data">["\\u003c/script\\u003e"]</script>'
    """
    text = json.dumps(value, separators=(",", ":")).translate(_RAW)
    return element("script", Markup(text), type="application/json", **attributes)
