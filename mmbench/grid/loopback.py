"""A network of a process's own, in which it reaches itself and nothing else.

Processes that train one model together talk by TCP. In a network namespace of their own, in which
only the loopback interface is up, that leads nowhere. Root may always enter one; others may where
the system lets them have a user namespace.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys

NEW_USER, NEW_NET = 0x10000000, 0x40000000  # unshare
SET_FLAGS, UP = 0x8914, 1  # ioctl SIOCSIFFLAGS, IFF_UP


def enter() -> bool:
    """Leave the machine's network for one with loopback alone; whether that could be done.

    For this process and all that it starts, while it has one thread.
    """
    if sys.platform != "linux":
        return False
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if libc.unshare(NEW_NET):
            if libc.unshare(NEW_USER | NEW_NET):
                return False
            _stay("setgroups", "deny")
            _stay("uid_map", f"{user} {user} 1")
            _stay("gid_map", f"{group} {group} 1")
        import fcntl

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sh", b"lo", UP) + bytes(14))
    except OSError:
        return False
    return True


def _stay(name: str, text: str) -> None:
    """Keep the user's number in the new namespace, in which they would else be nobody."""
    with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
        file.write(text)
