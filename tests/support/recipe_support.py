"""Other packages, as the tests of recipes and of readers need them: offline, without compiled operators."""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def package(name: str, why: str = "is not installed") -> Any:
    """A package, or a test that is skipped."""
    return pytest.importorskip(name, reason=f"{name} {why}", exc_type=ImportError)


def ultralytics(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ultralytics, with its settings in a folder; nothing is looked for on the network, or installed.

    It replaces functions of other packages when it is imported. These come back at the end of the test.
    """
    for name, value in {"CONFIG_DIR": str(folder), "OFFLINE": "true", "AUTOINSTALL": "false"}.items():
        monkeypatch.setenv(f"YOLO_{name}", value)
    for replaced in ("cv2.imread", "cv2.imwrite", "cv2.imshow", "PIL.Image.open", "torch.load", "torch.save"):
        module, _, function = replaced.rpartition(".")
        there = package(module)
        monkeypatch.setattr(there, function, getattr(there, function))
    with np.printoptions():  # which it changes, too
        utils = package("ultralytics.data.utils")
    monkeypatch.setattr(utils, "check_font", lambda *_: None)


def mmdet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mmdet. Where mmcv has no compiled operators, as mmcv-lite, it does without: data sets call none."""
    package("mmcv")
    package("mmengine")
    try:
        importlib.import_module("mmcv.ops")
    except ModuleNotFoundError:
        monkeypatch.setitem(sys.modules, "mmcv._ext", _Operators("mmcv._ext"))
    package("mmdet")


class _Operators(types.ModuleType):
    """A module that has whatever it is asked for, None each time."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__spec__ = importlib.machinery.ModuleSpec(name, None)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return None


def torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torchvision. Where its operators are made for another PyTorch, it does without: data sets call none."""
    torch = package("torch")
    try:
        package("torchvision")
    except RuntimeError:  # operator torchvision::nms does not exist
        with monkeypatch.context() as patch:
            patch.setattr(torch.library, "register_fake", lambda *_, **__: lambda function: function)
            importlib.import_module("torchvision")
