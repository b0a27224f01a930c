"""COCO's JSON as text: records and spans come out of it, segmentations are read from it later.

msgspec decodes the text into records in which each segmentation is left as a piece of the text, and of these
only the spans are kept.
"""

from __future__ import annotations

import codecs
import contextlib
import gc
import json
import mmap
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from tfdp_fast import _core
from tfdp_fast._core import SegmentationBatch
from tfdp_fast.errors import DataError
from tfdp_fast.formats._coco_boxes import Boxes, boxes_in_text
from tfdp_fast.formats._coco_columns import AnnotationColumns, CategoryColumns, ImageColumns, Lists
from tfdp_fast.formats._coco_records import (
    ANNOTATION,
    CATEGORY,
    IMAGE,
    LISTS,
    Category,
    Image,
    JsonAnnotation,
    Kind,
    RecordT_co,
    Table,
    missing_list,
)
from tfdp_fast.formats.dataset import Problem

Text: TypeAlias = "memoryview | bytearray"
Spans: TypeAlias = NDArray[np.int64]
T = TypeVar("T")


class _Top(msgspec.Struct, gc=False):
    images: list[Image]
    annotations: list[JsonAnnotation]
    categories: list[Category]


_TOP = msgspec.json.Decoder(_Top)
_LAYOUT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_PIECES = msgspec.json.Decoder(list[msgspec.Raw])
MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_MESSAGE = re.compile(r"(?:JSON is malformed: )?(.*?)(?: \(byte (\d+)\))?$")
_KEY = re.compile(rb'\s*[{,]\s*("(?:[^"\\]|\\.)*")\s*:\s*')
# Two searches for plain words are ten times as fast as one for either. A key is no such word.
_NONFINITE = [re.compile(word + rb"(?!\s*:)") for word in (rb"NaN", rb"Infinity")]
_BLOCK = 1 << 24
STEP = 1 << 25
"""Bytes that are scanned before the memory of what lies behind is given back."""


class JsonText:
    """A COCO data set as JSON text.

    Parameters
    ----------
    name : str
        What it is called in messages.
    data : bytes-like
        UTF-8; a byte order mark is passed over.

    Attributes
    ----------
    text : memoryview
        All of it, without the byte order mark. Spans refer to it.
    lists : dict of str to (int, int)
        The span of each top-level value, in order; known once it has been read.
    segmentations : int64 [R, 2]
        The spans of the segmentations of the annotations that were read.
    """

    lists: dict[str, tuple[int, int]]
    segmentations: Spans

    def __init__(self, name: str, data: Any) -> None:
        self.name = name
        whole = memoryview(data)
        self._mark = 3 if bytes(whole[:3]) == codecs.BOM_UTF8 else 0
        self.text = whole[self._mark :]
        self._data = data
        self._records: dict[str, Spans] | None = None
        self._nonfinite = False
        if not self.text:
            raise DataError(name, None, "is empty")

    def read(self) -> Lists:
        """Read all records."""
        return self._readable(self._read)

    def batch(self, records: NDArray[np.int64], sizes: NDArray[np.int32]) -> SegmentationBatch:
        """The segmentations of some of the annotations that were read."""
        spans = self.segmentations[records]
        batch = SegmentationBatch.from_json(self.text, spans, sizes)
        if len(spans):
            self.let_go(int(spans[0, 0]), int(spans[-1, 1]))
        return batch

    def boxes(self, rows: NDArray[np.int64]) -> Boxes:
        """What the annotations at some rows state of their boxes and areas."""
        [records] = self.record_spans(ANNOTATION.list_name)
        spans = records[rows]
        return self._readable(lambda text: boxes_in_text(text, self.text, spans, self.let_go))

    def record_spans(self, *list_names: str) -> list[Spans]:
        """The spans of all records of some lists: int64 [n, 2] each."""
        if self._records is not None:
            return [self._records[name] for name in list_names]
        return self._readable(
            lambda text: [
                _core.spans_of(_PIECES.decode(self._value(text, name)), text) for name in list_names
            ]
        )

    def let_go(self, begin: int, end: int) -> None:
        """Take in that a piece of the text is not needed for now: of a mapped file, give its memory back."""
        if isinstance(self._data, mmap.mmap):
            begin, end = ((at + self._mark) // mmap.PAGESIZE * mmap.PAGESIZE for at in (begin, end))
            if begin < end:
                self._data.madvise(mmap.MADV_DONTNEED, begin, end - begin)

    def _readable(self, read: Callable[[Text], T]) -> T:
        """Call `read` with a text that msgspec can read, of the same length."""
        with _no_gc():
            if not self._nonfinite:
                try:
                    return read(self.text)
                except MALFORMED as error:
                    problem = self._malformed(error)
                if (masked := nonfinite_masked(self.text)) is None:
                    raise problem()
                self._nonfinite = True
            else:
                masked = nonfinite_masked(self.text)
            try:
                return read(self.text if masked is None else masked)
            except MALFORMED as error:
                problem = self._malformed(error)
            raise problem()

    def _read(self, text: Text) -> Lists:
        scan = self._scanned(text)
        if not scan.complete:
            return self._decoded(text)
        self.lists = dict(zip(LISTS, scan.lists, strict=True))
        self._records = {IMAGE.list_name: scan.images, ANNOTATION.list_name: scan.annotations}
        if not scan.plain_annotations:
            return self._decoded_one_by_one(text)
        self.segmentations = scan.segmentations
        return Lists(
            ImageColumns.scanned(scan, self.text)
            if scan.plain_images
            else ImageColumns.of(self._table(text, IMAGE, Image)),
            CategoryColumns.of(self._table(text, CATEGORY, Category)),
            AnnotationColumns.scanned(scan),
        )

    def _scanned(self, text: Text) -> _core.CocoScan:
        """Scan the text as far as it is plain."""
        scan = _core.CocoScan(text)
        at = 0
        while scan.advance(at + STEP):
            self.let_go(at, at + STEP)
            at += STEP
        self.let_go(at, len(text))
        return scan

    def _decoded(self, text: Text) -> Lists:
        """Decode what is not plain. It may be a fault that has to be named."""
        try:
            top = _TOP.decode(text)
        except msgspec.ValidationError:
            self._find_lists(text, np.empty((0, 2), np.int64))
            return self._decoded_one_by_one(text)
        self._locate([annotation.segmentation for annotation in top.annotations], text)
        self._find_lists(text, self.segmentations)
        return Lists(
            ImageColumns.of(Table.whole(top.images)),
            CategoryColumns.of(Table.whole(top.categories)),
            AnnotationColumns.of(Table.whole(top.annotations)),
        )

    def _decoded_one_by_one(self, text: Text) -> Lists:
        """The same list by list, once it is known where they are, with the faults of single records."""
        images = ImageColumns.of(self._table(text, IMAGE, Image))
        categories = CategoryColumns.of(self._table(text, CATEGORY, Category))
        annotations = self._table(text, ANNOTATION, JsonAnnotation)
        self._locate([annotation.segmentation for annotation in annotations.records], text)
        return Lists(images, categories, AnnotationColumns.of(annotations))

    def _locate(self, pieces: list[msgspec.Raw], text: Text) -> None:
        self.segmentations = _core.spans_of(pieces, text)

    def _table(self, text: Text, kind: Kind, record_type: type[RecordT_co]) -> Table[RecordT_co]:
        value = self._value(text, kind.list_name)
        if value[0] != ord("["):
            raise DataError(self.name, None, f'"{kind.list_name}" is not an array')
        with contextlib.suppress(msgspec.ValidationError):
            return Table.whole(msgspec.json.decode(value, type=list[record_type]))  # type: ignore[valid-type]
        decoder = msgspec.json.Decoder(record_type)
        pieces = _PIECES.decode(value)
        spans = _core.spans_of(pieces, text).tolist()

        def outcome(row: int) -> RecordT_co | Problem:
            try:
                return decoder.decode(pieces[row])
            except msgspec.ValidationError as error:
                begin, end = spans[row]
                try:
                    record = json.loads(bytes(self.text[begin:end]))
                except (ValueError, RecursionError):  # more digits than Python takes
                    return Problem(kind.place(row), str(error), row)
                return kind.problem(record, row, str(error))

        return Table.sifted(map(outcome, range(len(pieces))))

    def _value(self, text: Text, list_name: str) -> memoryview:
        begin, end = self.lists[list_name]
        return memoryview(text)[begin:end]

    def _find_lists(self, text: Text, segmentations: Spans) -> None:
        """Find the top-level values.

        All annotations lie between the first and the last segmentation, but for the head of the first and the
        tail of the last. With that part cut out the text is still JSON, and its top level the same.
        """
        cut = removed = 0
        if len(segmentations):
            cut = int(segmentations[0, 0])
            removed = int(segmentations[-1, 0]) - cut
            text = bytearray().join((memoryview(text)[:cut], memoryview(text)[cut + removed :]))
        try:
            top = _LAYOUT.decode(text)
        except msgspec.ValidationError:
            raise DataError(self.name, None, "the top level is not a JSON object") from None
        missing = [name for name in LISTS if name not in top]
        if missing:
            raise DataError(self.name, None, missing_list(missing[0]))
        spans = _core.spans_of(list(top.values()), text)
        self._refuse_key_twice(text, spans)
        spans += np.where(spans > cut, removed, 0)
        self.lists = {name: (begin, end) for name, (begin, end) in zip(top, spans.tolist(), strict=True)}

    def _refuse_key_twice(self, text: Text, spans: Spans) -> None:
        """Only the last value of a key is among the spans: others are gaps between them."""
        at = 0
        for begin, end in sorted(spans.tolist()):
            key = _KEY.match(text, at)
            if key is None or key.end() != begin:
                name = json.loads(key[1]) if key else "?"
                raise DataError(
                    self.name, None, f"the key {json.dumps(name)} is given twice at the top level"
                )
            at = end

    def _malformed(self, error: Exception) -> Callable[[], DataError]:
        reason = why_malformed(self.text, error, self._mark)
        return lambda: DataError(self.name, None, reason())


def why_malformed(text: memoryview, error: Exception, skipped: int = 0) -> Callable[[], str]:
    """Why a text is not JSON, and where. The error itself would keep alive what failed.

    Parameters
    ----------
    text : memoryview
        The text.
    error : Exception
        One of `MALFORMED`.
    skipped : int
        Bytes of a mark before the text.
    """
    if isinstance(error, RecursionError):
        return lambda: "is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return lambda: _not_json(text, "invalid UTF-8", _invalid_utf8(text), skipped)
    match = _MESSAGE.match(str(error))
    reason, position = match.groups() if match else (str(error), None)
    if position is None:
        return lambda: _cut_short(text, skipped)
    return lambda: _not_json(text, reason, int(position), skipped)


def _cut_short(text: memoryview, skipped: int) -> str:
    """It ends too early, or before that is what is no UTF-8: versions of msgspec differ in what they see."""
    invalid = _invalid_utf8(text)
    reason = "it ends too early" if invalid == len(text) else "invalid UTF-8"
    return _not_json(text, reason, invalid, skipped)


def _not_json(text: memoryview, reason: str, position: int, skipped: int) -> str:
    line = 1 + sum(bytes(block).count(b"\n") for block in _blocks(text[:position]))
    return f"not JSON: {reason} at byte {position + skipped}, line {line}"


def nonfinite_masked(text: memoryview) -> bytearray | None:
    """Turn NaN, Infinity and -Infinity into empty objects of the same length; None if there is none.

    Python's json writes these words, and msgspec refuses them. No key that counts holds an object, so such a
    word is still a fault where it matters. Only the copy that msgspec sees is changed.
    """
    found = sorted(match.start() for word in _NONFINITE for match in word.finditer(text))
    begins = np.array(found, np.int64)
    begins = begins[~_in_string(text, begins)]
    if not len(begins):
        return None
    masked = bytearray(text)
    for begin in begins.tolist():
        end = begin + (3 if text[begin] == ord("N") else 8)
        start = begin - (end - begin == 8 and begin > 0 and text[begin - 1] == ord("-"))
        masked[start:end] = b"{" + b" " * (end - start - 2) + b"}"
    return masked


def _in_string(text: memoryview, positions: Spans) -> NDArray[np.bool_]:
    """Which positions, in ascending order, have an odd number of quotes before them."""
    odd = np.empty(len(positions), np.bool_)
    before = 0
    begin = 0
    for block in _blocks(text):
        quotes = np.flatnonzero(np.frombuffer(block, np.uint8) == ord('"')) + begin
        escapable = quotes[quotes > 0]
        after = np.frombuffer(text, np.uint8)[escapable - 1] == ord("\\")
        escaped = [quote for quote in escapable[after].tolist() if _is_escaped(text, quote)]
        quotes = np.setdiff1d(quotes, escaped, assume_unique=True) if escaped else quotes
        first, last = np.searchsorted(positions, (begin, begin + len(block)))
        odd[first:last] = (before + np.searchsorted(quotes, positions[first:last])) % 2
        before += len(quotes)
        begin += len(block)
    return odd


def _is_escaped(text: memoryview, quote: int) -> bool:
    at = quote
    while at > 0 and text[at - 1] == ord("\\"):
        at -= 1
    return (quote - at) % 2 == 1


def _invalid_utf8(text: memoryview) -> int:
    decoder = codecs.getincrementaldecoder("utf-8")()
    begin = 0
    for block in _blocks(text):
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(block)
        except UnicodeDecodeError as error:
            return begin - pending + error.start
        begin += len(block)
    return begin


def _blocks(text: memoryview) -> Iterator[memoryview]:
    return (text[begin : begin + _BLOCK] for begin in range(0, len(text), _BLOCK))


@contextlib.contextmanager
def _no_gc() -> Iterator[None]:
    """Millions of records would set off the cyclic garbage collector time and again, for nothing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
