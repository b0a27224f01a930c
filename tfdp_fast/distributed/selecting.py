"""From the image scores of a run to its subset, in bounded memory."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tfdp_fast._text import one_line
from tfdp_fast.distributed.choosing import Cut, Keeper, cut_at
from tfdp_fast.distributed.images import ImagesAbout, ImagesFile, images_name
from tfdp_fast.distributed.merging import IdRun, hash_of, merged
from tfdp_fast.distributed.storage import Storage
from tfdp_fast.distributed.wanted import Wanted
from tfdp_fast.formats._arrow_columns import own_ids
from tfdp_fast.selection import Of, number_to_keep
from tfdp_fast.tables import Ids

__all__ = ["DROP", "KEEP", "Chosen", "ImageParts", "Numbers", "choose_images"]

KEEP, DROP = "keep.txt", "drop.txt"
_COUNTS = {"scored": "instance_count", "annotated": "annotation_count", "all": None}
_CONTROL = r"[\x00-\x1f\x7f-\x{9f}\x{2028}\x{2029}]"


@dataclass(frozen=True)
class Chosen:
    """The images that are kept.

    Attributes
    ----------
    k, candidates, images : int
        How many are kept; of how many, to which a share refers; and how many there are.
    sha256 : str
        As `tfdp_fast.Subset.sha256`.
    last : float or None
        The lowest score that is kept; the highest, where the lowest are the best; None if there is none.
    """

    k: int
    candidates: int
    images: int
    sha256: str
    last: float | None


class ImageParts:
    """The image scores of a run, part by part, in data-set order, as often as one likes.

    Parameters
    ----------
    storage : Storage
        The run folder.
    keys : sequence of str
        Of the shards, in data-set order.
    of : {"scored", "annotated", "all"}
        Which images are candidates.
    """

    def __init__(self, storage: Storage, keys: Sequence[str], of: Of) -> None:
        self._storage = storage
        self._keys = keys
        self._counted = _COUNTS[of]

    def __len__(self) -> int:
        return len(self._keys)

    def scores(self) -> Iterator[NDArray[np.float64]]:
        """The scores of the candidates, float64, a row group at a time."""
        for shard in range(len(self)):
            for batch in self.batches(shard, ["score"]):
                yield batch["score"].to_numpy()[self.candidates(batch)]

    def batches(self, shard: int, columns: list[str]) -> Iterator[Any]:
        """Some columns of a shard, and what says which are candidates, a row group at a time."""
        name = images_name(self._keys[shard])
        wanted = [*columns, *([self._counted] if self._counted and self._counted not in columns else [])]
        with self._storage.open(name) as file:
            yield from ImagesFile(file, self._storage.path_of(name)).batches(wanted)

    def candidates(self, batch: Any) -> NDArray[np.bool_]:
        """Which images of a batch are candidates."""
        if self._counted is None:
            return np.ones(batch.num_rows, np.bool_)
        return np.asarray(batch[self._counted].to_numpy() > 0)


@dataclass(frozen=True)
class Numbers:
    """How many images there are, of each kind that a share may refer to.

    Attributes
    ----------
    all, annotated, scored : int
        All of them; those with an annotation; those with a scored instance.
    """

    all: int
    annotated: int
    scored: int

    @classmethod
    def of(cls, abouts: Sequence[ImagesAbout]) -> Numbers:
        """Of all shards together."""
        return cls(
            sum(about.images for about in abouts),
            sum(about.annotated for about in abouts),
            sum(about.scored for about in abouts),
        )


def choose_images(
    storage: Storage,
    keys: Sequence[str],
    bounds: Sequence[tuple[int | str | None, int | str | None]],
    wanted: Wanted,
    numbers: Numbers,
) -> Chosen:
    """Choose the images of a run that are kept, and list them, and the others, in its folder.

    Parameters
    ----------
    storage : Storage
        The run folder.
    keys : sequence of str
        Of the shards, in data-set order.
    bounds : sequence of (id, id)
        The least and the greatest image id of each; None and None if it has no image.
    wanted : Wanted
        How many, and how; its share is not None.
    numbers : Numbers
        How many images there are.

    Raises
    ------
    OptionError
        If so many cannot be kept.
    OutputError
        If a list cannot be written.
    """
    assert wanted.share is not None
    parts = ImageParts(storage, keys, wanted.of)
    candidates: int = getattr(numbers, wanted.of)
    k, _ = number_to_keep(wanted.share, candidates, wanted.of, None)
    cut = cut_at(parts.scores, k, wanted.strategy)
    runs = [
        IdRun(shard, lowest, highest, kept.number, kept.ids)
        for shard, (kept, (lowest, highest)) in enumerate(
            zip(_write_lists(storage, parts, cut), bounds, strict=True)
        )
        if lowest is not None and highest is not None
    ]
    digest = hash_of(ids for ids, _ in merged(runs))
    return Chosen(k, candidates, numbers.all, digest, cut.score)


@dataclass(frozen=True, eq=False)
class _Kept:
    """The images of a shard that are kept.

    Attributes
    ----------
    parts : ImageParts
        Of the run.
    shard : int
        Which shard.
    keeper : Keeper
        As it was before the images of this shard.
    number : int
        How many are kept.
    """

    parts: ImageParts
    shard: int
    keeper: Keeper
    number: int

    def ids(self) -> Ids:
        """Their ids."""
        keeper = copy.deepcopy(self.keeper)
        batches = self.parts.batches(self.shard, ["image_id", "score"])
        return np.concatenate(
            [own_ids(batch["image_id"])[_kept(self.parts, batch, keeper)] for batch in batches]
        )


def _kept(parts: ImageParts, batch: Any, keeper: Keeper) -> NDArray[np.bool_]:
    """Which images of a batch are kept."""
    candidates = parts.candidates(batch)
    kept = np.zeros(batch.num_rows, np.bool_)
    kept[candidates] = keeper.keep(batch["score"].to_numpy()[candidates])
    return kept


def _write_lists(storage: Storage, parts: ImageParts, cut: Cut) -> list[_Kept]:
    """Write both lists; what is kept of each shard."""
    keeper = Keeper(cut)
    found = []
    with storage.create(KEEP) as keep, storage.create(DROP) as drop:
        for shard in range(len(parts)):
            before, left = copy.deepcopy(keeper), keeper.left
            for batch in parts.batches(shard, ["image_id", "file_name", "score"]):
                kept = _kept(parts, batch, keeper)
                lines = _lines(batch)
                _write_lines(keep, lines.filter(pa.array(kept)))
                _write_lines(drop, lines.filter(pa.array(~kept)))
            found.append(_Kept(parts, shard, before, left - keeper.left))
    return found


def _lines(batch: Any) -> Any:
    """Of each image its id and file name, with a tab between them. Control characters are spelt out."""
    ids, names = batch["image_id"], pc.fill_null(batch["file_name"], "")
    ids = _plain(ids) if pa.types.is_string(ids.type) else ids.cast(pa.string())
    return pc.binary_join_element_wise(ids, _plain(names), pa.scalar("\t")).combine_chunks()


def _plain(texts: Any) -> Any:
    """The same, with control characters spelt out."""
    if not any(map(_may_have_control, texts.chunks)):
        return texts
    if not pc.any(pc.match_substring_regex(texts, _CONTROL)).as_py():
        return texts
    return pa.chunked_array([pa.array([one_line(text) for text in texts.to_pylist()], pa.string())])


def _may_have_control(texts: Any) -> bool:
    """Whether there is a byte that is no printable ASCII: that is quicker to see than what each text has."""
    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return False
    first, last = np.frombuffer(offsets, np.int32)[[texts.offset, texts.offset + len(texts)]].tolist()
    found = np.frombuffer(data, np.uint8)[first:last]
    return bool(len(found) and (found.min() < 0x20 or found.max() > 0x7E))


def _write_lines(file: BinaryIO, lines: Any) -> None:
    if len(lines):
        joined = pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), "\n")
        file.write(joined[0].as_buffer())
        file.write(b"\n")
