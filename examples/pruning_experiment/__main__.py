"""The command line of the experiment."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

from pruning_experiment.experiment import run
from pruning_experiment.page import tables
from pruning_experiment.settings import FULL, QUICK


def main() -> None:
    """Run the experiment, write the results, and show the tables."""
    parser = argparse.ArgumentParser(prog="python -m pruning_experiment", description=main.__doc__)
    parser.add_argument("--quick", action="store_true", help="a tiny run, to see that everything works")
    parser.add_argument("-o", "--output", type=Path, default=Path("pruning-experiment.json"), metavar="FILE")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # so that sums are the same on every machine of a kind
    torch.use_deterministic_algorithms(True)
    results = run(QUICK if arguments.quick else FULL, lambda line: print(line, file=sys.stderr))
    arguments.output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(tables(results))


main()
