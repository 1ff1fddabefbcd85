"""Messages between the harness and a plugin: JSON lines over pipes, or queues between threads.

Never a pickle: what a plugin's process sends is data, whatever the plugin does.
"""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from collections.abc import Callable
from typing import IO, Any, Protocol

Message = dict[str, Any]
_END: Any = object()
PLUGIN_THREAD = "plugin"  # the name of one that runs a plugin inside this process


class ChannelClosed(Exception):
    """The other side is gone."""


class Channel(Protocol):
    """One end of a two-way stream of messages."""

    def send(self, message: Message) -> None:
        """Deliver a message. Raises ChannelClosed."""

    def receive(self, timeout: float | None = None) -> Message:
        """The next message. Raises ChannelClosed, or TimeoutError after ``timeout`` seconds."""

    def close(self) -> None:
        """Tell the other end that nothing more will come."""


class QueueChannel:
    """An end of a channel inside one process."""

    def __init__(self, inbox: queue.Queue[Any], outbox: queue.Queue[Any]) -> None:
        self.inbox, self.outbox = inbox, outbox

    def send(self, message: Message) -> None:
        """Deliver a message; it takes the same road through JSON as between processes."""
        self.outbox.put(json.dumps(message))

    def receive(self, timeout: float | None = None) -> Message:
        """The next message. Raises ChannelClosed or TimeoutError."""
        return _take(self.inbox, timeout)

    def close(self) -> None:
        """Tell the other end that nothing more will come."""
        self.outbox.put(_END)


class PipeChannel:
    """An end of a channel between processes: a thread reads lines as they come."""

    def __init__(
        self, reader: IO[bytes], writer: IO[bytes], on_close: Callable[[], None] | None = None
    ) -> None:
        self.writer = writer
        self.inbox: queue.Queue[Any] = queue.Queue()
        self.lock = threading.Lock()
        thread = threading.Thread(target=self._read, args=(reader, on_close), daemon=True)
        thread.start()

    def _read(self, reader: IO[bytes], on_close: Callable[[], None] | None) -> None:
        with reader, contextlib.suppress(OSError):  # a broken pipe is an end like any other
            for line in reader:
                self.inbox.put(line)
        if on_close is not None:
            on_close()
        self.inbox.put(_END)

    def send(self, message: Message) -> None:
        """Write one line. Raises ChannelClosed."""
        try:
            with self.lock:
                self.writer.write(json.dumps(message).encode() + b"\n")
                self.writer.flush()
        except (OSError, ValueError) as error:
            raise ChannelClosed(str(error)) from error

    def close(self) -> None:
        """Close the way out; the way in closes when the other side ends."""
        with contextlib.suppress(OSError), self.lock:
            self.writer.close()

    def receive(self, timeout: float | None = None) -> Message:
        """The next message. Raises ChannelClosed or TimeoutError."""
        return _take(self.inbox, timeout)


def queue_pair() -> tuple[QueueChannel, QueueChannel]:
    """Two ends that talk to each other."""
    a: queue.Queue[Any] = queue.Queue()
    b: queue.Queue[Any] = queue.Queue()
    return QueueChannel(a, b), QueueChannel(b, a)


def _take(inbox: queue.Queue[Any], timeout: float | None) -> Message:
    try:
        line = inbox.get(timeout=timeout)
    except queue.Empty:
        raise TimeoutError from None
    if line is _END:
        inbox.put(_END)  # so that every later receive says the same
        raise ChannelClosed("the other side closed the channel")
    try:
        message = json.loads(line)
    except ValueError:
        raise ChannelClosed(f"not a message: {line[:80]!r}") from None
    if not isinstance(message, dict):
        raise ChannelClosed(f"not a message: {line[:80]!r}")
    return message
