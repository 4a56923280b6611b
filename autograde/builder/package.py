"""`course release`: what students are given, from an allow-list, scanned before it leaves.

Modules of `course` that hold what an exercise asks for are packed; an answer anywhere else stops the release.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import tomllib
import zipfile
from pathlib import Path

from autograde.builder.freshness import verify_corpora
from autograde.builder.leaks import LeakScanner
from autograde.builder.packing import pack_blocks
from autograde.layout import CourseError, Layout

# What only course staff need; every other dependency goes to the students.
STAFF_DEPENDENCIES = {
    "dask", "jupytext", "msgpack", "nbclient", "nbgrader", "pyseccomp", "pytest", "rich", "typer",
}  # fmt: skip
_ZIP_TIME = (2020, 1, 1, 0, 0, 0)


def release(layout: Layout, out: Path) -> list[str]:
    """Write the students' folder (or `.zip`) and return the files in it, as paths relative to its root.

    Raises:
        CourseError: `out` exists already, a notebook is missing, or the scan found an answer or a hidden test.
    """
    if out.exists() and (out.is_file() or any(out.iterdir())):
        raise CourseError(f"{out} exists already. Name a new folder or .zip; nothing was written.")
    verify_corpora(layout)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "course"
        _collect(layout, root)
        _refuse_leaks(layout, root)
        files = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            if out.suffix == ".zip":
                _zip(root, files, out)
            else:
                shutil.copytree(root, out, dirs_exist_ok=True)
        except OSError as error:
            raise CourseError(f"{out} cannot be written ({error.strerror}). Name another place.") from None
    return files


def _collect(layout: Layout, root: Path) -> None:
    """Copy the allow-list: notebooks that have a source, the `course` package, the corpora, the licence, a README."""
    for week, notebook in layout.lessons():
        copy = layout.student_copy(week, notebook)
        if not copy.is_file():
            raise CourseError(f"{copy} is missing. Run `make build` first.")
        _copy(copy, root / "notebooks" / week / copy.name)
    for path in [*(layout.root / "course").rglob("*.py"), *(layout.root / "data").rglob("*")]:
        inside = path.relative_to(layout.root)
        if (
            path.is_file()
            and not path.is_symlink()
            and not any(part.startswith((".", "__pyc")) for part in inside.parts)
        ):
            _copy(path, root / inside)
    _copy(layout.root / "LICENSE", root / "LICENSE")
    _copy(layout.root / "docs" / "student.md", root / "README.md")
    dependencies = student_dependencies(layout)
    (root / "pyproject.toml").write_text(_student_pyproject(dependencies), encoding="utf-8")
    (root / "environment.yml").write_text(_student_environment(dependencies), encoding="utf-8")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def student_dependencies(layout: Layout) -> list[str]:
    """Return the requirements that a student's own machine needs, as in pyproject.toml."""
    project = tomllib.loads((layout.root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [need for need in project["dependencies"] if re.match(r"[\w-]+", need).group() not in STAFF_DEPENDENCIES]


def _student_pyproject(dependencies: list[str]) -> str:
    needs = "".join(f'    "{need}",\n' for need in dependencies)
    return (
        '[build-system]\nrequires = ["setuptools>=69"]\nbuild-backend = "setuptools.build_meta"\n\n'
        '[project]\nname = "pretraining-course"\nversion = "0.1.0"\nrequires-python = ">=3.11,<3.14"\n'
        f"dependencies = [\n{needs}]\n\n"
        '[tool.setuptools.packages.find]\ninclude = ["course*"]\n'
    )


def _student_environment(dependencies: list[str]) -> str:
    needs = "".join(f'      - "{need}"\n' for need in dependencies)
    return (
        "name: pretraining-course\nchannels:\n  - conda-forge\ndependencies:\n  - python=3.12\n  - pip\n  - pip:\n"
        f"{needs}      - -e .\n"
    )


def _refuse_leaks(layout: Layout, root: Path) -> None:
    scanner = LeakScanner(layout)
    # Scanned again when packed: a file that the scan would refuse must not slip through this.
    leaks = pack_blocks(root, scanner.scan_folder(root)) or scanner.scan_folder(root)
    if leaks:
        raise CourseError("Nothing was released; these lines may not reach students:\n" + "\n".join(map(str, leaks)))


def _zip(root: Path, files: list[str], out: Path) -> None:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in files:
            # A fixed time, so that the same course gives the same bytes.
            entry = zipfile.ZipInfo(f"{out.stem}/{name}", _ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, (root / name).read_bytes())
