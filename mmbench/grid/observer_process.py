"""An observer's process, seen from the harness: what it is told, and that nobody waits for it.

What it does stays there: its prints come out as lines that bear its name, what it raises as
warnings, and where it hangs or ends, the notices that it no longer hears are counted. A thread
writes to it, so that a run never does.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any

from mmbench.grid.observer_child import ABOUT, PATIENCE
from mmbench.grid.registry import Plugin, UsageError, find_observer
from mmbench.problems import legible

logger = logging.getLogger("mmbench.grid")
START_SECONDS = 120.0  # to be imported and made ready
BACKLOG = 2**26  # bytes of notices that wait for an observer that is slow
LINE = 2000  # characters of a printed line
TAIL = 1.0  # seconds for the last lines


@dataclass
class Count:
    """Notices that an observer has done with, and when it did with the last."""

    done: int = 0
    at: float = 0.0


class ObserverProcess:
    """One observer in a process of its own, ready to be told."""

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        """Start it, and wait until it is ready. Raises UsageError where it cannot be."""
        self.name = name
        plugin = find_observer(name)
        self.process = _start(name, json.dumps(options))
        assert self.process.stdin and self.process.stdout
        self.printer = Printer(name, self.process)
        try:
            reply = _first_reply(self.process, plugin, self.printer)
        except BaseException:
            _end(self.process)
            raise
        self.patience = float(reply.get("ready", PATIENCE))
        self.outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.changed = threading.Condition()
        self.hooks: list[str] = []  # of the notices, in order
        self.count = Count()
        self.over = self.closed = False
        self.waiting = self.lost = 0
        _start_thread(self._write, self.process.stdin)
        self.listener = _start_thread(self._listen, self.process.stdout)

    def tell(self, hook: str, told: Mapping[str, Any]) -> None:
        """Hand a notice on; it is not waited for. What finds no room is counted."""
        line = json.dumps({"hook": hook, "told": told}).encode() + b"\n"
        with self.changed:
            if self.over or self.waiting + len(line) > BACKLOG:
                self.lost += 1
                return
            self.waiting += len(line)
            self.hooks.append(hook)
            self.outbox.put(line)

    def close(self) -> None:
        """Wait until it has done with all that it was told, unless it hangs, and end it."""
        if self.closed:
            return
        self.closed = True
        try:
            with self.changed:
                hung = not self._drain()
            self.outbox.put(None)
            if not hung:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(self.patience)
        finally:
            _end(self.process)
        for thread in (self.listener, self.printer.thread):
            thread.join(TAIL)  # what it started may hold its output open
        self._say_lost(hung=hung)

    def _drain(self) -> bool:
        """Whether it did with all; False where it did with none in as long as it may take."""
        since = time.monotonic()
        while self.count.done < len(self.hooks) and not self.over:
            left = max(since, self.count.at) + self.patience - time.monotonic()
            if left <= 0:
                return False
            self.changed.wait(min(left, 0.5))  # a wait without a limit would keep Ctrl-C away
        return True

    def _say_lost(self, *, hung: bool) -> None:
        untold = len(self.hooks) - self.count.done + self.lost
        if hung:
            hook = self.hooks[self.count.done]
            logger.warning(
                "observer %s was ended: it sat in %s for %g s after the run, and %d notices are "
                "lost to it; results are not concerned",
                *(self.name, hook, self.patience, untold),
            )
        elif untold:
            logger.warning(
                "observer %s ended by itself (exit code %s), and %d notices are lost to it; "
                "results are not concerned",
                *(self.name, self.process.poll(), untold),
            )

    def _write(self, stdin: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):  # it ended: who listens to it knows
            while line := self.outbox.get():
                stdin.write(line)
                stdin.flush()
                with self.changed:
                    self.waiting -= len(line)
        with contextlib.suppress(OSError):
            stdin.close()

    def _listen(self, stdout: IO[bytes]) -> None:
        """Count what it has done with, and say what it raised."""
        no_answer = (ValueError, AttributeError, IndexError)
        with stdout, contextlib.suppress(*no_answer):
            for line in stdout:
                why = str(json.loads(line).get("failed", ""))
                with self.changed:
                    hook = self.hooks[self.count.done]
                    self.count = Count(self.count.done + 1, time.monotonic())
                    self.changed.notify_all()
                if why:
                    why = legible(why, LINE)
                    logger.warning("observer %s failed in %s: %s", self.name, hook, why)
        with self.changed:
            self.over = True
            self.changed.notify_all()


class Printer:
    """Says what an observer prints, a line each, on the error output: standard output is ours."""

    def __init__(self, name: str, process: subprocess.Popen[bytes]) -> None:
        self.name = name
        self.last = ""
        assert process.stderr is not None
        self.thread = _start_thread(self._print, process.stderr)

    def _print(self, stderr: IO[bytes]) -> None:
        with stderr:
            while line := stderr.readline(8 * LINE):
                if text := legible(line.decode(errors="replace").rstrip(), LINE):
                    self.last = text
                    print(f"observer {self.name}: {text}", file=sys.stderr)


def ask_about(plugin: Plugin) -> dict[str, Any]:
    """What an observer's class tells of itself, see ``observer_child.about``. Raises UsageError."""
    process = _start(plugin.name, ABOUT)
    printer = Printer(plugin.name, process)
    try:
        reply = _first_reply(process, plugin, printer)
    finally:
        _end(process)
        printer.thread.join(TAIL)
    found: dict[str, Any] = reply["about"]
    return found


def _start(name: str, words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "mmbench.grid.observer_child", name, words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the run, which tells it
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it, and what it started where it did not end by itself."""
    if process.poll() is None:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.close()


def _first_reply(
    process: subprocess.Popen[bytes], plugin: Plugin, printer: Printer
) -> dict[str, Any]:
    """Whether it is ready, or what else it was asked. Raises UsageError."""
    who = f"observer {plugin.name!r} of {plugin.distribution} {plugin.version} cannot be used"
    answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    assert process.stdout is not None
    stdout = process.stdout
    _start_thread(_read_first, stdout, answers)
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            line = answers.get(timeout=0.5)  # one without a limit would keep Ctrl-C away
            break
        except queue.Empty:
            if time.monotonic() > deadline:
                raise UsageError(f"{who}: not ready after {START_SECONDS:g} s") from None
    if not line:
        code = process.wait()
        printer.thread.join(TAIL)
        raise UsageError(f"{who}: its process ended with exit code {code}: {printer.last}")
    reply: dict[str, Any] = json.loads(line)
    if "refused" in reply:
        raise UsageError(legible(reply["refused"] or f"{who}: {reply['why']}", LINE))
    return reply


def _read_first(stdout: IO[bytes], answers: queue.SimpleQueue[bytes]) -> None:
    """Hand on the first line; the stream stays open where it says that more will come."""
    line = stdout.readline()
    if not line.startswith(b'{"ready"'):
        stdout.close()
    answers.put(line)


def _start_thread(run: Callable[..., None], *given: Any) -> threading.Thread:
    thread = threading.Thread(target=run, args=given, daemon=True)
    thread.start()
    return thread
