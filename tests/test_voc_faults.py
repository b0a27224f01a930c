"""Pascal VOC: files that are missing, damaged, of another kind, or do not fit together."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from map_support import measured, png_of, refusal, replaced_part, set_aside
from voc_support import IMAGES, Objects, make_voc, save_map, xml_of


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """A folder like VOC2012 with four images, one of them without an instance."""
    return make_voc(tmp_path / "VOCdevkit" / "VOC2012", IMAGES)


def test_counts_that_differ(voc: Path) -> None:
    xml = voc / "Annotations/2011_000003.xml"
    xml.write_text(xml_of(["person", "chair"], (30, 40)))
    assert set_aside(voc) == [("image 2011_000003", "2011_000003.xml", 3)]
    reason = refusal(voc).reason
    assert "3 instances and its XML 2 objects" in reason
    assert "skip" in reason
    assert "2011_002863" in reason
    data, _ = measured(voc, on_error="skip")
    assert data.image_ids.tolist() == list(IMAGES)[:3]
    assert data.records == 3


def test_values_that_are_not_1_to_n(voc: Path) -> None:
    label_map = IMAGES["2007_000032"][0].copy()
    label_map[label_map == 2] = 7
    save_map(voc / "SegmentationObject/2007_000032.png", label_map)
    assert set_aside(voc) == [("image 2007_000032", "2007_000032.xml", 0)]
    assert "2 instances with numbers up to 7, its XML 2 objects" in refusal(voc).reason


def test_objects_that_cannot_be_used(voc: Path) -> None:
    objects: Objects = ["unicorn", ("chair", 1), ("person", 2)]
    (voc / "Annotations/2011_000003.xml").write_text(xml_of(objects, (30, 40)))
    assert set_aside(voc) == [
        ("image 2011_000003, object 1", "2011_000003.xml", 3),
        ("image 2011_000003, object 3", "2011_000003.xml", 5),
    ]
    data, counts = measured(voc, on_error="skip", difficult="exclude")
    reasons = [problem.reason for problem in data.problems]
    assert reasons == [
        "its class 'unicorn' is none of the 20 of VOC",
        "its <difficult> is neither 0 nor 1: '2'",
    ]
    assert (data.records, data.ignored, data.rows.tolist(), len(counts)) == (6, 2, [0, 2], 2)
    assert data.image_ids.tolist() == list(IMAGES)


def test_sizes_that_differ(voc: Path) -> None:
    xml = voc / "Annotations/2007_000032.xml"
    xml.write_text(xml_of(IMAGES["2007_000032"][1], (40, 30)))
    assert set_aside(voc) == [("image 2007_000032", "2007_000032.xml", 0)]
    assert refusal(voc).reason == "its <size> is (40, 30) (height, width), that of the PNG (30, 40)"
    xml.write_text(xml.read_text().replace("<height>40<", "<height>4e1<"))
    assert "its <size> is no size: height '4e1', width '30'" in str(refusal(voc))
    xml.write_text(
        "<annotation><object><name> cat </name></object><object><name>dog</name></object></annotation>"
    )
    data, _ = measured(voc)
    assert [data.category_names[i] for i in data.category_index[:2]] == ["cat", "dog"]


XML = "Annotations/2011_000003.xml"
PNG = "SegmentationObject/2011_000003.png"
GOOD_PNG = png_of(IMAGES["2011_000003"][0])
LAUGHS = "".join(f'<!ENTITY a{i + 1} "{f"&a{i};" * 10}">' for i in range(9))
BAD_FILES: dict[str, tuple[str, bytes | None, str]] = {
    "no XML": (XML, None, "cannot be read: No such file or directory"),
    "no PNG": (PNG, None, "cannot be read: No such file or directory"),
    "empty XML": (XML, b"", "is no XML: no element found"),
    "XML cut short": (XML, xml_of(["cat"], (30, 40)).encode()[:-20], "is no XML: unclosed token"),
    "XML of something else": (XML, b"<html></html>", "its root is <html>"),
    "an entity": (XML, b"<annotation>&nbsp;</annotation>", "is no XML: undefined entity"),
    "an encoding": (XML, b'<?xml version="1.0" encoding="x"?><annotation/>', "is no XML: unknown encoding"),
    "a billion laughs": (
        XML,
        f'<!DOCTYPE a [<!ENTITY a0 "ha">{LAUGHS}]><annotation>&a9;</annotation>'.encode(),
        "has a document type",
    ),
    "a document type in UTF-16": (XML, "<!DOCTYPE a []><annotation/>".encode("utf-16"), "or zero bytes"),
    "empty PNG": (PNG, b"", "is empty"),
    "no PNG at all": (PNG, b"GIF89a", "is no PNG"),
    "PNG cut in its signature": (PNG, GOOD_PNG[:6], "is cut short"),
    "PNG cut in its header": (PNG, GOOD_PNG[:20], "is cut short"),
    "PNG cut in its pixels": (PNG, GOOD_PNG[:-30], "is cut short"),
    "PNG cut before its end": (PNG, GOOD_PNG[:-12], "is cut short"),
    "a bit of the pixels": (PNG, GOOD_PNG[:50] + bytes([GOOD_PNG[50] ^ 4]) + GOOD_PNG[51:], "checksum"),
    "16 bits": (PNG, png_of(np.zeros((3, 4), np.uint16), bits=16), "has 16 bits a pixel, where 8 are due"),
    "4 bits of grey": (PNG, png_of(np.zeros((3, 2), np.uint8), bits=4), "has 4 bits a pixel, where 8"),
    "RGB": (PNG, png_of(np.zeros((3, 12), np.uint8), colour=2), "is RGB, where grey or a palette is due"),
    "RGBA": (PNG, png_of(np.zeros((3, 16), np.uint8), colour=6), "is RGBA, where grey or a palette is due"),
    "no such colours": (PNG, png_of(np.zeros((3, 4), np.uint8), colour=1), "is no PNG, where grey"),
}


@pytest.mark.parametrize("fault", BAD_FILES)
def test_files_that_cannot_be_used(voc: Path, fault: str) -> None:
    name, content, message = BAD_FILES[fault]
    (voc / name).unlink()
    if content is not None:
        (voc / name).write_bytes(content)
    assert set_aside(voc) == [("image 2011_000003", Path(name).name, 3)]
    error = refusal(voc)
    assert error.source == str(voc / name)
    assert message in error.reason


def test_pixels_that_do_not_fit(voc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All checksums of the file are right: too few rows, no stream, and more pixels than anybody has."""
    path = voc / PNG
    path.write_bytes(replaced_part(GOOD_PNG, b"IDAT", zlib.compress(b"\0" * 41)))
    assert refusal(voc).reason == "has pixels for 1 of 30 rows"
    path.write_bytes(replaced_part(GOOD_PNG, b"IDAT", b"no stream"))
    assert "cannot be decoded: " in str(refusal(voc))
    header = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 0, 0, 0, 0)
    path.write_bytes(replaced_part(GOOD_PNG, b"IHDR", header))
    assert "claims 2147483647 x 2147483647 pixels, more than PIL.Image.MAX_IMAGE_PIXELS" in str(refusal(voc))
    path.write_bytes(GOOD_PNG)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1199)
    assert "claims 40 x 30 pixels" in str(refusal(voc))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    measured(voc)


def test_truncated_is_truncated_whatever_pillow_was_told(voc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    (voc / PNG).write_bytes(GOOD_PNG[:-30])
    assert refusal(voc).reason == "is cut short"


def test_files_that_are_links_to_themselves(voc: Path) -> None:
    (voc / XML).unlink()
    (voc / XML).symlink_to("2011_000003.xml")
    assert "cannot be read: Too many levels of symbolic links" in str(refusal(voc))
