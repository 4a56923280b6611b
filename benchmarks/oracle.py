"""How fast the oracle is: the causal floor of the 1,000 test stories, and one call of each other kind.

Run by `make bench`, or alone: `python benchmarks/oracle.py`.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable

import numpy as np

from course.oracle import Oracle
from course.stories import Stories

LIMIT_SECONDS, LIMIT_GIB = 10.0, 2.0


def timed(call: Callable[[], object]) -> tuple[float, object]:
    begin = time.perf_counter()
    result = call()
    return time.perf_counter() - begin, result


def peak_gib() -> float:
    """Return the largest memory that this process has held (Linux counts KiB, macOS bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**30 if sys.platform == "darwin" else 2**20)


def main() -> int:
    stories = Stories.load()
    loading, oracle = timed(Oracle.load)
    seconds, log_probs = timed(lambda: oracle.log_probs(stories.test))
    floor = -sum(log_probs) / sum(len(ids) - 1 for ids in stories.test)
    story = max(stories.test, key=len)
    chosen = np.arange(len(story)) % 7 == 3
    rows, _ = timed(lambda: oracle.next_token_log_probs(story))
    masked, _ = timed(lambda: oracle.masked_log_probs(story, chosen))
    corrupted, _ = timed(lambda: oracle.corrupted_log_probs(story, chosen))
    memory = peak_gib()
    print(f"oracle: {oracle.chain.n_states:,} states, compiled in {loading:.2f} s")
    print(
        f"causal floor of {len(stories.test):,} test stories: {floor:.4f} nats "
        f"in {seconds:.2f} s (limit {LIMIT_SECONDS} s)"
    )
    print(
        f"longest story: next token {1e3 * rows:.0f} ms, masked {1e3 * masked:.0f} ms, "
        f"corrupted {1e3 * corrupted:.0f} ms"
    )
    print(f"peak memory {memory:.2f} GiB (limit {LIMIT_GIB} GiB)")
    return int(seconds > LIMIT_SECONDS or memory > LIMIT_GIB)


if __name__ == "__main__":
    sys.exit(main())
