"""Tables: Parquet, Arrow and Feather files, and tables in memory."""

from __future__ import annotations

from typing import Any

from tfdp_fast.errors import MissingExtraError
from tfdp_fast.formats.dataset import Dataset, OpenOptions

__all__ = ["open_arrow"]


def open_arrow(source: Any, options: OpenOptions) -> Dataset:
    """Open a table.

    A path to a Parquet, Arrow (file or stream) or Feather file; a folder of such, in the order of their
    names; a folder by ``save_to_disk`` of Hugging Face's ``datasets``; or an object: a table, a data set or a
    reader of pyarrow, a frame of pandas or polars, a data set of ``datasets``. The columns say what it is:

    - a row per image: ``height``, ``width``, ``image_id`` (else the position), ``file_name``, and
      ``annotations`` or ``objects``, a list of structs or a struct of lists, with ``segmentation``,
      ``category_id`` (or ``category``), ``id``, ``iscrowd``, ``ignore``;
    - a row per instance: all of these as columns. Rows of an image need not be adjacent; images are in the
      order of their first rows.

    ``segmentation`` is a struct ``{size, counts}``, text (compressed counts or JSON), or lists of polygons;
    ``counts``, text or bytes, may stand in its place, with ``size`` beside it. Null is a mask without a
    pixel. Classes are named by the ``ClassLabel`` in Hugging Face's metadata; a table by Segment Anything
    needs none.

    It is read batch by batch, and only the columns that are needed. In memory stay some 160 bytes for each
    annotation, and with a row per instance 200 for each image, which is then found by its id.

    A subset has the same columns, types and metadata, and the rows that are kept.

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    DataError
        If it cannot be read, or has not the columns that are needed.

    Examples
    --------
    >>> import pyarrow as pa
    >>> import tfdp_fast as tfdp
    >>> table = pa.table({
    ...     "image_id": [7, 9, 7],
    ...     "height": [10, 10, 10],
    ...     "width": [10, 10, 10],
    ...     "category_id": [1, 1, 1],
    ...     "segmentation": [[[0.0, 0, 9, 0, 9, 9, 0, 9]]] * 3,
    ... })
    >>> scores = tfdp.score(table)
    >>> scores.images.id, scores.images.score
    (array([7, 9]), array([0.66666667, 0.33333333]))
    """
    try:
        import pyarrow  # noqa: ICN001
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise MissingExtraError("pyarrow", "parquet") from None
    from tfdp_fast.formats._arrow_dataset import ArrowDataset

    return ArrowDataset(source, options)
