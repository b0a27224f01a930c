"""Data sets of one JSON document per image: SA-1B, WebDataset, and lines of JSON."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from tfdp_fast.errors import DataError, OptionError
from tfdp_fast.formats._json_lines import JsonLines
from tfdp_fast.formats._numbered_files import Found, NumberedFiles, find
from tfdp_fast.formats._tar_shards import TarShards, is_numbered_document, is_sample_document
from tfdp_fast.formats.dataset import Dataset, OpenOptions

__all__ = ["number_ranges", "open_jsonl", "open_numbered", "open_sa1b", "open_webdataset"]

_TAR = re.compile(r".*(?:\.tar|\.tar\.gz|\.tgz)", re.DOTALL).fullmatch


def open_sa1b(source: Any, options: OpenOptions) -> Dataset:
    """Open SA-1B, or what has its layout.

    Documents are files ``sa_<n>.json``, in the order of their numbers. They lie in one folder, in sub-folders
    ``sa_<n>/`` or in shards ``sa_<n>.tar``, ``.tar.gz`` or ``.tgz``; these too are taken in the order of
    their numbers. One tar, or one document, is a data set as well.

    A document is ``{"image": {"image_id", "height", "width", "file_name"}, "annotations": [...]}``, or has
    the keys of the image itself, beside ``annotations``. Of an annotation ``segmentation`` counts and, where
    they are there, ``id``, ``category_id``, ``iscrowd`` and ``ignore``. In the first form, SA-1B's own, an
    annotation without a category is of class 1, ``object``.

    A subset is a list of file names (``.txt``), or a folder of what stays: new tars with the names of the old
    ones, or copies of the documents. Documents are kept byte for byte and whole. In tars everything that has
    their name with another suffix, such as their images, goes with them; images that are files of their own
    stay where they are. From tars one tar can be made, too.

    Raises
    ------
    DataError
        If there is no such layout.
    """
    path = _path(source, "sa1b")
    if not Path(path).is_dir():
        if _TAR(path):
            return TarShards("sa1b", path, options, [path], is_numbered_document)
        found = Found.one(path)
        return NumberedFiles(path, options, [found], found.path)
    found = find(path)
    found.check_layout()
    if found.tars:
        shards = [f"{path}/{name}" for name in found.tars]
        return TarShards("sa1b", path, options, shards, is_numbered_document)
    folders = [_sub_folder(path, name) for name in found.folders] or [found]
    return NumberedFiles(path, options, folders, path)


def number_ranges(path: str, documents: int) -> list[tuple[int, int]]:
    """Cut a folder of documents ``sa_<n>.json`` into ranges of their numbers.

    Parameters
    ----------
    path : str
        The folder.
    documents : int
        How many a range has, at most.

    Returns
    -------
    list of (int, int)
        The first number of each range, and the first after it; none if the folder has other things in it.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    found = find(path)
    if found.tars or found.folders or not len(found.numbers):
        return []
    firsts = found.numbers[::documents].tolist()
    ends = [*firsts[1:], int(found.numbers[-1]) + 1]
    return [(begin, end) for begin, end in zip(firsts, ends, strict=True) if begin < end]


def open_numbered(
    path: str, options: OpenOptions, begin: int | None = None, end: int | None = None, prefix: str = ""
) -> Dataset:
    """Open a folder of documents ``sa_<n>.json``, or those whose numbers are from `begin` to `end` - 1.

    The prefix, ``"sa_000001/"`` for example, comes before the file names of images; the folder ends with it.
    """
    found = find(path, prefix)
    first, last = (
        None if bound is None else int(np.searchsorted(found.numbers, bound)) for bound in (begin, end)
    )
    some = Found(path, prefix, found.numbers[first:last], found.digits[first:last])
    dataset = NumberedFiles(path, options, [some], path.removesuffix(prefix.rstrip("/")).rstrip("/"))
    dataset.options = options
    return dataset


def open_webdataset(source: Any, options: OpenOptions) -> Dataset:
    """Open shards of WebDataset: ``*.tar``, ``.tar.gz`` or ``.tgz`` in a folder, or one of them.

    Shards are taken in the order of their names, as WebDataset has it: ``10.tar`` comes before ``2.tar``.
    Their documents are the members ``<key>.json``; the forms are those of `open_sa1b`. Where a document has
    no image id, it is the key; where it has no file name, it is that of the key's image.

    A subset is a list of file names (``.txt``), a folder of new shards with the names of the old ones, or one
    tar. The samples that stay are kept byte for byte, with all their members.

    Raises
    ------
    DataError
        If there is no tar.
    """
    path = _path(source, "webdataset")
    if not Path(path).is_dir():
        return TarShards("webdataset", path, options, [path], is_sample_document)
    try:
        names = sorted(file.name for file in Path(path).iterdir() if _TAR(file.name))
    except OSError as error:
        raise DataError(path, None, f"cannot be read: {error.strerror}") from error
    if not names:
        raise DataError(path, None, "holds no *.tar")
    shards = [f"{path}/{name}" for name in names]
    return TarShards("webdataset", path, options, shards, is_sample_document)


def open_jsonl(source: Any, options: OpenOptions) -> Dataset:
    """Open lines of JSON, a document each, perhaps compressed with gzip; also from a pipe, and from bytes.

    The forms are those of `open_sa1b`. Empty lines are passed over.

    A subset is a list of file names (``.txt``), or the lines that stay, byte for byte: to a binary file, or a
    path that ends in ``.jsonl`` or ``.ndjson``, and in ``.gz`` if it is to be compressed. A pipe cannot be
    read twice; of it only a list can be made.

    Raises
    ------
    DataError
        If it cannot be read.

    Examples
    --------
    >>> import tfdp_fast as tfdp
    >>> line = (
    ...     b'{"image_id": "a", "height": 20, "width": 30, "annotations":'
    ...     b' [{"category_id": 3, "segmentation": [[1, 1, 9, 1, 9, 9, 1, 9]]}]}'
    ... )
    >>> scores = tfdp.score(line, format="jsonl")
    >>> scores.images.id.tolist(), scores.classes.id.tolist()
    (['a'], [3])
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return JsonLines("<bytes>", options, bytes(source))
    return JsonLines(_path(source, "jsonl"), options, None)


def _path(source: Any, format: str) -> str:
    if not isinstance(source, (str, os.PathLike)):
        raise OptionError(f"{format} is read from a path, not from {type(source).__name__}")
    path = os.fsdecode(source)
    return path.rstrip("/") or path


def _sub_folder(path: str, name: str) -> Found:
    folder = f"{path}/{name}"
    try:
        if Path(folder).samefile(path):
            raise DataError(folder, None, "is a symbolic link to a folder above it")
    except OSError as error:
        raise DataError(folder, None, f"cannot be read: {error.strerror}") from error
    return find(folder, f"{name}/")
