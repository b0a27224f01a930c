"""The scorer in processes and threads, and what Ctrl-C does to a long call."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import tfdp_fast as tfdp

SIZE = (12, 15)


def images() -> list[tuple[list[Any], list[int], tuple[int, int]]]:
    """Masks, category ids and size of made images: RLE, polygons and arrays."""
    rng = np.random.default_rng(0)
    made = []
    for i in range(40):
        dense = rng.random((1 + i % 5, *SIZE)) < 0.7
        polygon = [rng.uniform(-1, 14, 10).tolist()]
        made.append(
            ([*tfdp.to_rle(dense), polygon, dense[0]], (rng.integers(3, 6, len(dense) + 2)).tolist(), SIZE)
        )
    return made


@pytest.fixture(scope="module")
def scorer() -> tfdp.Scorer:
    totals = tfdp.ClassTotals()
    for masks, ids, size in images():
        totals.add(ids, tfdp.measure(masks, size, threads=2))
    return tfdp.Scorer(totals)


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_in_worker_processes(scorer: tfdp.Scorer, method: str) -> None:
    """After the parent has used threads; the scorer goes to the workers by pickle."""
    expected = [scorer.image_score(*image) for image in images()]
    context = multiprocessing.get_context(method)
    with context.Pool(2) as pool:
        assert pool.starmap(scorer.image_score, images(), chunksize=5) == expected
        columns = pool.starmap(scorer.instances, images()[:4])
    assert [column.image_score for column in columns] == expected[:4]


def test_in_threads(scorer: tfdp.Scorer) -> None:
    expected = [scorer.image_score(*image) for image in images()]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda image: scorer.image_score(*image), images() * 20)) == expected * 20


def run(script: str, *options: str) -> str:
    """Run a script in a Python of its own; what it prints. The limit is far above what it needs."""
    result = subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_a_fork_after_threads() -> None:
    """Python itself warns (an error here) if a thread is left over."""
    script = """
        import os, threading
        import numpy as np
        import tfdp_fast as tfdp

        masks = tfdp.to_rle((np.random.default_rng(0).random((2000, 12, 12)) < 0.7).astype(np.uint8))
        ids = [5] * len(masks)
        totals = tfdp.ClassTotals()
        totals.add(ids, tfdp.measure(masks, threads=2))
        scorer = tfdp.Scorer(totals)
        expected = scorer.image_score(masks[:7], ids[:7], (12, 12))
        for _ in range(3):
            child = os.fork()
            if child == 0:
                same = scorer.image_score(masks[:7], ids[:7], (12, 12)) == expected
                same &= abs(scorer.image_score(masks, ids, (12, 12)) - 1) < 1e-12
                os._exit(0 if same and threading.active_count() == 1 else 1)
            assert os.waitpid(child, 0)[1] == 0
        print("done")
        """
    assert run(script, "-W", "error") == "done\n"


INTERRUPTED = """
    import os, signal, threading, time
    import numpy as np
    import tfdp_fast as tfdp

    signal.signal(signal.SIGINT, signal.default_int_handler)
    noise = np.random.default_rng(0).random((200, 200)) < 0.5
    rle = tfdp.to_rle(noise)[0]
    star = [np.random.default_rng(0).uniform(0, 200, 200).tolist()]
    tfdp.score({{  # loads the kernels
        "images": [{{"id": 1, "height": 200, "width": 200}}], "categories": [{{"id": 1, "name": "noise"}}],
        "annotations": [{{"id": 1, "image_id": 1, "category_id": 1, "segmentation": rle}}],
    }})
    expected = tfdp.measure([rle])
    begun = threading.Event()

    def interrupt():
        begun.wait()
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    n = {n}
    {prepare}
    try:
        begun.set()
        {call}
    except KeyboardInterrupt as error:
        thread.join()
        assert threading.active_count() == 1, threading.enumerate()
        assert tfdp.measure([rle]) == expected
        print("stopped")
    """
RECORDS = """data = {
        "images": [{"id": 1, "height": 200, "width": 200}], "categories": [{"id": 1, "name": "noise"}],
        "annotations": [{"id": i, "image_id": 1, "category_id": 1, "segmentation": rle} for i in range(n)],
    }"""


@pytest.mark.skipif(sys.platform == "win32", reason="no os.kill of this kind on this platform")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("n", "prepare", "call"),
    [
        (3_000_000, "", "tfdp.measure([rle] * n, threads={threads})"),
        (3_000_000, "", "tfdp.measure([star] * n, size=(200, 200), threads={threads})"),
        (
            3_000_000,
            "dense = np.broadcast_to(noise, (n, 200, 200))",
            "tfdp.measure(dense, threads={threads})",
        ),
        (200_000, RECORDS, "tfdp.score(data, threads={threads})"),
    ],
    ids=["rle", "polygons", "dense", "score"],
)
def test_ctrl_c_stops_a_long_call(n: int, prepare: str, call: str, threads: int) -> None:
    """Each call would take minutes; no thread is left when it stops, and the next call works."""
    script = INTERRUPTED.format(n=n, prepare=prepare, call=call.format(threads=threads))
    assert run(script, "-W", "error") == "stopped\n"
