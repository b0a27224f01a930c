"""What the command line shows: JSON for machines, tables on a terminal, plain lines in a pipe."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TextIO

from tfdp_fast._text import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from tfdp_fast.formats.dataset import OnProgress, Progress

Row = tuple[str, str]


@dataclass(frozen=True)
class Listing:
    """A table of its own, for people.

    Attributes
    ----------
    title : str
        What it lists.
    header : sequence of str
        Names of the columns; all but the first are aligned to the right. A column without a name is a
        drawing: it is aligned to the left, and shown on a terminal only.
    rows : sequence of sequence of str
        The cells.
    lines : sequence of (str, str)
        What a pipe gets in place of the table: nothing, if its content is of no use there.
    most : int or None
        How many rows a terminal shows.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    lines: Sequence[Row] = ()
    most: int | None = None

    @classmethod
    def labelled(
        cls,
        title: str,
        header: Sequence[str],
        rows: Sequence[Sequence[str]],
        label: str,
        most: int | None = None,
    ) -> Listing:
        """A table whose rows a pipe gets as well, each with a label before its first cell."""
        return cls(title, header, rows, lines_of(label, header, rows), most)


def lines_of(label: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[Row]:
    """The rows of a table for a pipe, each with a label before its first cell; drawings are left out."""
    lines = []
    for name, *cells in rows:
        titled = zip(header[1:], cells, strict=True)
        shown = [f"{head} {cell}" for head, cell in titled if head and cell]
        lines.append((f"{label} {name}", ", ".join(shown)))
    return lines


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
        lines = [*report.rows, *(line for listing in report.listings for line in listing.lines)]
        stream.writelines(f"{one_line(label)}: {one_line(value)}\n" for label, value in lines)
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
        console.print()
        console.print(_table_of(listing, console))


def _table_of(listing: Listing, console: Console) -> Table:
    """A listing for a terminal; without drawings where it is too narrow for them, or has no such letters."""
    from rich.measure import Measurement

    table = _table(listing, range(len(listing.header)))
    wanted = Measurement.get(console, console.options.update_width(1 << 16), table).maximum
    if wanted > console.width or not console.encoding.startswith("utf"):
        table = _table(listing, [place for place, name in enumerate(listing.header) if name])
    return table


def _table(listing: Listing, places: Sequence[int]) -> Table:
    """Some columns of a listing."""
    from rich.table import Table

    shown = listing.rows[: listing.most]
    left_out = len(listing.rows) - len(shown)
    table = Table(
        title=listing.title,
        title_justify="left",
        title_style="bold",
        caption=f"and {left_out:,} more, in a pipe or with --json" if left_out else None,
        caption_justify="left",
        box=None,
        pad_edge=False,
    )
    for place in places:
        name = listing.header[place]
        justify: Literal["left", "right"] = "right" if place and name else "left"
        table.add_column(name, justify=justify, header_style="dim", overflow="fold")
    for row in shown:
        table.add_row(*(_plain(row[place]) for place in places))
    return table


def _plain(text: str) -> Any:
    """Text in which nothing is markup and nothing steers the terminal: names come from files."""
    from rich.text import Text

    return Text(one_line(text))


@contextlib.contextmanager
def progress_bar(*, enabled: bool) -> Iterator[OnProgress | None]:
    """A bar on standard error while it is a terminal; None where nothing is to be shown."""
    if not enabled or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None)

        def update(progress: Progress) -> None:
            done, total = progress.annotations, progress.all_annotations
            if total is None:
                done, total = progress.images, progress.all_images
            bar.update(
                task, completed=done, total=total, description=progress_line(progress, bar.tasks[0].elapsed)
            )

        yield update


@contextlib.contextmanager
def status_line(*, enabled: bool) -> Iterator[Callable[[str], None]]:
    """What is going on, in a line on standard error while it is a terminal; call it with the next words."""
    if not enabled or sys.stderr is None or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield lambda words: status.update(_plain(words))


def progress_line(progress: Progress, seconds: float | None) -> str:
    """How many images and annotations were read, and how many a second.

    Examples
    --------
    >>> from tfdp_fast.formats.dataset import Progress
    >>> progress_line(Progress(images=1200, annotations=9000, all_images=5000), 2.0)
    '1,200/5,000 images, 600/s; 9,000 instances, 4,500/s'
    """
    parts = []
    for what, done, total in (
        ("images", progress.images, progress.all_images),
        ("instances", progress.annotations, progress.all_annotations),
    ):
        of = f"/{total:,}" if total is not None else ""
        rate = f", {done / seconds:,.0f}/s" if seconds else ""
        parts.append(f"{done:,}{of} {what}{rate}")
    return "; ".join(parts)


def share(part: int, whole: int) -> str:
    """A number and its share of another, for people."""
    return f"{part:,} ({part / whole:.1%})" if whole else f"{part:,}"
