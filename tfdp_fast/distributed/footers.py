"""What a Parquet file of a run says of itself: JSON in its footer, and a hash of that.

Parquet has checksums of pages, but none of the footer, where class totals are.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfdp_fast.errors import DataError
from tfdp_fast.formats._arrow_tables import arrow_errors

__all__ = ["check_columns", "footer_metadata", "footer_text", "reading_errors"]

_TEXT = b"tfdp_fast"
_SHA256 = b"tfdp_fast_sha256"


def footer_metadata(text: str) -> dict[bytes, bytes]:
    """The metadata of a file: the text, and its hash.

    Examples
    --------
    >>> footer_text(footer_metadata("{}"), "a.parquet")
    b'{}'
    """
    content = text.encode()
    return {_TEXT: content, _SHA256: hashlib.sha256(content).hexdigest().encode()}


def footer_text(metadata: dict[bytes, bytes] | None, source: str) -> bytes:
    """The text, ``null`` if there is none; DataError if it is not what was written."""
    found = metadata or {}
    text = found.get(_TEXT)
    if text is None:
        return b"null"
    if found.get(_SHA256) != hashlib.sha256(text).hexdigest().encode():
        raise DataError(source, None, "is damaged: the checksum of its footer is wrong")
    return text


@contextlib.contextmanager
def reading_errors(source: str) -> Iterator[None]:
    """Turn what pyarrow raises over a damaged file into DataError."""
    with arrow_errors(source):
        try:
            yield
        except KeyError as error:  # of columns
            raise DataError(source, None, f"has not the columns that it should have: {error}") from error


def check_columns(file: Any, columns: Mapping[str, Sequence[Any]], source: str) -> None:
    """Raise DataError unless an open file of Parquet has these columns, each of one of some types."""
    with reading_errors(source):
        schema = file.schema_arrow
    if schema.names != list(columns) or not all(one.type in columns[one.name] for one in schema):
        raise DataError(source, None, "has not the columns that it should have")
