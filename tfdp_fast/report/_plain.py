"""Results as what JSON knows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfdp_fast.tables import Table

__all__ = ["plain"]


def plain(value: Any) -> Any:
    """A result as dicts, lists, text and numbers; a table as a list of its rows, NaN and infinities as None.

    Examples
    --------
    >>> plain({"share": np.array([0.5, np.nan])})
    {'share': [0.5, None]}
    """
    if isinstance(value, Table):
        columns = {name: plain(column) for name, column in value.columns().items()}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
