"""What the sandbox gets to see: an interpreter, its packages, our side of the protocol, some modules of `course`."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import leftovers

HERE = Path(__file__).resolve().parent
MODES = ("bubblewrap", "landlock", "unsafe")
SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/fonts", "/etc/localtime")
# Numbers that systemd reserves for users which exist only while a service runs; no file belongs to them.
FIRST_UID, N_UIDS = 61184, 4000
LIMITS = {
    "DATA": 2 << 30,
    "CORE": 0,
    "FSIZE": 32 << 20,
    "NOFILE": 256,
    "NPROC": 64,
    "CPU": (90, 95),
    "STACK": 64 << 20,
}
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "OMP_THREAD_LIMIT": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "CUDA_VISIBLE_DEVICES": "",
    "MPLBACKEND": "Agg",
}


@dataclass(frozen=True)
class Offer:
    """What a course puts into the sandbox.

    Args:
        course: the folder of the `course` package.
        files: its modules that are offered, relative to that folder.
        modules: names to import before any submission comes: "numpy", "course.checks".
        cache: a folder of the grader's own in which matplotlib's list of fonts is kept between runs.
    """

    course: Path
    files: Sequence[Path] = ()
    modules: Sequence[str] = ()
    cache: Path | None = None


@dataclass
class Stage:
    """A temporary folder with copies of all that the sandbox needs of ours. Anyone may read it; it holds no secret."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix=leftovers.PREFIX)))

    def __post_init__(self) -> None:
        leftovers.clean()
        self._lock = leftovers.hold(self.folder)

    def fill(self, offer: Offer) -> None:
        """Copy our side of the protocol and the offered modules into the folder."""
        package = self.folder / "sandbox"
        for part in ("shared", "inside"):
            shutil.copytree(HERE / part, package / part, ignore=shutil.ignore_patterns("__pycache__"))
        (package / "__init__.py").touch()
        for name in offer.files:
            target = self.folder / "course" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(offer.course / name, target)
        fonts = self.folder / "matplotlib"
        fonts.mkdir()
        if offer.cache is not None and any(name.startswith("matplotlib") for name in offer.modules):
            for file in _font_lists(offer.cache):
                shutil.copyfile(file, fonts / file.name)
        subprocess.run(["chmod", "-R", "a+rX", str(self.folder)], check=True)

    def remove(self) -> None:
        """Remove the folder; asked again, do nothing."""
        leftovers.remove(self.folder)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _font_lists(cache: Path) -> list[Path]:
    """Return matplotlib's list of fonts, made once: searching all fonts takes seconds at every start."""
    folder = cache / "matplotlib"
    found = sorted(folder.glob("fontlist-*.json"))
    if not found:
        folder.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "MPLCONFIGDIR": str(folder)}
        subprocess.run([sys.executable, "-c", "import matplotlib.font_manager"], env=environment, capture_output=True)
        found = sorted(folder.glob("fontlist-*.json"))
    return found


def packages() -> list[str]:
    """Return the folders of installed packages."""
    return sorted({str(Path(sysconfig.get_path(kind)).resolve()) for kind in ("purelib", "platlib")})


def standard_library() -> str:
    """Return the folder of the interpreter itself, not of a virtual environment around it."""
    return str(Path(sys.base_prefix).resolve())


def interpreter() -> str:
    """Return the interpreter's own executable, which finds its library without a virtual environment."""
    return str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())


def readable(stage: Path) -> list[str]:
    """Return everything that the sandbox may read, by its path outside."""
    return [*SYSTEM, standard_library(), *packages(), str(stage)]


def write_plan(stage: Path, mode: str, control: int, offer: Offer) -> tuple[list[str], dict[str, str]]:
    """Return the command that starts the sandbox's process, and its environment.

    Args:
        stage: a filled `Stage`'s folder.
        mode: one of `MODES`.
        control: the descriptor of the control socket, which the command inherits.
        offer: what is to be imported ahead.
    """
    root = os.getuid() == 0
    inside = mode == "bubblewrap"
    uid = FIRST_UID + os.getpid() % N_UIDS if root and mode != "unsafe" else None
    seen_packages = [f"/packages/{number}" for number, _ in enumerate(packages())] if inside else packages()
    seen_stage = "/grader" if inside else str(stage)
    scratch = "/sandbox" if inside else str(stage / "scratch")
    if not inside:
        os.mkdir(scratch, 0o700)
        if uid is not None:
            os.chown(scratch, uid, uid)
    limits = dict(LIMITS)
    if not inside:
        limits["NPROC"] += 64 if uid is not None else _own_threads()
    plan = {
        "mode": mode,
        "control": control,
        "uid": uid,
        "stage": seen_stage,
        "packages": seen_packages,
        "modules": list(offer.modules),
        "readable": readable(stage),
        "scratch": scratch,
        "limits": limits,
    }
    (stage / "plan.json").write_text(json.dumps(plan))
    (stage / "plan.json").chmod(0o644)
    fonts = "/tmp/matplotlib" if inside else str(Path(scratch) / "matplotlib")
    environment = {**ENVIRONMENT, "MPLCONFIGDIR": fonts, "HOME": scratch, "IPYTHONDIR": scratch}
    start = f"{seen_stage}/sandbox/inside/start.py"
    command = [interpreter(), "-I", "-S", start, f"{seen_stage}/plan.json"]
    return (_bubblewrap(stage, root, environment) if inside else []) + command, environment


def _own_threads() -> int:
    """Return how many threads this user runs: without a user namespace all of them count against the limit."""
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if process.stat().st_uid == os.getuid():
                count += sum(1 for _ in (process / "task").iterdir())
    return count


def _bubblewrap(stage: Path, root: bool, environment: dict[str, str]) -> list[str]:
    """Return the part of the command that builds the outer room: no network, no home, no course, a read-only system."""
    command = ["bwrap", "--die-with-parent", "--new-session", "--hostname", "grader", "--unshare-uts", "--clearenv"]
    command += ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-cgroup-try"]
    # Root enters no user namespace but becomes an ordinary user right after; others need one to be allowed all this.
    rights = ["CAP_SETUID", "CAP_SETGID", "CAP_SYS_ADMIN"]
    command += [part for right in rights for part in ("--cap-add", right)] if root else ["--unshare-user"]
    for name, value in environment.items():
        command += ["--setenv", name, value]
    for path in SYSTEM:
        command += ["--ro-bind-try", path, path]
    python = Path(standard_library())
    own_python = [] if python.is_relative_to("/usr") else [python]
    # bubblewrap makes missing parents for root alone; the ordinary user must get through them.
    for parent in sorted({parent for path in [*own_python, Path("/packages/0")] for parent in path.parents[:-1]}):
        command += ["--perms", "0755", "--dir", str(parent)]
    for path in own_python:
        command += ["--ro-bind", str(path), str(path)]
    for number, path in enumerate(packages()):
        command += ["--ro-bind", path, f"/packages/{number}"]
        if (Path(path) / "autograde").exists():
            command += ["--tmpfs", f"/packages/{number}/autograde"]
    command += ["--ro-bind", str(stage), "/grader", "--proc", "/proc", "--dev", "/dev"]
    for path in ("/tmp", "/sandbox", "/dev/shm"):
        command += ["--perms", "1777", "--tmpfs", path]
    return [*command, "--chdir", "/", "--"]
