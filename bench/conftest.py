"""The table of ratios at the end of a benchmark run."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

OURS = "tfdp"


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print, for each group, how many times as long the others take as we do (medians)."""
    session = getattr(terminalreporter.config, "_benchmarksession", None)
    groups: dict[str, dict[str, Any]] = defaultdict(dict)
    for benchmark in session.benchmarks if session else []:
        if benchmark.stats and "rival" in benchmark.extra_info:
            groups[benchmark.group][benchmark.extra_info["rival"]] = benchmark
    for group, benchmarks in sorted(groups.items()):
        if OURS not in benchmarks:
            continue
        ours = benchmarks.pop(OURS)
        us = {OURS: ours["median"] / ours.extra_info["masks"] * 1e6}
        for rival, benchmark in benchmarks.items():
            us[rival] = benchmark["median"] / benchmark.extra_info["masks"] * 1e6
        times = ", ".join(f"{who} {time:.2f} us ({time / us[OURS]:.1f} x)" for who, time in us.items())
        terminalreporter.write_line(f"{group} ({ours.extra_info['masks']} masks): {times}")
