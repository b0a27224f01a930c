"""What the command line shows: JSON for machines, tables on a terminal, plain lines in a pipe."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

Row = tuple[str, str]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True)
class Listing:
    """A table of its own, for people: shown on a terminal only.

    Attributes
    ----------
    title : str
        What it lists.
    header : sequence of str
        Names of the columns; all but the first are aligned to the right.
    rows : sequence of sequence of str
        The cells.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Report:
    """What a verb has done.

    Attributes
    ----------
    title : str
        In a few words.
    data : dict
        All of it, for machines.
    rows : list of (str, str)
        What people want to know, label and value.
    listings : list of Listing
        Tables below these.
    """

    title: str
    data: dict[str, Any]
    rows: list[Row]
    listings: list[Listing] = field(default_factory=list)


def show(report: Report, *, as_json: bool, quiet: bool, stream: TextIO | None = None) -> None:
    """Write a report to a stream, standard output by default, in the form that suits it."""
    stream = sys.stdout if stream is None else stream
    if stream is None:  # closed by the caller of the process, who does not want to know
        return
    if hasattr(stream, "reconfigure"):  # a name that the encoding has no character for is no reason to fail
        stream.reconfigure(errors="backslashreplace")
    if as_json:
        stream.write(json.dumps(report.data) + "\n")
    elif not quiet and stream.isatty():
        _show_tables(report, stream)
    elif not quiet:
        stream.writelines(f"{label}: {one_line(value)}\n" for label, value in report.rows)
    stream.flush()


def _show_tables(report: Report, stream: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(file=stream, highlight=False)
    table = Table(
        title=_plain(report.title), title_justify="left", title_style="bold", show_header=False, box=None
    )
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for label, value in report.rows:
        table.add_row(_plain(label), _plain(value))
    console.print(table)
    for listing in report.listings:
        table = Table(title=listing.title, title_justify="left", title_style="bold", box=None, pad_edge=False)
        for number, name in enumerate(listing.header):
            table.add_column(name, justify="right" if number else "left", header_style="dim", overflow="fold")
        for row in listing.rows:
            table.add_row(*map(_plain, row))
        console.print()
        console.print(table)


def _plain(text: str) -> Any:
    """Text in which nothing is markup and nothing steers the terminal: names come from files."""
    from rich.text import Text

    return Text(one_line(text))


def one_line(text: str) -> str:
    r"""The text with its control characters spelt out.

    Examples
    --------
    >>> print(one_line("a name\nwith two lines"))
    a name\nwith two lines
    """
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


@contextlib.contextmanager
def progress_bar(what: str, *, enabled: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on standard error while it is a terminal; None where nothing is to be shown."""
    if not enabled or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None, rate="")

        def update(done: int, total: int) -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:,.0f}/s" if speed else ""
            bar.update(task, completed=done, total=total, rate=rate)

        yield update


def number(value: int) -> str:
    """A whole number for people."""
    return f"{value:,}"


def share(part: int, whole: int) -> str:
    """A number and its share of another, for people."""
    return f"{part:,} ({part / whole:.1%})" if whole else f"{part:,}"
