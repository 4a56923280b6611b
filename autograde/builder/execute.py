"""Runs a solved notebook from its first cell to its last."""

from __future__ import annotations

import os
import re
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat.notebooknode import NotebookNode
from traitlets.config import Config

from autograde.layout import CourseError

CELL_SECONDS = 900  # a cell of a minute takes many on a busy machine; this only ends what hangs
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def execute(notebook: NotebookNode, *, name: str, folder: Path, course_root: Path | None = None) -> float:
    """Run every cell in place and return the seconds it took.

    Args:
        notebook: changed in place: outputs and execution counts.
        name: said in errors.
        folder: the kernel's working folder; must exist.
        course_root: where the package `course` is imported from; without it, the installed one.

    Raises:
        CourseError: a cell failed, hung, or wrote a warning.
    """
    started = time.monotonic()
    environment = {**os.environ, "PYTHONHASHSEED": "0", "TQDM_MININTERVAL": "1"}
    if course_root:
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(course_root), os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryDirectory(prefix="kernel-") as sockets:
        client = NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
            record_timing=False,
            # Sockets in the file system: nothing on the network can listen to the kernel, or talk to it.
            config=Config({"ConnectionFileMixin": {"transport": "ipc", "ip": f"{sockets}/ipc"}}),
        )
        try:
            client.execute(env=environment)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            raise CourseError(f"{name} does not run: {_ESCAPE.sub('', str(error)).strip()}") from None
    notebook.metadata["language_info"] = {"name": "python"}  # the kernel adds its own version
    for cell in notebook.cells:
        if cell.cell_type == "code":
            _tidy(cell, name)
    return time.monotonic() - started


def _tidy(cell: NotebookNode, name: str) -> None:
    """Keep what a reader would see at the end: no half-drawn progress bars, and no warning unnoticed."""
    cell.metadata.pop("execution", None)
    outputs = []
    for output in cell.outputs:
        if output.output_type == "stream":
            output.text = last_states(output.text)
            if output.name == "stderr" and "Warning" in output.text:
                raise CourseError(f"{name}, cell {cell.id}: a warning was written: {output.text.strip()[:500]}")
            if not output.text.strip():
                continue
            same_stream = outputs and outputs[-1].output_type == "stream" and outputs[-1].name == output.name
            if same_stream:
                outputs[-1].text += output.text
                continue
        if (
            output.output_type == "display_data"
            and list(output.data) == ["text/plain"]
            and not output.data["text/plain"]
        ):
            continue
        outputs.append(output)
    cell.outputs = outputs


def last_states(text: str) -> str:
    """Return what a terminal would show after the text: behind the last carriage return of each line."""
    lines = _ESCAPE.sub("", text.replace("\r\n", "\n")).split("\n")
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in lines)


def without_outputs(notebook: NotebookNode) -> NotebookNode:
    """Return a copy with no outputs, counts or notes of a run: what was executed."""
    bare = nbformat.from_dict(notebook)
    bare.metadata.pop("course", None)
    for cell in bare.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return bare
