"""The XML files of Pascal VOC: which objects an image has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from tfdp_fast.errors import DataError

_SIDE = re.compile("[0-9]{1,9}")


@dataclass(frozen=True)
class VocObject:
    """An object of an image: the name of its class, and ``difficult`` as it is written, 0 if it is not."""

    name: str
    difficult: str


@dataclass(frozen=True)
class VocAnnotation:
    """What the file of an image says: its objects in order, and height and width if they are there."""

    objects: list[VocObject]
    size: tuple[int, int] | None


def read_annotation(path: str, data: bytes) -> VocAnnotation:
    """Read what `Annotations/<image id>.xml` holds.

    Raises
    ------
    DataError
        If it is no such file, or has a document type: that could define entities which grow without bound.
    """
    # These bytes mean the same in every encoding that the parser knows, but for UTF-16, which has zeros.
    if b"<!DOCTYPE" in data or b"\0" in data:
        raise DataError(path, None, "has a document type or zero bytes, which an annotation of VOC has not")
    try:
        root = ET.fromstring(data)
    except (ET.ParseError, ValueError, LookupError) as error:  # of the encoding
        raise DataError(path, None, f"is no XML: {error}") from error
    if root.tag != "annotation":
        raise DataError(path, None, f"is no annotation of VOC: its root is <{root.tag}>")
    objects = []
    size = None
    for node in root:
        if node.tag == "object":
            texts = _texts(node)
            objects.append(VocObject(texts.get("name", ""), texts.get("difficult", "0")))
        elif node.tag == "size":
            texts = _texts(node)
            height, width = texts.get("height", ""), texts.get("width", "")
            if not (_SIDE.fullmatch(height) and _SIDE.fullmatch(width)):
                raise DataError(path, None, f"its <size> is no size: height {height!r}, width {width!r}")
            size = int(height), int(width)
    return VocAnnotation(objects, size)


def _texts(node: ET.Element) -> dict[str, str]:
    """The texts of the elements in one."""
    return {child.tag: (child.text or "").strip() for child in node}
