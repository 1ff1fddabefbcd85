"""What this process does to files and the network, told by Python's own audit events."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link"}
NETWORK = {"socket.connect", "socket.getaddrinfo"}

Watcher = Callable[[str, tuple[Any, ...]], None]
_watchers: list[Watcher] = []


@contextlib.contextmanager
def watched(folder: Path) -> Iterator[list[str]]:
    """Collect what is done meanwhile to files outside ``folder`` and to the network.

    Yields a list that grows by a text a deed. Python's compiled modules do not count; what a C
    library does without Python stays unseen.
    """
    home = os.path.realpath(folder)
    deeds: list[str] = []

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event in NETWORK:
            deeds.append(f"reached for the network ({event})")
        elif event in CHANGES or (event == "open" and arguments[2] & WRITES):
            deeds.extend(
                f"changed a file elsewhere ({event} {path})"
                for path in _paths(event, arguments)
                if not _is_allowed(path, home)
            )

    _install()
    _watchers.append(note)
    try:
        yield deeds
    finally:
        _watchers.remove(note)


@functools.cache  # a hook can be added, never taken away
def _install() -> None:
    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        for watcher in _watchers:
            watcher(event, arguments)

    sys.addaudithook(hook)


def _paths(event: str, arguments: tuple[Any, ...]) -> Iterator[str]:
    named = arguments[: 2 if event in ("os.rename", "os.link") else 1]
    return (os.fsdecode(path) for path in named if isinstance(path, str | bytes | os.PathLike))


def _is_allowed(path: str, home: str) -> bool:
    real = os.path.realpath(path)
    return real == os.devnull or "__pycache__" in real or f"{real}/".startswith(f"{home}/")
