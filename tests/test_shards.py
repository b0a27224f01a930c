"""Subsets of documents: lists, new shards, folders and lines, byte for byte."""

from __future__ import annotations

import gc
import gzip
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfdp_fast as tfdp
from cli_support import process
from documents_support import (
    JPG,
    LAYOUTS,
    SQUARE,
    Layout,
    as_files,
    as_folders,
    as_lines,
    as_one_tar,
    as_packed_lines,
    as_packed_tars,
    as_tars,
    as_webdataset,
    general,
    lines,
    made,
    measured,
    sa1b,
    samples,
    text,
    write_tar,
)
from tfdp_fast.errors import DataError, OptionError, OutputError
from tfdp_fast.formats import _json_lines
from tfdp_fast.formats.dataset import Dataset

NO_ROWS = np.empty(0, np.int64)
KEEP = np.array([True, False, False, True, False, True, True])
"""Of seven documents in three shards: of the second shard one, and so on."""
TARS = [as_tars, as_packed_tars, as_one_tar, as_webdataset]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def written(data: Dataset, destination: Any, keep: Any = KEEP) -> int:
    return data.write_subset(destination, np.asarray(keep), NO_ROWS)


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def members(path: Path) -> list[tuple[str, bytes]]:
    with tarfile.open(path) as tar:
        return [(member.name, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]


def kept_of(documents: dict[int, bytes], keep: Any = KEEP) -> dict[int, bytes]:
    return {number: documents[number] for number, stays in zip(sorted(documents), keep, strict=True) if stays}


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_a_list_of_file_names(layout: Layout, tmp_path: Path) -> None:
    documents, _ = made()
    data, _, _ = measured(layout(tmp_path / "a", documents))
    names = [str(name) for name, stays in zip(data.file_names, KEEP, strict=True) if stays]
    records = sum(len(json.loads(document)["annotations"]) for document in kept_of(documents).values())
    assert written(data, tmp_path / "list.txt") == records
    assert (tmp_path / "list.txt").read_text().splitlines() == names
    memory = io.BytesIO()
    assert written(data, memory) == records
    if "lines" in layout.__name__:
        assert memory.getvalue().rstrip(b"\n") == b"\n".join(kept_of(documents).values())
    else:
        assert memory.getvalue().decode().splitlines() == names


@pytest.mark.parametrize("layout", TARS)
def test_new_shards(layout: Layout, tmp_path: Path) -> None:
    documents, _ = made()
    source = layout(tmp_path / "a", documents)
    data, _, _ = measured(source)
    written(data, f"{tmp_path}/out/")
    out = tmp_path / "out"
    shards = [source] if source.is_file() else sorted(source.iterdir(), key=lambda path: len(path.name))
    kept = kept_of(documents)
    wanted = {name for name, _ in samples(kept)}
    for shard in shards:
        assert members(out / shard.name) == [m for m in members(shard) if m[0] in wanted]
    again, _, _ = measured(out, format=data.format)
    assert again.image_ids.tolist() == list(kept)
    written(data, f"{tmp_path}/again/")
    assert contents(tmp_path / "again") == contents(out)


def test_a_shard_of_which_nothing_stays_is_not_written(tmp_path: Path) -> None:
    data, _, _ = measured(as_tars(tmp_path / "a", made()[0]))
    written(data, f"{tmp_path}/out/", np.arange(7) >= 5)
    assert names_in(tmp_path / "out") == ["sa_10.tar"]


@pytest.mark.parametrize("layout", TARS)
@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tgz"])
def test_one_tar_of_all_that_stays(layout: Layout, suffix: str, tmp_path: Path) -> None:
    documents, _ = made()
    data, _, _ = measured(layout(tmp_path / "a", documents))
    path = tmp_path / f"out{suffix}"
    written(data, path)
    assert members(path) == list(samples(kept_of(documents)))
    unpacked = gzip.decompress(path.read_bytes()) if suffix != ".tar" else path.read_bytes()
    assert len(unpacked) % 10240 == 0
    assert measured(path, format=data.format)[0].image_ids.tolist() == list(kept_of(documents))


@pytest.mark.parametrize("dialect", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_headers_are_kept(dialect: int, tmp_path: Path) -> None:
    """With owners, times and long names: the bytes of the members are those of the source."""
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=dialect) as tar:
        for number in range(4):
            for suffix, content in (("json", text(general(number))), ("cls", b"3")):
                member = tarfile.TarInfo(f"{'long' * 40}/ä{number}.{suffix}")
                member.size, member.mtime, member.uname, member.mode = len(content), 1.5, "me", 0o640
                tar.addfile(member, io.BytesIO(content))
    data, _, _ = measured(path)
    written(data, tmp_path / "all.tar", np.ones(4, np.bool_))
    assert (tmp_path / "all.tar").read_bytes() == path.read_bytes()
    written(data, tmp_path / "half.tar", np.array([False, True, False, True]))
    assert members(tmp_path / "half.tar") == [m for m in members(path) if "ä1" in m[0] or "ä3" in m[0]]


def test_members_of_a_key_need_not_follow_each_other(tmp_path: Path) -> None:
    documents, _ = made(3)
    ordered = sorted(samples(documents), key=lambda member: member[0][::-1])
    path = write_tar(tmp_path / "sa_0.tar", [*ordered, ("README", b"of nobody")])
    data, _, _ = measured(path)
    keep = np.arange(3) == 1
    written(data, tmp_path / "out.tar", keep)
    stem = f"sa_{data.image_ids[1]}."
    assert members(tmp_path / "out.tar") == [m for m in ordered if m[0].startswith(stem)]


@pytest.mark.parametrize("layout", [as_files, as_folders])
def test_a_folder_of_files(layout: Layout, tmp_path: Path) -> None:
    documents, _ = made()
    source = layout(tmp_path / "a", documents)
    data, _, _ = measured(source)
    (tmp_path / "out").mkdir()  # an empty folder is as good as none
    written(data, tmp_path / "out")
    kept = set(kept_of(documents))
    expected = {
        name: content
        for name, content in contents(source).items()
        if name.endswith(".json") and int(name.rpartition("sa_")[2].partition(".")[0]) in kept
    }
    assert contents(tmp_path / "out") == expected  # images stay where they are
    assert len(expected) == KEEP.sum()
    assert measured(tmp_path / "out")[0].image_ids.tolist() == sorted(kept)


@pytest.mark.parametrize("name", ["out.jsonl", "out.ndjson.gz"])
@pytest.mark.parametrize("size", [1, 1 << 20])
@pytest.mark.parametrize("layout", [as_lines, as_packed_lines])
def test_lines(layout: Layout, name: str, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_json_lines, "PIECE", size)
    monkeypatch.setattr(_json_lines, "_STEP", max(size, 16))
    source = layout(tmp_path / "a", made()[0])
    content = source.read_bytes()
    all_lines = (gzip.decompress(content) if source.suffix == ".gz" else content).splitlines()
    with_blanks = b" \r\n" + b"\n\n".join(all_lines[:4]) + b" \r\n" + b"\n".join(all_lines[4:])
    source.write_bytes(gzip.compress(with_blanks) if source.suffix == ".gz" else with_blanks)
    data, _, _ = measured(source)
    written(data, tmp_path / name)
    found = (tmp_path / name).read_bytes()
    found = gzip.decompress(found) if name.endswith(".gz") else found
    expected = all_lines.copy()
    expected[3] += b" \r"
    assert found.rstrip(b"\n").split(b"\n") == [e for e, stays in zip(expected, KEEP, strict=True) if stays]
    written(data, tmp_path / f"again{name}")
    assert (tmp_path / f"again{name}").read_bytes() == (tmp_path / name).read_bytes()
    assert measured(tmp_path / name)[0].image_ids.tolist() == data.image_ids[KEEP].tolist()


@pytest.mark.parametrize("layout", [as_files, as_tars, as_lines])
def test_documents_stay_whole(layout: Layout, tmp_path: Path) -> None:
    """An annotation that was set aside stays in its document; a document that was is in no subset."""
    bad = sa1b(1, [3, SQUARE])
    documents = {0: b"{", 1: text(bad), 2: text(sa1b(2, [SQUARE]))}
    data, _, _ = measured(layout(tmp_path / "a", documents), on_error="skip")
    assert data.image_ids.tolist() == [1, 2]
    destination = tmp_path / ("out.jsonl" if layout is as_lines else "out/")
    name = str(destination) if layout is as_lines else f"{destination}/"
    assert data.write_subset(name, np.array([True, True]), np.array([0])) == 3
    again, _, _ = measured(destination, on_error="skip")
    assert (again.image_ids.tolist(), again.records) == ([1, 2], 3)


def test_a_shard_that_was_cut(tmp_path: Path) -> None:
    """What was read of it is what there is."""
    documents, _ = made(3)
    path = write_tar(tmp_path / "sa_0.tar", samples(documents))
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"sa_") + 600])
    data, _, _ = measured(path, on_error="skip")
    assert len(data.image_ids) == 2
    written(data, tmp_path / "out.tar", [True, True])
    assert [name for name, _ in members(tmp_path / "out.tar")] == [
        f"sa_{number}.{suffix}" for number in data.image_ids.tolist() for suffix in ("jpg", "json")
    ]


@pytest.mark.parametrize("layout", [as_files, as_tars, as_lines])
def test_sources_that_change(layout: Layout, tmp_path: Path) -> None:
    source = layout(tmp_path / "a", made()[0])
    data, _, _ = measured(source)
    destination = str(tmp_path / "out.jsonl" if layout is as_lines else tmp_path / "out") + "/"
    destination = destination.removesuffix("/") if layout is as_lines else destination
    files = [source] if source.is_file() else sorted(source.iterdir())
    for file in files:
        about = file.stat()
        os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns + 1))
    with pytest.raises(DataError, match="has changed since it was read"):
        written(data, destination)
    for file in files:
        file.unlink()
    with pytest.raises(DataError, match=r"cannot be read any more|has changed since it was read"):
        written(data, destination)
    assert names_in(tmp_path) == ["a"]


def test_destinations_that_are_refused(tmp_path: Path) -> None:
    documents, _ = made()
    full = as_files(tmp_path / "full", documents)
    tars = as_tars(tmp_path / "tars", documents)
    jsonl = as_lines(tmp_path / "lines", documents)
    files, shards, rows = (measured(source)[0] for source in (full, tars, jsonl))
    for data, destination, error, reason in [
        (files, tmp_path / "out.json", OptionError, "goes to a .txt of file names, or to a folder"),
        (files, tmp_path / "out.tar", OptionError, "goes to a .txt of file names, or to a folder"),
        (shards, tmp_path / "out", OptionError, "or as tars to a folder"),
        (rows, tmp_path / "out.json", OptionError, "or as lines to a .jsonl or .ndjson"),
        (rows, full, OptionError, "or as lines"),
        (files, full, OutputError, "is there already"),
        (shards, tmp_path / "no" / "out/", OptionError, "goes to"),
        (shards, f"{tmp_path}/no/out/", OutputError, "does not exist"),
        (shards, tmp_path / "no" / "out.txt", OutputError, "does not exist"),
        (shards, tars / "sa_9.tar", OutputError, "is the file that is being read"),
        (rows, jsonl, OutputError, "is the file that is being read"),
        (files, io.StringIO(), OptionError, "neither a path nor a binary file"),
        (rows, 3, OptionError, "neither a path nor a binary file"),
    ]:
        with pytest.raises(error, match=reason):
            data.check_destination(destination)
        with pytest.raises(error, match=reason):
            written(data, destination)
    link = tmp_path / "list.txt"
    link.symlink_to(jsonl)
    with pytest.raises(OutputError, match="is the file that is being read"):
        rows.check_destination(link)


def test_images_without_a_name_stand_in_no_list(tmp_path: Path) -> None:
    data, _, _ = measured(lines(general("a")), format="jsonl")
    with pytest.raises(DataError, match="image a: has no file name, and cannot stand in a list"):
        written(data, tmp_path / "list.txt", [True])
    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, _, _ = measured(as_tars(tmp_path / "a", made()[0]))

    def no_space(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "open", no_space)
    with pytest.raises(OutputError, match="out/: No space left on device"):
        written(data, f"{tmp_path}/out/")
    assert names_in(tmp_path) == ["a"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it leaves files open
def test_webdataset_reads_new_shards(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    documents, _ = made()
    data, _, _ = measured(as_webdataset(tmp_path / "a", documents))
    written(data, f"{tmp_path}/out/")
    shards = [str(path) for path in sorted((tmp_path / "out").iterdir())]
    read = list(webdataset.WebDataset(shards, shardshuffle=False, empty_check=False))
    gc.collect()
    assert [(sample["__key__"], sample["json"], sample["jpg"]) for sample in read] == [
        (f"sa_{number}", document, JPG + b"%d" % number) for number, document in kept_of(documents).items()
    ]


def test_shards_that_webdataset_wrote(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    with webdataset.TarWriter(str(tmp_path / "0.tar")) as sink:
        for number in range(3):
            sink.write({"__key__": f"{number:06d}", "json": general(number), "cls": 3, "jpg": JPG})
    data, _, _ = measured(tmp_path)
    assert data.image_ids.tolist() == [0, 1, 2]
    assert list(data.file_names) == ["000000.jpg", "000001.jpg", "000002.jpg"]


def test_prune_from_python(tmp_path: Path) -> None:
    documents, _ = made()
    source = as_tars(tmp_path / "a", documents)
    pruned = tfdp.prune(source, f"{tmp_path}/out/", rate=0.5, of="all")
    again = tfdp.score(tmp_path / "out")
    assert again.images.id.tolist() == pruned.scores.images.id[pruned.subset.keep].tolist()


def summary(done: Any) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_command_line(layout: Layout, tmp_path: Path) -> None:
    documents, _ = made()
    source = str(layout(tmp_path / "a", documents))
    scored = summary(process("score", source, "--json", cwd=tmp_path))
    assert (scored["images"], scored["instances"]) == (7, len(made()[1]))
    assert process("prune", source, "--rate", "0.3", "-o", "list.txt", cwd=tmp_path).returncode == 0
    names = (tmp_path / "list.txt").read_text().splitlines()
    target = "out.jsonl" if "lines" in layout.__name__ else "shards/"
    assert process("prune", source, "--rate", "0.3", "-o", target, cwd=tmp_path).returncode == 0
    kept, _, _ = measured(tmp_path / target)
    assert [str(name) for name in kept.file_names] == names
    if target == "shards/":  # an empty folder is as good as none, and one that is not is refused
        (tmp_path / "empty").mkdir()
        for code in (0, 2):
            done = process("prune", source, "--rate", "0.3", "-o", "empty", cwd=tmp_path)
            assert done.returncode == code
        assert done.stderr == b"tfdp: error: empty: is there already\n"
        assert [str(name) for name in measured(tmp_path / "empty")[0].file_names] == names


def test_command_line_from_a_pipe(tmp_path: Path) -> None:
    content = b"".join(document + b"\n" for document in made()[0].values())
    arguments = ["--format", "jsonl", "--rate", "0.3", "-o"]
    done = process("prune", "/dev/stdin", *arguments, "list.txt", cwd=tmp_path, data=content)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "list.txt").exists()
    done = process("prune", "/dev/stdin", *arguments, "out.jsonl", cwd=tmp_path, data=content)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"the lines of /dev/stdin cannot be read twice: write a .txt of file names" in done.stderr
    done = process("prune", "-", *arguments, "-", cwd=tmp_path, data=content)
    assert done.returncode == 0
    assert set(done.stdout.splitlines()) < set(content.splitlines())


def test_command_line_tells_of_faults(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "sa_0.tar", [("../sa_1.json", text(sa1b(1, [])))])
    done = process("score", str(path), cwd=tmp_path)
    assert done.returncode == 2
    assert (
        done.stderr.decode() == f"tfdp: error: {path}: member ../sa_1.json: its name leads out of the tar\n"
    )
