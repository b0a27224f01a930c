"""What a data set is like, and what its scores do to it: numbers, figures and pages."""

from __future__ import annotations
