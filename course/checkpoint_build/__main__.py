"""Build checkpoints: `python -m course.checkpoint_build [NAME...]`; all of them where none is named.

`--small` builds only those with random weights, which takes seconds; the others are trained, which takes minutes.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

from course.checkpoint_build import NAMES, RANDOM
from course.checkpoint_build.manifest import write_manifest
from course.checkpoints import CHECKPOINTS


def main(arguments: list[str] | None = None) -> None:
    """Build what the command line names, then write the manifest of all files that are there."""
    parser = argparse.ArgumentParser(
        prog="python -m course.checkpoint_build", description="Build the course's checkpoints in the hub's file form."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all where none is named")
    parser.add_argument("--out", type=Path, default=CHECKPOINTS, help="folder that takes one folder a checkpoint")
    parser.add_argument("--small", action="store_true", help="only those with random weights; train nothing")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in NAMES]
    if unknown:
        parser.error(f"there is no checkpoint {', '.join(unknown)}; there are {', '.join(NAMES)}")
    for name in options.names or NAMES:
        if name in RANDOM or not options.small:
            import_module(f"course.checkpoint_build.{name}").write(options.out / name)
    write_manifest(options.out)


if __name__ == "__main__":
    main()
