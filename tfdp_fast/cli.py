"""The command line ``tfdp``: parse, call, print.

Nothing but the standard library is imported until a verb has something to do, so that ``--help`` is quick.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import shlex
import stat
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

from tfdp_fast._arguments import build_parser
from tfdp_fast.errors import DataError, OptionError, OutputError, TfdpError

if TYPE_CHECKING:
    from tfdp_fast._console import Report
    from tfdp_fast.formats.opening import Opening

STANDARD_INPUT = "/dev/stdin"

WITHOUT_INSTANCE = (
    ("without annotations", "without_annotations"),
    ("with crowd regions only", "with_crowd_regions_only"),
)

OK, WITH_PROBLEMS, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
DIFFERENT = 1
"""What ``compare`` says, as ``diff`` and ``cmp`` do."""

# ---- verbs ----


def _version_or_usage(arguments: argparse.Namespace) -> int:
    if not arguments.version:
        arguments.parser.error("say what to do: prune, score, compare, demo, warmup or completion")
    from tfdp_fast._versions import version_report

    _show(version_report(), arguments)
    return OK


def _prune(arguments: argparse.Namespace) -> int:
    from tfdp_fast._console import progress_bar
    from tfdp_fast._reports import prune_report
    from tfdp_fast.pruning import prune, repeat

    _check_pruning(arguments)
    to_stdout = arguments.output == "-"
    if to_stdout and arguments.json:
        raise OptionError("-o - and --json cannot both have standard output")
    with progress_bar(enabled=not (arguments.quiet or arguments.json)) as progress:
        if arguments.record is not None:
            pruned = repeat(
                arguments.record,
                arguments.output,
                source=arguments.input,
                threads=arguments.threads,
                progress=progress,
            )
        else:
            pruned = prune(
                _source(arguments),
                _standard_output() if to_stdout else arguments.output,
                **_how_many(arguments),
                of=arguments.of,
                variant=arguments.variant,
                polygons=arguments.polygons,
                preset=arguments.preset,
                on_error=arguments.on_error,
                images=arguments.images,
                copy_images=arguments.copy_images,
                link_images=arguments.link_images,
                threads=arguments.threads,
                progress=progress,
                **_opening(arguments),
            )
    report = prune_report(pruned, arguments.input)
    if arguments.verbose:
        for label, key in WITHOUT_INSTANCE:
            report.rows.append((f"{label}, ids", ", ".join(map(str, report.data["images"][key])) or "none"))
    _show(report, arguments, to_stderr=to_stdout)
    return WITH_PROBLEMS if pruned.scores.problems else OK


def _check_pruning(arguments: argparse.Namespace) -> None:
    """What argparse cannot say: a record brings its own options, and without one they are needed."""
    usage = arguments.parser
    if arguments.record is None:
        for given, what in ((arguments.input, "ANNOTATIONS"), (arguments.output, "-o/--output")):
            if given is None:
                usage.error(f"the following arguments are required: {what}")
        if arguments.rate is None and arguments.keep is None and arguments.k is None:
            usage.error("one of the arguments --rate --keep --k --from is required")
        return
    free = {"record", "input", "output", "threads", "json", "quiet", "verbose", "version", "verb", "parser"}
    changed = [name for name, value in vars(arguments).items() if value != usage.get_default(name)]
    if wrong := sorted(set(changed) - free):
        usage.error(
            f"--from brings the options of the run: it does not go with --{wrong[0].replace('_', '-')}"
        )
    if arguments.output == "-" or arguments.input == "-":
        usage.error("--from does not go with standard input or output")


def _score(arguments: argparse.Namespace) -> int:
    from tfdp_fast._console import progress_bar
    from tfdp_fast._output import Outputs
    from tfdp_fast._reports import score_report
    from tfdp_fast.beside import Beside, write_problems
    from tfdp_fast.formats.scores import suffix_of, write_scores
    from tfdp_fast.scoring import score

    to_stdout = arguments.output == "-"
    if to_stdout and (arguments.json or arguments.output_format is None):
        raise OptionError("-o - needs --output-format, and cannot share standard output with --json")
    if arguments.output_format and not to_stdout:
        raise OptionError("--output-format goes with -o -; of a file the suffix says it")
    problems_path = None
    if arguments.output and not to_stdout:
        suffix_of(arguments.output)
        _check_output(arguments.output, arguments.input)
        if arguments.on_error == "skip":
            problems_path = Beside.of(arguments.output).problems
            _check_output(problems_path, arguments.input)
    with progress_bar(enabled=not (arguments.quiet or arguments.json)) as progress:
        scores = score(
            _source(arguments),
            arguments.variant,
            polygons=arguments.polygons,
            preset=arguments.preset,
            on_error=arguments.on_error,
            threads=arguments.threads,
            progress=progress,
            **_opening(arguments),
        )
    if to_stdout:
        write_scores(scores, _standard_output(), f".{arguments.output_format}")
    elif arguments.output:
        with Outputs() as outputs:
            write_scores(scores, outputs.open(arguments.output), suffix_of(arguments.output))
            if problems_path is not None:
                write_problems(scores.problems, outputs.open(problems_path))
    report = score_report(arguments.input, arguments.output, scores, problems_path)
    _show(report, arguments, to_stderr=to_stdout)
    return WITH_PROBLEMS if scores.problems else OK


def _check_output(output: str | Path, source: str) -> None:
    """Refuse, before anything is read, what cannot be written or would overwrite the source."""
    from tfdp_fast._output import check_output, refuse_to_overwrite

    check_output(output)
    try:
        there = Path(STANDARD_INPUT if source == "-" else source).stat()
    except OSError:  # the reader will say so
        return
    refuse_to_overwrite(output, there)


def _compare(arguments: argparse.Namespace) -> int:
    from tfdp_fast._reports_compare import compare_report
    from tfdp_fast.comparing import compare

    comparison = compare(
        arguments.a,
        arguments.b,
        **_how_many(arguments),
        tolerance=arguments.tolerance,
        top=arguments.top,
    )
    _show(compare_report(comparison), arguments)
    return OK if comparison.same else DIFFERENT


def _demo(arguments: argparse.Namespace) -> int:
    from tfdp_fast._console import Report
    from tfdp_fast._reports import prune_report, score_report
    from tfdp_fast.demo import is_demo, make_demo
    from tfdp_fast.pruning import prune

    if arguments.output == "-":
        raise OptionError("a demo is a folder: it cannot go to standard output")
    folder = Path(arguments.output)
    annotations, output = folder / "annotations.json", folder / "pruned.json"
    # What is there may be somebody's: only an earlier demo is replaced.
    if folder.exists() and not is_demo(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise OptionError(f"{folder}: is there already, and is no earlier demo")
    make_demo(folder)
    pruned = prune(annotations, output, rate=0.5)
    report = prune_report(pruned, str(annotations))
    scored = score_report(str(annotations), None, pruned.scores, None)
    again = shlex.join(["tfdp", "prune", str(annotations), "--rate", "0.5", "-o", str(output)])
    named = [(label, value) for label, value in scored.rows if label in {"best image", "last image"}]
    report = Report(
        f"Made 60 images of shapes in {folder / 'images'}, and pruned their annotations",
        report.data
        | {"images_folder": str(folder / "images"), "best": scored.data["best"], "command": again},
        [("images in", str(folder / "images")), *report.rows, *named, ("by hand", again)],
        [*report.listings, *scored.listings],
    )
    _show(report, arguments)
    return OK


def _warmup(arguments: argparse.Namespace) -> int:
    from tfdp_fast._reports import warmup_report
    from tfdp_fast.warming import warmup

    done = warmup()
    if not done.kernels:
        raise OutputError("nothing is compiled while NUMBA_DISABLE_JIT is set")
    if done.kept < done.kernels:
        lost = f"{done.kernels - done.kept} of {done.kernels} kernels cannot be kept"
        raise OutputError(f"{lost}: {'; '.join(done.refusals)}")
    _show(warmup_report(done), arguments)
    return OK


def _completion(arguments: argparse.Namespace) -> int:
    import shtab

    from tfdp_fast._console import Report

    files = dict.fromkeys(("ANNOTATIONS", "A", "B", "FILE"), shtab.FILE)
    completions = files | {"FOLDER": shtab.DIRECTORY}
    script = shtab.complete(build_parser(completions), arguments.shell)
    if arguments.json:
        _show(Report("", {"shell": arguments.shell, "script": script}, []), arguments)
    else:
        _standard_output().write(f"{script}\n".encode())
    return OK


def _source(arguments: argparse.Namespace) -> str | bytes:
    if arguments.input != "-":
        return str(arguments.input)
    # A file is mapped by its name. A pipe is read here, because a socket cannot be opened by name.
    if sys.stdin is None or stat.S_ISREG(os.fstat(sys.stdin.fileno()).st_mode):
        return STANDARD_INPUT
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise DataError(STANDARD_INPUT, None, f"cannot be read: {error.strerror}") from error


def _how_many(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options of `select`: --keep is a share or a number."""
    kept = arguments.keep
    return {
        "rate": arguments.rate,
        "keep": kept if isinstance(kept, Fraction) else None,
        "k": kept if isinstance(kept, int) else arguments.k,
    }


def _opening(arguments: argparse.Namespace) -> Opening:
    return {
        "format": arguments.format,
        "split": arguments.split,
        "difficult": arguments.difficult,
        "image_size": arguments.image_size,
    }


def _standard_output() -> BinaryIO:
    if sys.stdout is None:
        raise OutputError("standard output is closed")
    return sys.stdout.buffer


def _show(report: Report, arguments: argparse.Namespace, *, to_stderr: bool = False) -> None:
    from tfdp_fast._console import show

    stream = sys.stderr if to_stderr else sys.stdout
    show(report, as_json=arguments.json, quiet=arguments.quiet, stream=stream)


VERBS: dict[str | None, Callable[[argparse.Namespace], int]] = {
    None: _version_or_usage,
    "prune": _prune,
    "score": _score,
    "compare": _compare,
    "demo": _demo,
    "warmup": _warmup,
    "completion": _completion,
}

# ---- the frame around every verb ----


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    try:
        code = _run(argv)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        _drop_standard_output()
        return OK
    except (TfdpError, OSError, MemoryError) as error:
        logging.getLogger(__name__).debug("failed", exc_info=True)
        if not isinstance(error, (TfdpError, MemoryError)):
            _drop_standard_output()
        _say(f"error: {_message(error)}")
        return BAD_INPUT
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED


def _run(argv: Sequence[str] | None) -> int:
    try:
        arguments, unknown = build_parser().parse_known_args(argv)
        if unknown:
            from tfdp_fast._text import one_line

            arguments.parser.error(f"unrecognized arguments: {one_line(' '.join(unknown))}")
        if arguments.verbose:
            logging.basicConfig(format="%(name)s: %(message)s", stream=sys.stderr)
            level = logging.INFO if arguments.verbose == 1 else logging.DEBUG
            logging.getLogger("tfdp_fast").setLevel(level)
        return VERBS[arguments.verb](arguments)
    except SystemExit as leaving:  # argparse has said what there was to say
        return int(leaving.code or OK)


def _message(error: Exception) -> str:
    if isinstance(error, DataError) and error.source == "<bytes>":  # what `_source` has read
        return str(DataError(STANDARD_INPUT, error.record, error.reason))
    if isinstance(error, OSError) and not isinstance(error, TfdpError) and error.strerror:
        return f"{error.filename or 'standard output'}: {error.strerror}"
    return str(error) or "out of memory"


def _say(message: str) -> None:
    if sys.stderr is not None:
        from tfdp_fast._text import one_line

        sys.stderr.write(f"tfdp: {one_line(message)}\n")


def _drop_standard_output() -> None:
    """Let go of what cannot be written: Python would complain when it flushes at the end."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run() -> NoReturn:
    """Run the command line of this process.

    The process ends with its verb, so cyclic garbage is left to the system, at the end as well: that saves a
    tenth of the time. NumPy's linear algebra is not used, so it need not start threads that wait for work.
    """
    gc.disable()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    code = main()
    gc.freeze()
    sys.exit(code)
