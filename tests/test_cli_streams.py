"""The command line and its streams: pipes, terminals, what is closed, full or has a strange name."""

from __future__ import annotations

import io
import json
import os
import pty
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import tfdp_fast as tfdp
from cli_support import buffered, changed, process
from tfdp_fast._console import Listing, Report, show


def test_through_pipes(folder: Path) -> None:
    data = (folder / "data.json").read_bytes()
    done = process("prune", "-", "--rate", "0.5", "-o", "-", cwd=folder, data=data)
    assert done.returncode == 0
    process("prune", "data.json", "--rate", "0.5", "-o", "pruned.json", cwd=folder)
    assert done.stdout == (folder / "pruned.json").read_bytes()
    assert b"kept: 2 (50.0%)" in done.stderr
    quiet = process("prune", "-", "--rate", "0.5", "-o", "-", "-q", cwd=folder, data=data)
    assert quiet.stderr == b""
    scores = process("score", "-", "-o", "-", "--output-format", "json", "-q", cwd=folder, data=data)
    expected = tfdp.score(folder / "data.json").images
    assert json.loads(scores.stdout) == {
        str(i): s for i, s in zip(expected.id.tolist(), expected.score.tolist(), strict=True) if s > 0
    }


def test_plain_lines_in_a_pipe_and_tables_on_a_terminal(folder: Path) -> None:
    plain = process("score", "data.json", cwd=folder).stdout.decode()
    assert all(": " in line for line in plain.splitlines())
    assert "scored images: 4" in plain
    assert plain.isascii()
    main_end, terminal = pty.openpty()
    code = "import sys; from tfdp_fast.cli import main; sys.exit(main(['score', 'data.json']))"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=folder, stdout=terminal, env=os.environ | {"COLUMNS": "100"}
    ) as shown:
        os.close(terminal)
        seen = b""
        try:
            while piece := os.read(main_end, 4096):
                seen += piece
        except OSError:  # Linux says so when the other end is closed
            pass
    os.close(main_end)
    assert shown.returncode == 0
    assert "Best images" in seen.decode()


WRITES = [
    ["--help"],
    ["--version"],
    ["completion", "bash"],
    ["score", "data.json"],
    ["score", "data.json", "--json"],
    ["score", "data.json", "-o", "-", "--output-format", "npz", "-q"],
    ["prune", "data.json", "--rate", "0.5", "-o", "-", "-q"],
]


@pytest.mark.parametrize("arguments", WRITES)
def test_a_reader_that_leaves_is_no_error(folder: Path, arguments: list[str]) -> None:
    run = f"import sys; from tfdp_fast.cli import main; sys.exit(main({arguments!r}))"
    with subprocess.Popen(
        [sys.executable, "-c", run],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=buffered(),
    ) as writer:
        assert writer.stdout is not None
        assert writer.stderr is not None
        writer.stdout.close()
        assert writer.stderr.read() == b""
    assert writer.returncode == 0


@pytest.mark.parametrize("arguments", WRITES[1:])
def test_output_that_cannot_be_written(folder: Path, arguments: list[str]) -> None:
    run = f"import sys; from tfdp_fast.cli import main; sys.exit(main({arguments!r}))"
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", run],
            cwd=folder,
            stdout=full,
            stderr=subprocess.PIPE,
            env=buffered(),
            check=False,
        )
    assert (done.returncode, done.stderr) == (2, b"tfdp: error: standard output: No space left on device\n")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("score data.json", 0, b""),
        ("score data.json --json", 0, b""),
        ("prune data.json --rate 0.5 -o x.json", 0, b""),
        ("prune data.json --rate 0.5 -o -", 2, b"tfdp: error: standard output is closed\n"),
        ("completion bash", 2, b"tfdp: error: standard output is closed\n"),
    ],
)
def test_without_standard_output(folder: Path, arguments: str, code: int, message: bytes) -> None:
    run = f"import sys; from tfdp_fast.cli import main; sys.exit(main({arguments.split()!r}))"
    shell = ["sh", "-c", 'exec "$0" -c "$1" >&-', sys.executable, run]
    done = subprocess.run(shell, cwd=folder, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (code, message)


def test_standard_input_may_be_a_socket(folder: Path) -> None:
    for data, code in (((folder / "data.json").read_bytes(), 0), (b"[]", 2)):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.sendall(data)
            ours.shutdown(socket.SHUT_WR)
            run = "import sys; from tfdp_fast.cli import main; sys.exit(main(['score', '-', '-q']))"
            done = subprocess.run(
                [sys.executable, "-c", run],
                cwd=folder,
                stdin=theirs.fileno(),
                capture_output=True,
                check=False,
            )
        assert done.returncode == code
        assert done.stderr == (
            b"tfdp: error: /dev/stdin: the top level is not a JSON object\n" if code else b""
        )


@pytest.mark.parametrize("verb", [["prune", "--rate", "0.5"], ["score"]])
def test_standard_input_is_not_overwritten(folder: Path, verb: list[str]) -> None:
    before = (folder / "data.json").read_bytes()
    arguments = [*verb, "-", "-o", "data.json"]
    run = f"import sys; from tfdp_fast.cli import main; sys.exit(main({arguments!r}))"
    with (folder / "data.json").open("rb") as data:
        done = subprocess.run(
            [sys.executable, "-c", run], cwd=folder, stdin=data, capture_output=True, check=False
        )
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"tfdp: error: data.json: is the file that is being read\n"
    assert (folder / "data.json").read_bytes() == before


def test_names_steer_no_terminal_and_break_no_line(folder: Path) -> None:
    def rename(data: dict[str, Any]) -> None:
        data["categories"][0]["name"] = "c\x1b]0;title\x07\n[bold]"

    changed(folder, rename)
    (folder / "data.json").rename(folder / "two\nlines \u00e9.json")
    done = process("score", "two\nlines \u00e9.json", cwd=folder)
    assert done.stdout.splitlines()[0] == "source: two\\nlines \u00e9.json".encode()
    report = Report("x", {}, [], [Listing("Classes", ("class",), [["c\x1b]0;title\x07\n[bold]"]])])
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    show(report, as_json=False, quiet=False, stream=terminal)
    assert "c\\x1b]0;title\\x07\\n[bold]" in terminal.getvalue()


def test_a_name_that_the_encoding_does_not_have(folder: Path) -> None:
    (folder / "data.json").rename(folder / "\u00e9.json")
    run = "import sys; from tfdp_fast.cli import main; sys.exit(main(['score', '\u00e9.json']))"
    done = subprocess.run(
        [sys.executable, "-c", run],
        cwd=folder,
        capture_output=True,
        env=buffered() | {"PYTHONIOENCODING": "ascii"},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"source: \\xe9.json\n")
