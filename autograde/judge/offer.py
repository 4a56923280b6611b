"""Which modules of `course` a sandbox gets: those that setup and check cells import, and what these import in turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ..imports import imported, reached
from ..sandbox.plan import Offer
from ..submission import Notebook, grade_id, metadata, source_of

ALWAYS = ("numpy", "torch")
OPTIMISERS = "torch.optim"


def offer_for(releases: Iterable[Notebook], course: Path, cache: Path | None = None) -> Offer:
    """Return what the notebooks need in the sandbox.

    Args:
        releases: notebooks as given out.
        course: the folder of the `course` package.
        cache: a folder in which the grader keeps things between runs.
    """
    releases = list(releases)
    wanted = {name for release in releases for source in _given_cells(release) for name in imported(source)}
    files, others = reached(wanted, course)
    others |= set(ALWAYS) | ({OPTIMISERS} if any(map(_speaks_of_optimisers, releases)) else set())
    return Offer(course, sorted(files.values()), [*sorted(_importable(others)), *sorted(files)], cache)


def _given_cells(release: Notebook) -> Iterator[str]:
    for cell in release["cells"]:
        given = metadata(cell) and not metadata(cell).get("solution")
        if cell["cell_type"] == "code" and given and grade_id(cell):
            yield source_of(cell)


def _speaks_of_optimisers(release: Notebook) -> bool:
    return any("optim" in source_of(cell) for cell in release["cells"] if grade_id(cell))


def _importable(names: set[str]) -> set[str]:
    """Return the top-level packages among names such as `torch.nn.Linear`, which need not be a module."""
    special = {"matplotlib.pyplot", OPTIMISERS} & names
    return {name.partition(".")[0] for name in names if name and not name.startswith("__")} | special
