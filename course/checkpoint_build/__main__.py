"""Build the checkpoints: `python -m course.checkpoint_build`; `--small` leaves the pretrained one as it is."""

from __future__ import annotations

import argparse
from pathlib import Path

from course.checkpoint_build.manifest import write_manifest
from course.checkpoint_build.pretrained import write_stories_bert
from course.checkpoint_build.random_weights import write_random
from course.checkpoints import CHECKPOINTS


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the course's checkpoints in the hub's file form.")
    parser.add_argument("--out", type=Path, default=CHECKPOINTS, help="folder that takes one folder a checkpoint")
    parser.add_argument("--small", action="store_true", help="only those with random weights; train nothing")
    options = parser.parse_args()
    for kind in ("bert", "roberta"):
        write_random(kind, options.out / f"small_{kind}")
    if not options.small:
        write_stories_bert(options.out / "stories_bert")
    write_manifest(options.out)


if __name__ == "__main__":
    main()
