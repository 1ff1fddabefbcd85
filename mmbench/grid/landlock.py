"""Landlock: a process of Linux gives up rights to files, sockets and other processes, for good.

Any process may do so, without privileges, since kernel 5.13. What it does not keep is refused from
then on to this thread, and to all threads and processes that it starts; what is open already stays
open. Each version of the interface, the ABI, knows more:

====  ==========================================================================================
ABI   what it refuses
====  ==========================================================================================
1     to read, write, make, remove or run files elsewhere; to trace processes outside, and to see
      their memory and their open files through ``/proc``; to move files between folders at all
2     to move files between folders elsewhere only
3     to cut files short elsewhere
4     TCP, to connect as well as to listen
5     commands to devices elsewhere
6     signals to processes outside, and their abstract sockets
9     their named sockets
====  ==========================================================================================

Nothing refuses to look at the size and times of files, or to change their times and modes.

Why a module of our own: of the packages that wrap these three system calls some are first drafts
that leave out sockets and signals, some are a few weeks old, and the maintained one is a whole
sandbox with a compiled part that refuses kernels below ABI 6. The calls have not changed since they
came, and what stands between a plugin and the targets should be short enough to be read.

The numbers are those of the kernel's ``linux/landlock.h``, their meaning stands in its
``userspace-api/landlock``.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
import sys
from collections.abc import Iterable
from enum import IntFlag

KNOWN = 9  # the newest ABI that has a right named here
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on all processors
ASK_FOR_ABI = 1
PATH_BENEATH = 1
NO_NEW_PRIVILEGES = 38  # prctl
TCP = 3  # to listen and to connect
PROCESSES = 3  # abstract sockets and signals


class Right(IntFlag):
    """What may be done with a file, or in a folder and all that is beneath it."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_FOLDER = 1 << 3
    REMOVE_FOLDER = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHARACTER_DEVICE = 1 << 6
    MAKE_FOLDER = 1 << 7
    MAKE_FILE = 1 << 8
    MAKE_SOCKET = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK_DEVICE = 1 << 11
    MAKE_LINK = 1 << 12
    REFER = 1 << 13
    TRUNCATE = 1 << 14
    COMMAND_DEVICE = 1 << 15
    FIND_SOCKET = 1 << 16


ALL = Right((1 << 17) - 1)
SINCE = {2: Right.REFER, 3: Right.TRUNCATE, 5: Right.COMMAND_DEVICE, 9: Right.FIND_SOCKET}
OF_A_FILE = (
    Right.EXECUTE | Right.WRITE_FILE | Right.READ_FILE | Right.TRUNCATE | Right.COMMAND_DEVICE
)
READ = Right.EXECUTE | Right.READ_FILE | Right.READ_FOLDER
WRITE = ALL & ~(Right.MAKE_CHARACTER_DEVICE | Right.MAKE_BLOCK_DEVICE | Right.COMMAND_DEVICE)
USE_DEVICE = Right.READ_FILE | Right.READ_FOLDER | Right.WRITE_FILE | Right.COMMAND_DEVICE


def abi() -> int:
    """The kernel's version of Landlock, 0 where there is none or it is switched off."""
    if sys.platform != "linux":
        return 0
    try:
        return _call(CREATE_RULESET, None, 0, ASK_FOR_ABI)
    except OSError:
        return 0


def known_rights(version: int) -> Right:
    """The rights that a kernel of this ABI can refuse."""
    later = (rights for since, rights in SINCE.items() if since > version)
    return ALL & ~sum(later, Right(0))


def restrict(kept: Iterable[tuple[str, Right]], *, network: bool = False) -> None:
    """Keep these rights to these paths, and no others; paths that are not there are passed over.

    Holds for the calling thread and what it starts. ``network`` keeps TCP. Raises OSError where the
    kernel has no Landlock or refuses.
    """
    version = min(abi(), KNOWN)
    handled = known_rights(version)
    ruleset = struct.pack("=QQQ", handled, 0 if network else TCP, PROCESSES)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = _call(CREATE_RULESET, ruleset, ctypes.c_size_t(size), 0)
    try:
        for path, rights in kept:
            _keep(rules, path, rights & handled)
        if _libc().prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "no_new_privs is refused")
        _call(RESTRICT_SELF, rules, 0)
    finally:
        os.close(rules)


def _keep(rules: int, path: str, rights: Right) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # not there, or not ours to see
        return
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= OF_A_FILE
        _call(ADD_RULE, rules, PATH_BENEATH, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: object) -> int:
    """A system call. Raises OSError."""
    found: int = _libc().syscall(number, *arguments)
    if found < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return found
