"""Data sets of any size: scored shard by shard, in bounded memory, on one machine or many."""

from __future__ import annotations
