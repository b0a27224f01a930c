"""Times of this machine beside those that the paper reports, and the data sets that they are taken on."""

from __future__ import annotations
