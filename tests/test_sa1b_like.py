"""The documents in the likeness of SA-1B that benchmarks run on, as shards in tar."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfdp_fast as tfdp
from sa1b_like import HEIGHT, MASKS, WIDTH, document, shapes, write_sa1b_like, write_tars


def texts(path: Path) -> dict[str, bytes]:
    """The members of a shard by name."""
    with tarfile.open(path) as tar:
        return {member.name: file.read() for member in tar if (file := tar.extractfile(member))}


@settings(max_examples=20, deadline=None)
@given(documents=st.integers(0, 12), shard=st.integers(1, 5))
def test_shards(tmp_path_factory: pytest.TempPathFactory, documents: int, shard: int) -> None:
    made = write_tars(tmp_path_factory.mktemp("tars"), documents, 0, shard)
    members: dict[str, bytes] = {}
    for path in made.paths:
        members |= texts(path)
    assert len(made.paths) == -(-documents // shard)
    assert list(members) == [f"sa_{i}.{suffix}" for i in range(documents) for suffix in ("jpg", "json")]
    found = [json.loads(text) for name, text in members.items() if name.endswith(".json")]
    assert [one["image"]["image_id"] for one in found] == list(range(documents))
    ids = [annotation["id"] for one in found for annotation in one["annotations"]]
    assert len(set(ids)) == made.masks == MASKS * documents
    assert made.bytes == sum(len(text) for name, text in members.items() if name.endswith(".json"))


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    one = write_tars(tmp_path / "a", 7, 5, 3)
    two = write_tars(tmp_path / "b", 7, 5, 3, processes=2)
    other = write_tars(tmp_path / "c", 7, 6, 3)
    assert [path.read_bytes() for path in one.paths] == [path.read_bytes() for path in two.paths]
    assert texts(one.paths[0]) != texts(other.paths[0])
    documents = [text for path in one.paths for name, text in texts(path).items() if name.endswith(".json")]
    assert len({text.split(b'"annotations"')[1] for text in documents}) == 7


def test_text_is_as_json_writes_it() -> None:
    text = document(3, 0, shapes(0))
    assert json.dumps(json.loads(text)).encode() == text


def test_layouts_hold_the_same(tmp_path: Path) -> None:
    made = write_sa1b_like(tmp_path, 4, shard=2)
    members = {name: text for path in sorted(made.tars.iterdir()) for name, text in texts(path).items()}
    files = {path.name: path.read_bytes() for path in made.folder.iterdir()}
    assert files == {name: text for name, text in members.items() if name.endswith(".json")}
    assert made.lines.read_bytes() == b"".join(files[f"sa_{i}.json"] + b"\n" for i in range(4))
    assert made.bytes == sum(map(len, files.values()))
    scores = tfdp.score(made.tars)
    assert scores.images.id.tolist() == [0, 1, 2, 3]
    assert not scores.problems
    np.testing.assert_array_equal(scores.images.score, tfdp.score(made.lines).images.score)


def test_masks_are_as_long_as_those_of_sa1b() -> None:
    lengths = [len(json.loads(text)) for text in shapes(0)]
    assert np.mean(lengths) == pytest.approx(474, rel=0.02)
    size = [HEIGHT, WIDTH]
    rles = [{"counts": json.loads(text), "size": size} for text in shapes(0)]
    assert tfdp.to_rle(rles, (HEIGHT, WIDTH)) == rles
