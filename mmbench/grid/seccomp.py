"""A filter on system calls, for what Landlock does not know.

It refuses sockets that lead to other machines (Landlock knows TCP since ABI 4, and no UDP, with
which names of machines are looked up), and what would outlive a process in other places than files:
shared memory, semaphores and queues of System V, queues of POSIX, keys that the kernel keeps,
attributes of files that may be read. ``io_uring`` is refused because what is asked for through it
passes no filter.

A filter is a little program in the kernel's language for packets. It is shown the number of a call,
the kind of processor that the number belongs to, and the arguments; see the kernel's
``userspace-api/seccomp_filter``.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from dataclasses import dataclass

NO_NEW_PRIVILEGES, SET_SECCOMP, MODE_FILTER = 38, 22, 2  # prctl
LOAD, IF_EQUAL, IF_AT_LEAST, ANSWER = 0x20, 0x15, 0x35, 0x06
NUMBER, PROCESSOR, FIRST_ARGUMENT = 0, 4, 16  # where they stand; that of socket has 32 bits
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
UNIX, NETLINK = 1, 16  # sockets that lead nowhere else
X32 = 0x40000000  # another set of numbers, on x86-64


@dataclass(frozen=True, slots=True)
class Numbers:
    """How a kind of processor numbers the calls that are filtered.

    ``lasting`` are shmget, semget, msgget, mq_open, add_key, request_key, keyctl, setxattr,
    lsetxattr, fsetxattr, setxattrat and io_uring_setup.
    """

    processor: int
    socket: int
    lasting: tuple[int, ...]


NUMBERS = {
    "x86_64": Numbers(0xC000003E, 41, (29, 64, 68, 240, 248, 249, 250, 188, 189, 190, 463, 425)),
    "aarch64": Numbers(0xC00000B7, 198, (194, 190, 186, 180, 217, 218, 219, 5, 6, 7, 463, 425)),
}


def install(*, network: bool) -> None:
    """Filter the calls of this thread and of all that it starts; ``network`` allows all sockets.

    Raises OSError where the kernel refuses, or has numbers that are not known here.
    """
    numbers = NUMBERS.get(platform.machine())
    if sys.platform != "linux" or numbers is None:
        raise OSError(errno.ENOSYS, f"no filter for {sys.platform} on {platform.machine()}")
    program = ctypes.create_string_buffer(write_program(numbers, network=network))
    described = struct.pack("@HP", len(program) // 8, ctypes.addressof(program))
    libc = ctypes.CDLL(None, use_errno=True)
    for words in ((NO_NEW_PRIVILEGES, 1, 0, 0, 0), (SET_SECCOMP, MODE_FILTER, described, 0, 0)):
        if libc.prctl(*words):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))


def write_program(numbers: Numbers, *, network: bool) -> bytes:
    """The filter, 8 bytes an instruction: its code, how many to skip if so and if not, a number."""
    tests = [
        (LOAD, "", "", PROCESSOR),
        (IF_EQUAL, "", "refuse", numbers.processor),
        (LOAD, "", "", NUMBER),
        (IF_AT_LEAST, "refuse", "", X32),
        *((IF_EQUAL, "refuse", "", number) for number in numbers.lasting),
    ]
    if not network:
        tests += [
            (IF_EQUAL, "", "allow", numbers.socket),
            (LOAD, "", "", FIRST_ARGUMENT),
            (IF_EQUAL, "allow", "", UNIX),
            (IF_EQUAL, "allow", "refuse", NETLINK),
        ]
    place = {"": 0, "allow": len(tests), "refuse": len(tests) + 1}

    def skip(label: str, here: int) -> int:
        return place[label] - here - 1 if label else 0

    instructions = [
        (code, skip(then, here), skip(otherwise, here), value)
        for here, (code, then, otherwise, value) in enumerate(tests)
    ]
    instructions += [(ANSWER, 0, 0, ALLOW), (ANSWER, 0, 0, REFUSE)]
    return b"".join(struct.pack("=HBBI", *one) for one in instructions)
