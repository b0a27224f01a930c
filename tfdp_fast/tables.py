"""Columns with names: what results are made of."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tfdp_fast.errors import MissingExtraError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["ClassTable", "Ids", "ImageTable", "InstanceTable", "Table"]

Ids: TypeAlias = NDArray[Any]
"""Identifiers: int64, or text (``<U``) where the data set's ids are text."""


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of equal length, each of them an attribute."""

    def __len__(self) -> int:
        return len(next(iter(self.columns().values())))

    def columns(self) -> dict[str, NDArray[Any]]:
        """The columns by name, in their order."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def to_arrow(self) -> pa.Table:
        """As a `pyarrow.Table`.

        Raises
        ------
        MissingExtraError
            If pyarrow is not installed.
        """
        try:
            import pyarrow as pa
        except ImportError:
            raise MissingExtraError("pyarrow", "parquet") from None
        return pa.table({name: _for_arrow(column) for name, column in self.columns().items()})

    def to_pandas(self) -> pd.DataFrame:
        """As a `pandas.DataFrame`.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            raise MissingExtraError("pandas", "pandas") from None
        frame: pd.DataFrame = pd.DataFrame(
            {name: _for_arrow(column) for name, column in self.columns().items()}
        )
        return frame


def _for_arrow(column: NDArray[Any]) -> NDArray[Any] | list[Any]:
    return column.tolist() if column.dtype.kind in "UO" else column


@dataclass(frozen=True, eq=False)
class ImageTable(Table):
    """A row per image, in data-set order.

    Attributes
    ----------
    id : int64 or text [I]
        Image ids.
    file_name : object or text [I]
        File names (``str``), None where the source has none. Text where all have one and there may be
        millions of them.
    annotations : int64 [I]
        Annotations of the image, crowd regions included; -1 if not known.
    instances : int64 [I]
        Scored instances of the image; -1 if not known.
    score : float64 [I]
        Image score S_i (Eq. 14).
    """

    id: Ids
    file_name: NDArray[Any]
    annotations: NDArray[np.int64]
    instances: NDArray[np.int64]
    score: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class InstanceTable(Table):
    """A row per scored instance, in data-set order.

    Attributes
    ----------
    id : int64 or text [N]
        Annotation ids.
    image_id, category_id : int64 or text [N]
        What the instance belongs to.
    straight, diagonal, area2 : int64 [N]
        Boundary counts of the primary contour; see `BoundaryCounts`.
    shape : float64 [N]
        Shape complexity before the classes are balanced: SCS (Eq. 8) or SI-SCS (Eq. 11), by variant.
    score : float64 [N]
        The instance's part in its image's score: `shape`, divided by the class total for the balanced
        variants (Eq. 13).
    """

    id: Ids
    image_id: Ids
    category_id: Ids
    straight: NDArray[np.int64]
    diagonal: NDArray[np.int64]
    area2: NDArray[np.int64]
    shape: NDArray[np.float64]
    score: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClassTable(Table):
    """A row per class, in data-set order.

    Attributes
    ----------
    id : int64 or text [C]
        Category ids.
    name : object [C]
        Their names (``str``).
    instances : int64 [C]
        Scored instances of the class.
    total : float64 [C]
        T_c: the sum of `shape` over the instances of the class (Eq. 13).
    """

    id: Ids
    name: NDArray[np.object_]
    instances: NDArray[np.int64]
    total: NDArray[np.float64]
