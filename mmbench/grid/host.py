"""The harness's side of a channel: starts a plugin's process, commands it, and ends it.

Two ways to host the same worker: a child process (the default: crashes stay there, and the limits
hold) and a thread of this process (for debuggers). Both get the same messages and the same files.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import psutil

from mmbench.grid import exchange, shared_memory
from mmbench.grid.channel import (
    PLUGIN_THREAD,
    Channel,
    ChannelClosed,
    Message,
    PipeChannel,
    queue_pair,
)
from mmbench.grid.registry import ModelRef, Plugin, UsageError
from mmbench.grid.surroundings import environment_for, shorten
from mmbench.grid.wall import OWN, PACKAGES, Gates
from mmbench.grid.worker import serve
from mmbench.views import Answer, Float32, Vectors

POLL = 0.1  # seconds between looks at a child's memory
LOG_BYTES = 64 * 1024
THREAD = "none"  # what stands around a thread


class PluginFailure(Exception):
    """A cell cannot go on. ``kind`` is a result's status: failed, timeout or out-of-memory."""

    def __init__(self, kind: str, reason: str, traceback: str = "") -> None:
        super().__init__(reason)
        self.kind, self.reason, self.traceback = kind, reason, traceback


class Interrupted(Exception):
    """The user asked to stop; nothing is to be stored."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a cell may take: wall seconds and bytes of memory, ``None`` for no limit."""

    seconds: float | None = None
    memory: int | None = None


@dataclass(slots=True)
class Watch:
    """What the parent's watchers see of a child: memory, output, and the processes it started."""

    peak: int = 0
    printed: int = 0
    family: set[psutil.Process] = field(default_factory=set)
    over: bool = False
    stopped: bool = False


@dataclass(slots=True)
class Host:
    """A running worker, and the conversation with it.

    ``wall`` names what stands around it: ``landlock:<abi>``, ``process``, or ``none`` for a thread.
    ``temporary`` is where it keeps temporary files, ``shared`` what was in shared memory before it.
    ``thread`` is the plugin's where it has no process.
    """

    channel: Channel
    folder: Path
    limits: Limits
    on_event: Callable[[Message], None]
    process: subprocess.Popen[bytes] | None = None
    watch: Watch = field(default_factory=Watch)
    tail: bytearray = field(default_factory=bytearray)
    stop: threading.Event = field(default_factory=threading.Event)
    started: float = field(default_factory=time.monotonic)
    score_seconds: float = 0.0
    memory: tuple[dict[str, exchange.Bytes], ...] = field(default_factory=lambda: ({}, {}))
    item_vectors: Float32 | None = None
    wall: str = THREAD
    temporary: Path | None = None
    shared: frozenset[tuple[str, int]] = frozenset()
    validations: int = 0
    thread: threading.Thread | None = None

    def describe(self, plugin: Plugin, ref: ModelRef, size: str, overrides: Message) -> Message:
        """What the plugin's class declares, with the whole resolved config."""
        self._command(
            "describe", plugin=asdict(plugin), ref=asdict(ref), size=size, overrides=overrides
        )
        return self._await()

    def examine(self, plugin: Plugin, config: Message) -> Message:
        """What a new instance holds and which hooks it has."""
        self._command("examine", plugin=asdict(plugin), config=config)
        return self._await()

    def fetch(self, plugin: Plugin, config: Message, cache: Path, *, network: bool) -> None:
        """Let a new instance fetch what it needs into its model cache."""
        self._command(
            "fetch", plugin=asdict(plugin), config=config, cache=str(cache), network=network
        )
        self._await()

    def fit(
        self, plugin: Plugin, config: Message, run: Message, validate: Callable[..., float]
    ) -> Message:
        """Fit; ``validate(limit)`` answers the plugin's ``run.validate``."""
        self._command("fit", plugin=asdict(plugin), config=config, run=run)
        return self._await(validate)

    def transfer(self) -> None:
        """Turn the fitted plugin to the catalogue that now stands in the folder."""
        self._command("transfer")
        self._await()

    def score(self, fold: str, kind: str, slices: Sequence[slice]) -> Iterator[Answer]:
        """The plugin's answers for row ranges of a fold, in order.

        The next question is on its way before an answer is handed out, so that the caller ranks
        while the plugin scores. An answer's memory is filled again two answers later: copy what is
        to be kept.
        """
        self._ask(fold, kind, slices, 0)
        for number in range(len(slices)):
            reply = self._await()
            self.score_seconds += float(reply["seconds"])
            try:
                answer = self._load(reply, number % 2)
            except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
                raise PluginFailure("failed", f"unreadable answer: {error}") from error
            self._ask(fold, kind, slices, number + 1)
            yield answer

    def _load(self, reply: Message, slot: int) -> Answer:
        if "item_vectors" in reply:
            self.item_vectors = exchange.load_item_vectors(self.folder, reply["item_vectors"])
        answer = exchange.load_answer(self.folder, slot, reply["answer"], self.memory[slot])
        if isinstance(answer, Vectors):
            return replace(answer, items=self.item_vectors)
        return answer

    def embed_items(self) -> dict[str, Float32]:
        """The plugin's embeddings of the catalogue, by space."""
        self._command("embed_items")
        return self._embeddings(self._await())

    def embed_queries(self, fold: str, rows: slice) -> dict[str, Float32]:
        """The plugin's embeddings of rows of a fold, by space."""
        self._command("embed_queries", fold=fold, start=rows.start, stop=rows.stop)
        return self._embeddings(self._await())

    def _embeddings(self, described: Message) -> dict[str, Float32]:
        try:
            return exchange.load_embeddings(self.folder, described)
        except (OSError, ValueError) as error:
            raise PluginFailure("failed", f"unreadable embeddings: {error}") from error

    def offspring(self) -> list[psutil.Process]:
        """The living processes that the plugin's process has started."""
        return [] if self.process is None else _descendants(self.process.pid)

    def close(self) -> None:
        """End the worker and everything it started."""
        self.watch.stopped = True
        self.watch.family.update(self.offspring())  # once the process ends, they are not its own
        with contextlib.suppress(ChannelClosed):
            self.channel.send({"do": "stop"})
        if self.process is not None:
            if not self.stop.is_set():  # else it is at work, and will not read that
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(timeout=2)
            kill_tree(self.process, self.watch.family)
            psutil.wait_procs(self.watch.family, timeout=1)  # what they hold is not removed
            shared_memory.remove_new(self.shared)
        if self.thread is not None and not self.stop.is_set():  # else it may be at work for hours
            self.thread.join(timeout=2)
        if self.temporary is not None and self.temporary.is_symlink():
            self.temporary.unlink()
        self.channel.close()

    def _ask(self, fold: str, kind: str, slices: Sequence[slice], number: int) -> None:
        if number < len(slices):
            rows = slices[number]
            self._command(
                "score", fold=fold, kind=kind, start=rows.start, stop=rows.stop, slot=number % 2
            )

    def _command(self, name: str, **arguments: Any) -> None:
        self._send({"do": name, "with": arguments})

    def _send(self, message: Message) -> None:
        try:
            self.channel.send(message)
        except ChannelClosed:
            raise self._death() from None

    def _await(self, validate: Callable[..., float] | None = None) -> Message:
        """The answer to the last command; events on the way go where they belong."""
        while True:
            message = self._receive()
            match message:
                case {"event": "validate", "limit": limit} if validate is not None:
                    self.validations += 1
                    self._send({"do": "validated", "value": validate(limit)})
                case {"event": "wall", "name": str(name)} if not self.wall:
                    self.wall = name
                case {"event": "log" | "progress"}:
                    self.on_event(message)
                case {"answer": dict(answer)}:
                    return answer
                case {"failed": dict(failed)}:
                    raise _failure(failed)
                case _:
                    raise PluginFailure("failed", "the plugin's process sent an unknown message")

    def _receive(self) -> Message:
        while True:
            if self.stop.is_set():
                raise Interrupted
            left = self._seconds_left()
            if left is not None and left <= 0:
                self.close_hard()
                raise PluginFailure(
                    "timeout", f"not done after the limit of {self.limits.seconds:g} s"
                )
            try:
                return self.channel.receive(timeout=0.5 if left is None else min(0.5, left))
            except TimeoutError:
                # a process that it left behind may hold its end of the channel open
                if self.process is not None and self.process.poll() is not None:
                    raise self._death() from None
            except ChannelClosed as closed:
                raise self._death(str(closed)) from None

    def _seconds_left(self) -> float | None:
        if self.limits.seconds is None:
            return None
        return self.started + self.limits.seconds - time.monotonic()

    def close_hard(self) -> None:
        """Kill the worker without a word."""
        if self.process is not None:
            kill_tree(self.process, self.watch.family)

    def _death(self, why: str = "") -> PluginFailure:
        if self.watch.over and self.limits.memory is not None:
            return PluginFailure(
                "out-of-memory",
                f"used more than the limit of {self.limits.memory / 2**20:,.0f} MiB",
            )
        if self.process is None or "not a message" in why:
            self.close_hard()
            return PluginFailure("failed", why or "the plugin's thread ended", self.log())
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5)
        code = self.process.returncode
        if code is None:
            self.close_hard()
            return PluginFailure("failed", "the process closed its channel", self.log())
        if code < 0:
            known = -code in set(signal.Signals)
            name = signal.Signals(-code).name if known else f"signal {-code}"
            hint = " (perhaps the kernel, short of memory)" if name == "SIGKILL" else ""
            return PluginFailure("failed", f"the process was killed by {name}{hint}", self.log())
        return PluginFailure("failed", f"the process ended with exit code {code}", self.log())

    def log(self) -> str:
        """The end of what the plugin printed."""
        return self.tail.decode(errors="replace")


def launch(
    folder: Path,
    *,
    isolated: bool = True,
    limits: Limits | None = None,
    on_event: Callable[[Message], None] = lambda message: None,
    stop: threading.Event | None = None,
    environment: dict[str, str] | None = None,
    watched: bool = False,
    gates: Gates | None = None,
) -> Host:
    """Start a worker on a scratch folder.

    Args:
        folder: where views and answers are exchanged.
        isolated: a child process, else a thread of this one (neither limits nor wall there).
        limits: time and memory.
        on_event: told of ``log`` and ``progress`` messages.
        stop: when set, waiting for an answer raises Interrupted.
        environment: additions to the child's environment.
        watched: note in a child what the plugin opens, see ``watch``.
        gates: what is open to it in the wall.
    """
    limits, stop, gates = limits or Limits(), stop or threading.Event(), gates or Gates()
    for name in (exchange.VIEWS, PACKAGES, *OWN):
        (folder / name).mkdir(exist_ok=True)
    if not isolated:
        ours, theirs = queue_pair()

        def run() -> None:
            serve(theirs, folder)
            theirs.close()

        thread = threading.Thread(target=run, daemon=True, name=PLUGIN_THREAD)
        thread.start()
        return Host(ours, folder, Limits(), on_event, stop=stop, thread=thread)
    temporary, shared = shorten(folder), shared_memory.list_files()
    settings = environment_for(folder, temporary, network=gates.network)
    words = json.dumps({**asdict(gates), "watched": watched})
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "mmbench.grid.child", str(folder), words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **settings, **(environment or {})},
        start_new_session=True,
    )
    assert process.stdin and process.stdout and process.stderr
    channel = PipeChannel(process.stdout, process.stdin)
    host = Host(
        *(channel, folder, limits, on_event, process),
        stop=stop,
        wall="",
        temporary=temporary,
        shared=shared,
    )
    threading.Thread(target=_drain, args=(process.stderr, host), daemon=True).start()
    threading.Thread(target=_watch, args=(process, limits, host.watch), daemon=True).start()
    return host


def kill_tree(process: subprocess.Popen[bytes], family: Iterable[psutil.Process] = ()) -> None:
    """Kill a child, its process group, and whatever it started, then collect it.

    ``family`` are processes seen earlier: they may outlive the child that would lead to them.
    """
    offspring = {*_descendants(process.pid), *family}
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for child in offspring:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    process.kill()
    process.wait()


def _failure(failed: Message) -> Exception:
    if failed.get("usage"):
        return UsageError(failed["message"])
    kind = "out-of-memory" if failed.get("memory") else "failed"
    reason = f"{failed['type']}: {failed['message']}"
    return PluginFailure(kind, reason, failed.get("traceback", ""))


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _drain(pipe: IO[bytes], host: Host) -> None:
    """Read all that a child prints and keep the end of it."""
    with pipe, contextlib.suppress(OSError, ValueError):
        while block := pipe.read1(LOG_BYTES):  # type: ignore[attr-defined]
            host.watch.printed += len(block)
            host.tail += block
            del host.tail[:-LOG_BYTES]


def _watch(process: subprocess.Popen[bytes], limits: Limits, watch: Watch) -> None:
    """Note a child's peak memory, and kill it over the limit."""
    while process.poll() is None and not watch.stopped:
        offspring = _descendants(process.pid)
        watch.family.update(offspring)
        used = sum(memory_of(pid) for pid in (process.pid, *(child.pid for child in offspring)))
        watch.peak = max(watch.peak, used)
        if limits.memory is not None and used > limits.memory:
            watch.over = True
            kill_tree(process, watch.family)
            return
        time.sleep(POLL)


def memory_of(pid: int) -> int:
    """Resident bytes of a process, 0 if it is gone."""
    try:
        used: int = psutil.Process(pid).memory_info().rss
    except psutil.NoSuchProcess:
        return 0
    return used
