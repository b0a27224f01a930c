"""Pascal VOC: what is read from its folders, and the lists that are written."""

from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tfdp_fast as tfdp
from cli_support import process
from map_support import measured, png_of, refusal
from tfdp_fast.errors import OptionError, OutputError
from tfdp_fast.formats.dataset import Progress
from tfdp_fast.formats.opening import open_dataset
from tfdp_fast.formats.voc import CLASSES
from voc_support import IMAGES, Labels, Objects, boxes, make_voc, save_map, xml_of


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """A folder like VOC2012 with four images, one of them without an instance."""
    return make_voc(tmp_path / "VOCdevkit" / "VOC2012", IMAGES)


XML = "Annotations/2011_000003.xml"
PNG = "SegmentationObject/2011_000003.png"

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
    assert measured(voc)[0].fingerprint() is None


def test_names_that_are_no_text(tmp_path: Path) -> None:
    strange = os.fsdecode(b"caf\xe9")
    voc = make_voc(tmp_path / "VOC", {strange: IMAGES["2007_000032"]})
    data, counts = measured(voc, fingerprint=True)
    assert data.image_ids.tolist() == [strange]
    assert len(counts) == 2
    tfdp.prune(voc, tmp_path / "list.txt", keep=1.0, on_error="skip")
    assert (tmp_path / "list.txt").read_bytes() == b"caf\xe9\n"
    (voc / f"Annotations/{strange}.xml").unlink()
    done = process("score", "VOC", cwd=tmp_path)
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)


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
    done = process("prune", "--from", "list.txt.pruning.json", "-o", "again.txt", "-q", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "again.txt").read_bytes() == expected.getvalue()
    (voc / PNG).write_bytes((voc / PNG).read_bytes()[:-30])
    done = process("prune", "VOCdevkit/VOC2012", "--rate", "0.3", "-o", "other.txt", "-q", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == f"tfdp: error: VOCdevkit/VOC2012/{PNG}: image 2011_000003: is cut short\n".encode()
    assert not list(tmp_path.glob("other*"))
    arguments = ["prune", "VOCdevkit/VOC2012", "--rate", "0.3", "-o", "other.txt", "--on-error", "skip"]
    done = process(*arguments, "--difficult", "exclude", "--split", "train", cwd=tmp_path)
    assert done.returncode == 1
    (problem,) = map(json.loads, (tmp_path / "other.txt.problems.jsonl").read_text().splitlines())
    assert problem["record"] == "image 2011_000003"
    assert problem["file"] == f"VOCdevkit/VOC2012/{PNG}"
