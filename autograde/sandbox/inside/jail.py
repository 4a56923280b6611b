"""What a freshly forked child gives up before any of a student's code runs in it."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import resource
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import pyseccomp

libc = ctypes.CDLL(None, use_errno=True)

NEW_MOUNT, NEW_UTS, NEW_IPC, NEW_USER, NEW_PID, NEW_NET = (
    0x20000,
    0x4000000,
    0x8000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
NO_SUID, NO_DEV, NO_EXEC, RECURSIVE, PRIVATE = 2, 4, 8, 16384, 1 << 18
SET_DEATH_SIGNAL, SET_DUMPABLE, SET_KEEP_CAPS, DROP_BOUNDING, SET_SUBREAPER, NO_NEW_PRIVS = 1, 4, 8, 24, 36, 38
CAPSET = {"x86_64": 126, "aarch64": 91}
CAP_DAC_READ_SEARCH = 2
AF_UNIX = 1

# Calls that an answer never needs and that have opened doors before.
# fmt: off
FORBIDDEN_CALLS = [
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_getfd", "keyctl", "add_key",
    "request_key", "bpf", "perf_event_open", "userfaultfd", "unshare", "setns", "mount", "umount2", "pivot_root",
    "chroot", "move_mount", "fsopen", "fsmount", "fspick", "open_tree", "mount_setattr", "name_to_handle_at",
    "open_by_handle_at", "io_uring_setup", "io_uring_enter", "io_uring_register", "kexec_load", "kexec_file_load",
    "init_module", "finit_module", "delete_module", "quotactl", "swapon", "swapoff", "reboot", "acct", "sethostname",
    "setdomainname", "clock_settime", "settimeofday", "adjtimex", "personality", "shmget", "msgget", "semget",
    "mq_open",
    # Memory that no limit counts.
    "memfd_create", "memfd_secret",
    # What one submission sees of another by the files of the system that both may read: a wire for hidden inputs.
    "flock", "inotify_init", "inotify_init1", "fanotify_init",
]
# F_GETLK, F_SETLK, F_SETLKW and their OFD kin, F_SETLEASE, F_NOTIFY: the same wire. F_SETOWN, F_SETSIG, F_SETOWN_EX:
# a file that is ready would send a signal to whoever was named.
FORBIDDEN_FILE_CONTROLS = [5, 6, 7, 36, 37, 38, 1024, 1026, 8, 10, 15]
# fmt: on
# Without a network namespace of its own a process could reach the sockets of others.
FORBIDDEN_CONNECTIONS = ["connect", "bind"]
# Without a pid namespace, and on a kernel whose Landlock cannot hold back signals.
FORBIDDEN_SIGNALS = ["kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal"]
# Without a pid namespace: what any process of the same user may do to another one, and only to itself here. The number
# is the place of the argument that names the process, where 0 is the caller.
ONLY_TO_ONESELF = {
    "prlimit64": 0,
    "sched_setaffinity": 0,
    "sched_setscheduler": 0,
    "sched_setparam": 0,
    "sched_setattr": 0,
    "setpriority": 1,
    "ioprio_set": 1,
    "migrate_pages": 0,
    "move_pages": 0,
}
# For the two that name a group or a user as well: the kind that means one process.
ONE_PROCESS = {"setpriority": 0, "ioprio_set": 1}
# FIOSETOWN, SIOCSPGRP: F_SETOWN by another name.
FORBIDDEN_DEVICE_CONTROLS = [0x8901, 0x8902]
# A datagram goes to any socket in the file system, a system's log among them, without a connection.
SOCKET_KIND, DATAGRAM, RAW = 0xF, 2, 3


def system_call_filter(extra: Sequence[str] = ()) -> pyseccomp.SyscallFilter:
    """Return the filter, ready to be loaded in each child: sockets of the local kind only, none of the forbidden calls.

    Args:
        extra: names of further calls to forbid.
    """
    calls = pyseccomp.SyscallFilter(defaction=pyseccomp.ALLOW)
    refused = pyseccomp.ERRNO(errno.EPERM)
    for family in range(46):
        if family != AF_UNIX:
            calls.add_rule(refused, "socket", pyseccomp.Arg(0, pyseccomp.EQ, family))
    for name in [*FORBIDDEN_CALLS, *extra]:
        # Some calls exist on some processors only; what does not exist needs no rule.
        with contextlib.suppress(Exception):
            calls.add_rule(refused, name)
    for command in FORBIDDEN_FILE_CONTROLS:
        calls.add_rule(refused, "fcntl", pyseccomp.Arg(1, pyseccomp.EQ, command))
    for flag in (NEW_USER, NEW_MOUNT, NEW_PID, NEW_NET, NEW_IPC, NEW_UTS):
        calls.add_rule(refused, "clone", pyseccomp.Arg(0, pyseccomp.MASKED_EQ, flag, flag))
    # clone3 hides its flags behind a pointer; told that it is unknown, libc falls back to clone.
    calls.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "clone3")
    return calls


def keep_to_oneself(calls: pyseccomp.SyscallFilter) -> None:
    """Add to a filter what namespaces would see to: no effect on another process, no word to another socket."""
    refused = pyseccomp.ERRNO(errno.EPERM)
    for name, place in ONLY_TO_ONESELF.items():
        calls.add_rule(refused, name, pyseccomp.Arg(place, pyseccomp.NE, 0))
    for name, kind in ONE_PROCESS.items():
        calls.add_rule(refused, name, pyseccomp.Arg(0, pyseccomp.NE, kind))
    for name in ("socket", "socketpair"):
        for kind in (DATAGRAM, RAW):
            calls.add_rule(refused, name, pyseccomp.Arg(1, pyseccomp.MASKED_EQ, SOCKET_KIND, kind))
    for command in FORBIDDEN_DEVICE_CONTROLS:
        calls.add_rule(refused, "ioctl", pyseccomp.Arg(1, pyseccomp.EQ, command))


def enter_namespaces(scratch: Mapping[str, int]) -> None:
    """Enter user, mount, pid, network, IPC and host name namespaces of this child's own.

    The caller forks once more: that process is the first of the new pid namespace, and when it ends the kernel ends all
    others in it.

    Args:
        scratch: fresh memory file systems to mount, from path to size in bytes.
    """
    uid, gid = os.getuid(), os.getgid()
    _checked(libc.unshare(NEW_USER | NEW_PID | NEW_MOUNT | NEW_NET | NEW_IPC | NEW_UTS), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    _mount(None, "/", None, RECURSIVE | PRIVATE)
    for path, size in scratch.items():
        _mount("tmpfs", path, "tmpfs", NO_SUID | NO_DEV, f"size={size},mode=1777,nr_inodes=4096")


def mount_own_processes() -> None:
    """Show, under /proc, the processes of this pid namespace only, or none where even that is not allowed."""
    try:
        _mount("proc", "/proc", "proc", NO_SUID | NO_DEV | NO_EXEC)
    except PermissionError:
        _mount("tmpfs", "/proc", "tmpfs", NO_SUID | NO_DEV | NO_EXEC, "size=4k,mode=0555")


def become_user(uid: int, keep_reading: Sequence[str] = ()) -> None:
    """Become an ordinary user for good.

    Args:
        uid: its number, also used as group.
        keep_reading: folders that must stay readable. Where they lie in a home folder closed to others, the one right
            to read is kept; Landlock then still decides what may be read.
    """
    libc.prctl(SET_KEEP_CAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    unreadable = any(not os.access(path, os.R_OK | os.X_OK) for path in keep_reading)
    _set_capabilities(1 << CAP_DAC_READ_SEARCH if unreadable else 0)
    # A change of user hides /proc/self from the process itself, which must still write its user map there.
    libc.prctl(SET_DUMPABLE, 1, 0, 0, 0)


def limit(limits: Mapping[str, int | Sequence[int]]) -> None:
    """Set resource limits, from a name such as "AS" to a number or a (soft, hard) pair; never above those in force."""
    for name, value in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        soft, hard = value if isinstance(value, Sequence) else (value, value)
        ceiling = resource.getrlimit(kind)[1]
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)
        resource.setrlimit(kind, (soft, hard))


def give_up_privileges(keep_capabilities: bool = False) -> None:
    """Drop what could be gained again: the bounding set, new privileges by exec, and being looked at by a debugger."""
    for capability in range(64):
        if libc.prctl(DROP_BOUNDING, capability, 0, 0, 0) < 0:
            break
    _checked(libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    libc.prctl(SET_DUMPABLE, 0, 0, 0, 0)
    if not keep_capabilities:
        _set_capabilities(0)


def die_first() -> None:
    """Ask the kernel to take this process, and not the grader or another program, when memory runs out."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends."""
    libc.prctl(SET_DEATH_SIGNAL, 9, 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, so that none gets out of sight."""
    libc.prctl(SET_SUBREAPER, 1, 0, 0, 0)


def _set_capabilities(mask: int) -> None:
    header = struct.pack("II", 0x20080522, 0)
    _checked(libc.syscall(CAPSET[platform.machine()], header, struct.pack("IIIIII", mask, mask, 0, 0, 0, 0)), "capset")


def _mount(source: Any, target: str, kind: Any, flags: int, data: str | None = None) -> None:
    encoded = [part.encode() if isinstance(part, str) else part for part in (source, target, kind, data)]
    source, where, kind, data = encoded
    _checked(libc.mount(source, where, kind, ctypes.c_ulong(flags), data), f"mount {target}")


def _checked(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
