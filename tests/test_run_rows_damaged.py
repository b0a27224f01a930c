"""What a run keeps of images that several shards have, damaged: noticed, and made again."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import tfdp_fast as tfdp
from record_support import made_coco
from run_support import assert_is_one_pass, content, write_coco
from tfdp_fast import distributed
from tfdp_fast.distributed import Storage, straddling
from tfdp_fast.distributed.pieces import are_whole, read_piece, write_pieces
from tfdp_fast.errors import DataError

ENGINE: dict[str, Any] = {"engine": "threads", "workers": 1, "retries": 0}
CHOICE: dict[str, Any] = {"rate": 0.5, "of": "all"}


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    """Three files of all images, with a third of the annotations each."""
    coco = made_coco(20)
    return [
        write_coco({**coco, "annotations": coco["annotations"][i::3]}, tmp_path / f"{i}.json")
        for i in range(3)
    ]


@pytest.mark.parametrize("folder", ["plan.json", "rows", "chunks", "shards", "scores"])
@pytest.mark.parametrize("damage", ["gone", "truncated", "flipped"])
def test_files_of_shared_images(
    tmp_path: Path, paths: list[str], monkeypatch: pytest.MonkeyPatch, folder: str, damage: str
) -> None:
    monkeypatch.setattr(straddling, "CHUNK", 7)
    run, scores = tmp_path / "run", tfdp.score(made_coco(20))
    distributed.run(paths, run, **CHOICE, **ENGINE)
    expected = content(run)
    shared = run / "shared" / folder
    files = sorted(shared.iterdir()) if shared.is_dir() else [shared]
    rng = random.Random(5)
    for path in files[:2]:
        for _ in range(1 if damage == "gone" else 3):
            data = bytearray(path.read_bytes())
            at = rng.randrange(len(data))
            data[at] ^= 1 << rng.randrange(8)
            if damage == "gone":
                path.unlink()
            else:
                path.write_bytes(data if damage == "flipped" else data[:at])
            for other in [*(run / "images").iterdir(), *(run / "shared" / "scores").iterdir()]:
                if other != path:
                    other.unlink()
            for _ in range(2):
                result = distributed.run(paths, run, **CHOICE, **ENGINE)
                if not result.failed:
                    break
            assert content(run) == expected
            assert_is_one_pass(run, result, scores, **CHOICE)


def test_pieces_have_checksums(tmp_path: Path) -> None:
    """Any bit of a file: what is read is what was written, or nothing is."""
    storage, digest = Storage(tmp_path), "d" * 64
    tables = {1: pa.table({"x": [1, 2, 3]}), 3: pa.table({"x": [4]})}
    write_pieces(storage, "p", digest, 4, tables.items())
    assert are_whole(storage, "p")
    data, noticed = (tmp_path / "p").read_bytes(), 0

    def read(piece: int) -> Any:
        with contextlib.suppress(DataError):
            table = read_piece(storage, "p", digest, piece)
            return table and table.to_pylist()
        return "damaged"

    expected = [read(piece) for piece in range(4)]
    assert expected == [None, [{"x": 1}, {"x": 2}, {"x": 3}], None, [{"x": 4}]]
    for at in range(0, len(data), 3):
        damaged = bytearray(data)
        damaged[at] ^= 1 << at // 3 % 8
        (tmp_path / "p").write_bytes(damaged)
        for piece, found in enumerate(map(read, range(4))):
            assert found in (expected[piece], "damaged")
            noticed += found == "damaged"
    assert noticed > len(data) / 6
    for size in range(0, len(data), 50):
        (tmp_path / "p").write_bytes(data[:size])
        assert not are_whole(storage, "p")


def test_lists_of_an_interrupted_run(
    tmp_path: Path, paths: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lists of other shards do not pass for those of a plan that is older than they are."""
    run = tmp_path / "run"
    distributed.run(paths[:2], run, **CHOICE, **ENGINE)
    expected = content(run)
    write = Storage.write_bytes

    def stops(self: Storage, name: str, data: bytes) -> None:
        if name == straddling.PLAN:
            raise KeyboardInterrupt
        write(self, name, data)

    with monkeypatch.context() as patch:
        patch.setattr(Storage, "write_bytes", stops)
        with pytest.raises(KeyboardInterrupt):
            distributed.run(paths[::-1], run, **CHOICE, **ENGINE)
    for folder in ("images", "shared/rows", "shared/scores"):
        for path in (run / folder).iterdir():
            path.unlink()
    distributed.run(paths[:2], run, changed="rescore", **CHOICE, **ENGINE)
    for name in [name for name in content(run) if name not in expected]:
        (run / name).unlink()
    assert content(run) == expected
