"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import stat
from collections.abc import Iterator
from typing import Any, BinaryIO, TypeAlias, cast

from tfdp_fast.errors import OptionError, OutputError, TfdpError

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
    name = os.fspath(path)
    try:
        before = _check_path(name)
        if before is not None and not stat.S_ISREG(before.st_mode):
            with open(name, "wb") as file:  # noqa: PTH123
                yield file
        else:
            with _renamed_at_the_end(os.path.realpath(name), before) as file:
                yield file
    except TfdpError:
        raise
    except OSError as error:
        raise _output_error(name, error) from error


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
            name, there = os.fspath(destination), os.stat(destination)  # noqa: PTH116
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
            _check_path(os.fspath(destination))
        except TfdpError:
            raise
        except OSError as error:
            raise _output_error(os.fspath(destination), error) from error
    elif isinstance(destination, io.TextIOBase) or not hasattr(destination, "write"):
        raise OptionError(f"neither a path nor a binary file to write to: {destination!r}")


def _check_path(name: str) -> os.stat_result | None:
    """What has this name now, if it may be replaced or written to."""
    try:
        before = os.stat(name)  # noqa: PTH116
    except FileNotFoundError:
        folder = os.path.dirname(os.path.realpath(name))  # noqa: PTH120
        if not os.path.isdir(folder):  # noqa: PTH112
            raise OutputError(f"{name}: the folder {folder} does not exist") from None
        if not os.path.basename(name):  # noqa: PTH119
            raise OutputError(f"{name!r} is not the name of a file") from None
        return None
    if stat.S_ISDIR(before.st_mode):
        raise OutputError(f"{name}: is a folder")
    return before


def _output_error(name: str, error: OSError) -> OutputError:
    return OutputError(f"{name}: {error.strerror or error}")


@contextlib.contextmanager
def _renamed_at_the_end(target: str, before: os.stat_result | None) -> Iterator[BinaryIO]:
    temporary = os.path.join(os.path.dirname(target), f".tfdp-{secrets.token_hex(8)}.tmp")  # noqa: PTH118, PTH120
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123
            if before is not None:
                os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
            yield file
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, target)  # noqa: PTH105
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)  # noqa: PTH108
        raise
