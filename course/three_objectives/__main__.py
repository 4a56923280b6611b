"""Run the comparison: `python -m course.three_objectives`, about 40 minutes on one core.

A run that was cut off goes on where it stopped.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from course.stories import Stories
from course.three_objectives.results import FILE, write_manifest
from course.three_objectives.run import compare
from course.three_objectives.settings import Settings


def main() -> None:
    parser = argparse.ArgumentParser(description="Pretrain with three objectives for the same compute, and compare.")
    parser.add_argument("--out", type=Path, default=FILE, help="JSON file; runs that it holds are not repeated")
    parser.add_argument("--flops", type=float, help="another budget for each pretraining")
    parser.add_argument("--seeds", type=int, nargs="+", help="other seeds")
    options = parser.parse_args()
    changed = {"flops": options.flops, "seeds": tuple(options.seeds) if options.seeds else None}
    settings = replace(Settings(), **{name: value for name, value in changed.items() if value is not None})
    torch.set_num_threads(1)  # sums in one order, whatever the machine's number of cores
    compare(options.out, settings, Stories.load())
    if options.out == FILE:
        write_manifest(FILE.parent)


if __name__ == "__main__":
    main()
