"""A plugin's process and all that it started: their memory, what they print, and their end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

POLL = 0.1  # seconds between looks at a child's memory
LOG_BYTES = 64 * 1024
GRACE = 5.0  # seconds after which whoever waits for the child is helped


@dataclass(frozen=True, slots=True)
class Limits:
    """What a cell may take: wall seconds and bytes of memory, ``None`` for no limit."""

    seconds: float | None = None
    memory: int | None = None


@dataclass(slots=True)
class Family:
    """What the parent sees of a child.

    Attributes:
        process: the child.
        limits: of it and all that it started.
        stop: when set, nobody wants the child any more.
        started: when, in ``time.monotonic``'s seconds.
        peak: bytes of resident memory, the most that all had together, as this process sees it.
        printed: bytes.
        tail: the end of what was printed.
        offspring: the processes that it started, as far as they were seen.
        over: it was ended for its memory.
        left: nobody looks any more.
    """

    process: subprocess.Popen[bytes]
    limits: Limits
    stop: threading.Event
    started: float = field(default_factory=time.monotonic)
    peak: int = 0
    printed: int = 0
    tail: bytearray = field(default_factory=bytearray)
    offspring: set[psutil.Process] = field(default_factory=set)
    over: bool = False
    left: bool = False

    def watch(self) -> None:
        """Look at the child until it ends, and end it where it breaks a limit.

        Who talks with the child sees that time is up, or that all is to stop, and says so; but not
        where the child does not read what it is sent. So it is ended here a little later.
        """
        assert self.process.stderr
        threading.Thread(target=self._drain, args=(self.process.stderr,), daemon=True).start()
        threading.Thread(target=self._watch, daemon=True).start()

    def _drain(self, pipe: IO[bytes]) -> None:
        with pipe, contextlib.suppress(OSError, ValueError):
            while block := pipe.read1(LOG_BYTES):  # type: ignore[attr-defined]
                self.printed += len(block)
                self.tail += block
                del self.tail[:-LOG_BYTES]

    def _watch(self) -> None:
        unwanted = None
        while self.process.poll() is None and not self.left:
            used = self.look()
            if self.limits.memory is not None and used > self.limits.memory:
                self.over = True
                self.kill()
                return
            if unwanted is None and self._is_unwanted():
                unwanted = time.monotonic()
            if unwanted is not None and time.monotonic() > unwanted + GRACE:
                self.kill()
                return
            time.sleep(POLL)

    def seconds_left(self) -> float | None:
        """Until the limit; None where there is none."""
        most = self.limits.seconds
        return None if most is None else self.started + most - time.monotonic()

    def _is_unwanted(self) -> bool:
        left = self.seconds_left()
        return self.stop.is_set() or (left is not None and left <= 0)

    def look(self) -> int:
        """Note who is there and the most memory there was; returns the bytes of it now."""
        young = descendants(self.process.pid)
        self.offspring.update(young)
        used = resident(self.process.pid) + sum(resident(child.pid) for child in young)
        # the child alone may have had more between two looks
        self.peak = max(self.peak, used, highest(self.process.pid))
        return used

    def kill(self) -> None:
        """End all, and collect the child.

        Those seen earlier too: they may outlive the child that would lead to them.
        """
        kill_tree(self.process, self.offspring)


def kill_tree(process: subprocess.Popen[bytes], family: Iterable[psutil.Process] = ()) -> None:
    """Kill a child, its process group, whatever it started, and ``family``; then collect it."""
    offspring = {*descendants(process.pid), *family}
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for child in offspring:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    process.kill()
    process.wait()


def descendants(pid: int) -> list[psutil.Process]:
    """The living processes that a process has started, and those that they have."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def resident(pid: int) -> int:
    """Resident bytes of a process, 0 if it is gone."""
    try:
        used: int = psutil.Process(pid).memory_info().rss
    except psutil.NoSuchProcess:
        return 0
    return used


def highest(pid: int) -> int:
    """The most resident bytes that a process ever had by the kernel's count, 0 if none is known.

    A process can set its own count back, so this may be too little, and never too much.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text(errors="replace")
    except OSError:  # no such file system here, or no such process
        return 0
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
