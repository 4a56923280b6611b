"""Imports once what answers need, then forks one jailed process for each submission. Holds no secrets.

The control socket carries descriptors only: each message hands over one client socket, and each message on a client
socket hands over the socket of a submission to start. When a client hangs up, what it started is killed.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import os
import resource
import select
import signal
import socket
import sys
import tempfile
from typing import Any

import torch

from ..shared.pages import merge_pages
from ..shared.removal import remove_tree
from . import jail, landlock
from .cells import make_shell, reset_process_state, warm_shell
from .server import Server

# Terminals are covered: all children of one zygote would share them.
SCRATCH_BYTES = {"/tmp": 64 << 20, "/sandbox": 64 << 20, "/dev/shm": 256 << 20, "/dev/pts": 4096}


def warm(*, optimisers: bool) -> None:
    """Do once what costs every process time on its first use: gradients, an optimiser step, saving a checkpoint.

    Args:
        optimisers: whether the lesson speaks of them: a first step imports torch's compiler, a second and 70 MB.
    """
    layer = torch.nn.Linear(4, 4)
    torch.autograd.grad(layer(torch.ones(2, 4)).sum(), list(layer.parameters()))
    for optimiser in (torch.optim.SGD, torch.optim.AdamW) if optimisers else ():
        layer(torch.ones(2, 4)).sum().backward()
        optimiser(layer.parameters(), lr=0.1).step()
    query = torch.randn(1, 2, 8, 4)
    torch.nn.functional.scaled_dot_product_attention(query, query, query, is_causal=True)
    torch.func.functional_call(layer, dict(layer.named_parameters()), (torch.ones(2, 4),))
    torch.save(layer.state_dict(), io.BytesIO())
    repr(torch.randn(3))


class Zygote:
    """Forks jailed processes on request.

    Args:
        control: the socket on which clients arrive.
        plan: the mode, the limits and the paths, as the trusted side wrote them down.
    """

    def __init__(self, control: socket.socket, plan: dict[str, Any]) -> None:
        self._control, self._plan = control, plan
        self._namespaces = plan["mode"] == "bubblewrap"
        self._clients: list[socket.socket] = []
        self._children: dict[int, tuple[int, socket.socket]] = {}
        extra = []
        if plan["mode"] == "landlock":
            extra += jail.FORBIDDEN_CONNECTIONS
            extra += jail.FORBIDDEN_SIGNALS if landlock.version() < 6 else []
        self._filter = None if plan["mode"] == "unsafe" else jail.system_call_filter(extra)
        if plan["mode"] == "landlock":
            jail.keep_to_oneself(self._filter)
        self._shell = make_shell()
        warm_shell(self._shell)

    def serve(self) -> None:
        """Fork on request until the trusted side hangs up, then kill what is left."""
        while True:
            readable, _, _ = select.select([self._control, *self._clients, *self._children], [], [])
            for ready in readable:
                if isinstance(ready, int):
                    self._reap(ready)
                elif ready is self._control:
                    client = _receive_socket(self._control)
                    if client is None:
                        return self._end()
                    self._clients.append(client)
                else:
                    self._attend(ready)

    def _attend(self, client: socket.socket) -> None:
        work = _receive_socket(client)
        if work is None:
            self._clients.remove(client)
            client.close()
            self._kill(client)
            return
        try:
            pid = os.fork()
        except OSError:
            # The judge sees the closed socket; the next submission may fare better.
            work.close()
            return
        if pid == 0:
            self._become_child(work)
        work.close()
        self._children[os.pidfd_open(pid)] = pid, client

    def _kill(self, client: socket.socket | None = None) -> None:
        for descriptor, (_, owner) in self._children.items():
            if client is None or owner is client:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)

    def _reap(self, descriptor: int) -> None:
        pid, _ = self._children.pop(descriptor)
        os.close(descriptor)
        os.waitpid(pid, 0)
        self._sweep()
        if not self._namespaces:
            remove_tree(os.path.join(self._plan["scratch"], str(pid)))

    def _sweep(self) -> None:
        """Kill what a submission left running: as its subreaper this process has become its parent.

        With namespaces that is the first process of one, where it has asked the kernel not to be killed with its parent
        and the judge, which kills by number, was killed itself.
        """
        known = {pid for pid, _ in self._children.values()}
        for _ in range(1000):
            try:
                with open(f"/proc/self/task/{os.getpid()}/children") as file:
                    strangers = {int(pid) for pid in file.read().split()} - known
            except FileNotFoundError:
                return  # bubblewrap has no /proc to show here; the kernel still ends all with the sandbox
            for pid in strangers:
                with contextlib.suppress(ProcessLookupError, ChildProcessError):
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
            if not strangers:
                return

    def _end(self) -> None:
        self._kill()
        for descriptor in list(self._children):
            self._reap(descriptor)

    def _become_child(self, work: socket.socket) -> None:
        """Turn this fork into a jailed server; never returns."""
        try:
            self._control.close()
            for other in (*self._clients, *self._children):
                os.close(other) if isinstance(other, int) else other.close()
            os.setsid()
            self._lock(work)
            reset_process_state()
            nothing = os.open("/dev/null", os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(nothing, descriptor)
            Server(work, self._shell).serve()
        except BaseException as error:
            with contextlib.suppress(OSError):
                os.write(2, f"the sandbox could not be closed: {error!r}\n".encode())
        finally:
            os._exit(99)

    def _lock(self, work: socket.socket) -> None:
        plan = self._plan
        jail.die_first()
        if self._namespaces:
            jail.die_with_parent()
            jail.enter_namespaces(SCRATCH_BYTES)
            inner = os.fork()
            if inner:
                work.close()
                _, status = os.waitpid(inner, 0)
                os._exit(os.waitstatus_to_exitcode(status) & 255)
            os.setsid()
            jail.die_with_parent()
            jail.mount_own_processes()
        scratch = os.path.join(plan["scratch"], str(os.getpid()))
        os.mkdir(scratch, 0o700)
        os.chdir(scratch)
        os.environ.update(HOME=scratch, TMPDIR=scratch)
        # As in Jupyter, a module that a cell has written beside the notebook can be imported.
        sys.path.insert(0, "")
        # Some import has asked before, and the answer is kept.
        tempfile.tempdir = None
        jail.limit({**plan["limits"], "AS": _address_space() + plan["limits"]["DATA"]})
        keeps_reading = False
        if plan["mode"] != "unsafe":
            keeps_reading = plan["mode"] == "landlock" and plan["uid"] is not None
            jail.give_up_privileges(keep_capabilities=keeps_reading)
        if plan["mode"] == "landlock":
            devices = ["/dev/null", "/dev/zero", "/dev/urandom", "/dev/random"]
            landlock.restrict(plan["readable"], [scratch, *devices])
        if self._filter is not None:
            self._filter.load()


def _address_space() -> int:
    """Return the bytes that this process has mapped, most of them libraries; torch with CUDA maps far more of them."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _receive_socket(sock: socket.socket) -> socket.socket | None:
    """Return the socket that was handed over, None where the other side hung up."""
    try:
        message, descriptors, _, _ = socket.recv_fds(sock, 16, 1)
    except OSError:
        return None
    if not message or not descriptors:
        return None
    os.set_inheritable(descriptors[0], False)
    return socket.socket(fileno=descriptors[0])


def main(plan: dict[str, Any]) -> None:
    """Warm up, tell the trusted side, and serve it."""
    control = socket.socket(fileno=plan["control"])
    if plan["mode"] != "unsafe":
        jail.adopt_orphans()
    torch.set_num_threads(1)
    for module in plan["modules"]:
        importlib.import_module(module)
    if "matplotlib" in sys.modules:
        sys.modules["matplotlib"].use("Agg")
    warm(optimisers="torch.optim" in plan["modules"])
    zygote = Zygote(control, plan)
    reset_process_state()
    # Without looking for garbage first: that takes a fifth of a second, and what little there is may stay.
    gc.freeze()
    merge_pages()
    control.send(b"ready")
    zygote.serve()
    # Taking all that was imported apart again would take longer than grading a submission.
    os._exit(0)
