"""What the command line says of runs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tfdp_fast._console import Listing, Report, Row, share
from tfdp_fast._reports import annotation_rows
from tfdp_fast._reports_select import CANDIDATES, strategy_rows
from tfdp_fast._text import number
from tfdp_fast.distributed.manifest import FailedShard
from tfdp_fast.distributed.results import RunResult
from tfdp_fast.distributed.status import RunStatus
from tfdp_fast.strategies import Strategy

LISTED = 10


def run_report(result: RunResult) -> Report:
    """What has come out of a run, or which shards have failed."""
    rows: list[Row] = [
        ("run", result.folder),
        ("variant", f"{result.wanted.variant}, polygons as {result.options.polygons}"),
        ("shards", number(result.shards)),
        ("scored now", number(result.scored)),
    ]
    if result.failed:
        rows += [("failed", f"{number(len(result.failed))}: nothing was chosen; run it again to try these")]
        rows += _failed_rows(result.failed)
        return Report("Shards have failed", result.to_json(), rows)
    rows += [("images", number(result.images)), ("instances", number(result.instances))]
    if result.wanted.strategy != Strategy():
        rows += strategy_rows(result.wanted.strategy)
    chosen = result.chosen
    if chosen is not None:
        rows += [
            ("candidates", f"{number(chosen.candidates)} {CANDIDATES[result.wanted.of]}"),
            ("kept", f"{share(chosen.k, chosen.candidates)} of the candidates"),
            ("dropped", f"{share(chosen.candidates - chosen.k, chosen.candidates)} of the candidates"),
        ]
    rows += annotation_rows(asdict(result))
    if result.problems:
        rows.append(("set aside", f"{number(result.problems)}, listed in {result.folder}/problems.jsonl"))
    if chosen is not None:
        rows.append(("subset", chosen.sha256[:16]))
    return Report(f"Ran {result.folder}", result.to_json(), rows, [_classes(result)])


def _classes(result: RunResult) -> Listing:
    most = sorted(result.classes, key=lambda one: -one.instances)
    return Listing(
        "Classes with most instances" if len(most) > LISTED else "Classes",
        ("class", "instances", "total"),
        [(one.name, number(one.instances), f"{one.total:.6g}") for one in most[:LISTED]],
    )


def _failed_rows(failed: list[FailedShard]) -> list[Row]:
    shown: list[Row] = [
        ("failed shard", f"{_named(one)} (tried {one.tries} times)") for one in failed[:LISTED]
    ]
    if len(failed) > LISTED:
        shown.append(("and more", number(len(failed) - LISTED)))
    return shown


def _named(failed: FailedShard) -> str:
    return failed.reason if failed.reason.startswith(failed.name) else f"{failed.name}: {failed.reason}"


def status_report(status: RunStatus) -> Report:
    """How far a run has come."""
    data: dict[str, Any] = asdict(status) | {"missing": status.missing, "complete": status.complete}
    rows: list[Row] = [
        ("run", status.folder),
        ("shards", number(status.shards)),
        ("scored", share(status.done, status.shards)),
        ("failed", number(len(status.failed))),
        ("missing", number(status.missing)),
        *_failed_rows(status.failed),
        ("images", number(status.images)),
        ("instances", number(status.instances)),
    ]
    if status.size:
        rows.append(("bytes", share(status.done_size, status.size)))
    if status.running is not None:
        rows.append(("at work", "yes" if status.running else "no"))
    if status.result is not None:
        chosen = status.result.get("chosen")
        kept = "all images scored, none chosen" if chosen is None else f"{number(chosen['k'])} images kept"
        rows.append(("result", kept))
    else:
        rows.append(("result", "not yet"))
    return Report(f"Status of {status.folder}", data, rows)
