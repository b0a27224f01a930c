"""COCO files that are compressed."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
from pathlib import Path

import pytest

import tfdp_fast as tfdp
from cli_support import process
from coco_support import REAL, pycocotools_reads
from tfdp_fast import DataError
from tfdp_fast.formats.coco import read_coco


@pytest.fixture
def packed(folder: Path) -> Path:
    path = folder / "data.json.gz"
    path.write_bytes(gzip.compress((folder / "data.json").read_bytes()))
    return path


def test_scores_are_those_of_the_plain_file(packed: Path, folder: Path) -> None:
    plain = tfdp.score(folder / "data.json").images
    (folder / "no_suffix").write_bytes(packed.read_bytes())
    for source in (packed, folder / "no_suffix", packed.read_bytes()):
        assert tfdp.score(source).images.score.tolist() == plain.score.tolist()


@pytest.mark.parametrize("name", REAL)
def test_real_files(name: str, shared_data: Path, tmp_path: Path) -> None:
    packed = tmp_path / "data.json.gz"
    packed.write_bytes(gzip.compress((shared_data / name).read_bytes(), 1))
    for source, suffix in ((packed, "gz"), (shared_data / name, "json"), (packed, "json")):
        tfdp.prune(source, tmp_path / f"out.{suffix}", rate=0.3)
    assert gzip.decompress((tmp_path / "out.gz").read_bytes()) == (tmp_path / "out.json").read_bytes()
    unpacked = tmp_path / "unpacked.json"  # by somebody else
    unpacked.write_bytes(
        subprocess.run(["gzip", "-dc", tmp_path / "out.gz"], check=True, capture_output=True).stdout
    )
    assert len(pycocotools_reads(unpacked).imgs) > 0
    again = tfdp.score(tmp_path / "out.gz")
    assert len(again.images) == len(json.loads(unpacked.read_bytes())["images"])


def test_equal_contents_give_equal_files(packed: Path, folder: Path) -> None:
    for name in ("a.json.gz", "b.json.GZ"):
        tfdp.prune(packed, folder / name, rate=0.5)
    written = (folder / "a.json.gz").read_bytes()
    assert written == (folder / "b.json.GZ").read_bytes()
    assert written[3] == 0  # flags: no name
    assert written[4:8] == bytes(4)  # no time
    assert tfdp.repeat(folder / "a.json.gz.pruning.json").destination == folder / "a.json.gz"


def test_the_fingerprint_is_that_of_the_file(packed: Path) -> None:
    fingerprint = read_coco(packed, fingerprint=True).fingerprint()
    assert fingerprint is not None
    assert fingerprint.sha256 == hashlib.sha256(packed.read_bytes()).hexdigest()
    assert fingerprint.size == packed.stat().st_size
    assert read_coco(packed).fingerprint() is None


def test_every_cut_is_refused(packed: Path, folder: Path) -> None:
    content = packed.read_bytes()
    for end in range(2, len(content), 7):
        packed.write_bytes(content[:end])
        with pytest.raises(DataError, match="cannot be decompressed"):
            tfdp.score(packed)
    packed.write_bytes(content[:-6] + b"\0\0" + content[-4:])
    with pytest.raises(DataError, match="cannot be decompressed: CRC check failed"):
        tfdp.score(packed)
    done = process("prune", "data.json.gz", "--rate", "0.5", "-o", "out.json", cwd=folder)
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    assert sorted(path.name for path in folder.iterdir()) == ["data.json", "data.json.gz"]


def test_through_a_pipe(packed: Path, folder: Path) -> None:
    done = process("prune", "-", "--rate", "0.5", "-o", "-", cwd=folder, data=packed.read_bytes())
    assert done.returncode == 0
    expected = tfdp.prune(folder / "data.json", folder / "out.json", rate=0.5)
    assert done.stdout == (folder / "out.json").read_bytes()
    assert expected.annotations_kept == len(json.loads(done.stdout)["annotations"])
