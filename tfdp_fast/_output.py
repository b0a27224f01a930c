"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, cast

from tfdp_fast.errors import OptionError, OutputError, TfdpError

if TYPE_CHECKING:
    from typing_extensions import Buffer

PathLike: TypeAlias = "str | os.PathLike[str]"


@contextlib.contextmanager
def atomic_output(path: PathLike) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name only once it is complete and on the disk.

    Until then it is called ``.tfdp-*.tmp``, in the same folder. If the block fails, it is removed, and what
    had the name before is still there. The permissions are those that ``open(path, "wb")`` would leave. A
    symbolic link is followed. What is not a regular file (a pipe, a terminal, ``/dev/null``) is written to as
    it is.

    Parameters
    ----------
    path : path
        Where to. Its folder must exist.

    Yields
    ------
    binary file
        Open for writing.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    path = _as_path(path)
    try:
        before = _check_path(path)
        if before is not None and not stat.S_ISREG(before.st_mode):
            with path.open("wb") as file:
                yield file
        else:
            with _renamed_at_the_end(path.resolve(), before) as file:
                yield file
    except TfdpError:
        raise
    except OSError as error:
        raise _output_error(path, error) from error


@contextlib.contextmanager
def output(destination: Any) -> Iterator[BinaryIO]:
    """Open a destination for writing: a path, atomically, or a binary file, which is left open.

    Parameters
    ----------
    destination : path or binary file
        Where to.

    Yields
    ------
    binary file
        Open for writing; each ``write`` takes all that it is given.

    Raises
    ------
    OutputError
        If the path cannot be written. What a file object raises is raised as it is.
    OptionError
        If it is neither a path nor a binary file.
    """
    check_output(destination)
    if isinstance(destination, (str, os.PathLike)):
        with atomic_output(destination) as file:
            yield file
    elif isinstance(destination, io.RawIOBase):
        buffered = io.BufferedWriter(destination)  # a raw file may take less than it is given
        try:
            yield cast(BinaryIO, buffered)
            buffered.flush()
        finally:
            buffered.detach()
    else:
        yield destination


def refuse_to_overwrite(destination: Any, source: os.stat_result) -> None:
    """Raise OutputError if a path or a file object is the source itself, by whatever name."""
    try:
        if isinstance(destination, (str, os.PathLike)):
            name, there = os.fspath(destination), Path(destination).stat()
        else:
            name, there = getattr(destination, "name", "<file>"), os.fstat(destination.fileno())
    except (OSError, AttributeError):  # nothing there yet, or no file at all
        return
    if (there.st_dev, there.st_ino) == (source.st_dev, source.st_ino):
        raise OutputError(f"{name}: is the file that is being read")


def check_output(destination: Any) -> None:
    """Raise what `output` would raise at once: no such folder, a folder, neither a path nor a binary file."""
    if isinstance(destination, (str, os.PathLike)):
        try:
            _check_path(_as_path(destination))
        except TfdpError:
            raise
        except OSError as error:
            raise _output_error(Path(destination), error) from error
    elif isinstance(destination, io.TextIOBase) or not hasattr(destination, "write"):
        raise OptionError(f"neither a path nor a binary file to write to: {destination!r}")


def _as_path(path: PathLike) -> Path:
    name = os.fspath(path)
    if not name or (name.endswith("/") and not Path(name).is_dir()):
        raise OutputError(f"{name!r} is not the name of a file")
    return Path(name)


def _check_path(path: Path) -> os.stat_result | None:
    """What has this name now, if it may be replaced or written to."""
    try:
        before = path.stat()
    except FileNotFoundError:
        folder = path.resolve().parent
        if not folder.is_dir():
            raise OutputError(f"{path}: the folder {folder} does not exist") from None
        return None
    if stat.S_ISDIR(before.st_mode):
        raise OutputError(f"{path}: is a folder")
    return before


def _output_error(path: Path, error: OSError) -> OutputError:
    return OutputError(f"{path}: {error.strerror or error}")


class _EagerFile(io.FileIO):
    """A file that goes to the disk while it is being written, so that little is left for `fsync`."""

    _STEP = 1 << 24
    _begun = 0

    def write(self, data: Buffer) -> int:
        written = super().write(data)
        if (end := self.tell()) - self._begun >= self._STEP:
            from tfdp_fast._core import start_writeback

            start_writeback(self.fileno(), self._begun, end)
            self._begun = end
        return written


@contextlib.contextmanager
def _renamed_at_the_end(target: Path, before: os.stat_result | None) -> Iterator[BinaryIO]:
    temporary = target.with_name(f".tfdp-{secrets.token_hex(8)}.tmp")
    try:
        with io.BufferedWriter(_EagerFile(temporary, "xb")) as file:
            if before is not None:
                temporary.chmod(stat.S_IMODE(before.st_mode))
            yield cast(BinaryIO, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
