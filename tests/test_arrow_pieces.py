"""Tables in pieces: objects that give batches, pieces that are cut by their size, ids in any order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tfdp_fast as tfdp
from arrow_support import LAYOUTS, instances
from record_support import assert_same, made_coco
from tfdp_fast.errors import DataError
from tfdp_fast.formats import _arrow_dataset
from tfdp_fast.formats._arrow_chunks import _numbered
from tfdp_fast.formats._streamed import _classes_in


class Range:
    """Some rows of a table, as a run hands them over."""

    def __init__(self, table: pa.Table, source: Any) -> None:
        self._table, self.source = table, source
        self.schema, self.num_rows = table.schema, table.num_rows
        self.asked: list[tuple[list[str] | None, int]] = []

    def to_batches(self, *, columns: list[str] | None, batch_size: int) -> Iterator[Any]:
        self.asked.append((columns, batch_size))
        yield from self._table.select(columns or self._table.schema.names).to_batches(
            max_chunksize=batch_size
        )


def test_an_object_that_gives_batches_is_a_table() -> None:
    table = instances(made_coco(11)).append_column("other", pa.nulls(len(instances(made_coco(11)))))
    data = Range(table, "bucket/x.parquet: row groups 0 to 3")
    assert_same(tfdp.score(data, threads=2), tfdp.score(table))
    ((columns, most),) = data.asked
    assert columns is not None
    assert set(columns) == set(table.schema.names) - {"other"}
    assert most == _arrow_dataset.INSTANCE_ROWS
    bad = table.set_column(1, "height", pa.array([-1] * len(table)))
    for source, called in ((data.source, data.source), (None, "<Range>"), (5, "<Range>")):
        with pytest.raises(DataError) as caught:
            tfdp.score(Range(bad, source))
        assert caught.value.source == called
        opened = tfdp.open_dataset(Range(table, source))
        assert opened.source == called


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_large_masks_are_measured_in_smaller_pieces(
    layout: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = LAYOUTS[layout](made_coco(40))
    expected = tfdp.score(table)
    monkeypatch.setattr(_arrow_dataset, "MASK_BYTES", 300)
    monkeypatch.setattr(_arrow_dataset, "FEW_IMAGES", 3)
    monkeypatch.setattr(_arrow_dataset, "FEW_INSTANCES", 2)
    pieces = [rows.batch.num_rows for rows in tfdp.open_dataset(table).pieces()]  # type: ignore[attr-defined]
    assert sum(pieces) == len(table)
    assert len(pieces) > 5
    assert min(pieces[:-1]) >= 2
    assert_same(tfdp.score(table, threads=threads), expected)


IDS = st.one_of(
    st.lists(st.integers(-3, 3)),
    st.lists(st.sampled_from([-(2**63), 2**63 - 1, 0, 5, 6])),
    st.lists(st.sampled_from(["a", "b", "aa", "é", ""])),
)


def array_of(ids: list[Any]) -> Any:
    return np.array(ids) if ids else np.empty(0, np.int64)


@given(IDS)
def test_classes_are_those_that_occur(ids: list[Any]) -> None:
    classes, index = _classes_in(array_of(ids))
    expected, expected_index = np.unique(array_of(ids), return_inverse=True)
    assert classes.tolist() == expected.tolist()
    assert classes.dtype == expected.dtype
    assert index.tolist() == expected_index.tolist()


@given(IDS)
def test_ids_are_numbered_as_they_come(ids: list[Any]) -> None:
    first, number = _numbered(array_of(ids))
    order = list(dict.fromkeys(ids))
    assert first.tolist() == [ids.index(some) for some in order]
    assert number.tolist() == [order.index(some) for some in ids]
