"""Items that are taken as they are needed, on several threads, and results in their order."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tfdp_fast._threads import AHEAD, map_in_order

THREADS = pytest.mark.parametrize("threads", [1, 2, 7])


def tfdp_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("tfdp")]


@THREADS
@pytest.mark.parametrize("n", [0, 1, 2, 100])
def test_results_come_in_order(threads: int, n: int) -> None:
    def slowest_first(item: int) -> int:
        time.sleep(0.002 * (item % 3 == 0))
        return item**2

    expected = [item**2 for item in range(n)]
    assert list(map_in_order(slowest_first, range(n), threads)) == expected
    assert list(map_in_order(slowest_first, iter(range(n)), threads)) == expected
    assert tfdp_threads() == []


@THREADS
def test_items_are_taken_as_they_are_needed(threads: int) -> None:
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    with closing(map_in_order(abs, endless(), threads)) as results:
        for done in range(1, 50):
            assert next(results) == done
            assert taken <= done + AHEAD * threads
    assert tfdp_threads() == []


@THREADS
def test_an_error_over_taking_comes_after_the_results_before_it(threads: int) -> None:
    def broken() -> Iterator[int]:
        yield from range(5)
        raise OSError("cut")

    results: list[int] = []
    with pytest.raises(OSError, match="cut"):
        results.extend(map_in_order(abs, broken(), threads))
    found = map_in_order(abs, broken(), threads)
    assert [next(found) for _ in range(5)] == list(range(5))
    with pytest.raises(OSError, match="cut"):
        next(found)
    assert tfdp_threads() == []


@THREADS
def test_of_two_errors_the_first_item_counts(threads: int) -> None:
    def fails(item: int) -> int:
        if item >= 3:
            time.sleep(0.02 * (item == 3))
            raise ValueError(f"item {item}")
        return item

    def broken() -> Iterator[int]:
        yield from range(6)
        raise OSError("cut")

    found = map_in_order(fails, broken(), threads)
    assert [next(found) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="item 3"):
        next(found)
    assert tfdp_threads() == []


def test_what_has_not_begun_is_not_begun() -> None:
    begun = []

    def slow(item: int) -> int:
        begun.append(item)
        time.sleep(0.01)
        return item

    found = map_in_order(slow, range(1000), 2)
    next(found)
    found.close()
    assert len(begun) <= 1 + AHEAD * 2
    assert tfdp_threads() == []
