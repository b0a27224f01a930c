"""A pruning once more, as its record says."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tfdp_fast._sides import kept_by_record
from tfdp_fast._threads import importing, resolve_threads, timed
from tfdp_fast.beside import beside_of
from tfdp_fast.errors import DataError
from tfdp_fast.formats.dataset import Dataset, OnProgress
from tfdp_fast.formats.opening import open_dataset
from tfdp_fast.listing import ImageList
from tfdp_fast.pruning import Pruned, prune_dataset
from tfdp_fast.recording import Outcome, Record, load_record
from tfdp_fast.scoring import SUMS

__all__ = ["repeat"]


def repeat(
    record: str | os.PathLike[str],
    destination: str | os.PathLike[str] | None = None,
    *,
    source: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    progress: OnProgress | None = None,
) -> Pruned:
    """Prune again as a record says, and check that all comes out the same.

    Parameters
    ----------
    record : path
        The ``.pruning.json`` that `prune` wrote beside a subset.
    destination : path, optional
        Where the subset goes; by default where it went before, relative to the record.
    source : path, optional
        Where the data set is now, if not where it was.
    threads, progress
        See `score`.

    Returns
    -------
    Pruned

    Raises
    ------
    DataError
        If the record cannot be read, the data set is not the same, or another subset comes out. Nothing is
        written then.
    OutputError
        If the destination cannot be written.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> import tfdp_fast as tfdp
    >>> folder = tempfile.TemporaryDirectory()
    >>> source, output = Path(folder.name, "a.json"), Path(folder.name, "b.json")
    >>> square = [[0, 0, 9, 0, 9, 9, 0, 9]]
    >>> data = {
    ...     "images": [{"id": 7, "height": 10, "width": 10}],
    ...     "categories": [{"id": 1, "name": "square"}],
    ...     "annotations": [{"id": 1, "image_id": 7, "category_id": 1, "segmentation": square}],
    ... }
    >>> _ = source.write_text(json.dumps(data))
    >>> first = tfdp.prune(source, output, k=1)
    >>> tfdp.repeat(first.beside.record).outcome == first.outcome
    True
    >>> folder.cleanup()
    """
    known = load_record(record)
    name, folder = os.fspath(record), Path(record).parent
    if source is None:
        if known.source.path is None:
            raise DataError(name, None, "what was pruned was no file: say where it is")
        source = os.path.normpath(folder / known.source.path)
    if destination is None:
        destination = os.path.normpath(folder / str(known.outputs["subset"]))
    listed = None
    if known.options.ids is not None:
        listed = ImageList(kept_by_record(Path(record)), known.options.ids)
    expected = Expected(name, known)
    threads = resolve_threads(threads)
    with timed("read"), importing(SUMS, threads):
        dataset = open_dataset(source, fingerprint=True, **known.source.opening())
    beside = beside_of(destination)
    return prune_dataset(
        dataset,
        destination,
        beside,
        known.options,
        listed=listed,
        threads=threads,
        progress=progress,
        expected=expected,
    )


@dataclass(frozen=True)
class Expected:
    """What a record says that comes out."""

    name: str
    record: Record

    def check_source(self, dataset: Dataset) -> None:
        """Raise DataError if the data set, which has been measured, is not the one that was pruned."""
        known, found = self.record.source.fingerprint, dataset.fingerprint()
        if known is not None and found != known:
            raise DataError(dataset.source, None, f"is not what {self.name} is about: its content differs")

    def check_outcome(self, dataset: Dataset, outcome: Outcome) -> None:
        """Raise DataError if anything else has come out."""
        if outcome != self.record.outcome:
            what = "subset" if outcome.sha256 != self.record.outcome.sha256 else "class totals or counts"
            raise DataError(dataset.source, None, f"another {what} than {self.name} says came out")
