"""The steps that our way and the authors' have in common, by the names that their times go by."""

from __future__ import annotations

LOAD = "load"
"""Get at the records: of a COCO file, read it; of label maps, find or decode them."""
MASKS = "masks"
"""From segmentations to perimeters and areas."""
BALANCE = "balance"
"""Class totals, CB-SCS, image sums."""
SELECT = "select"
"""Rank the images and keep the best."""
ALL = "all"
"""All of these, one after the other."""
PROCESS = "process"
"""All of them in a process of its own, from its start to its end."""
