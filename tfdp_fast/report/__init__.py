"""Seeing a data set and its scores: statistics, galleries, pages. Each module is imported only when used."""

from __future__ import annotations
