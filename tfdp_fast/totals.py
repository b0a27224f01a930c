"""Class totals: exact, mergeable, and the same whatever the order."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tfdp_fast.boundary import BoundaryCounts
from tfdp_fast.errors import OptionError
from tfdp_fast.tables import Ids

__all__ = ["ClassTotals", "Shape"]

Shape: TypeAlias = Literal["si_scs", "scs"]
"""What is added up: SI-SCS (Eq. 11) or SCS (Eq. 8)."""


class ClassTotals:
    """The totals T_c of Eq. 13, exact: they do not depend on how the data was split, ordered or merged.

    Parameters
    ----------
    shape : {"si_scs", "scs"}
        What is added up.
    category_ids : iterable of int or str, optional
        Classes to list even if no instance of them is added.

    Examples
    --------
    >>> import tfdp_fast as tfdp
    >>> counts = tfdp.measure([[[0, 0, 9, 0, 9, 9, 0, 9]]] * 2, size=(10, 10))
    >>> totals = tfdp.ClassTotals()
    >>> totals.add([3, 5], counts)
    >>> other = tfdp.ClassTotals()
    >>> other.add([5, 5], counts)
    >>> totals.merge(other)
    >>> totals.category_ids, totals.instances
    ([3, 5], array([1, 3]))
    >>> totals.totals
    array([1.12837917, 3.3851375 ])
    """

    def __init__(self, shape: Shape = "si_scs", category_ids: Iterable[int | str] = ()) -> None:
        from tfdp_fast.kernels.sums import LIMBS

        if shape not in {"si_scs", "scs"}:
            raise OptionError(f"shape must be 'si_scs' or 'scs', got {shape!r}")
        self.shape: Shape = shape
        self._rows: dict[int | str, int] = {}
        self._limbs: NDArray[np.int64] = np.zeros((0, LIMBS), np.int64)
        self._instances: NDArray[np.int64] = np.zeros(0, np.int64)
        self._rows_of(list(category_ids))

    @property
    def category_ids(self) -> list[int | str]:
        """The classes, in the order in which they came up; C of them."""
        return list(self._rows)

    @property
    def instances(self) -> NDArray[np.int64]:
        """How many instances were added to each class, int64 [C]."""
        return np.array(self._instances)

    @property
    def totals(self) -> NDArray[np.float64]:
        """T_c of each class, float64 [C]: the exact sum, rounded once."""
        from tfdp_fast.kernels.sums import round_limbs

        return round_limbs(self._limbs)

    @property
    def limbs(self) -> NDArray[np.int64]:
        """The exact sums, int64 [C, 68], as `tfdp_fast.kernels.sums` describes them: what is stored."""
        return np.array(self._limbs)

    @classmethod
    def from_limbs(
        cls,
        shape: Shape,
        category_ids: list[int | str],
        instances: Sequence[int],
        limbs: Sequence[NDArray[np.int64]],
    ) -> ClassTotals:
        """From what each of C different classes has: its instances, and its sum in canonical form [68]."""
        totals = cls(shape, category_ids)
        for row in range(len(category_ids)):
            totals._instances[row] = instances[row]
            totals._limbs[row] = limbs[row]
        return totals

    def add(self, category_ids: Iterable[int | str] | Ids, counts: BoundaryCounts) -> None:
        """Add N instances.

        Parameters
        ----------
        category_ids : int or str [N]
            Their classes.
        counts : BoundaryCounts
            Their boundary counts.

        Raises
        ------
        OptionError
            If there are not as many classes as counts, or if they are neither whole numbers nor text.
        """
        from tfdp_fast.kernels.sums import accumulate

        given = category_ids if isinstance(category_ids, np.ndarray) else list(category_ids)
        ids = np.asarray(given)
        mixed = isinstance(given, list) and len({isinstance(i, str) for i in given}) > 1
        if ids.size and (mixed or ids.dtype.kind not in "iuU"):
            raise OptionError("category ids are either whole numbers or text")
        if ids.shape != (len(counts),):
            raise OptionError(f"{len(counts)} masks need as many category ids, got shape {list(ids.shape)}")
        unique, inverse = np.unique(ids, return_inverse=True)
        rows = self._rows_of(unique.tolist())[inverse]
        accumulate(self._limbs, rows, counts.si_scs() if self.shape == "si_scs" else counts.scs())
        self._instances += np.bincount(rows, minlength=len(self._rows))

    def merge(self, other: ClassTotals) -> None:
        """Add what another one has seen.

        Raises
        ------
        OptionError
            If it has added up something else.
        """
        from tfdp_fast.kernels.sums import canonicalise

        if self.shape != other.shape:
            raise OptionError(f"totals of {self.shape} cannot be merged with totals of {other.shape}")
        rows = self._rows_of(other.category_ids)
        self._limbs[rows] += other._limbs
        self._instances[rows] += other._instances
        canonicalise(self._limbs)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to a file, whole or not at all; nothing is lost, and the name may be any.

        Raises
        ------
        OutputError
            If the file cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> import tfdp_fast as tfdp
        >>> totals = tfdp.ClassTotals(category_ids=["cat", "dog"])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     totals.save(f"{folder}/totals.json")
        ...     tfdp.ClassTotals.load(f"{folder}/totals.json") == totals
        True
        """
        from tfdp_fast.formats.totals import save_totals

        save_totals(self, path)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> ClassTotals:
        """Read what `save` has written.

        Raises
        ------
        DataError
            If the file cannot be read, is none of class totals, is of a newer format, or is damaged.
        """
        from tfdp_fast.formats.totals import load_totals

        return load_totals(path)

    def __eq__(self, other: object) -> bool:
        """Have both seen as many instances of the same classes, with the same exact sums? In any order."""
        if not isinstance(other, ClassTotals):
            return NotImplemented
        if self.shape != other.shape or self._rows.keys() != other._rows.keys():
            return False
        rows = [other._rows[category_id] for category_id in self._rows]
        return bool(
            np.array_equal(self._instances, other._instances[rows])
            and np.array_equal(self._limbs, other._limbs[rows])
        )

    __hash__ = None  # type: ignore[assignment]

    def _rows_of(self, category_ids: list[int | str]) -> NDArray[np.int64]:
        """The row of each class; new classes get new rows."""
        rows = np.array(
            [self._rows.setdefault(category_id, len(self._rows)) for category_id in category_ids], np.int64
        )
        new = len(self._rows) - len(self._limbs)
        self._limbs = np.concatenate([self._limbs, np.zeros((new, self._limbs.shape[1]), np.int64)])
        self._instances = np.concatenate([self._instances, np.zeros(new, np.int64)])
        return rows
