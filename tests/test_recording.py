"""The record of a pruning, and doing it again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfdp_fast as tfdp
from cli_support import process
from tfdp_fast import DataError, OptionError, OutputError
from tfdp_fast.boundary import BoundaryCounts
from tfdp_fast.recording import load_record


@pytest.fixture
def pruned(folder: Path) -> tfdp.Pruned:
    return tfdp.prune(folder / "data.json", folder / "out.json", rate=0.3)


def record(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "out.json.pruning.json").read_text("utf-8"))
    return found


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_a_record_says(pruned: tfdp.Pruned, folder: Path) -> None:
    found = record(folder)
    content = (folder / "data.json").read_bytes()
    fingerprint = {"files": 1, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert found["source"] == {
        "path": "data.json",
        "format": "coco",
        "split": None,
        "difficult": "include",
        "image_size": None,
        "on_error": "raise",
        "fingerprint": fingerprint,
        "preset": None,
    }
    shares = {"rate": "3/10", "keep": None, "k": None}
    assert found["options"] == shares | {"of": "scored", "variant": "tfdp", "polygons": "coco"}
    subset = pruned.subset
    assert found["outcome"]["images"] == {
        "total": 6,
        "candidates": subset.candidates,
        "kept": subset.k,
        "dropped": subset.candidates - subset.k,
    }
    assert found["outcome"]["sha256"] == subset.sha256
    assert found["outputs"] == {
        "subset": "out.json",
        "keep": "out.json.keep.txt",
        "drop": "out.json.drop.txt",
        "record": "out.json.pruning.json",
    }
    assert found["versions"]["tfdp-fast"] == tfdp.__version__
    assert pruned.outcome == load_record(folder / "out.json.pruning.json").outcome


def test_classes_before_and_after(pruned: tfdp.Pruned, folder: Path) -> None:
    """After: the totals that the subset has on its own, to the last bit."""
    alone = tfdp.score(folder / "out.json")
    whole = tfdp.score(folder / "data.json")
    assert alone.classes is not None
    assert whole.classes is not None
    for row, one in enumerate(record(folder)["outcome"]["classes"]):
        assert one["name"] == whole.classes.name[row] == alone.classes.name[row]
        assert (one["before"], one["total_before"]) == (
            whole.classes.instances[row],
            whole.classes.total[row],
        )
        assert (one["after"], one["total_after"]) == (alone.classes.instances[row], alone.classes.total[row])
    assert pruned.scores.instances is not None
    kept = np.isin(pruned.scores.instances.image_id, pruned.subset.image_ids)
    assert kept.any()
    assert not kept.all()


@pytest.mark.parametrize("variant", ["scs", "cb"])
def test_totals_are_those_of_the_variant(variant: Any, folder: Path) -> None:
    pruned = tfdp.prune(folder / "data.json", folder / "out.json", rate=0, variant=variant)
    instances, classes = pruned.scores.instances, pruned.scores.classes
    assert instances is not None
    assert classes is not None
    counts = BoundaryCounts(instances.straight, instances.diagonal, instances.area2)
    for one in record(folder)["outcome"]["classes"]:
        of_class = counts.scs()[instances.category_id == one["id"]]
        assert one["total_after"] == one["total_before"] == pytest.approx(of_class.sum(), rel=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {"rate": 0.3},
        {"keep": Fraction(1, 3), "variant": "si"},
        {"k": np.int64(2), "polygons": "opencv"},
        {"keep": 0.5, "of": "all"},
        {"rate": np.float64(0.2), "of": "annotated", "on_error": "skip"},
    ],
)
def test_repeat(options: dict[str, Any], folder: Path) -> None:
    first = tfdp.prune(folder / "data.json", folder / "out.json", **options)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    again = tfdp.repeat(folder / "out.json.pruning.json", threads=2)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert again.outcome == first.outcome
    other = tfdp.repeat(folder / "out.json.pruning.json", folder / "other.json")
    assert other.destination == folder / "other.json"
    assert (folder / "other.json").read_bytes() == (folder / "out.json").read_bytes()
    assert names(folder) - set(before) == {
        f"other.json{suffix}"
        for suffix in [""] + [name[8:] for name in before if name.startswith("out.json.")]
    }


@pytest.mark.usefixtures("pruned")
def test_a_folder_can_be_moved(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    moved = tmp_path_factory.mktemp("elsewhere") / "moved"
    shutil.move(folder, moved)
    assert tfdp.repeat(moved / "out.json.pruning.json").destination == moved / "out.json"
    shutil.move(moved / "data.json", moved / "renamed.json")
    with pytest.raises(DataError, match=r"data\.json: cannot be read: No such file"):
        tfdp.repeat(moved / "out.json.pruning.json")
    tfdp.repeat(moved / "out.json.pruning.json", source=moved / "renamed.json")


@pytest.mark.usefixtures("pruned")
def test_another_source_is_refused(folder: Path) -> None:
    data = folder / "data.json"
    data.write_bytes(data.read_bytes().replace(b"made for a test", b"changed a little"))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(DataError, match=r"data\.json: is not what .*out\.json\.pruning\.json is about"):
        tfdp.repeat(folder / "out.json.pruning.json")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [("sha256", "0" * 64, "another subset than"), ("classes", [], "another class totals or counts than")],
)
@pytest.mark.usefixtures("pruned")
def test_another_outcome_is_refused(key: str, value: Any, what: str, folder: Path) -> None:
    found = record(folder)
    found["outcome"][key] = value
    (folder / "changed.json").write_text(json.dumps(found))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(DataError, match=what):
        tfdp.repeat(folder / "changed.json")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is no record of a pruning: Input data was truncated"),
        (b"[]", "is no record of a pruning: Expected `object`, got `array`"),
        (b'{"format": 3}', "is no record of a pruning: Invalid enum value 3"),
        (b"\xff", "is no record of a pruning"),
    ],
)
def test_no_record(content: bytes, what: str, tmp_path: Path) -> None:
    path = tmp_path / "x.pruning.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=what) as caught:
        tfdp.repeat(path)
    assert caught.value.source == str(path)


def test_objects_have_no_path(folder: Path) -> None:
    data = json.loads((folder / "data.json").read_text())
    tfdp.prune(data, folder / "out.json", rate=0.3)
    assert (record(folder)["source"]["path"], record(folder)["source"]["fingerprint"]) == (None, None)
    with pytest.raises(DataError, match="what was pruned was no file: say where it is"):
        tfdp.repeat(folder / "out.json.pruning.json")


def test_an_open_data_set_is_recorded_as_it_was_opened(folder: Path) -> None:
    dataset = tfdp.open_dataset(folder / "data.json", on_error="skip", fingerprint=True)
    pruned = tfdp.prune(dataset, folder / "out.json", rate=0.3)
    assert pruned.problems_path == folder / "out.json.problems.jsonl"
    assert record(folder)["source"]["on_error"] == "skip"
    tfdp.repeat(folder / "out.json.pruning.json")
    with pytest.raises(OptionError, match="come too late"):
        tfdp.score(dataset, format="coco")


def test_paths_that_are_no_utf8(folder: Path) -> None:
    """They cannot be found again from the record, so they have to be said."""
    source, output = folder / os.fsdecode(b"d\xff.json"), folder / os.fsdecode(b"o\xff.json")
    data = json.loads((folder / "data.json").read_text())
    data["annotations"][0]["segmentation"] = [[1, 2, 3]]
    source.write_text(json.dumps(data))
    first = tfdp.prune(source, output, rate=0.3, on_error="skip")
    assert first.beside is not None
    problem = json.loads(first.beside.problems.read_bytes())
    assert problem["record"] == "annotation 1"
    assert load_record(first.beside.record).source.path == r"d\udcff.json"
    with pytest.raises(DataError, match="cannot be read: No such file"):
        tfdp.repeat(first.beside.record)
    again = tfdp.repeat(first.beside.record, folder / "again.json", source=source)
    assert again.outcome == first.outcome
    done = process("prune", os.fsdecode(b"d\xff.json"), "--rate", "0.3", "-o", "x.json", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.startswith(rb"tfdp: error: d\udcff.json: annotation 1: ")


# --- the command line ---------------------------------------------------------------------------------------


def test_command_line(folder: Path) -> None:
    first = process("prune", "data.json", "--keep", "50%", "--of", "all", "-o", "out.json", cwd=folder)
    assert first.returncode == 0
    again = process("prune", "--from", "out.json.pruning.json", cwd=folder)
    assert (again.returncode, again.stderr) == (0, b"")
    assert again.stdout == first.stdout
    other = process(
        "prune", "data.json", "--from", "out.json.pruning.json", "-o", "b.json", "--json", cwd=folder
    )
    assert json.loads(other.stdout)["output"] == "b.json"
    assert (folder / "b.json").read_bytes() == (folder / "out.json").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (
            ["--from", "r", "--variant", "si"],
            "--from brings the options of the run: it does not go with --variant",
        ),
        (["--from", "r", "--rate", "0.3"], "argument --rate: not allowed with argument --from"),
        (["--from", "r", "-o", "-"], "--from does not go with standard input or output"),
        (["--from", "r"], "r: cannot be read: No such file or directory"),
        (["--rate", "0.3", "-o", "x"], "the following arguments are required: ANNOTATIONS"),
        (["data.json", "--rate", "0.3"], "the following arguments are required: -o/--output"),
    ],
)
def test_bad_usage(arguments: list[str], what: str, folder: Path) -> None:
    done = process("prune", *arguments, cwd=folder)
    assert (done.returncode, done.stdout) == (2, b"")
    (line,) = done.stderr.decode().splitlines()
    assert what in line
    assert names(folder) == {"data.json"}


# --- images -------------------------------------------------------------------------------------------------


@pytest.fixture
def images(folder: Path) -> Path:
    """A folder of images, some of them in folders of their own."""
    data = json.loads((folder / "data.json").read_text())
    for image in data["images"][:3]:
        image["file_name"] = f"a b/ü/{image['file_name']}"
    (folder / "data.json").write_text(json.dumps(data))
    for image in data["images"]:
        path = folder / "images" / image["file_name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(path.name.encode())
    return folder / "images"


@pytest.mark.parametrize("link", [False, True])
def test_images_are_gathered(link: bool, images: Path, folder: Path) -> None:
    how: dict[str, Any] = {"link_images" if link else "copy_images": folder / "kept"}
    pruned = tfdp.prune(folder / "data.json", folder / "out.json", k=3, images=images, **how)
    kept = pruned.scores.images.file_name[pruned.subset.keep].tolist()
    found = {str(path.relative_to(folder / "kept")) for path in (folder / "kept").rglob("*.jpg")}
    assert found == set(kept)
    for name in kept:
        path = folder / "kept" / name
        assert path.read_bytes() == path.name.encode()
        assert path.is_symlink() == link
        assert path.samefile(images / name) == link


@pytest.mark.parametrize("name", ["../data.json", "/etc/passwd", "a/../../data.json", "missing.jpg", None])
def test_images_that_cannot_be_gathered(name: str | None, images: Path, folder: Path) -> None:
    data = json.loads((folder / "data.json").read_text())
    if name is None:
        del data["images"][1]["file_name"]
    else:
        data["images"][1]["file_name"] = name
    (folder / "data.json").write_text(json.dumps(data))
    before = names(folder)
    with pytest.raises(
        DataError, match=r"image 11: (is not there|has no file name|.* leads out of the folder)"
    ):
        tfdp.prune(
            folder / "data.json", folder / "out.json", rate=0, images=images, copy_images=folder / "kept"
        )
    assert names(folder) == before


def test_images_options(images: Path, folder: Path) -> None:
    def fails(error: type[Exception], what: str, **options: Any) -> None:
        with pytest.raises(error, match=what):
            tfdp.prune(folder / "data.json", folder / "out.json", rate=0, **options)
        assert names(folder) == {"data.json", "images"}

    fails(
        OptionError, "one of copy_images and link_images", copy_images=folder / "a", link_images=folder / "b"
    )
    fails(OptionError, "images says where from", images=images)
    fails(OptionError, "where are the images of .*data.json", copy_images=folder / "a")
    fails(OutputError, "images: is there already", images=images, link_images=images)
    fails(DataError, "none: is no folder of images", images=folder / "none", link_images=folder / "a")
    done = process("prune", "data.json", "--rate", "0", "-o", "x", "--copy-images", "kept", cwd=folder)
    assert (done.returncode, done.stderr) == (
        2,
        b"tfdp: error: where are the images of data.json? Say it with images\n",
    )


def test_command_line_links(images: Path, folder: Path) -> None:
    arguments = ("--k", "2", "-o", "x.json", "--images", images.name, "--link-images", "kept")
    assert process("prune", "data.json", *arguments, cwd=folder).returncode == 0
    links = [path for path in (folder / "kept").rglob("*") if path.is_symlink()]
    assert len(links) == 2
    assert all(os.path.isabs(link.readlink()) for link in links)  # noqa: PTH117 - what the link holds
