"""The records of a document of one image: keys that count, their types, and what is wrong with a record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from tfdp_fast import _core
from tfdp_fast._core import max_side
from tfdp_fast.formats._coco_json import MALFORMED, nonfinite_masked, why_malformed
from tfdp_fast.formats._coco_records import (
    INT64,
    MAX_TEXT_ID,
    SEGMENTATION,
    Kind,
    flag_key,
    id_key,
    shown,
    side_key,
    text_key,
)

UNSET = msgspec.UNSET
OBJECT = 1
"""The category of annotations that have none, as those of SA-1B."""


class Image(msgspec.Struct, gc=False):
    """What a document says of its image."""

    image_id: int | str | msgspec.UnsetType = UNSET
    height: int | float | msgspec.UnsetType = UNSET
    width: int | float | msgspec.UnsetType = UNSET
    file_name: str | None = None


class Annotation(msgspec.Struct, gc=False):
    """An element of ``annotations``; the segmentation is a piece of the text."""

    segmentation: msgspec.Raw
    category_id: int | str | msgspec.UnsetType = UNSET
    id: int | str | msgspec.UnsetType = UNSET
    iscrowd: bool | int | float | None = 0
    ignore: bool | int | float | None = 0


class _General(Image, gc=False, kw_only=True):
    annotations: list[Annotation]


class _Either(_General, gc=False, kw_only=True):
    image: Image | msgspec.UnsetType = UNSET


IMAGE = Kind(
    "documents",
    "image",
    (id_key("image_id"), side_key("height"), side_key("width"), text_key("file_name")),
    id_name="image_id",
)
ANNOTATION = Kind(
    "annotations",
    "annotation",
    (
        SEGMENTATION,
        id_key("category_id"),
        id_key("id", needed=False),
        flag_key("iscrowd"),
        flag_key("ignore"),
    ),
)
DOCUMENT = "document"
"""What a document is called that does not say which image it is of."""

_EITHER = msgspec.json.Decoder(_Either)
_GENERAL = msgspec.json.Decoder(_General)
_LAYOUT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_ANNOTATION = msgspec.json.Decoder(Annotation)
_IMAGE_KEYS = tuple(key.name for key in IMAGE.keys)


class Fault(Exception):
    """Why a document cannot be used: the record, and the reason."""

    def __init__(self, record: str, reason: str) -> None:
        self.record = record
        self.reason = reason
        super().__init__(record, reason)


@dataclass(frozen=True)
class Sifted:
    """A document that has been looked at record by record.

    Attributes
    ----------
    image : Image
        Of the right types, and with an id.
    annotations : list of Annotation
        Those that are of the right types. Each has a category.
    rows : list of int
        Their positions among all annotations.
    records : int
        How many annotations there are.
    faults : list of (int, str, str)
        The others: position, record and reason.
    of_sa1b : bool
        Whether it is in SA-1B's form.
    text : memoryview
        What their segmentations are pieces of: as long as the document.
    """

    image: Image
    annotations: list[Annotation]
    rows: list[int]
    records: int
    faults: list[tuple[int, str, str]]
    of_sa1b: bool
    text: memoryview


def decode(text: memoryview) -> tuple[Image, bool, list[Annotation]] | None:
    """The image, whether the document is in SA-1B's form, and the annotations.

    None if anything is not as it should be: `sift` tells what. Ids may still be beyond 64 bits, and
    categories missing.
    """
    try:
        document: _General = _EITHER.decode(text)
    except MALFORMED:
        try:
            document = _GENERAL.decode(text)
        except MALFORMED:
            return None
    image: Image = document
    of_sa1b = document.height is UNSET and isinstance(document, _Either) and document.image is not UNSET
    if of_sa1b:
        image = cast(_Either, document).image  # type: ignore[assignment]
    fits = _is_plain_side(image.height) and _is_plain_side(image.width)
    return (image, of_sa1b, document.annotations) if fits else None


def _is_plain_side(side: Any) -> bool:
    return type(side) is int and 0 <= side <= max_side


def sift(text: memoryview, image_id: str | None) -> Sifted:
    """Look at a document record by record.

    Parameters
    ----------
    text : memoryview
        UTF-8; a byte order mark is passed over, and NaN and Infinity are faults only where they matter.
    image_id : str or None
        The id of its image, should it say none.

    Raises
    ------
    Fault
        If there is no use for the document.
    """
    original = text
    if bytes(text[:3]) == b"\xef\xbb\xbf":  # blanked, so that positions stay as they are
        text = memoryview(b"   " + text[3:])
    if (masked := nonfinite_masked(text)) is not None:
        text = memoryview(masked)
    try:
        layout = _LAYOUT.decode(text)
    except msgspec.ValidationError:
        raise Fault(DOCUMENT, "the top level is not a JSON object") from None
    except MALFORMED as error:
        raise Fault(DOCUMENT, "is empty" if not text else why_malformed(text, error)()) from None

    def value_of(piece: msgspec.Raw) -> Any:
        ((begin, end),) = _core.spans_of([piece], text).tolist()
        try:
            return json.loads(bytes(original[begin:end]))
        except (ValueError, RecursionError):  # more digits than Python takes
            return None

    of_sa1b = "image" in layout and "height" not in layout
    image = _image(layout, of_sa1b, value_of, image_id)
    record = IMAGE.name_of(image.image_id)  # type: ignore[arg-type]
    if "annotations" not in layout:
        raise Fault(record, 'has no "annotations"')
    try:
        pieces = _LIST.decode(layout["annotations"])
    except msgspec.ValidationError:
        raise Fault(record, '"annotations" is not an array') from None
    sifted = Sifted(image, [], [], len(pieces), [], of_sa1b, text)
    for row, piece in enumerate(pieces):
        annotation = _annotation(piece, of_sa1b)
        if isinstance(annotation, Annotation):
            sifted.annotations.append(annotation)
            sifted.rows.append(row)
        else:
            value = value_of(piece)
            if of_sa1b and isinstance(value, Mapping):
                value = {"category_id": OBJECT, **value}
            problem = ANNOTATION.problem(value, row, annotation)
            sifted.faults.append((row, problem.record, problem.reason))
    return sifted


def _image(layout: dict[str, msgspec.Raw], of_sa1b: bool, value_of: Any, image_id: str | None) -> Image:
    if of_sa1b:
        record = value_of(layout["image"])
        if not isinstance(record, Mapping):
            raise Fault(DOCUMENT, f'"image" is {shown(record)}, not an object')
        record = dict(record)
    else:
        record = {name: value_of(layout[name]) for name in _IMAGE_KEYS if name in layout}
    if image_id is not None:
        record.setdefault("image_id", image_id)
    otherwise = _unfit_id(record.get("image_id"))
    problem = IMAGE.problem(record, 0, otherwise or "")
    if problem.reason:
        raise Fault(DOCUMENT if problem.record == IMAGE.place(0) else problem.record, problem.reason)
    return Image(record["image_id"], int(record["height"]), int(record["width"]), record.get("file_name"))


def _annotation(piece: msgspec.Raw, of_sa1b: bool) -> Annotation | str:
    """An annotation, or why it is none, if nothing better can be said."""
    try:
        annotation = _ANNOTATION.decode(piece)
    except msgspec.ValidationError as error:
        return str(error)
    if annotation.category_id is UNSET:
        if not of_sa1b:
            return 'has no "category_id"'
        annotation.category_id = OBJECT
    unfit = _unfit_id(annotation.id) or _unfit_id(annotation.category_id, "category_id")
    return unfit or annotation


def _unfit_id(value: Any, name: str = "id") -> str | None:
    """Why an id cannot stand in a column, if it cannot."""
    if isinstance(value, int) and value not in INT64:
        return f"its {name} is beyond 64 bits"
    if isinstance(value, str) and not is_fit_text(value):
        return f"its {name} ends with a NUL or is longer than {MAX_TEXT_ID} characters"
    return None


def is_fit_text(value: str) -> bool:
    """Whether a text can stand in a column: NumPy cuts NULs off, and all rows are as wide as the widest."""
    return len(value) <= MAX_TEXT_ID and not value.endswith("\0")
