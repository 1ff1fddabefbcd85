"""The harness's side of a channel: commands a plugin, hears what it says, and ends it.

What it costs is measured here. A command gives the plugin its turn, and its reply, or a call of
``run.validate``, ends it: ``Host.busy`` is the seconds of its turns, which it cannot choose.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from mmbench.grid import exchange, replies, shared_memory
from mmbench.grid.about import About
from mmbench.grid.channel import BadMessage, Channel, ChannelClosed, Message
from mmbench.grid.curves import CurveError
from mmbench.grid.declaration import Declaration
from mmbench.grid.family import Family, descendants
from mmbench.grid.registry import ModelRef, Plugin, UsageError
from mmbench.grid.replies import ReplyError
from mmbench.problems import legible
from mmbench.views import Answer, Float32, Vectors

THREAD = "none"  # what stands around a thread


class PluginFailure(Exception):
    """A cell cannot go on. ``kind`` is a result's status: failed, timeout or out-of-memory."""

    def __init__(self, kind: str, reason: str, traceback: str = "") -> None:
        super().__init__(reason)
        self.kind, self.reason, self.traceback = kind, reason, traceback


class Interrupted(Exception):
    """The user asked to stop; nothing is to be stored."""


@dataclass(slots=True)
class Host:
    """A running worker, and the conversation with it.

    Attributes:
        channel: to it.
        folder: the cell's.
        on_event: told of ``log``, ``progress`` and ``example`` messages.
        family: its processes; None for a thread.
        stop: when set, waiting for an answer raises Interrupted.
        busy: seconds of wall time in which it was the plugin's turn.
        asked: when its turn began, in ``time.perf_counter``'s seconds; None where it is ours.
        n_items: size of the catalogue that it was given, which bounds its answers.
        memory: of answers, filled again and again.
        item_vectors: those that go with ``Vectors``.
        wall: what stands around it: ``landlock:<abi>``, ``process``, or ``none`` for a thread.
        temporary: where it keeps temporary files.
        shared: what was in shared memory before it.
        validations: how often it has called ``run.validate``.
        thread: the plugin's where it has no process.
    """

    channel: Channel
    folder: Path
    on_event: Callable[[Message], None]
    family: Family | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    busy: float = 0.0
    asked: float | None = None
    n_items: int = 0
    memory: tuple[dict[str, exchange.Bytes], ...] = field(default_factory=lambda: ({}, {}))
    item_vectors: Float32 | None = None
    wall: str = THREAD
    temporary: Path | None = None
    shared: frozenset[tuple[str, int]] = frozenset()
    validations: int = 0
    thread: threading.Thread | None = None

    def describe(
        self, plugin: Plugin, ref: ModelRef, size: str, overrides: Message
    ) -> list[Declaration]:
        """What the plugin's class declares, see ``session.describe``. Raises UsageError."""
        self._command(
            "describe", plugin=asdict(plugin), ref=asdict(ref), size=size, overrides=overrides
        )
        answer = self._await(usage=True)
        with self._reading():
            return replies.read_declared(answer)

    def introduce(self, plugin: Plugin) -> About:
        """What the plugin's class tells about itself, see ``introspect``. Raises UsageError."""
        self._command("introduce", plugin=asdict(plugin))
        answer = self._await(usage=True)
        with self._reading():
            return replies.read_about(answer)

    def examine(self, plugin: Plugin, config: Message) -> Message:
        """What a new instance holds and which hooks it has. Raises UsageError."""
        self._command("examine", plugin=asdict(plugin), config=config)
        answer = self._await(usage=True)
        with self._reading():
            return replies.read(replies.Examined, answer, "examine").model_dump()

    def fetch(self, plugin: Plugin, config: Message, cache: Path, *, network: bool) -> None:
        """Let a new instance fetch what it needs into its model cache."""
        self._command(
            "fetch", plugin=asdict(plugin), config=config, cache=str(cache), network=network
        )
        self._await()

    def open(self, plugin: Plugin, config: Message) -> None:
        """Import the plugin and build the instance to fit, before there is anything to see."""
        self._command("open", plugin=asdict(plugin), config=config)
        self._await()

    def fit(self, run: Message, n_items: int, validate: Callable[..., float]) -> int | None:
        """Fit; ``validate(limit)`` returns the plugin's ``run.validate``.

        Returns the number of trainable parameters, where the plugin's process tells one.
        """
        self.n_items = n_items
        self._command("fit", run=run)
        answer = self._await(validate)
        with self._reading():
            return replies.read(replies.Fitted, answer, "fit").parameters

    def keep(self) -> dict[str, np.ndarray]:
        """What the fitted plugin learned, as arrays. It is no part of what fitting costs."""
        busy = self.busy
        self._command("keep")
        answer = self._await()
        self.busy = busy
        with self._reading():
            return exchange.load_kept(self.folder, replies.read(replies.Kept, answer, "keep").size)

    def restore(self, run: Message, n_items: int) -> None:
        """Let the new instance be as after the fit whose arrays stand in the folder."""
        self.n_items = n_items
        self._command("restore", run=run)
        self._await()

    def transfer(self, n_items: int) -> None:
        """Turn the fitted plugin to the catalogue that now stands in the folder."""
        self.n_items = n_items
        self._command("transfer")
        self._await()

    def score(
        self, fold: str, kind: str, slices: Sequence[slice], of: str = ""
    ) -> Iterator[Answer]:
        """The plugin's answers for row ranges of a fold, in order.

        ``of`` names the candidate set that is asked for, of a plugin that is told.

        The next question is on its way before an answer is handed out, so that the caller ranks
        while the plugin scores. An answer's memory is filled again two answers later: copy what is
        to be kept.
        """
        self._ask(fold, kind, of, slices, 0)
        for number, rows in enumerate(slices):
            reply = self._await()
            with self._reading():
                answer = self._load(reply, number % 2, rows.stop - rows.start)
            self._ask(fold, kind, of, slices, number + 1)
            yield answer

    def _load(self, message: Message, slot: int, rows: int) -> Answer:
        reply = replies.read(replies.Scored, message, "score")
        if reply.item_vectors is not None:
            self.item_vectors = exchange.load_item_vectors(
                self.folder, reply.item_vectors, self.n_items
            )
        room = exchange.Room(rows, self.n_items)
        answer = exchange.load_answer(self.folder, slot, reply.answer, self.memory[slot], room)
        if isinstance(answer, Vectors):
            return replace(answer, items=self.item_vectors)
        return answer

    def embed_items(self) -> dict[str, Float32]:
        """The plugin's embeddings of the catalogue, by space."""
        self._command("embed_items")
        return self._embeddings(self.n_items + 1)

    def embed_queries(self, fold: str, rows: slice) -> dict[str, Float32]:
        """The plugin's embeddings of rows of a fold, by space."""
        self._command("embed_queries", fold=fold, start=rows.start, stop=rows.stop)
        return self._embeddings(rows.stop - rows.start)

    def _embeddings(self, rows: int) -> dict[str, Float32]:
        answer = self._await()
        with self._reading():
            reply = replies.read(replies.Embedded, {"spaces": answer}, "embeddings")
            room = exchange.Room(rows, self.n_items)
            return exchange.load_embeddings(self.folder, reply.spaces, room)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """What came is looked at inside; what is wrong with it is the plugin's failure."""
        try:
            yield
        except ReplyError as error:
            raise self._refuse(str(error)) from error
        except (OSError, ValueError) as error:
            raise PluginFailure("failed", f"unreadable answer: {error}") from error
        except MemoryError as error:
            raise PluginFailure("out-of-memory", f"no memory for its answer: {error}") from error

    def _refuse(self, why: str) -> PluginFailure:
        self.close_hard()
        return PluginFailure("failed", f"its process sent what it may not: {why}", self.log())

    def offspring(self) -> list[psutil.Process]:
        """The living processes that the plugin's process has started."""
        return [] if self.family is None else descendants(self.family.process.pid)

    def close(self) -> None:
        """End the worker and everything it started."""
        family = self.family
        if family is not None:
            family.look()  # once the process ends, its own are not its own, and nobody counts
            family.left = True
        with contextlib.suppress(ChannelClosed):
            self.channel.send({"do": "stop"})
        if family is not None:
            if not self.stop.is_set():  # else it is at work, and will not read that
                with contextlib.suppress(subprocess.TimeoutExpired):
                    family.process.wait(timeout=2)
            family.kill()
            psutil.wait_procs(family.offspring, timeout=1)  # what they hold is not removed
            shared_memory.remove_new(self.shared)
        if self.temporary is not None and self.temporary.is_symlink():
            self.temporary.unlink()
        self.channel.close()
        if self.thread is not None and not self.stop.is_set():  # else it may be at work for hours
            self.thread.join(timeout=2)

    def _ask(self, fold: str, kind: str, of: str, slices: Sequence[slice], number: int) -> None:
        if number < len(slices):
            start, stop = slices[number].start, slices[number].stop
            place = {"start": start, "stop": stop, "slot": number % 2}
            self._command("score", fold=fold, kind=kind, of=of, **place)

    def _command(self, name: str, **arguments: Any) -> None:
        self._give_turn({"do": name, "with": arguments})

    def _give_turn(self, message: Message) -> None:
        self.asked = time.perf_counter()
        try:
            self.channel.send(message)
        except ChannelClosed:
            raise self._death() from None

    def _end_turn(self) -> None:
        if self.asked is None or self.channel.arrived < self.asked:
            raise ReplyError("an answer before it was asked for")
        self.busy += self.channel.arrived - self.asked
        self.asked = None

    def _await(
        self, validate: Callable[..., float] | None = None, *, usage: bool = False
    ) -> Message:
        """The answer to the last command; events on the way go where they belong.

        ``usage``: a failure may be a UsageError.
        """
        while True:
            message = self._receive()
            try:
                answer = self._hear(message, usage=usage)
            except (ReplyError, CurveError) as error:
                raise self._refuse(str(error)) from error
            if isinstance(answer, replies.Validate):
                if validate is None:
                    raise PluginFailure("failed", "run.validate was called after fit had ended")
                self.validations += 1
                self._give_turn({"do": "validated", "value": validate(answer.limit)})
            elif answer is not None:
                return answer

    def _hear(self, message: Message, *, usage: bool) -> Message | replies.Validate | None:
        """A message's answer, or the call of ``run.validate`` that it is; None for an event."""
        match message:
            case {"event": "wall"} if not self.wall:
                self.wall = replies.read(replies.Wall, message, "wall").name
            case {"event": "log"}:
                self.on_event(replies.read(replies.Point, message, "run.log").model_dump())
            case {"event": "progress"}:
                self.on_event(replies.read(replies.Progress, message, "run.progress").model_dump())
            case {"event": "example"}:
                self.on_event(replies.read(replies.Example, message, "run.example").model_dump())
            case {"event": "validate"}:
                self._end_turn()
                return replies.read(replies.Validate, message, "run.validate")
            case {"answer": dict(answer)}:
                self._end_turn()
                return answer
            case {"failed": dict(failed)}:
                raise _failure(replies.read(replies.Failure, failed, "failure"), usage=usage)
            case _:
                raise ReplyError(f"an unknown message: {str(message)[: replies.SHOWN]}")
        return None

    def _receive(self) -> Message:
        while True:
            if self.stop.is_set():
                raise Interrupted
            left = None if self.family is None else self.family.seconds_left()
            if left is not None and left <= 0:
                self.close_hard()
                raise self._death()
            try:
                return self.channel.receive(timeout=0.5 if left is None else min(0.5, left))
            except TimeoutError:
                # a process that it left behind may hold its end of the channel open
                if self.family is not None and self.family.process.poll() is not None:
                    raise self._death() from None
            except BadMessage as bad:
                raise self._refuse(str(bad)) from None
            except ChannelClosed:
                raise self._death() from None

    def close_hard(self) -> None:
        """Kill the worker without a word."""
        if self.family is not None:
            self.family.kill()

    def _death(self) -> Exception:
        family = self.family
        if self.stop.is_set():
            return Interrupted()
        if family is None:
            return PluginFailure("failed", "the plugin's thread ended")
        left = family.seconds_left()
        if left is not None and left <= 0:
            most = f"{family.limits.seconds:g} s"
            return PluginFailure("timeout", f"not done after the limit of {most}")
        if family.over and family.limits.memory is not None:
            most = f"{family.limits.memory / 2**20:,.0f} MiB"
            return PluginFailure("out-of-memory", f"used more than the limit of {most}")
        with contextlib.suppress(subprocess.TimeoutExpired):
            family.process.wait(timeout=5)
        code = family.process.returncode
        if code is None:
            self.close_hard()
            return PluginFailure("failed", "the process closed its channel", self.log())
        if code < 0:
            known = -code in set(signal.Signals)
            name = signal.Signals(-code).name if known else f"signal {-code}"
            hint = " (perhaps the kernel, short of memory)" if name == "SIGKILL" else ""
            return PluginFailure("failed", f"the process was killed by {name}{hint}", self.log())
        return PluginFailure("failed", f"the process ended with exit code {code}", self.log())

    @property
    def printed(self) -> int:
        """How many bytes the plugin printed."""
        return 0 if self.family is None else self.family.printed

    def log(self) -> str:
        """The end of what the plugin printed."""
        return "" if self.family is None else self.family.tail.decode(errors="replace")


def _failure(failed: replies.Failure, *, usage: bool) -> Exception:
    if failed.usage and usage:
        return UsageError(legible(failed.message, replies.REASON))
    kind = "out-of-memory" if failed.memory else "failed"
    return PluginFailure(kind, failed.reason, failed.trace)
