"""The exceptions that tfdp-fast raises on purpose.

Each message is one line that says where, which record, and why. All of them derive from `TfdpError`.
"""

from __future__ import annotations

from tfdp_fast.status import Status

__all__ = [
    "DataError",
    "EngineError",
    "MaskError",
    "MissingExtraError",
    "OptionError",
    "OutputError",
    "TfdpError",
]


class TfdpError(Exception):
    """Base of all errors of tfdp-fast."""


class MaskError(TfdpError, ValueError):
    """A mask of a batch that cannot be measured.

    Attributes
    ----------
    index : int
        Its position in the batch.
    status : Status
        Why.
    """

    def __init__(self, index: int, status: Status) -> None:
        self.index = index
        self.status = status
        super().__init__(f"mask {index}: {status.reason}")

    def __reduce__(self) -> tuple[type[MaskError], tuple[int, Status]]:
        return MaskError, (self.index, self.status)


class DataError(TfdpError, ValueError):
    """A data set, or a record of it, that cannot be used.

    Attributes
    ----------
    source : str
        The file, or what stands for it in a message.
    record : str or None
        The record, for example ``"annotation 17"``; None if the whole file is meant.
    reason : str
        Why.
    """

    def __init__(self, source: str, record: str | None, reason: str) -> None:
        self.source = source
        self.record = record
        self.reason = reason
        super().__init__(": ".join(part for part in (source, record, reason) if part))

    def __reduce__(self) -> tuple[type[DataError], tuple[str, str | None, str]]:
        return DataError, (self.source, self.record, self.reason)


class OptionError(TfdpError, ValueError):
    """An argument that makes no sense, or two that contradict each other."""


class OutputError(TfdpError, OSError):
    """A result that cannot be written where it was asked for."""


class EngineError(TfdpError, RuntimeError):
    """An engine that cannot be started, or has stopped; what it has finished is not lost."""


class MissingExtraError(TfdpError, ImportError):
    """An optional dependency that is not installed; the message names the extra that brings it."""

    def __init__(self, package: str, extra: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(f"this needs {package}: pip install 'tfdp-fast[{extra}]'")

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        return MissingExtraError, (self.package, self.extra)
