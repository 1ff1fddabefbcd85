"""Messages between the harness and a plugin: JSON lines over pipes, or queues between threads.

Never a pickle: what a plugin's process sends is data, whatever the plugin does. Nor more than there
is room for: a message has a greatest length, few wait to be received, and who sends more waits.
"""

from __future__ import annotations

import collections
import contextlib
import json
import threading
import time
from collections.abc import Callable
from typing import IO, Any, Protocol

Message = dict[str, Any]
LONGEST = 2**20  # bytes of a message
WAITING = 64  # messages
PLUGIN_THREAD = "plugin"  # the name of one that runs a plugin inside this process


class ChannelClosed(Exception):
    """The other side is gone."""


class BadMessage(ChannelClosed):
    """The other side sent what is no message, or too long a one; nothing it sends is read again."""


class MessageTooLong(ValueError):
    """What is to be sent does not fit into a message."""


class Channel(Protocol):
    """One end of a two-way stream of messages.

    ``arrived``: when the message that was received last came here, in ``time.perf_counter``'s
    seconds, however long it has waited since.
    """

    arrived: float

    def send(self, message: Message) -> None:
        """Deliver a message. Raises ChannelClosed, MessageTooLong."""

    def receive(self, timeout: float | None = None) -> Message:
        """The next message. Raises ChannelClosed, or TimeoutError after ``timeout`` seconds."""

    def close(self) -> None:
        """Tell the other end that nothing more will come, and that nothing more is read."""


class Inbox:
    """Lines that wait to be received, each with the moment that it came; few have room."""

    def __init__(self) -> None:
        self.lines: collections.deque[tuple[float, bytes]] = collections.deque()
        self.changed = threading.Condition()
        self.ended = self.abandoned = False

    def put(self, line: bytes) -> bool:
        """Add a line once there is room; False where nobody will receive it."""
        came = time.perf_counter()
        with self.changed:
            self.changed.wait_for(lambda: len(self.lines) < WAITING or self.abandoned)
            if not self.abandoned:
                self.lines.append((came, line))
                self.changed.notify_all()
            return not self.abandoned

    def take(self, timeout: float | None) -> tuple[float, bytes]:
        """The next line. Raises TimeoutError, and ChannelClosed after the last."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.lines or self.ended, timeout):
                raise TimeoutError
            if not self.lines:
                raise ChannelClosed("the other side closed the channel")
            self.changed.notify_all()
            return self.lines.popleft()

    def end(self) -> None:
        """No further line will come."""
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def abandon(self) -> None:
        """No further line will be taken."""
        with self.changed:
            self.abandoned = True
            self.changed.notify_all()


class QueueChannel:
    """An end of a channel inside one process."""

    def __init__(self, inbox: Inbox, outbox: Inbox) -> None:
        self.inbox, self.outbox = inbox, outbox
        self.arrived = 0.0

    def send(self, message: Message) -> None:
        """Deliver a message; it takes the same road through JSON as between processes."""
        if not self.outbox.put(_encode(message)):
            raise ChannelClosed("the other side closed the channel")

    def receive(self, timeout: float | None = None) -> Message:
        """The next message. Raises ChannelClosed or TimeoutError."""
        self.arrived, line = self.inbox.take(timeout)
        return _decode(line)

    def close(self) -> None:
        """Tell the other end that nothing more will come, and that nothing more is read."""
        self.outbox.end()
        self.inbox.abandon()


class PipeChannel:
    """An end of a channel between processes: a thread reads lines as they come."""

    def __init__(
        self, reader: IO[bytes], writer: IO[bytes], on_close: Callable[[], None] | None = None
    ) -> None:
        self.writer = writer
        self.inbox = Inbox()
        self.arrived = 0.0
        self.lock = threading.Lock()
        thread = threading.Thread(target=self._read, args=(reader, on_close), daemon=True)
        thread.start()

    def _read(self, reader: IO[bytes], on_close: Callable[[], None] | None) -> None:
        with reader, contextlib.suppress(OSError):  # a broken pipe is an end like any other
            while line := reader.readline(LONGEST + 1):
                if not self.inbox.put(line) or len(line) > LONGEST:
                    break
        if on_close is not None:
            on_close()
        self.inbox.end()

    def send(self, message: Message) -> None:
        """Write one line. Raises ChannelClosed, MessageTooLong."""
        line = _encode(message)
        try:
            with self.lock:
                self.writer.write(line)
                self.writer.flush()
        except (OSError, ValueError) as error:
            raise ChannelClosed(str(error)) from error

    def close(self) -> None:
        """Close the way out, and read no more; the way in closes when the other side ends."""
        self.inbox.abandon()
        with contextlib.suppress(OSError), self.lock:
            self.writer.close()

    def receive(self, timeout: float | None = None) -> Message:
        """The next message. Raises ChannelClosed or TimeoutError."""
        self.arrived, line = self.inbox.take(timeout)
        return _decode(line)


def queue_pair() -> tuple[QueueChannel, QueueChannel]:
    """Two ends that talk to each other."""
    a, b = Inbox(), Inbox()
    return QueueChannel(a, b), QueueChannel(b, a)


def _encode(message: Message) -> bytes:
    line = json.dumps(message).encode() + b"\n"
    if len(line) > LONGEST:
        raise MessageTooLong(
            f"a message of {len(line):,} bytes, and {LONGEST:,} is the most ({line[:60]!r}...)"
        )
    return line


def _decode(line: bytes) -> Message:
    if len(line) > LONGEST:
        raise BadMessage(f"a message of more than {LONGEST:,} bytes: {line[:60]!r}...")
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise BadMessage(f"what is not a message: {line[:60]!r}") from None
    if not isinstance(message, dict):
        raise BadMessage(f"what is not a message: {line[:60]!r}")
    return message
