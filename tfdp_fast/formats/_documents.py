"""Documents of one image each, many at a time: from their text to a measured chunk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tfdp_fast import _core
from tfdp_fast._batches import measure_batch
from tfdp_fast._core import FillConvention, SegmentationBatch
from tfdp_fast.formats._chunk_masks import BatchMasks, whole
from tfdp_fast.formats._document_records import (
    ANNOTATION,
    DOCUMENT,
    OBJECT,
    UNSET,
    Annotation,
    Fault,
    Image,
    decode,
    is_fit_text,
    sift,
)
from tfdp_fast.formats._streamed import NO_IDS, Chunk, FileRead
from tfdp_fast.formats.dataset import Names, Problem
from tfdp_fast.status import Status
from tfdp_fast.tables import Ids

PIECE = 3 << 20
"""Bytes of text for each task, about."""
LARGEST = 1 << 30
"""Bytes of a document, at most. What is longer is no annotation of an image."""


class Document(NamedTuple):
    """Where a document is, and what stands for what it does not say.

    Attributes
    ----------
    name : str
        Its path relative to the data set; or, where it is no file, what it is called in messages.
    position : int
        Its number among the documents of its shard, from 0.
    begin, end : int
        Where it is in the text of its piece.
    image_id, file_name : str or None
        Those of the image, if the document says none.
    version : int
        A number that is another one when the document has changed.
    """

    name: str
    position: int
    begin: int
    end: int
    image_id: str | None = None
    file_name: str | None = None
    version: int = 0


@dataclass(frozen=True, eq=False)
class Piece:
    """Documents that are read together.

    Attributes
    ----------
    text : bytes
        What they are in.
    items : list of Document or Problem
        The documents in order, and what could not be had between them.
    shard : int
        Which of the files, or folders, of the data set they are from.
    root : str or None
        What comes before the name of a document to make it a path; None if documents are no files.
    folder : str
        What comes before the file names of images.
    files : list of FileRead
        Files that end here, if documents are none.
    """

    text: bytes
    items: list[Document | Problem]
    shard: int
    root: str | None = None
    folder: str = ""
    files: list[FileRead] = field(default_factory=list)


@dataclass(frozen=True, eq=False, kw_only=True)
class DocumentChunk(Chunk):
    """A chunk that knows where its images are from.

    Attributes
    ----------
    shards : int64 [n]
        Which shard.
    positions : int64 [n]
        Which document of the shard.
    versions : int64 [n]
        See `Document`.
    image_records : int64 [n]
        How many annotation records the document has, of whatever kind.
    of_sa1b : bool
        Whether all documents are in SA-1B's form.
    """

    shards: NDArray[np.int64]
    positions: NDArray[np.int64]
    versions: NDArray[np.int64]
    image_records: NDArray[np.int64]
    of_sa1b: bool


class _UnfitError(Exception):
    """Ids that make no column: the documents have to be looked at record by record."""


def read_piece(piece: Piece, convention: FillConvention, *, hashing: bool, with_masks: bool) -> DocumentChunk:
    """Read and measure documents.

    Parameters
    ----------
    piece : Piece
        The documents.
    convention : FillConvention
        How polygons become masks.
    hashing : bool
        Whether to hash documents that are files.
    with_masks : bool
        Whether the chunk has its masks.
    """
    try:
        gathered = _Gathered(piece, one_by_one=False)
        return gathered.measured(convention, hashing=hashing, with_masks=with_masks)
    except _UnfitError:
        gathered = _Gathered(piece, one_by_one=True)
        return gathered.measured(convention, hashing=hashing, with_masks=with_masks)


class _Gathered:
    """The records of documents, as lists of what becomes columns."""

    def __init__(self, piece: Piece, *, one_by_one: bool) -> None:
        self._piece = piece
        self._text = memoryview(piece.text)
        self._documents: list[Document] = []
        self._images: list[Image] = []
        self._first_rows: list[int] = []
        self._annotations: list[Annotation] = []
        self._lengths: list[int] = []
        self._rows: list[NDArray[np.int64]] = []
        self._spans: list[NDArray[np.int64]] = []
        self._located = 0
        self._records = 0
        self._all_of_sa1b = True
        self._problems: list[Problem] = []
        for item in piece.items:
            if isinstance(item, Problem):
                self._problems.append(replace(item, row=self._records))
            elif one_by_one or not self._take(item):
                self._take_one_by_one(item)

    def _take(self, document: Document) -> bool:
        """Take in a document, if nothing is wrong with it."""
        decoded = decode(self._text[document.begin : document.end])
        if decoded is None:
            return False
        image, of_sa1b, annotations = decoded
        if image.image_id is UNSET:
            if document.image_id is None:
                return False
            image.image_id = document.image_id
        self._all_of_sa1b &= of_sa1b
        self._add(document, image, annotations, np.arange(len(annotations)), len(annotations))
        return True

    def _take_one_by_one(self, document: Document) -> None:
        try:
            sifted = sift(self._text[document.begin : document.end], document.image_id)
        except Fault as fault:
            self._problems.append(self._problem(document, fault.record, fault.reason, self._records))
            return
        self._problems += [
            self._problem(document, record, reason, self._records + row)
            for row, record, reason in sifted.faults
        ]
        self._all_of_sa1b &= sifted.of_sa1b
        self._locate(self._text, 0)
        rows = np.array(sifted.rows, np.int64)
        self._add(document, sifted.image, sifted.annotations, rows, sifted.records)
        self._locate(sifted.text, document.begin)

    def _problem(self, document: Document, record: str, reason: str, row: int) -> Problem:
        if self._piece.root is not None:
            return Problem(record, reason, row, self._piece.root + document.name)
        return Problem(document.name if record == DOCUMENT else f"{document.name}, {record}", reason, row)

    def _add(
        self,
        document: Document,
        image: Image,
        annotations: list[Annotation],
        rows: NDArray[np.int64],
        records: int,
    ) -> None:
        self._documents.append(document)
        self._images.append(image)
        self._annotations += annotations
        self._lengths.append(len(annotations))
        self._rows.append(rows + self._records)
        self._first_rows.append(self._records)
        self._records += records

    def _locate(self, text: memoryview, begin: int) -> None:
        """Find where segmentations are that are pieces of a text, which is at `begin` in the whole."""
        pieces = [annotation.segmentation for annotation in self._annotations[self._located :]]
        self._spans.append(_core.spans_of(pieces, text) + begin)
        self._located = len(self._annotations)

    def measured(self, convention: FillConvention, *, hashing: bool, with_masks: bool) -> DocumentChunk:
        """The chunk."""
        self._locate(self._text, 0)
        annotations = self._annotations
        sizes = np.array([(image.height, image.width) for image in self._images], np.int32).reshape(-1, 2)
        image_index = np.repeat(np.arange(len(sizes)), np.array(self._lengths, np.int64))
        rows = np.concatenate([NO_IDS, *self._rows])
        image_ids = _column([image.image_id for image in self._images])
        annotation_ids = self._annotation_ids()
        category_ids = self._category_ids()
        crowd = np.array([bool(annotation.iscrowd) for annotation in annotations], np.bool_)
        ignored = np.array([bool(annotation.ignore) for annotation in annotations], np.bool_)
        text, spans, mask_sizes = self._piece.text, np.concatenate(self._spans), sizes[image_index]
        batch = SegmentationBatch.from_json(text, spans, mask_sizes)
        counts, statuses = measure_batch(batch, convention)
        for i in np.flatnonzero((statuses != Status.OK) & ~ignored).tolist():
            reason = Status(statuses[i]).reason
            self._problems.append(self._bad_mask(i, reason, int(rows[i]), int(image_index[i])))
        used = (statuses == Status.OK) & ~ignored
        first_rows = np.array([*self._first_rows, self._records], np.int64)
        return DocumentChunk(
            image_ids=image_ids,
            image_sizes=sizes,
            file_names=self._file_names(),
            image_index=image_index[used],
            category_ids=category_ids[used],
            crowd=crowd[used],
            counts=counts[used],
            rows=rows[used],
            records=self._records,
            annotation_ids=None if annotation_ids is None else annotation_ids[used],
            ignored=int(np.count_nonzero(ignored)),
            problems=sorted(self._problems, key=lambda problem: problem.row),
            files=[*self._piece.files, *(self._hashed() if hashing else ())],
            masks=BatchMasks(
                np.flatnonzero(used),
                lambda at: whole(SegmentationBatch.from_json(text, spans[at], mask_sizes[at])),
                convention,
            )
            if with_masks
            else None,
            shards=np.full(len(sizes), self._piece.shard),
            positions=np.array([document.position for document in self._documents], np.int64),
            versions=np.array([document.version for document in self._documents], np.int64),
            image_records=np.diff(first_rows),
            of_sa1b=self._all_of_sa1b,
        )

    def _file_names(self) -> Names:
        """As text, if all are there and fit."""
        names = [
            document.file_name if image.file_name is None else self._piece.folder + image.file_name
            for document, image in zip(self._documents, self._images, strict=True)
        ]
        fit = all(name is not None and is_fit_text(name) for name in names)
        return np.array(names, np.str_) if fit else names

    def _annotation_ids(self) -> Ids | None:
        """None where one of them has no id."""
        ids = [annotation.id for annotation in self._annotations]
        return None if UNSET in set(ids) else _column(ids)

    def _category_ids(self) -> Ids:
        ids = [annotation.category_id for annotation in self._annotations]
        if self._all_of_sa1b and set(ids) == {UNSET}:
            return np.full(len(ids), OBJECT)
        return _column(ids)

    def _bad_mask(self, position: int, reason: str, row: int, image: int) -> Problem:
        annotation_id = self._annotations[position].id
        if isinstance(annotation_id, (int, str)):
            record = ANNOTATION.name_of(annotation_id)
        else:
            record = ANNOTATION.place(row - self._first_rows[image])
        return self._problem(self._documents[image], record, reason, row)

    def _hashed(self) -> Iterator[FileRead]:
        """Hash the documents that are files."""
        for item in self._piece.items:
            if isinstance(item, Document) and self._piece.root is not None:
                content = self._text[item.begin : item.end]
                yield FileRead(item.name, len(content), hashlib.sha256(content).hexdigest())


def _column(ids: list[Any]) -> Ids:
    """Ids as an array of int64 or of text; of objects if there are both."""
    if not ids:
        return NO_IDS
    kinds = set(map(type, ids))
    if not kinds <= {int, str}:
        raise _UnfitError
    if str in kinds and not all(is_fit_text(i) for i in set(ids) if isinstance(i, str)):
        raise _UnfitError
    if len(kinds) > 1:
        return np.array(ids, np.object_)
    try:
        return np.array(ids, np.int64 if int in kinds else np.str_)
    except OverflowError:
        raise _UnfitError from None
