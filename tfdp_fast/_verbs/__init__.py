"""The verbs of the command line: a module each, with ``add`` for its arguments and ``run``."""

from __future__ import annotations
