"""COCO files: memory does not grow with the text, and work goes on while the file is scanned."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tfdp_fast import _core
from tfdp_fast._threads import importing

PEAK_WHILE_A_FILE_IS_READ_AND_WRITTEN = """
import sys
from pathlib import Path
import numpy as np
from tfdp_fast.formats import _coco_json, _coco_write
from tfdp_fast.formats.coco import read_coco

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

_coco_json.STEP = _coco_write.STEP = 1 << 20
read_coco(Path(sys.argv[1]))
before = peak()
data = read_coco(Path(sys.argv[2]))
for position in range(len(data.rows)):
    data.segmentations(np.array([position]))
for keep in ([True, True], [True, False]):
    data.write_subset(Path(sys.argv[3]), np.array(keep), np.empty(0, np.int64))
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.skipif("sanitized" in _core.build, reason="AddressSanitizer keeps what has been freed")
def test_peak_memory_is_not_the_size_of_the_text(tmp_path: Path) -> None:
    size, n = 40_000_000, 400
    polygon = [12.25, 7.5, 100.0] * (size // n // 18)
    data = {
        "images": [{"id": i, "file_name": "a", "height": 9, "width": 9} for i in range(2)],
        "annotations": [
            {"id": i, "image_id": i % 2, "category_id": 1, "segmentation": [polygon]} for i in range(n)
        ],
        "categories": [{"id": 1}],
    }
    small, large = tmp_path / "small.json", tmp_path / "large.json"
    large.write_text(json.dumps(data))
    small.write_text(json.dumps({**data, "annotations": []}))
    assert large.stat().st_size > size
    command = [sys.executable, "-c", PEAK_WHILE_A_FILE_IS_READ_AND_WRITTEN]
    paths = [str(small), str(large), str(tmp_path / "out.json")]
    done = subprocess.run([*command, *paths], check=True, capture_output=True, text=True)
    assert int(done.stdout) < size // 2


@pytest.mark.parametrize("threads", [1, 2])
def test_importing_meanwhile(threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"tfdp_test_module_{threads}"
    (tmp_path / f"{name}.py").write_text("")
    with importing(name, threads):
        pass
    assert (name in sys.modules) == (threads == 2)
    assert "tfdp-import" not in {thread.name for thread in threading.enumerate()}
    sys.modules.pop(name, None)


def test_what_cannot_be_imported_is_left_to_others() -> None:
    with importing("tfdp_no_such_module", 2):
        pass
    with pytest.raises(KeyError), importing("tfdp_no_such_module", 2):
        raise KeyError
