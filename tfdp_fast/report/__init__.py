"""What people look at: statistics, figures, galleries and explanations, each imported only when used."""

from __future__ import annotations
