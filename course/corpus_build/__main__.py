"""Build the story corpus: `python -m course.corpus_build`; `--stories` leaves the slow measurements as they are."""

from __future__ import annotations

import argparse
from pathlib import Path

from course.corpus_build.build import measure, write_manifest, write_stories
from course.stories import STORIES


def main() -> None:
    parser = argparse.ArgumentParser(description="Build stories, labels, floors and facts from the grammar.")
    parser.add_argument("--out", type=Path, default=STORIES, help="folder that holds grammar.json and takes the files")
    parser.add_argument(
        "--stories", action="store_true", help="only stories and labels; keep floors.json and facts.json"
    )
    parser.add_argument("--facts", action="store_true", help="print the numbers of the datasheet, and build nothing")
    options = parser.parse_args()
    if options.facts:
        print((options.out / "facts.json").read_text(encoding="utf-8"), end="")
        print((options.out / "floors.json").read_text(encoding="utf-8"), end="")
        return
    write_stories(options.out)
    if not options.stories:
        for name, text in measure(options.out).items():
            (options.out / name).write_text(text, encoding="utf-8")
            print(f"{name}: {len(text):,} characters")
    write_manifest(options.out)


if __name__ == "__main__":
    main()
