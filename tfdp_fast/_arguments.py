"""The arguments of the command line."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

if TYPE_CHECKING:
    from tfdp_fast.scores import Variant

VARIANTS: tuple[Variant, ...] = ("tfdp", "scs", "si", "cb")
POLYGONS = ("coco", "opencv")
PRESETS = ("official",)
ON_ERROR = ("raise", "skip")
OF = ("scored", "annotated", "all")
STRATEGIES = ("top", "random", "ccs", "stratified-by-class")
ORDERS = ("highest", "lowest")
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


Run: TypeAlias = Callable[[argparse.Namespace], int]
"""What a verb does; it returns the exit code."""


class Parser(argparse.ArgumentParser):
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

    def add_subparsers(self, **options: Any) -> Any:
        """Add verbs, whose arguments are completed in the same way."""
        # argparse asks for a class, and only calls it.
        verb_parser: Any = partial(Parser, completions=self._completions)
        return super().add_subparsers(parser_class=verb_parser, **options)

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


def add_verb(
    verbs: Any,
    name: str,
    summary: str,
    run: Run,
    epilog: str | None = None,
    exit_codes: str = EPILOG,
) -> argparse.ArgumentParser:
    """Add a verb that knows the options of all verbs, and what runs it."""
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
    parser.set_defaults(verb=name, parser=parser, run=run)
    return parser


def add_how_many(parser: argparse.ArgumentParser) -> Any:
    """How many images are to be kept; returns the group, whose options exclude each other."""
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


def add_of(parser: argparse.ArgumentParser) -> None:
    """Which images a share refers to."""
    parser.add_argument(
        "--of",
        choices=OF,
        default="scored",
        help="the images that a share refers to: those with a scored "
        "instance (default), with an annotation, or all",
    )


def add_strategy(parser: argparse.ArgumentParser) -> None:
    """How images are chosen."""
    group = parser.add_argument_group("which images")
    group.add_argument(
        "--strategy",
        choices=STRATEGIES,
        default="top",
        help="the best (default), at random, from strata of scores, or so that classes keep the same share",
    )
    group.add_argument(
        "--order", choices=ORDERS, help="which scores are the best (default: highest; lowest for AUM)"
    )
    group.add_argument("--seed", type=int, metavar="N", help="random, ccs: which draw it is (default: 0)")
    group.add_argument(
        "--beta",
        type=float,
        metavar="SHARE",
        help="ccs: share of the best scores that is dropped first (default: 0.1 for lowest, else 0)",
    )
    group.add_argument("--strata", type=int, metavar="N", help="ccs: how many strata (default: 50)")


def add_input(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """What is to be read."""
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


def add_images(parser: argparse.ArgumentParser) -> None:
    """Where images are, and where they go."""
    group = parser.add_argument_group("images")
    group.add_argument(
        "--images", metavar="FOLDER", help="where they are, for formats that do not say it (COCO, LVIS)"
    )
    where_to = group.add_mutually_exclusive_group()
    where_to.add_argument(
        "--copy-images", metavar="FOLDER", help="copy those that are kept into a new folder"
    )
    where_to.add_argument("--link-images", metavar="FOLDER", help="make symbolic links to them instead")


def add_image_folder(parser: argparse.ArgumentParser) -> None:
    """Where images are that are drawn."""
    parser.add_argument(
        "--images",
        metavar="FOLDER",
        help="where the images are, for formats that do not say it (COCO, LVIS); without them, contours are "
        "drawn on a blank canvas",
    )


def add_scoring(parser: argparse.ArgumentParser, *, several: bool = False, every: bool = False) -> None:
    """How to score: by one variant, by several, or by every one."""
    group = parser.add_argument_group("scoring")
    if several:
        group.add_argument(
            "--variant",
            choices=(*VARIANTS, "all"),
            action="append",
            dest="variants",
            help="the method (default) or one of its ablations; may be given several times",
        )
    elif not every:
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
