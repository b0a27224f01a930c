"""Cityscapes: label maps in folders of cities, and the lists that are written."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tfdp_fast as tfdp
from cityscapes_support import MAPS, Labels, make_cityscapes, street
from cli_support import process
from map_support import measured, refusal
from tfdp_fast.errors import OptionError, OutputError
from tfdp_fast.formats.dataset import Progress
from tfdp_fast.formats.opening import open_dataset

CLASSES = {
    24: "person",
    25: "rider",
    26: "car",
    27: "truck",
    28: "bus",
    31: "train",
    32: "motorcycle",
    33: "bicycle",
}
STREETS: dict[str, Labels] = {
    "aachen/aachen_000000_000019": street(0),
    "aachen/aachen_000001_000019": np.full((3, 4), 7, np.uint16),
    "bad münster/bad münster_000000_000019": street(1),
    "zürich/zürich_000000_000019": street(2, 30, 50),
    "zürich/zürich_000001_000019": np.array([[26, 26], [26, 0]], np.uint16),
}


@pytest.fixture
def cityscapes(tmp_path: Path) -> Path:
    """A folder that holds gtFine, with five images: one without an annotation, one with crowd alone."""
    return make_cityscapes(tmp_path / "cityscapes", STREETS)


def instances(label_map: Labels) -> dict[int, int]:
    """The ids that count, ascending, and the class of each."""
    found = {i: i // 1000 if i >= 1000 else i for i in np.unique(label_map).tolist()}
    return {i: label for i, label in found.items() if label in CLASSES}


# ---- what is read ----


def test_records(cityscapes: Path, opencv: Any) -> None:
    data, counts = measured(cityscapes)
    expected = [instances(label_map) for label_map in STREETS.values()]
    assert (data.format, data.problems, data.ignored) == ("cityscapes", [], 0)
    assert data.image_ids.tolist() == [stem.split("/")[1] for stem in STREETS]
    assert list(data.file_names) == [f"{stem}_leftImg8bit.png" for stem in STREETS]
    assert data.image_sizes.tolist() == [list(label_map.shape) for label_map in STREETS.values()]
    assert dict(zip(data.category_ids.tolist(), data.category_names, strict=True)) == CLASSES
    assert data.records == len(counts) == sum(map(len, expected))
    assert data.rows.tolist() == data.annotation_ids.tolist() == list(range(data.records))
    assert data.image_index.tolist() == [i for i, found in enumerate(expected) for _ in found]
    assert data.category_ids[data.category_index].tolist() == [
        label for found in expected for label in found.values()
    ]
    assert data.crowd.tolist() == [number < 1000 for found in expected for number in found]
    masks = [
        (label_map == number).astype(np.uint8)
        for label_map, found in zip(STREETS.values(), expected, strict=True)
        for number in found
    ]
    assert [tuple(row) for row in counts.tolist()] == [opencv.counts(mask) for mask in masks]
    assert np.count_nonzero(data.crowd) == 7
    assert 29000 // 1000 not in data.category_ids


def test_scores_are_those_of_the_same_masks_in_a_coco_file(cityscapes: Path) -> None:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, (stem, label_map) in enumerate(STREETS.items()):
        height, width = label_map.shape
        images.append(
            {"id": image_id, "file_name": f"{stem}_leftImg8bit.png", "height": height, "width": width}
        )
        for number, label in instances(label_map).items():
            (mask,) = tfdp.to_rle(np.array([label_map == number]))
            record = {
                "id": len(annotations),
                "image_id": image_id,
                "category_id": label,
                "segmentation": mask,
            }
            annotations.append(record | {"iscrowd": int(number < 1000)})
    categories = [{"id": i, "name": name} for i, name in CLASSES.items()]
    expected = tfdp.score({"images": images, "annotations": annotations, "categories": categories})
    for threads in (1, 2, 7):
        found = tfdp.score(cityscapes, threads=threads)
        assert found.crowd == expected.crowd == 7
        for table, other in {"images": "id", "instances": "image_id", "classes": ""}.items():
            columns = getattr(expected, table).columns()
            for name, column in getattr(found, table).columns().items():
                if name != other:
                    assert column.tolist() == columns[name].tolist(), (table, name)


def test_where_the_data_set_is(cityscapes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, counts = measured(cityscapes)
    assert whole.image_folder is None
    (cityscapes / "leftImg8bit/train").mkdir(parents=True)
    monkeypatch.chdir(cityscapes / "gtFine")
    for source in (cityscapes, str(cityscapes / "gtFine"), cityscapes / "gtFine/train", ".", "train"):
        data, again = measured(source)
        assert data.format == "cityscapes"
        assert (data.image_ids == whole.image_ids).all()
        assert (again == counts).all()
        assert data.image_folder is not None
        assert data.image_folder.samefile(cityscapes / "leftImg8bit/train")
    elsewhere = cityscapes / "somewhere"
    (cityscapes / "gtFine/train").rename(elsewhere)
    data, again = measured(elsewhere)
    assert (again == counts).all()
    assert data.image_folder is None


def test_splits(cityscapes: Path) -> None:
    make_cityscapes(cityscapes, {"ulm/ulm_000000_000019": street(5)}, "val")
    assert measured(cityscapes, split="val")[0].image_ids.tolist() == ["ulm_000000_000019"]
    assert measured(cityscapes)[0].image_ids[0] == "aachen_000000_000019"
    error = refusal(cityscapes / "gtFine", split="test")
    assert error.reason == "has no folder test; the splits in it are: train, val"
    with pytest.raises(OptionError, match="split 'val' makes no sense for the folder of a split"):
        open_dataset(cityscapes / "gtFine/train", split="val")


def test_no_data_set(tmp_path: Path) -> None:
    (tmp_path / "gtFine/train/aachen").mkdir(parents=True)
    (tmp_path / "gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png").write_bytes(b"")
    error = refusal(tmp_path)
    assert error.source == str(tmp_path / "gtFine/train")
    assert error.reason == "has no *_gtFine_instanceIds.png and no *_gtFine_polygons.json in it"
    assert "looked in it for" in str(refusal(tmp_path / "gtFine/train"))
    assert "No such file" in str(refusal(tmp_path / "nowhere", format="cityscapes"))
    assert "cannot be read: Not a directory" in str(refusal("/etc/hostname", format="cityscapes"))
    with pytest.raises(OptionError, match="of the format cityscapes is a path, got list"):
        open_dataset([], format="cityscapes")


def test_folders_that_lead_to_themselves(cityscapes: Path) -> None:
    (cityscapes / "gtFine/train/bonn").symlink_to("../../gtFine")
    assert refusal(cityscapes).reason == "is a symbolic link to a folder above it"


def test_an_image_in_two_cities(cityscapes: Path) -> None:
    make_cityscapes(cityscapes, {"ulm/aachen_000000_000019": street(5)})
    assert "image aachen_000000_000019: its id is given twice" in str(refusal(cityscapes))


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_fingerprint(cityscapes: Path, threads: int) -> None:
    names = [f"{stem}{MAPS}" for stem in STREETS]
    folder = cityscapes / "gtFine/train"
    data = [(folder / name).read_bytes() for name in names]
    lines = "".join(f"{hashlib.sha256(d).hexdigest()}  {n}\n" for d, n in zip(data, names, strict=True))
    for source in (cityscapes, folder):
        found = measured(source, fingerprint=True, threads=threads)[0].fingerprint()
        assert found is not None
        assert (found.files, found.size) == (5, sum(map(len, data)))
        assert found.sha256 == hashlib.sha256(lines.encode()).hexdigest()


def test_the_file_of_coco_s_form(cityscapes: Path) -> None:
    """``instancesonly_filtered_gtFine_train.json``, as detectron's converter writes it, is read as COCO's."""
    outline = [3.0, 4.0, 40.0, 4.0, 40.0, 30.0, 3.0, 20.0]
    data = {
        "images": [
            {"id": 0, "width": 2048, "height": 1024}
            | {"file_name": "aachen_000000_000019_leftImg8bit.png"}
            | {"seg_file_name": "aachen_000000_000019_gtFine_instanceIds.png"}
        ],
        "categories": [{"id": i, "name": name} for i, name in enumerate(CLASSES.values(), 1)],
        "annotations": [
            {"id": 0, "image_id": 0, "segmentation": [outline], "category_id": 3, "iscrowd": 0}
            | {"area": 777.0, "bbox": [3.0, 4.0, 37.0, 26.0]}
        ],
    }
    path = cityscapes / "instancesonly_filtered_gtFine_train.json"
    path.write_text(json.dumps(data))
    assert open_dataset(path).format == "coco"
    scores = tfdp.score(path)
    assert scores.classes is not None
    assert scores.classes.name.tolist() == list(CLASSES.values())
    assert scores.classes.instances.tolist() == [0, 0, 1, 0, 0, 0, 0, 0]
    assert scores.images.score.tolist() == [1.0]


# ---- what cannot be used ----


def test_ids_out_of_range(cityscapes: Path) -> None:
    path = cityscapes / f"gtFine/train/aachen/aachen_000000_000019{MAPS}"
    good = measured(cityscapes)[0].records
    row = 0
    for number in (34, 999, 7000, 23999, 34000, 65535):
        label_map = STREETS["aachen/aachen_000000_000019"].copy()
        label_map[5, 5] = number
        Image.fromarray(label_map).save(path)
        error = refusal(cityscapes)
        assert error.record == f"image aachen_000000_000019, id {number}"
        assert (error.source, error.reason) == (str(path), "there is no such id in Cityscapes")
        data, counts = measured(cityscapes, on_error="skip")
        (problem,) = data.problems
        row = sum(i < number for i in instances(label_map))
        assert (problem.row, data.records, len(counts)) == (row, good + 1, good)
        assert row not in data.rows


BAD_FILES: dict[str, tuple[bytes | None, str]] = {
    "8 bits": (b"", "has 8 bits a pixel, where 16 are due"),
    "cut": (b"", "is cut short"),
    "empty": (b"", "is empty"),
    "no PNG": (b"BM", "is no PNG"),
    "gone": (None, "cannot be read: No such file or directory"),
}


@pytest.mark.parametrize("fault", BAD_FILES)
def test_files_that_cannot_be_used(cityscapes: Path, fault: str) -> None:
    content, message = BAD_FILES[fault]
    path = cityscapes / f"gtFine/train/zürich/zürich_000000_000019{MAPS}"
    if fault == "8 bits":
        Image.fromarray(STREETS["zürich/zürich_000000_000019"].astype(np.uint8)).save(path)
    elif fault == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    elif content is None:
        path.unlink()
        path.symlink_to("nowhere")
    else:
        path.write_bytes(content)
    error = refusal(cityscapes)
    assert (error.source, error.record, error.reason) == (str(path), "image zürich_000000_000019", message)
    data, _ = measured(cityscapes, on_error="skip")
    assert [problem.record for problem in data.problems] == ["image zürich_000000_000019"]
    assert data.problems[0].row == sum(len(instances(STREETS[stem])) for stem in list(STREETS)[:3])
    assert len(data.image_ids) == 4


# ---- subsets ----


def test_a_subset_is_a_list(cityscapes: Path, tmp_path: Path) -> None:
    """As mmsegmentation takes it: each line with a suffix is an image, and with another its labels."""
    pruned = tfdp.prune(cityscapes, tmp_path / "list.txt", k=2)
    lines = (tmp_path / "list.txt").read_text("utf-8").splitlines()
    kept = pruned.subset.image_ids.tolist()
    assert lines == [stem for stem in STREETS if stem.split("/")[1] in kept]
    assert len(lines) == 2
    assert all((cityscapes / f"gtFine/train/{line}{MAPS}").exists() for line in lines)
    assert pruned.annotations_kept == sum(len(instances(STREETS[line])) for line in lines)


def test_destinations_that_are_refused(cityscapes: Path, tmp_path: Path) -> None:
    data = open_dataset(cityscapes)
    folder = cityscapes / "gtFine/train"
    for destination in (folder / "list.txt", folder / f"aachen/aachen_000000_000019{MAPS}"):
        with pytest.raises(OutputError, match="which is being read"):
            data.check_destination(destination)
    with pytest.raises(OutputError, match="does not exist"):
        data.check_destination(tmp_path / "no/list.txt")
    data.check_destination(cityscapes / "list.txt")
    data.check_destination(io.BytesIO())


def test_progress_and_what_stops_in_it(cityscapes: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    scores = tfdp.score(cityscapes, progress=seen.append, threads=2)
    assert [progress.images for progress in seen] == [2, 4, 5]
    assert scores.instances is not None
    assert seen[-1] == Progress(5, len(scores.instances) + scores.crowd, 5, None)

    def stop(progress: Progress) -> None:
        if progress.images == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tfdp.prune(cityscapes, tmp_path / "list.txt", rate=0.5, progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["cityscapes"]


def test_command_line(cityscapes: Path, tmp_path: Path) -> None:
    done = process("score", "cityscapes", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["images"] == 5
    done = process("prune", "cityscapes/gtFine", "--rate", "0.3", "-o", "list.txt", "-q", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    expected = io.BytesIO()
    tfdp.prune(cityscapes, expected, rate=0.3)
    assert (tmp_path / "list.txt").read_bytes() == expected.getvalue()
    done = process("prune", "--from", "list.txt.pruning.json", "-o", "again.txt", "-q", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "again.txt").read_bytes() == expected.getvalue()
