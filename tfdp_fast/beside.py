"""What is written beside a subset: lists of images, what was set aside, and the name of the record."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from tfdp_fast._output import Outputs
from tfdp_fast._text import one_line
from tfdp_fast.formats.dataset import OnError, Problem
from tfdp_fast.scores import Scores

__all__ = ["Beside", "beside_of", "write_image_list", "write_problems"]


@dataclass(frozen=True)
class Beside:
    """What is written beside a subset: its name, and a suffix more.

    Attributes
    ----------
    keep, drop : Path
        ``.keep.txt`` and ``.drop.txt``: of each image its id and its file name, separated by a tab.
    record : Path
        ``.pruning.json``: what was done; see `Record`.
    problems : Path
        ``.problems.jsonl``: what was set aside, an object a line.
    """

    keep: Path
    drop: Path
    record: Path
    problems: Path

    @classmethod
    def of(cls, destination: str | os.PathLike[str]) -> Beside:
        """Beside a file or a folder."""
        name = str(Path(os.fsdecode(destination)))
        suffixes = (".keep.txt", ".drop.txt", ".pruning.json", ".problems.jsonl")
        return cls(*(Path(name + suffix) for suffix in suffixes))

    def paths(self, destination: str | os.PathLike[str], on_error: OnError) -> dict[str, Path]:
        """All that is written, by what it is; problems only if they are to be set aside."""
        paths = {"subset": Path(os.fsdecode(destination)), "keep": self.keep, "drop": self.drop}
        paths["record"] = self.record
        return paths | ({"problems": self.problems} if on_error == "skip" else {})


def beside_of(destination: Any) -> Beside | None:
    """What is to be written beside a destination; nothing beside a pipe, a device or a file object."""
    if not isinstance(destination, (str, os.PathLike)):
        return None
    try:
        mode = Path(destination).stat().st_mode
    except (OSError, ValueError):  # not there yet, or not at all: whoever writes it will say so
        return Beside.of(destination)
    return Beside.of(destination) if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else None


def write_image_list(outputs: Outputs, destination: Any, scores: Scores, chosen: NDArray[np.bool_]) -> None:
    """List some of the images, one a line: id, tab, file name. Control characters are spelt out."""
    images = scores.images
    names = ["" if name is None else name for name in images.file_name[chosen].tolist()]
    ids = list(map(str, images.id[chosen].tolist()))
    text = "".join([f"{one_line(i)}\t{one_line(name)}\n" for i, name in zip(ids, names, strict=True)])
    outputs.open(destination).write(text.encode())


def write_problems(problems: Sequence[Problem], file: BinaryIO) -> None:
    """List problems, a JSON object a line; none at all gives nothing. Control characters are spelt out."""
    listed = [
        replace(
            problem,
            record=one_line(problem.record),
            reason=one_line(problem.reason),
            file=problem.file and one_line(problem.file),
        )
        for problem in problems
    ]
    file.write(msgspec.json.Encoder().encode_lines(listed))
