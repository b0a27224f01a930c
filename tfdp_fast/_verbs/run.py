"""``tfdp run``."""

from __future__ import annotations

import argparse
from typing import Any

from tfdp_fast._arguments import (
    DIFFICULT,
    FORMATS,
    OF,
    ON_ERROR,
    ORDERS,
    POLYGONS,
    VARIANTS,
    add_how_many,
    add_verb,
    image_size,
)
from tfdp_fast._verbs.common import OK, how_many, show
from tfdp_fast._verbs.stopping import stoppable
from tfdp_fast.errors import OptionError

ENGINES = ("local", "threads", "ray", "dask")
STATUS = "status"
INCOMPLETE = 1

EPILOG = """\
examples:
  tfdp run sa1b/*.tar -o run/ --rate 0.7                     here, on all processors
  tfdp run -o run/                                           go on where it stopped
  tfdp run status run/                                       how far it has come
  tfdp run sa1b/*.tar more/*.tar -o run/ --rate 0.7          score what is new, and choose again
  tfdp run 's3://bucket/sa1b/*.tar' -o s3://bucket/run/ --rate 0.7 --engine ray --address auto

Each file or folder is a shard: it is scored by one task, which leaves one file in the run folder. Large
Parquet files, and folders of sa_<n>.json, are cut into several. A run that was stopped, however, goes on with
the shards that are missing; images are chosen when all are there. The run folder holds keep.txt and drop.txt
(id, tab, file name), image scores (images/*.parquet), boundary counts (counts/*.parquet), totals.json for a
Scorer, result.json, and a log of each run (logs/*.jsonl).
"""

EXIT_CODES = """\
exit codes:
  0  done
  1  done, but annotations were set aside (--on-error skip); or shards have failed and nothing was chosen: run
     it again, and only these are tried; of status: the run is not complete
  2  bad input, bad usage, or output that cannot be written: one line on standard error
  130, 143, 129  interrupted by SIGINT (Ctrl-C), SIGTERM, SIGHUP: run it again, and it goes on
"""


def add(verbs: Any) -> None:
    """Add the verb and its arguments."""
    parser = add_verb(
        verbs,
        "run",
        "score a data set of any size, shard by shard, here or on a cluster",
        run,
        EPILOG,
        EXIT_CODES,
    )
    parser.add_argument(
        "sources",
        metavar="SOURCE",
        nargs="*",
        help="files and folders of any format, here or at s3://, gs://, hf://; wildcards may be quoted; "
        "without any, those that the run folder names; or: status RUN",
    )
    parser.add_argument("-o", "--output", metavar="RUN", help="the run folder, here or at s3://, gs://")
    add_how_many(parser)
    group = parser.add_argument_group("which images")
    group.add_argument("--of", choices=OF, help="the images that a share refers to (default: scored)")
    group.add_argument("--strategy", choices=("top", "random"), help="the best (default), or at random")
    group.add_argument("--order", choices=ORDERS, help="which scores are the best (default: highest)")
    group.add_argument("--seed", type=int, metavar="N", help="random: which draw it is (default: 0)")
    _add_measuring(parser)
    _add_engine(parser)


def _add_measuring(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("scoring")
    group.add_argument("--variant", choices=VARIANTS, help="the method (default: tfdp), or an ablation")
    group.add_argument("--polygons", choices=POLYGONS, help="how polygons become masks (default: coco)")
    group.add_argument(
        "--on-error",
        choices=ON_ERROR,
        help="whether a bad annotation fails its shard (default: raise) or is set aside",
    )
    group.add_argument("--format", choices=FORMATS, help="the format, where the paths do not say it")
    group.add_argument("--split", metavar="NAME", help="which part, where there are several: train, val, ...")
    group.add_argument("--difficult", choices=DIFFICULT, help="whether objects that VOC marks as such count")
    group.add_argument(
        "--image-size", type=image_size, metavar="HxW", help="of all images, for YOLO without images"
    )


def _add_engine(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("who does it")
    group.add_argument(
        "--engine", choices=ENGINES, default="local", help="processes here (default), threads, or a cluster"
    )
    group.add_argument("--address", metavar="ADDRESS", help="of the cluster; auto finds Ray's")
    group.add_argument(
        "--workers", type=int, metavar="N", help="shards at once, here (default: all processors)"
    )
    group.add_argument(
        "--retries",
        type=int,
        default=2,
        metavar="N",
        help="how often a shard that fails is tried again (default: %(default)s)",
    )
    group.add_argument(
        "--changed",
        choices=("raise", "rescore"),
        default="raise",
        help="what to do if a shard is not what it was: stop (default), or take it as it is now",
    )
    group.add_argument(
        "--shard-instances",
        type=int,
        metavar="N",
        help="instances of a shard, about, where files can be cut (default: 1000000)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Do it, and return the exit code."""
    if arguments.sources[:1] == [STATUS]:
        return _status(arguments)
    if arguments.output is None:
        arguments.parser.error("the following arguments are required: -o/--output")
    if "-" in arguments.sources or arguments.output == "-":
        raise OptionError("a run reads files and writes a folder: - makes no sense here")
    from tfdp_fast._reports_run import run_report
    from tfdp_fast.distributed import run as run_shards
    from tfdp_fast.distributed.watching import watched

    with stoppable(), watched(bar=not (arguments.quiet or arguments.json or arguments.verbose)) as watcher:
        result = run_shards(
            arguments.sources or None,
            arguments.output,
            **how_many(arguments),
            of=arguments.of,
            strategy=arguments.strategy,
            order=arguments.order,
            seed=arguments.seed,
            variant=arguments.variant,
            polygons=arguments.polygons,
            on_error=arguments.on_error,
            format=arguments.format,
            split=arguments.split,
            difficult=arguments.difficult,
            image_size=arguments.image_size,
            engine=arguments.engine,
            address=arguments.address,
            workers=arguments.workers,
            retries=arguments.retries,
            changed=arguments.changed,
            shard_instances=arguments.shard_instances,
            watcher=watcher,
        )
    show(run_report(result), arguments)
    return INCOMPLETE if result.failed or result.problems else OK


def _status(arguments: argparse.Namespace) -> int:
    folders = arguments.sources[1:] or ([arguments.output] if arguments.output else [])
    if len(folders) != 1:
        arguments.parser.error("status is of one run folder: tfdp run status RUN")
    from tfdp_fast._reports_run import status_report
    from tfdp_fast.distributed import run_status

    status = run_status(folders[0])
    show(status_report(status), arguments)
    return OK if status.complete else INCOMPLETE
