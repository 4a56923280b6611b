"""`python -m benchmarks [NAME...]`: run all benchmarks, or those named, each in a process of its own."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import torch

NAMES = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("__"))


def main(wanted: list[str]) -> int:
    """Run the benchmarks and return how many failed."""
    unknown = sorted(set(wanted) - set(NAMES))
    if unknown:
        print(f"No benchmark is named {', '.join(unknown)}; there are {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    print(
        f"Python {platform.python_version()}, torch {torch.__version__}, {torch.get_num_threads()} threads", flush=True
    )
    failed = 0
    for name in wanted or NAMES:
        print(f"\n== {name}", flush=True)
        # A fresh process each, so that peak memory and warm caches of one do not reach the next.
        code = f"from benchmarks.{name} import main; main()"
        failed += subprocess.run([sys.executable, "-c", code], check=False).returncode != 0
    return failed


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
