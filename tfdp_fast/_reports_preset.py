"""What reports say of a preset."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from tfdp_fast._console import Row
from tfdp_fast._text import number
from tfdp_fast.presets import DROPPED, SKIPPED, AppliedPreset


def preset_data(preset: AppliedPreset | None) -> dict[str, Any]:
    """For machines: all of it, or nothing."""
    return {} if preset is None else {"preset": dataclasses.asdict(preset)}


def preset_rows(preset: AppliedPreset | None) -> list[Row]:
    """For people: what it has left out, and why.

    Examples
    --------
    >>> preset_rows(AppliedPreset("official", 7, None, {}, {"unannotated": 2, "small": 1}))[1:]
    [('images left out', '2 without an annotation, 1 below 32 pixels'), ('annotations left out', '0')]
    """
    if preset is None:
        return []
    return [
        ("preset", f"{preset.name}, which keeps {number(preset.images)} images"),
        ("images left out", _reasons(preset.dropped, DROPPED)),
        ("annotations left out", _reasons(preset.skipped, SKIPPED)),
    ]


def _reasons(counts: Mapping[str, int], texts: Mapping[str, str]) -> str:
    return ", ".join(f"{number(counts[key])} {text}" for key, text in texts.items() if key in counts) or "0"
