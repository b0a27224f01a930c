"""From what the user names to the shards of a run."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeAlias

from tfdp_fast.distributed.inputs import Input, expand, identities, identity
from tfdp_fast.distributed.parquet_parts import is_parquet, row_group_ranges
from tfdp_fast.distributed.shards import MeasuringOptions, Shard
from tfdp_fast.distributed.storage import is_remote
from tfdp_fast.errors import DataError, OptionError
from tfdp_fast.formats.documents import number_ranges

__all__ = ["INSTANCES", "Source", "pieces_of", "plan"]

INSTANCES = 1_000_000
"""Of a shard, about, where a file or a folder can be cut."""

MASKS = 100
"""Of an image of SA-1B, about."""

_AT_ONCE = 16
"""Footers that are read at the same time."""

Source: TypeAlias = "str | Sequence[str] | Iterable[Shard]"
"""Paths, or shards that the caller has made."""


def plan(source: Source, options: MeasuringOptions, instances: int = INSTANCES) -> list[Shard]:
    """The shards of a source, in data-set order.

    Each path is a shard of its own, but for a Parquet file of more than so many instances, which is cut
    between row groups, and a local folder of ``sa_<n>.json``, which is cut between numbers.

    Parameters
    ----------
    source : str, sequence of str, or iterable of Shard
        Paths of files and folders, which may have wildcards; see `tfdp_fast.distributed.inputs.expand`.
    options : MeasuringOptions
        Of the run.
    instances : int
        How many a shard has, about.

    Raises
    ------
    DataError
        If there is nothing, or something cannot be read.
    OptionError
        If two shards have the same name.

    Examples
    --------
    >>> shards = plan([Shard("a", make=list), Shard("b", make=list)], MeasuringOptions())
    >>> [shard.name for shard in shards]
    ['a', 'b']
    """
    given = [source] if isinstance(source, str) else list(source)
    if all(isinstance(one, Shard) for one in given):
        shards = [one for one in given if isinstance(one, Shard)]
    elif all(isinstance(one, str) for one in given):
        inputs = expand([one for one in given if isinstance(one, str)], options.format)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            cut = partial(_cut, options=options, instances=instances)
            shards = list(itertools.chain.from_iterable(pool.map(cut, inputs)))
    else:
        raise OptionError("a source is a path, several paths, or shards")
    if not shards:
        raise DataError("source", None, "holds nothing")
    names = set()
    for shard in shards:
        if shard.name in names:
            raise OptionError(f"shard {shard.name} is given twice")
        names.add(shard.name)
    return shards


def _cut(given: Input, options: MeasuringOptions, instances: int) -> list[Shard]:
    ranges: list[tuple[int, int]] = []
    unit = ""
    if not given.is_folder and is_parquet(given.path, options.format):
        ranges, unit = row_group_ranges(given.path, instances), "row groups"
    elif given.is_folder and options.format in {None, "sa1b"} and not is_remote(given.path):
        ranges, unit = number_ranges(given.path, -(-instances // MASKS)), "numbers"
        if ranges:
            of_each = identities(given.path, ranges)
            return [_part(given, unit, *part, *of) for part, of in zip(ranges, of_each, strict=True)]
    if len(ranges) > 1:
        return [_part(given, unit, *part, given.size, given.modified) for part in ranges]
    about = identity(given.path) if given.is_folder else (given.size, given.modified)
    return [Shard(given.path, given.path, *about, prefix=given.prefix)]


def _part(given: Input, unit: str, begin: int, end: int, size: int, modified: int) -> Shard:
    name = f"{given.path}#{unit}={begin}-{end}"
    return Shard(name, given.path, size, modified, begin, end, given.prefix)


def pieces_of(images: Iterable[Any], size: int = 10_000, name: str = "piece") -> Iterator[Shard]:
    """Cut an iterable of images with their annotations into shards.

    The pieces are held by the shards, so this is for engines that share the memory of the caller, such as
    threads. When a run goes on, the same pieces have to be given again; they are told by their number and by
    the ids of their first and last images.

    Parameters
    ----------
    images : iterable
        Of images, as `tfdp_fast.open_dataset` takes it.
    size : int
        How many images a piece has.
    name : str
        What the pieces are called, together with their number.

    Yields
    ------
    Shard

    Raises
    ------
    OptionError
        If the size is below 1.

    Examples
    --------
    >>> images = [{"image_id": i, "height": 9, "width": 9, "annotations": []} for i in range(5)]
    >>> [(shard.name, len(shard.make())) for shard in pieces_of(images, size=2)]
    [('piece-000000', 2), ('piece-000001', 2), ('piece-000002', 1)]
    """
    if size < 1:
        raise OptionError(f"a piece has at least 1 image, got {size}")
    iterator = iter(images)
    for number in itertools.count():
        piece = list(itertools.islice(iterator, size))
        if not piece:
            return
        ends = (_id_of(piece[0]), _id_of(piece[-1]))
        version = f"{len(piece)} images, {ends[0]} to {ends[1]}"
        yield Shard(f"{name}-{number:06d}", version=version, make=partial(list, piece))


def _id_of(image: Any) -> Any:
    return (
        image.get("image_id", image.get("id")) if hasattr(image, "get") else getattr(image, "image_id", None)
    )
