"""MMEngine (MMDetection and others): a hook that records the baselines during training.

Where mmengine is installed, the hook is one of its hooks and in its registry; without it, the class can still
be used by whatever calls hooks in the same way.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from tfdp_fast._image_ids import plain_ids
from tfdp_fast.baselines import TrainingRecorder
from tfdp_fast.baselines._schedule import Methods
from tfdp_fast.errors import OptionError

__all__ = ["RecorderHook"]

Extract: TypeAlias = Callable[[Any, Any], "tuple[Any, Any, Any]"]

try:
    _Hook: Any = importlib.import_module("mmengine.hooks").Hook
except ModuleNotFoundError:
    _Hook = object


class RecorderHook(_Hook):  # type: ignore[misc]
    """Records the logits of each training iteration in a `TrainingRecorder`.

    Epochs are counted from 1: MMEngine's epoch 0 is the recorder's 1. If an instance comes again within an
    epoch, as samplers that fill up the last batch let it, the first time counts.

    Parameters
    ----------
    extract : callable
        ``extract(outputs, data_batch)`` returns instance ids, logits and targets, as
        `TrainingRecorder.record` takes them: as lists, or with an axis of instances. ``outputs`` is what
        ``train_step`` has returned: losses, as a rule; so let the mask head leave its logits in an attribute.
    path : path, optional
        Where the state is saved after each epoch, and loaded from when training begins, if it is there.
        ``{rank}`` stands for the rank, and must be in it where there are several; merge the files afterwards.
    interval : int, optional
        Save also after so many iterations.
    methods
        As in `TrainingRecorder`.

    Attributes
    ----------
    recorder : TrainingRecorder

    Examples
    --------
    In a config of MMDetection, whose module ``masks`` has the function ``extract``:

    >>> custom_imports = dict(imports=["tfdp_fast.integrations.mmengine"])
    >>> custom_hooks = [dict(type="RecorderHook", extract="masks.extract", path="recorder-{rank}.tfdp")]
    """

    priority = "NORMAL"

    def __init__(
        self,
        extract: Extract | str,
        path: str | os.PathLike[str] | None = None,
        *,
        interval: int | None = None,
        methods: Methods = ("entropy", "el2n", "forgetting", "aum"),
    ) -> None:
        self.extract = _function(extract) if isinstance(extract, str) else extract
        self.path = None if path is None else os.fspath(path)
        self.interval = interval
        self.recorder = TrainingRecorder(methods)

    def before_train(self, runner: Any) -> None:
        """Go on where a run was interrupted."""
        path = self._path(runner)
        if path is not None and path.exists():
            found = TrainingRecorder.load(path)
            if found.methods != self.recorder.methods:
                raise OptionError(f"{path} records {found.methods}, and the hook {self.recorder.methods}")
            self.recorder = found

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Record a batch."""
        epoch = runner.epoch + 1
        ids, logits, targets = self.extract(outputs, data_batch)
        ids = plain_ids(ids)
        done = self.recorder.done(epoch, ids)
        if done.any():
            new = np.flatnonzero(~done).tolist()
            ids, logits, targets = _part(ids, new), _part(logits, new), _part(targets, new)
        if ids:
            self.recorder.record(epoch, ids, logits, targets)
        if self.interval is not None and (batch_idx + 1) % self.interval == 0:
            self._save(runner)

    def after_train_epoch(self, runner: Any) -> None:
        """Save the state."""
        self._save(runner)

    def _save(self, runner: Any) -> None:
        path = self._path(runner)
        if path is not None:
            self.recorder.save(path)

    def _path(self, runner: Any) -> Path | None:
        if self.path is None:
            return None
        if getattr(runner, "world_size", 1) > 1 and "{rank}" not in self.path:
            raise OptionError(f"{self.path}: with several ranks, the path needs {{rank}} in it")
        return Path(self.path.replace("{rank}", str(getattr(runner, "rank", 0))))


def _part(values: Any, positions: list[int]) -> Any:
    """Some of the instances, of a list or of an array or tensor."""
    if isinstance(values, (list, tuple)):
        return [values[j] for j in positions]
    return values[positions]


def _function(name: str) -> Extract:
    """The function that a config names: ``package.module.function``."""
    module, _, function = name.rpartition(".")
    try:
        found: Extract = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise OptionError(f"extract: there is no function {name!r}: {error}") from error
    return found


if _Hook is not object:
    importlib.import_module("mmengine.registry").HOOKS.register_module(module=RecorderHook, force=True)
