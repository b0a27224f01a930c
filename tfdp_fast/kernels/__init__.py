"""Compiled kernels over whole batches: the only place that imports Numba.

A batch travels as flat ``data + offsets`` arrays. Kernels check what comes from a file (and report it per
instance, see :class:`tfdp_fast.status.Status`), never what comes from our own code: dtypes are fixed by the
signature, lengths and labels are the caller's promise. Each kernel has a slow definition in
:mod:`tfdp_fast.reference`.

Import a module of this package only when it is used: importing Numba takes longer than many a run.
"""

from __future__ import annotations
