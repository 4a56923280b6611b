"""Landlock by ctypes: the kernel's way for a process to give up files and sockets, where there are no namespaces."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Sequence

libc = ctypes.CDLL(None, use_errno=True)

# The same numbers on x86_64 and aarch64; linux/landlock.h.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION_FLAG, PATH_BENEATH = 1, 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
FIRST_RIGHTS = (1 << 13) - 1
READ = EXECUTE | READ_FILE | READ_DIR
ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
TCP = 3
SCOPE_SOCKETS_AND_SIGNALS = 3


def version() -> int:
    """Return the kernel's version of the interface, 0 where there is none. From 6 on it holds back signals too."""
    return max(0, libc.syscall(CREATE_RULESET, None, 0, VERSION_FLAG))


def restrict(readable: Sequence[str], writable: Sequence[str]) -> None:
    """Give up, for this process and all its descendants, every file and every TCP port except what is listed.

    Args:
        readable: files and folders that may be read and executed; what does not exist is passed over.
        writable: files and folders in which everything is allowed.
    """
    known = version()
    if known < 1:
        raise OSError("this kernel offers no Landlock")
    handled = FIRST_RIGHTS | (REFER if known >= 2 else 0)
    handled |= (TRUNCATE if known >= 3 else 0) | (IOCTL_DEV if known >= 5 else 0)
    size = 8 if known < 4 else 16 if known < 6 else 24
    attributes = struct.pack("QQQ", handled, TCP, SCOPE_SOCKETS_AND_SIGNALS)[:size]
    ruleset = _checked(libc.syscall(CREATE_RULESET, attributes, size, 0), "landlock_create_ruleset")
    for paths, rights in ((readable, READ), (writable, handled)):
        for path in paths:
            _allow(ruleset, path, rights & handled)
    _checked(libc.prctl(38, 1, 0, 0, 0), "no_new_privs")
    _checked(libc.syscall(RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    rights = rights if os.path.isdir(path) else rights & ON_FILES
    try:
        rule = struct.pack("=Qi", rights, place)
        _checked(libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, rule, 0), f"landlock_add_rule {path}")
    finally:
        os.close(place)


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result
