"""The `course` command. Each subcommand is a thin call of the module that does the work."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from autograde.grading.commands import check, grade
from autograde.grading.gradebook import put_tools_on_path
from autograde.grading.gradebook_commands import export, report
from autograde.layout import CourseError, Layout

CANNOT_WRITE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}

app = typer.Typer(
    name="course",
    help="Build, grade, check and release the course.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def lab(
    arguments: Annotated[list[str] | None, typer.Argument(help="Passed on to JupyterLab, after `--`.")] = None,
    notebooks: Annotated[Path | None, typer.Option(help="A folder of notebooks to open instead.")] = None,
) -> None:
    """Open JupyterLab on the student notebooks."""
    layout = Layout.find()
    folder = (notebooks or layout.notebooks).resolve()
    if not any(folder.rglob("*.ipynb")):
        raise CourseError(f"{folder} holds no notebooks. Run `make build`, or restore them with git.")
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}", *(arguments or [])]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # in a container everybody is root
    # So that `course check` works as printed in JupyterLab's own terminal, where no environment is activated.
    put_tools_on_path()
    # nbgrader looks for its configuration in the working folder.
    os.chdir(layout.root)
    os.execv(sys.executable, command)


@app.command()
def build(
    lessons: Annotated[
        list[str] | None, typer.Argument(help="Only these, as week2_self_attention/1_attention; all without it.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; fail and name the file if anything generated is stale.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite student copies even where somebody has answered them.")
    ] = False,
) -> None:
    """Make notebooks/ and the solved notebooks from solutions/*.py, as far as they changed."""
    from autograde.builder.build import build as run_build

    result = run_build(
        Layout.find(),
        only=lessons,
        check=check,
        force=force,
        say=lambda line: print(line, file=sys.stderr, flush=True),
    )
    if check and result.stale:
        names = "\n".join(f"  {path}" for path in result.stale)
        raise CourseError(f"Stale, run `make build`:\n{names}")
    print("Everything generated is up to date." if not result.written else f"Wrote {len(result.written)} notebooks.")


@app.command()
def release(out: Annotated[Path, typer.Argument(help="A new folder, or a new file that ends in .zip.")]) -> None:
    """Write what students get: notebooks, the course package, the corpora."""
    from autograde.builder.package import release as write_release

    files = write_release(Layout.find(), out)
    print(f"Wrote {len(files)} files to {out}.")


app.command()(grade)
app.command()(check)
app.command()(report)
app.command()(export)


def main() -> None:
    """Run the command; an error that the caller can mend is one sentence on standard error and exit status 2."""
    try:
        app()
    except CourseError as error:
        print(f"course: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except OSError as error:
        if error.errno not in CANNOT_WRITE:
            raise
        reason = os.strerror(error.errno).lower()
        print(f"course: {reason}: {error.filename}. Nothing was lost; mend that and run again.", file=sys.stderr)
        raise SystemExit(2) from None
