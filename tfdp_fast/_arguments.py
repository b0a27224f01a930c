"""The arguments of the command line."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from fractions import Fraction
from functools import partial
from typing import Any, NoReturn

VARIANTS = ("tfdp", "scs", "si", "cb")
POLYGONS = ("coco", "opencv")
PRESETS = ("official",)
ON_ERROR = ("raise", "skip")
OF = ("scored", "annotated", "all")
FORMATS = ("coco", "voc", "cityscapes", "yolo", "sa1b", "webdataset", "jsonl", "arrow")
DIFFICULT = ("include", "exclude")
OUTPUT_FORMATS = ("parquet", "npz", "csv", "json")
SHELLS = ("bash", "zsh", "tcsh")

BAD_USAGE = 2

EPILOG = """\
exit codes:
  0  done
  1  done, but annotations were set aside (--on-error skip)
  2  bad input, bad usage, or output that cannot be written: one line on standard error, nothing half-written
  130  interrupted
"""

PRUNE_EPILOG = """\
examples:
  tfdp prune instances_train.json --rate 0.5 -o pruned.json     drop half of the images
  tfdp prune instances_train.json --keep 0.5 -o pruned.json     the same
  tfdp prune instances_train.json --keep 58660 -o pruned.json   keep 58,660 images
  tfdp prune - --rate 30% -o - < all.json > pruned.json         through a pipe: the report goes to stderr

  tfdp prune VOCdevkit/VOC2012 --rate 0.3 -o train_pruned.txt   other formats: a list, as they have it
  tfdp prune --from pruned.json.pruning.json -o again.json      the same again, checked

The subset has the format of the data set. Beside it appear lists of the images that are kept and dropped
(.keep.txt, .drop.txt: id, tab, file name) and a record of what was done (.pruning.json). An output that
exists is replaced once the new one is complete. It cannot be the input.
"""

SCORE_EPILOG = """\
examples:
  tfdp score instances_train.json                       a summary
  tfdp score instances_train.json -o scores.parquet     everything; .npz too
  tfdp score instances_train.json -o scores.csv         the images
  tfdp score instances_train.json -o scores.json        {"<image id>": score}
  tfdp score instances_train.json -o - --output-format csv     to standard output
"""

WARMUP_EPILOG = """\
Kernels are compiled on first use, which takes seconds, and kept for later processes: beside the package or,
where that is read-only, in the user's cache folder. NUMBA_CACHE_DIR names another folder. Run this while an
image is built (RUN tfdp warmup). It fails if a kernel cannot be kept; the other verbs do without.
"""


COMPARE_EPILOG = """\
A score file is .parquet, .npz, .csv, or .json as the paper's authors write it: {"<image id>": score}.
A subset is a COCO or LVIS file, the .pruning.json beside a subset, or a list of image ids, one a line.

examples:
  tfdp compare scores.parquet theirs.json               correlation, differences, overlap, who moved
  tfdp compare scores.parquet theirs.json --tolerance 1e-6     the same up to rounding?
  tfdp compare scores.parquet pruned.json               are these the best?
  tfdp compare a.keep.txt b.keep.txt                    what have they in common?
"""

COMPARE_EXIT_CODES = """\
exit codes:
  0  the same: scores of the same images; the same subset; the best images are those of the subset
  1  different
  2  bad input or bad usage: one line on standard error
  130  interrupted
"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line.

    Parameters
    ----------
    completions : mapping, optional
        By metavar, how a shell completes an argument, in the form of shtab.
    """

    def __init__(self, *, completions: Mapping[str, Any] | None = None, **options: Any) -> None:
        self._completions = completions or {}
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **options)

    def add_argument(self, *names: Any, **options: Any) -> argparse.Action:
        """Add an argument, and how it is completed."""
        action = super().add_argument(*names, **options)
        if options.get("metavar") in self._completions:
            action.complete = self._completions[options["metavar"]]  # type: ignore[attr-defined]
        return action

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_USAGE, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def rate_to_drop(text: str) -> Fraction:
    """The value of --rate."""
    rate = _share(text)
    if rate is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share: write 0.5 or 50%")
    if rate >= 1 and re.fullmatch(r"[0-9]+", text):
        raise argparse.ArgumentTypeError(f"the share to drop is below 1, got {text}: write 0.5 or 50%")
    return rate


def share_or_count_to_keep(text: str) -> Fraction | int:
    """The value of --keep: a share has a point or a per cent sign, a count has none."""
    if text in {"0", "1"}:
        raise argparse.ArgumentTypeError(
            "1 can be a share or a count: write 1.0 or 100% for all images, --k 1 for one"
            if text == "1"
            else "0 would keep nothing"
        )
    if re.fullmatch(r"[1-9][0-9]*", text):
        return int(text)
    share = _share(text)
    if share is None or text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is neither a share (0.5, 50%) nor a count (58660)")
    return share


def _share(text: str) -> Fraction | None:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(%?)", text)
    return Fraction(match[1]) / (100 if match[2] else 1) if match else None


def image_size(text: str) -> tuple[int, int]:
    """Height and width: 480x640."""
    found = re.fullmatch(r"(\d{1,9})x(\d{1,9})", text)
    if not found:
        raise argparse.ArgumentTypeError(f"height and width are written as 480x640, not as {text!r}")
    return int(found[1]), int(found[2])


def build_parser(completions: Mapping[str, Any] | None = None) -> argparse.ArgumentParser:
    """The parser of ``tfdp`` and its verbs."""
    parser = _Parser(
        completions=completions,
        prog="tfdp",
        description="Score the images of an instance segmentation data set from its annotations alone,\n"
        "and keep those that are most worth training on.",
        epilog=EPILOG,
    )
    parser.add_argument("--version", action="store_true", help="print versions and leave")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(verb=None, parser=parser, quiet=False, verbose=0)
    # argparse asks for a class, and only calls it.
    verb_parser: Any = partial(_Parser, completions=completions)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", parser_class=verb_parser)

    prune = _verb(verbs, "prune", "write the part of a data set that is worth keeping", PRUNE_EPILOG)
    _add_input(prune, optional=True)
    prune.add_argument("-o", "--output", metavar="FILE", help="where to; - is standard output")
    how_many = _add_how_many(prune)
    prune.add_argument(
        "--of",
        choices=OF,
        default="scored",
        help="the images that a share refers to: those with a scored "
        "instance (default), with an annotation, or all",
    )
    how_many.add_argument(
        "--from",
        dest="record",
        metavar="RECORD",
        help="prune again as a .pruning.json says, and check that the same comes out",
    )
    _add_images(prune)
    _add_scoring(prune)

    score = _verb(verbs, "score", "score every image of a data set", SCORE_EPILOG)
    _add_input(score)
    score.add_argument(
        "-o", "--output", metavar="FILE", help="where to; the suffix says how; - is standard output"
    )
    score.add_argument(
        "--output-format", choices=OUTPUT_FORMATS, help="the format of standard output (with -o -)"
    )
    _add_scoring(score)

    compare = _verb(
        verbs,
        "compare",
        "say how two score files, or subsets, differ",
        COMPARE_EPILOG,
        exit_codes=COMPARE_EXIT_CODES,
    )
    for name in ("a", "b"):
        compare.add_argument(name, metavar=name.upper(), help="a score file or a subset")
    _add_how_many(compare)
    compare.add_argument(
        "--tolerance",
        type=float,
        metavar="R",
        default=0.0,
        help="relative difference up to which scores are the same (default: %(default)s)",
    )
    compare.add_argument(
        "--top", type=int, metavar="N", default=10, help="images to list (default: %(default)s)"
    )

    demo = _verb(verbs, "demo", "make a small data set with images and prune it")
    demo.add_argument(
        "-o", "--output", metavar="FOLDER", default="tfdp-demo", help="where to (default: %(default)s)"
    )

    _verb(verbs, "warmup", "compile all kernels and keep them", WARMUP_EPILOG)

    completion = _verb(verbs, "completion", "print a completion script for a shell")
    completion.add_argument("shell", choices=SHELLS)
    return parser


def _verb(
    verbs: Any, name: str, summary: str, epilog: str | None = None, exit_codes: str = EPILOG
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"{epilog}\n{exit_codes}" if epilog else exit_codes,
    )
    # Suppressed, so that the option may also stand before the verb.
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON object"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    parser.add_argument(
        "-v",
        "--verbose",
        action="count",
        default=0,
        help="say what is going on; -vv also where an error arose",
    )
    parser.set_defaults(verb=name, parser=parser)
    return parser


def _add_how_many(parser: argparse.ArgumentParser) -> Any:
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--rate", type=rate_to_drop, metavar="SHARE", help="share of the images to DROP: 0.3, 30%%"
    )
    group.add_argument(
        "--keep",
        type=share_or_count_to_keep,
        metavar="SHARE|N",
        help="share (0.7, 70%%) or number (58660) to KEEP",
    )
    group.add_argument("--k", type=int, metavar="N", help="number of images to KEEP")
    return group


def _add_input(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    parser.add_argument(
        "input",
        metavar="ANNOTATIONS",
        nargs="?" if optional else None,
        help="a file or folder of any format; - is standard input",
    )
    group = parser.add_argument_group("what the annotations are")
    group.add_argument("--format", choices=FORMATS, help="the format, where the path does not say it")
    group.add_argument("--split", metavar="NAME", help="which part, where there are several: train, val, ...")
    group.add_argument(
        "--difficult",
        choices=DIFFICULT,
        default="include",
        help="whether objects that VOC marks as difficult count (default: %(default)s)",
    )
    group.add_argument(
        "--image-size",
        type=image_size,
        metavar="HxW",
        help="height and width of all images, for YOLO without images",
    )


def _add_images(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("images")
    group.add_argument(
        "--images", metavar="FOLDER", help="where they are, for formats that do not say it (COCO, LVIS)"
    )
    where_to = group.add_mutually_exclusive_group()
    where_to.add_argument(
        "--copy-images", metavar="FOLDER", help="copy those that are kept into a new folder"
    )
    where_to.add_argument("--link-images", metavar="FOLDER", help="make symbolic links to them instead")


def _add_scoring(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("scoring")
    group.add_argument(
        "--variant", choices=VARIANTS, default="tfdp", help="the method (default) or one of its ablations"
    )
    group.add_argument(
        "--preset",
        choices=PRESETS,
        help="official: the filters, polygons and numbers of images of the paper's authors",
    )
    group.add_argument(
        "--polygons",
        choices=POLYGONS,
        help="how polygons become masks (default: coco; opencv for the preset)",
    )
    group.add_argument(
        "--on-error",
        choices=ON_ERROR,
        default="raise",
        help="stop at a bad annotation (default) or set it aside",
    )
    group.add_argument("--threads", type=int, metavar="N", help="threads to use (default: all processors)")
