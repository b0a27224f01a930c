"""Data set formats: each module reads one into a `Dataset`, and writes subsets of it."""

from __future__ import annotations
