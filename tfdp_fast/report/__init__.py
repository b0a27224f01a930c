"""What people look at: statistics, figures, galleries, explanations, a page; each imported only when used."""

from __future__ import annotations
