"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TypeAlias, cast

from tfdp_fast.errors import OptionError, OutputError, TfdpError

if TYPE_CHECKING:
    from typing_extensions import Buffer, Self

PathLike: TypeAlias = "str | os.PathLike[str]"


_MANY = 256
"""Files in a folder, from which on the whole system is asked to write what it has."""


class Outputs:
    """Files and folders that take their names together, once all of them are complete and on the disk.

    A context manager. Until its end a file is called ``.tfdp-*.tmp``, in the folder where it will be. If the
    block fails, all of them are removed, and what had the names before is still there. Names are given in the
    order in which the outputs were opened.
    """

    def __init__(self) -> None:
        self._pending: list[_Pending] = []

    def open(self, destination: Any) -> BinaryIO:
        """Open a file for writing.

        Parameters
        ----------
        destination : path or binary file
            A path, whose folder must exist. A symbolic link is followed; the permissions are those that
            ``open(path, "wb")`` would leave; what is not a regular file (a pipe, a terminal, ``/dev/null``)
            is written to as it is. A binary file is left open.

        Returns
        -------
        binary file
            Each ``write`` takes all that it is given.

        Raises
        ------
        OutputError
            If the path cannot be written, now or later. What a file object raises is raised as it is.
        OptionError
            If it is neither a path nor a binary file.
        """
        check_output(destination)
        if not isinstance(destination, (str, os.PathLike)):
            if not isinstance(destination, io.RawIOBase):
                return cast(BinaryIO, destination)
            self._pending.append(raw := _RawFile(destination))
            return raw.file
        path = _as_path(destination)
        with output_errors(path):
            before = _check_path(path)
            if before is not None and not stat.S_ISREG(before.st_mode):
                self._pending.append(special := _SpecialFile(path))
                return special.file
            self._pending.append(new := _NewFile(path, before))
            return new.file

    def folder(self, path: PathLike) -> Path:
        """Make a folder that takes its name at the end: where to write what will be in it.

        Raises
        ------
        OutputError
            If something has the name already that is no empty folder, or the folder above does not exist.
        """
        check_folder(path)
        with output_errors(Path(path)):
            self._pending.append(folder := _NewFolder(Path(path)))
            return folder.temporary

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                for pending in self._pending:
                    pending.finish()
                for pending in self._pending:
                    pending.publish()
        finally:
            for pending in self._pending:
                pending.discard()


@contextlib.contextmanager
def atomic_output(destination: Any) -> Iterator[BinaryIO]:
    """Open one file for writing that appears whole or not at all; see `Outputs.open`."""
    with Outputs() as outputs:
        yield outputs.open(destination)


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
        path = _as_path(destination)
        with output_errors(path):
            _check_path(path)
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


def check_folder(path: PathLike) -> None:
    """Raise OutputError unless a folder of this name can be made."""
    folder = Path(path)
    with output_errors(folder):
        if folder.is_dir() and not any(folder.iterdir()):
            return
        if folder.exists() or folder.is_symlink():
            raise OutputError(f"{path}: is there already")
        if not folder.absolute().parent.is_dir():
            raise OutputError(f"{path}: the folder {folder.absolute().parent} does not exist")


@contextlib.contextmanager
def output_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except TfdpError:
        raise
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror or error}") from error


class _NamedFile(io.FileIO):
    """A file whose errors say which it is, by the name that it is going to have."""

    def __init__(self, path: Path, mode: str, shown: Path) -> None:
        self._shown = shown
        super().__init__(path, mode)

    def write(self, data: Buffer) -> int:
        with output_errors(self._shown):
            return super().write(data)


class _EagerFile(_NamedFile):
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


class _Pending(Protocol):
    """An output that is not there yet."""

    def finish(self) -> None:
        """Bring all of it to the disk."""

    def publish(self) -> None:
        """Give it its name."""

    def discard(self) -> None:
        """Remove what has not been published, and let go of the rest."""


class _NewFile:
    """A regular file, under a temporary name."""

    def __init__(self, path: Path, before: os.stat_result | None) -> None:
        self._path = path
        self._target = path.resolve()
        self._temporary = temporary_beside(self._target)
        raw = _EagerFile(self._temporary, "xb", path)
        self.file = cast(BinaryIO, io.BufferedWriter(raw))
        if before is not None:
            self._temporary.chmod(stat.S_IMODE(before.st_mode))

    def finish(self) -> None:
        with output_errors(self._path):
            self.file.flush()
            os.fsync(self.file.fileno())

    def publish(self) -> None:
        with output_errors(self._path):
            self._temporary.replace(self._target)

    def discard(self) -> None:
        # What is still buffered goes nowhere when the disk is full, and must not hide why.
        with contextlib.suppress(OSError):
            self.file.close()
        self._temporary.unlink(missing_ok=True)


class _SpecialFile:
    """A pipe or a device: there is nothing to be renamed."""

    def __init__(self, path: Path) -> None:
        self.file = cast(BinaryIO, io.BufferedWriter(_NamedFile(path, "wb", path)))

    def finish(self) -> None:
        self.file.flush()

    def publish(self) -> None:
        pass

    def discard(self) -> None:
        with contextlib.suppress(OSError):
            self.file.close()


class _RawFile:
    """A raw file of the caller: it may take less than it is given, so it is buffered."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._buffered = io.BufferedWriter(raw)
        self.file = cast(BinaryIO, self._buffered)

    def finish(self) -> None:
        self._buffered.flush()

    def publish(self) -> None:
        pass

    def discard(self) -> None:
        with contextlib.suppress(OSError):  # which `finish`, or a write, has raised already
            self._buffered.detach()


class _NewFolder:
    """A folder, under a temporary name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._target = path.resolve()
        self.temporary = temporary_beside(self._target)
        self.temporary.mkdir()

    def finish(self) -> None:
        with output_errors(self._path):
            written = [path for path in self.temporary.rglob("*") if not path.is_symlink()]
            if len(written) > _MANY:  # one by one would take too long
                os.sync()
                return
            for path in written:
                _to_disk(path)

    def publish(self) -> None:
        with output_errors(self._path):
            if self._target.is_dir():  # empty, or this fails
                self._target.rmdir()
            self.temporary.replace(self._target)

    def discard(self) -> None:
        shutil.rmtree(self.temporary, ignore_errors=True)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def temporary_beside(target: Path) -> Path:
    """A name in the same folder that nothing has."""
    return target.with_name(f".tfdp-{secrets.token_hex(8)}.tmp")
