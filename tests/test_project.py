"""Facts about the repository that would otherwise drift apart."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

from autograde.builder.lesson import read_lesson
from autograde.layout import Layout

ROOT = Path(__file__).resolve().parent.parent


def dependencies():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]


def test_environment_yml_and_pyproject_list_the_same_dependencies():
    lines = (ROOT / "environment.yml").read_text(encoding="utf-8").splitlines()
    listed = [line.strip()[2:].strip('"') for line in lines if line.startswith("      - ")]
    assert listed == [*dependencies(), "-e ."]


def test_every_dependency_is_pinned_and_argued_for():
    pinned = {
        re.split(r"[=<>\[ ]", line)[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    }
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Dependencies")[1]
    for need in dependencies():
        name = re.match(r"[\w-]+", need).group()
        assert name in pinned, f"{name} has no exact version in constraints.txt"
        assert name in contributing, f"{name} has no reason in CONTRIBUTING.md"


def test_course_never_imports_the_staff_side():
    for path in (ROOT / "course").rglob("*.py"):
        assert not re.search(r"^\s*(from|import) autograde", path.read_text(encoding="utf-8"), re.M), path


def test_make_clean_and_git_agree_on_what_is_generated():
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert {"build/", ".venv/"} <= set(ignored)


def test_no_scratch_file_is_tracked():
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode == 0:
        assert not [name for name in listing.stdout.splitlines() if re.search(r"(\.pyc|\.orig|~|Untitled.*)$", name)]


def test_the_readme_names_every_notebook_with_its_points_and_minutes():
    layout = Layout.find()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for week, notebook in layout.lessons():
        lesson = read_lesson(layout.lesson_source(week, notebook))
        minutes = re.search(r"about (\d+) minutes", lesson.cells[0].source).group(1)
        row = re.search(rf"^.*\(notebooks/{week}/{notebook}\.ipynb\).*$", readme, re.M)
        assert row, f"{week}/{notebook} is not in the README's syllabus"
        assert re.search(rf"\| {minutes} \| {lesson.points():g} \|", row.group()), row.group()
