"""The subsets of VOC 2012 train that the method selects."""

from __future__ import annotations

from tfdp_fast.scores import Variant

VARIANTS: list[Variant] = ["scs", "si", "cb", "tfdp"]
KEPT = {1170: 0.2, 1024: 0.3, 878: 0.4, 732: 0.5}
"""By how many images are kept, the pruning rate."""

SHA: dict[Variant, list[str]] = {
    "scs": ["12a02dee0c148786", "dab791e429571b20", "817e6a31c2e857cc", "20cfe794ec82f0de"],
    "si": ["59cf725f3a8326ee", "588cdc4574ecaac8", "1c56cfaf3acfba70", "c59adce4a66c6faf"],
    "cb": ["c5735eac60d402b1", "1e7c7d0004fdc6c3", "4568f279cdce6c9f", "a553b84977603edf"],
    "tfdp": ["7f5708235de7952c", "9eb75018275384d0", "a068ff000d6347b6", "2f47c3ede7398991"],
}
"""By variant, for each of `KEPT`: the beginning of the SHA-256 of the ids, ascending, joined with commas."""
