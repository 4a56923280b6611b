"""Running a notebook's cells: an IPython shell without a kernel, with bounded output and torch's state set straight."""

from __future__ import annotations

import builtins
import contextlib
import gc
import io
import linecache
import random
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.text import LSString, SList
from traitlets.config import Config

MAX_OUTPUT_CHARS = 20_000
MAX_MESSAGE_CHARS = 1_000
# A file name for tracebacks.
CHECK = "<check>"


# Inference mode ends with the object that ended it, so that object is kept.
_normal_modes: list[Any] = []


class BoundedOutput(io.TextIOBase):
    """Takes any amount of text and keeps the beginning."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._room = MAX_OUTPUT_CHARS
        self._cut = 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        kept = text[: self._room]
        if kept:
            self._parts.append(kept)
            self._room -= len(kept)
        self._cut += len(text) - len(kept)
        return len(text)

    def text(self) -> str:
        """Return what was kept, with a line that says how much was not."""
        ending = f"\n[{self._cut:,} more characters were cut]\n" if self._cut else ""
        return "".join(self._parts) + ending


class capture_output:
    """Sends stdout and stderr of a block into one bounded text."""

    def __enter__(self) -> BoundedOutput:
        self._before = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = output = BoundedOutput()
        return output

    def __exit__(self, *_: object) -> None:
        sys.stdout, sys.stderr = self._before


class Shell(InteractiveShell):
    """IPython's shell without a terminal or a window: a line of its magics above an answer must not cost the answer."""

    def system(self, cmd: str) -> None:
        """Run a shell's command, `!cmd`, as a kernel does; IPython's own way needs a terminal, which no jail has."""
        if cmd.rstrip().endswith("&"):
            raise OSError("Background processes not supported.")
        with _started(self.var_expand(cmd, depth=1)) as process:
            for line in process.stdout:
                sys.stdout.write(line)
        self.user_ns["_exit_code"] = process.returncode

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> SList | LSString:
        """Return what a command prints, for `names = !cmd`."""
        with _started(self.var_expand(cmd, depth=depth + 1)) as process:
            printed = process.stdout.read()
        return SList(printed.splitlines()) if split else LSString(printed)

    def enable_matplotlib(self, gui: str | None = None) -> tuple[str | None, str]:
        """Take `%matplotlib inline` and its kin as said: figures are drawn, and shown to nobody."""
        return gui, "agg"

    @contextlib.contextmanager
    def _tee(self, channel: str) -> Iterator[None]:
        """Keep no second copy of what a cell prints.

        IPython's own keeps all of it, without a bound, and makes each write thirty times as slow.
        """
        yield

    def enable_gui(self, gui: str | None = None) -> None:
        """Do nothing; IPython's own raises what an exercise that was not answered raises."""


def _started(command: str) -> subprocess.Popen[str]:
    nothing, both = subprocess.DEVNULL, subprocess.STDOUT
    return subprocess.Popen(
        command, shell=True, stdin=nothing, stdout=subprocess.PIPE, stderr=both, text=True, errors="replace"
    )


def make_shell() -> InteractiveShell:
    """Return the shell in which cells run: magics work, nothing is written to a history, `input()` gives ""."""
    config = Config()
    config.HistoryManager.enabled = False
    config.HistoryManager.hist_file = ":memory:"
    config.InteractiveShell.colors = "NoColor"
    shell = Shell.instance(config=config)
    shell.user_ns["__name__"] = "__main__"
    builtins.input = lambda prompt="": ""
    return shell


def warm_shell(shell: InteractiveShell) -> None:
    """Do once what would cost every process its first cell, and its first error: 50 ms of imports."""
    names = set(shell.user_ns)
    for source in ("answer = 1", "def answer():\n    raise ValueError(1)\n\n\nanswer()", "answer ="):
        run_cell(shell, source)
    for name in set(shell.user_ns) - names:
        del shell.user_ns[name]
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        vars(sys).pop(name, None)
    linecache.clearcache()


def run_cell(shell: InteractiveShell, source: str) -> dict[str, Any]:
    """Return what came of a cell: the exception's class name and text ("" for none), and what was printed."""
    with capture_output() as output:
        result = shell.run_cell(source, store_history=False)
    return _outcome(result.error_before_exec or result.error_in_exec, output)


def run_check(shell: InteractiveShell, source: str) -> dict[str, Any]:
    """Return the same for a check cell of the course's: plain Python, of which nobody reads a traceback.

    IPython would take 30 ms to write that down, and a fresh fork would copy 400 pages of memory to run a cell at all.
    """
    error = None
    with capture_output() as output, shell.builtin_trap, shell.display_trap:
        try:
            tree = shell.compile.ast_parse(source, CHECK)
            exec(shell.compile(tree, CHECK, "exec"), shell.user_global_ns, shell.user_ns)
        except BaseException as caught:
            error = caught
    return _outcome(error, output)


def _outcome(error: BaseException | None, output: BoundedOutput) -> dict[str, Any]:
    return {
        "error": type(error).__name__ if error is not None else "",
        "message": _text(error)[:MAX_MESSAGE_CHARS] if error is not None else "",
        "output": output.text(),
    }


def reset_process_state() -> None:
    """Undo what a cell may have set for the whole process, so that one exercise does not change another's answers."""
    sys.settrace(None)
    sys.setprofile(None)
    sys.setrecursionlimit(3000)
    signal.alarm(0)
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.set_grad_enabled(True)
    if torch.is_inference_mode_enabled():
        _normal_modes.append(torch.inference_mode(False))
        _normal_modes[-1].__enter__()
    _forget_determinism()
    torch.set_autocast_enabled("cpu", False)
    torch.autograd.set_detect_anomaly(False)
    torch.set_num_threads(1)
    np.seterr(all="warn")
    warnings.resetwarnings()
    warnings.simplefilter("ignore")
    gc.enable()
    random.seed(0)
    np.random.seed(0)
    # As `torch.manual_seed`, which goes through all kinds of devices: in a fresh fork that copies 200 pages of memory.
    torch.default_generator.manual_seed(0)


def _forget_determinism() -> None:
    """Let torch be nondeterministic again. Its own function imports its compiler for this, a second and 70 MB."""
    if "torch._inductor.config" in sys.modules:
        torch.use_deterministic_algorithms(False)
    else:
        torch._C._set_deterministic_algorithms(False, warn_only=False)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return ""
