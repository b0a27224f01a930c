"""Pascal VOC: what is read from its folders, and the lists that are written."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFile

import tfdp_fast as tfdp
from cli_support import process
from tfdp_fast._core import FillConvention
from tfdp_fast.errors import DataError, OptionError, OutputError
from tfdp_fast.formats.dataset import Dataset, Progress
from tfdp_fast.formats.opening import open_dataset
from tfdp_fast.formats.voc import CLASSES
from voc_support import Labels, make_voc, save_map, xml_of

Objects = Sequence[str | tuple[str, int]]


def boxes(*corners: tuple[int, int, int, int], size: tuple[int, int] = (30, 40)) -> Labels:
    """A map of boxes, numbered from 1, each with a border of void."""
    label_map = np.zeros(size, np.uint8)
    for value, (top, bottom, left, right) in enumerate(corners, 1):
        label_map[max(top - 1, 0) : bottom + 1, max(left - 1, 0) : right + 1] = 255
        label_map[top:bottom, left:right] = value
    return label_map


IMAGES: dict[str, tuple[Labels, Objects]] = {
    "2007_000032": (boxes((2, 9, 3, 20), (15, 28, 10, 12)), ["aeroplane", ("person", 1)]),
    "2009_000001": (boxes(size=(7, 9)), []),
    "ein Bild, übermalt": (boxes((0, 30, 0, 40)), ["tvmonitor"]),
    "2011_000003": (
        boxes((1, 3, 1, 3), (5, 9, 5, 20), (11, 29, 2, 8)),
        ["person", ("chair", 1), "person"],
    ),
}


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """A folder like VOC2012 with four images, one of them without an instance."""
    return make_voc(tmp_path / "VOCdevkit" / "VOC2012", IMAGES)


def measured(source: Any, *, threads: int = 1, **options: Any) -> tuple[Dataset, NDArray[np.int64]]:
    data = open_dataset(source, **options)
    counts, statuses = data.measure(FillConvention.COCO, threads=threads, progress=None)
    assert not statuses.any()
    return data, counts


def refusal(source: Any, **options: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        measured(source, **options)
    assert "\n" not in str(caught.value)
    return caught.value


def set_aside(source: Any, **options: Any) -> list[tuple[str, str, int]]:
    """The problems of a data set: record, file in it, row; the first is also what stops a run."""
    data, _ = measured(source, on_error="skip", **options)
    error = refusal(source, **options)
    first = data.problems[0]
    assert (error.record, error.reason, error.source) == (first.record, first.reason, first.file)
    return [(problem.record, Path(problem.file or "").name, problem.row) for problem in data.problems]


# ---- what is read ----


def test_records(voc: Path, opencv: Any) -> None:
    data, counts = measured(voc)
    assert (data.format, data.source, data.problems, data.ignored, data.records) == (
        "voc",
        str(voc),
        [],
        0,
        6,
    )
    assert data.image_ids.tolist() == list(IMAGES)
    assert list(data.file_names) == [f"{name}.jpg" for name in IMAGES]
    assert data.image_sizes.tolist() == [list(label_map.shape) for label_map, _ in IMAGES.values()]
    assert data.annotation_ids.tolist() == data.rows.tolist() == [0, 1, 2, 3, 4, 5]
    assert data.image_index.tolist() == [0, 0, 2, 3, 3, 3]
    names = [data.category_names[i] for i in data.category_index]
    assert names == ["aeroplane", "person", "tvmonitor", "person", "chair", "person"]
    assert data.category_ids.tolist() == list(range(1, 21))
    assert not data.crowd.any()
    masks = [
        (label_map == value).astype(np.uint8)
        for label_map, objects in IMAGES.values()
        for value in range(1, len(objects) + 1)
    ]
    assert [tuple(row) for row in counts.tolist()] == [opencv.counts(mask) for mask in masks]


def test_classes_are_those_of_voc() -> None:
    assert list(CLASSES) == list(range(1, 21))
    assert [CLASSES[i] for i in (1, 5, 11, 15, 20)] == [
        "aeroplane",
        "bottle",
        "diningtable",
        "person",
        "tvmonitor",
    ]


def test_where_the_data_set_is(voc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, counts = measured(voc)
    (voc / "JPEGImages").mkdir()
    train = "ImageSets/Segmentation/train.txt"
    monkeypatch.chdir(voc)
    for source in (str(voc), voc.parent, voc / train, train, "."):
        data, again = measured(source)
        assert data.format == "voc"
        assert (data.image_ids == whole.image_ids).all()
        assert (counts == again).all()
        assert data.image_folder is not None
        assert data.image_folder.samefile(voc / "JPEGImages")
    assert whole.image_folder is None


def test_splits(voc: Path) -> None:
    lists = voc / "ImageSets/Segmentation"
    (lists / "val.txt").write_bytes(b"\xef\xbb\xbf 2011_000003 \r\n\r\n\t\n2007_000032")
    data, _ = measured(voc, split="val")
    assert data.image_ids.tolist() == ["2011_000003", "2007_000032"]
    error = refusal(voc, split="test")
    assert str(error) == f"{lists}: has no list test.txt; the splits in it are: train, val"
    assert "has no list ../train.txt" in str(refusal(voc, split="../train"))
    (lists / "empty.txt").write_text("\n \n")
    data, counts = measured(voc, split="empty", fingerprint=True)
    assert (len(data.image_ids), len(counts), data.category_ids.tolist()) == (0, 0, list(range(1, 21)))
    fingerprint = data.fingerprint()
    assert fingerprint is not None
    assert fingerprint.files == 1
    with pytest.raises(OptionError, match=r"split 'val' makes no sense beside a list"):
        open_dataset(lists / "train.txt", split="val")
    (lists / "twice.txt").write_text("2007_000032\n2011_000003\n2007_000032\n")
    assert str(refusal(voc, split="twice")) == f"{lists}/twice.txt: image 2007_000032: is in the list twice"


def test_no_data_set(voc: Path, tmp_path: Path) -> None:
    make_voc(voc.parent / "VOC2007", IMAGES)
    assert refusal(voc.parent).reason.endswith("found: VOC2007, VOC2012")
    lonely = tmp_path / "ImageSets/Segmentation"
    lonely.mkdir(parents=True)
    (lonely / "train.txt").write_text("2007_000032\n")
    assert "is no list in ImageSets/Segmentation/ of a folder with" in str(refusal(lonely / "train.txt"))
    assert "is no list in ImageSets/" in str(refusal("/etc/hostname", format="voc"))
    assert "found: none" in str(refusal(lonely, format="voc"))
    assert "No such file" in str(refusal(tmp_path / "nowhere", format="voc"))
    (lonely.parent.parent / "SegmentationObject").mkdir()
    assert "the splits in it are: train" in str(refusal(tmp_path, format="voc", split="val"))
    with pytest.raises(OptionError, match="of the format voc is a path, got bytes"):
        open_dataset(b"", format="voc")


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_difficult(voc: Path, threads: int) -> None:
    everything, counts = measured(voc)
    data, without = measured(voc, difficult="exclude", threads=threads)
    assert (data.records, data.ignored) == (6, 2)
    assert data.rows.tolist() == [0, 2, 3, 5]
    assert (without == counts[data.rows]).all()
    assert data.image_ids.tolist() == everything.image_ids.tolist()
    scores = tfdp.score(voc, difficult="exclude")
    assert scores.ignored == 2
    assert scores.images.instances.tolist() == [1, 0, 1, 2]


@pytest.mark.parametrize("mode", ["L", "P", "P, 2 bits", "interlaced", "filtered"])
def test_every_form_of_a_png(voc: Path, mode: str) -> None:
    _, counts = measured(voc)
    for name, (label_map, _) in IMAGES.items():
        path = voc / f"SegmentationObject/{name}.png"
        if mode == "L":
            Image.fromarray(label_map).save(path)
        elif mode == "P":
            save_map(path, label_map)
        elif mode == "P, 2 bits":
            few = Image.fromarray(np.where(label_map == 255, 0, label_map).astype(np.uint8)).convert("L")
            few.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
            few.save(path, bits=2)
            assert path.read_bytes()[24] == 2
        else:
            path.write_bytes(png_of(label_map, interlaced=mode == "interlaced"))
    assert (measured(voc)[1] == counts).all()


def png_of(label_map: NDArray[Any], *, interlaced: bool = False, bits: int = 8, colour: int = 0) -> bytes:
    """A PNG whose rows are filtered (each pixel less the one on its left), or interlaced (Adam7)."""
    height, width = label_map.shape[:2]
    if interlaced:
        passes = [
            (0, 0, 8, 8),
            (0, 4, 8, 8),
            (4, 0, 8, 4),
            (0, 2, 4, 4),
            (2, 0, 4, 2),
            (0, 1, 2, 2),
            (1, 0, 2, 1),
        ]
        parts = [label_map[y::dy, x::dx] for y, x, dy, dx in passes]
        rows = b"".join(b"\0" + row.tobytes() for part in parts if part.size for row in part)
    else:
        left = np.pad(label_map, [(0, 0), (1, 0)])[:, :-1]
        rows = b"".join(b"\1" + row.tobytes() for row in label_map - left)
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    parts_of_file = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts_of_file
    )


def test_more_images_than_a_piece_takes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images: dict[str, tuple[Labels, Objects]] = {}
    for i in range(53):
        corners = [
            (2 + 9 * k, 2 + 9 * k + int(rng.integers(1, 6)), 3, int(rng.integers(4, 30)))
            for k in range(i % 4)
        ]
        images[f"{i:03}"] = boxes(*corners), [CLASSES[int(rng.integers(1, 21))] for _ in corners]
    voc = make_voc(tmp_path, images)
    (voc / "Annotations/010.xml").unlink()
    (voc / "Annotations/033.xml").write_text(xml_of(["cat", "dog"], (30, 40)))
    (voc / "Annotations/051.xml").write_text(xml_of(["cat", "unicorn", "dog"], (30, 40)))
    first, counts = measured(voc, on_error="skip", fingerprint=True)
    assert [problem.record for problem in first.problems] == [
        "image 010",
        "image 033",
        "image 051, object 2",
    ]
    assert len(first.image_ids) == 51
    for threads in (2, 7):
        data, again = measured(voc, on_error="skip", fingerprint=True, threads=threads)
        assert (again == counts).all()
        assert data.problems == first.problems
        assert data.fingerprint() == first.fingerprint()
        for column in ("image_ids", "image_sizes", "image_index", "category_index", "rows"):
            assert (getattr(data, column) == getattr(first, column)).all()


def test_fingerprint(voc: Path) -> None:
    """As ``sha256sum`` prints it: the list, then PNG and XML of each image."""
    names = ["ImageSets/Segmentation/train.txt"]
    for name in IMAGES:
        names += [f"SegmentationObject/{name}.png", f"Annotations/{name}.xml"]
    data = [(voc / name).read_bytes() for name in names]
    lines = "".join(f"{hashlib.sha256(d).hexdigest()}  {n}\n" for d, n in zip(data, names, strict=True))
    for source in (voc, voc.parent, voc / names[0]):
        found = measured(source, fingerprint=True)[0].fingerprint()
        assert found is not None
        assert (found.files, found.size) == (9, sum(map(len, data)))
        assert found.sha256 == hashlib.sha256(lines.encode()).hexdigest()
    with pytest.raises(OptionError, match="fingerprint=True"):
        measured(voc)[0].fingerprint()


def test_names_that_are_no_text(tmp_path: Path) -> None:
    strange = os.fsdecode(b"caf\xe9")
    data, counts = measured(make_voc(tmp_path, {strange: IMAGES["2007_000032"]}), fingerprint=True)
    assert data.image_ids.tolist() == [strange]
    assert len(counts) == 2
    memory = io.BytesIO()
    data.write_subset(memory, np.array([True]), np.empty(0, np.int64))
    assert memory.getvalue() == b"caf\xe9\n"


# ---- what cannot be used ----


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


def replaced_part(png: bytes, kind: bytes, content: bytes) -> bytes:
    """A PNG with another content of its part of a kind, and the right checksum."""
    at = png.index(kind) - 4
    (size,) = struct.unpack_from(">I", png, at)
    part = struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return png[:at] + part + png[at + 12 + size :]


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


# ---- subsets ----


def test_a_subset_is_a_list(voc: Path) -> None:
    lists = voc / "ImageSets/Segmentation"
    before = {path: path.read_bytes() for path in voc.rglob("*") if path.is_file()}
    pruned = tfdp.prune(voc, lists / "pruned.txt", k=2)
    kept = pruned.subset.image_ids.tolist()
    assert (lists / "pruned.txt").read_text("utf-8").splitlines() == kept
    assert kept == [name for name in IMAGES if name in kept]
    assert pruned.annotations_kept == sum(len(IMAGES[name][1]) for name in kept)
    assert pruned.annotations_kept + pruned.annotations_dropped == 6
    again = tfdp.score(voc, split="pruned")
    assert again.images.id.tolist() == kept
    assert again.images.annotations.tolist() == [len(IMAGES[name][1]) for name in kept]
    assert {path: path.read_bytes() for path in before} == before


def test_what_is_set_aside_stays_in_its_file(voc: Path) -> None:
    objects: Objects = ["unicorn", ("chair", 1), "person"]
    (voc / XML).write_text(xml_of(objects, (30, 40)))
    memory = io.BytesIO()
    pruned = tfdp.prune(voc, memory, keep=1.0, on_error="skip", difficult="exclude")
    assert memory.getvalue().decode().splitlines() == ["2007_000032", "ein Bild, übermalt", "2011_000003"]
    assert (pruned.annotations_kept, pruned.annotations_dropped) == (6, 0)


def test_destinations_that_are_refused(voc: Path, tmp_path: Path) -> None:
    lists = voc / "ImageSets/Segmentation"
    link = tmp_path / "link.txt"
    link.symlink_to(lists / "train.txt")
    data = open_dataset(voc)
    for destination in (lists / "train.txt", link):
        with pytest.raises(OutputError, match="is the file that is being read"):
            data.check_destination(destination)
    for destination in (voc / PNG, voc / "SegmentationObject/new.txt", voc / XML):
        with pytest.raises(OutputError, match="which is being read"):
            data.check_destination(destination)
    with pytest.raises(OutputError, match="is a folder"):
        data.check_destination(voc)
    with pytest.raises(OutputError, match="does not exist"):
        data.check_destination(tmp_path / "no/list.txt")
    with pytest.raises(OptionError):
        data.check_destination(io.StringIO())
    data.check_destination(lists / "new.txt")


def test_progress_and_what_stops_in_it(voc: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    tfdp.score(voc, progress=seen.append)
    assert seen == [Progress(4, 6, 4, None)]

    def stop(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tfdp.prune(voc, tmp_path / "list.txt", rate=0.5, progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["VOCdevkit"]


# ---- the command line ----


def test_command_line(voc: Path, tmp_path: Path) -> None:
    done = process("score", "VOCdevkit", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["images"] == 4
    done = process("prune", "VOCdevkit/VOC2012", "--rate", "0.3", "-o", "list.txt", "-q", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    expected = io.BytesIO()
    tfdp.prune(voc, expected, rate=0.3)
    assert (tmp_path / "list.txt").read_bytes() == expected.getvalue()
    (voc / PNG).write_bytes(GOOD_PNG[:-30])
    done = process("prune", "VOCdevkit/VOC2012", "--rate", "0.3", "-o", "other.txt", "-q", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == f"tfdp: error: VOCdevkit/VOC2012/{PNG}: image 2011_000003: is cut short\n".encode()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["VOCdevkit", "list.txt"]
    arguments = ["prune", "VOCdevkit/VOC2012", "--rate", "0.3", "-o", "other.txt", "--on-error", "skip"]
    done = process(*arguments, "--difficult", "exclude", "--split", "train", cwd=tmp_path)
    assert done.returncode == 1
    (problem,) = map(json.loads, (tmp_path / "other.txt.problems.jsonl").read_text().splitlines())
    assert problem["record"] == "image 2011_000003"
    assert problem["file"] == f"VOCdevkit/VOC2012/{PNG}"
