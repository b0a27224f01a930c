"""The scores of a data set, as columns."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from tfdp_fast.formats.dataset import Problem
from tfdp_fast.masks import Polygons
from tfdp_fast.presets import AppliedPreset
from tfdp_fast.tables import ClassTable, ImageTable, InstanceTable

__all__ = ["Scores", "Variant", "class_balanced", "scale_invariant"]

Variant: TypeAlias = Literal["tfdp", "scs", "si", "cb"]
"""The method and its ablation: scale invariance on or off, class balance on or off.

``"scs"`` neither (Eq. 8), ``"si"`` scale-invariant (Eq. 11), ``"cb"`` class-balanced, ``"tfdp"`` both
(Eq. 13).
"""


def scale_invariant(variant: Variant) -> bool:
    """Does the variant use SI-SCS rather than SCS?"""
    return variant in {"si", "tfdp"}


def class_balanced(variant: Variant) -> bool:
    """Does the variant divide by class totals?"""
    return variant in {"cb", "tfdp"}


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores of a data set.

    Attributes
    ----------
    images : ImageTable
        A row per image.
    instances : InstanceTable or None
        A row per scored instance; None if loaded from a file that holds images only.
    classes : ClassTable or None
        A row per class; None likewise.
    variant : str or None
        How they were computed; None if loaded from a file that does not say.
    polygons : str or None
        The fill convention; None likewise.
    crowd, ignored : int
        How many annotations are crowd regions, and how many are marked ``ignore``.
    problems : list of Problem
        Annotations that were set aside (``on_error="skip"``).
    preset : AppliedPreset or None
        What the preset that was asked for has left of the data set. `select` goes by it.
    """

    images: ImageTable
    instances: InstanceTable | None
    classes: ClassTable | None
    variant: Variant | None
    polygons: Polygons | None
    crowd: int = 0
    ignored: int = 0
    problems: list[Problem] = field(default_factory=list)
    preset: AppliedPreset | None = None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to a file whose suffix says how.

        ``.parquet`` (a row per image, its instances nested; needs the extra ``parquet``) and ``.npz`` hold
        everything and come back bit for bit. ``.csv`` holds the images; ``.json`` is the form of the paper's
        authors, ``{"<image id>": score}`` with positive scores only, unless some are negative. Neither of
        these says which preset it was.

        Raises
        ------
        OptionError
            If the suffix is none of these.
        OutputError
            If the file cannot be written.
        """
        from tfdp_fast.formats.scores import save_scores

        save_scores(self, path)

    @staticmethod
    def load(path: str | os.PathLike[str], *, column: str | None = None) -> Scores:
        r"""Read what `save` has written, or scores of images that come from elsewhere.

        These are ``.json`` in the form of the paper's authors, or ``.csv`` with a header: a column
        ``image_id``, ``id``, ``image``, ``file_name``, ``filename`` or ``name``, and one of scores.

        Parameters
        ----------
        path : path
            The file; its suffix says what it is.
        column : str, optional
            The column of scores in a ``.csv``: by default ``score``, or the only other one.

        Raises
        ------
        DataError
            If the file is not what its suffix says, is damaged, or does not say which column is meant.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> import tfdp_fast as tfdp
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "theirs.csv")
        ...     _ = path.write_text("image,el2n,aum\na.jpg,0.5,-1.25\nb.jpg,0.25,3.5\n")
        ...     tfdp.Scores.load(path, column="aum").images.score
        array([-1.25,  3.5 ])
        """
        from tfdp_fast.formats.scores import load_scores

        return load_scores(path, column)

    def to_arrow(self) -> Any:
        """The images as a `pyarrow.Table`; the other tables have a method of the same name."""
        return self.images.to_arrow()

    def to_pandas(self) -> Any:
        """The images as a `pandas.DataFrame`; the other tables have a method of the same name."""
        return self.images.to_pandas()
