"""Types of Arrow's columns, by what they can be used for."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pyarrow as pa

__all__ = [
    "is_flag",
    "is_id",
    "is_list",
    "is_mask",
    "is_number",
    "is_size",
    "is_text",
    "plain_type",
    "schema_without_views",
    "without_views",
]

_LISTS = ("is_list", "is_large_list", "is_fixed_size_list", "is_list_view", "is_large_list_view")
_TEXT = ("is_string", "is_large_string", "is_string_view", "is_null")
_BYTES = ("is_binary", "is_large_binary", "is_binary_view", "is_fixed_size_binary")


def _is_any(type_: Any, kinds: tuple[str, ...]) -> bool:
    """Is it of one of some kinds? Not every version of pyarrow knows all of them."""
    return any(getattr(pa.types, kind)(type_) for kind in kinds if hasattr(pa.types, kind))


def plain_type(type_: Any) -> Any:
    """The type of the values, where a dictionary stands for them."""
    return type_.value_type if pa.types.is_dictionary(type_) else type_


def is_list(type_: Any) -> bool:
    """Lists, of whatever kind."""
    return _is_any(type_, _LISTS)


def is_text(type_: Any) -> bool:
    """Text, or nothing at all."""
    return _is_any(type_, _TEXT)


def is_number(type_: Any) -> bool:
    """Numbers, or nothing at all."""
    return _is_any(type_, ("is_integer", "is_floating", "is_null"))


def is_flag(type_: Any) -> bool:
    """True or false, as such or as numbers."""
    return pa.types.is_boolean(type_) or is_number(type_)


def is_id(type_: Any) -> bool:
    """Whole numbers or text."""
    return pa.types.is_integer(type_) or is_text(type_)


def is_size(type_: Any) -> bool:
    """Lists of whole numbers, or of nothing at all."""
    return is_list(type_) and _is_any(type_.value_type, ("is_integer", "is_null"))


def is_mask(type_: Any) -> bool:
    """Text (compressed counts, or JSON), structs of counts, or lists of lists of coordinates."""
    type_ = plain_type(type_)
    if pa.types.is_struct(type_):
        return type_.get_field_index("counts") >= 0 and is_counts(type_.field("counts").type)
    if is_list(type_):
        inner = type_.value_type
        return pa.types.is_null(inner) or (is_list(inner) and is_number(inner.value_type))
    return is_counts(type_)


def is_counts(type_: Any) -> bool:
    """Text or bytes (compressed), or lists of whole numbers."""
    return _is_any(plain_type(type_), _TEXT + _BYTES) or is_size(type_)


def without_views(batch: Any) -> Any:
    """A batch whose texts and bytes are of a plain kind: pyarrow cannot filter views of them."""
    if not any(_has_views(column.type) for column in batch.columns):
        return batch
    plain = schema_without_views(batch.schema)
    arrays = [column.cast(field.type) for column, field in zip(batch.columns, plain, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=plain)


def schema_without_views(schema: Any) -> Any:
    """A schema with plain texts and bytes in place of views."""
    fields = [field.with_type(_without_views(field.type)) for field in schema]
    return pa.schema(fields, schema.metadata)


@lru_cache(maxsize=256)
def _has_views(type_: Any) -> bool:
    """Is there one in it that `without_views` replaces?"""
    return not type_.equals(_without_views(type_))


def _without_views(type_: Any) -> Any:
    if _is_any(type_, ("is_string_view",)):
        return pa.large_string()
    if _is_any(type_, ("is_binary_view",)):
        return pa.large_binary()
    if pa.types.is_struct(type_):
        return pa.struct([field.with_type(_without_views(field.type)) for field in type_])
    for kind, make in (("is_list", pa.list_), ("is_large_list", pa.large_list)):
        if _is_any(type_, (kind,)):
            return make(type_.value_field.with_type(_without_views(type_.value_type)))
    return type_
