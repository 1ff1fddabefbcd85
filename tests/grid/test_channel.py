"""Messages between processes are data, and an end is an end."""

import os

import pytest

from mmbench.grid.channel import ChannelClosed, PipeChannel, queue_pair


def pipe_pair():
    a_read, a_write = os.pipe()
    b_read, b_write = os.pipe()
    ends = [os.fdopen(fd, mode) for fd, mode in ((a_read, "rb"), (a_write, "wb"))]
    other = [os.fdopen(fd, mode) for fd, mode in ((b_read, "rb"), (b_write, "wb"))]
    return PipeChannel(ends[0], other[1]), PipeChannel(other[0], ends[1])


@pytest.fixture
def pipes():
    ends = pipe_pair()
    yield ends
    for end in ends:
        end.close()


def test_messages_cross_both_kinds_of_channel(pipes):
    for ours, theirs in (queue_pair(), pipes):
        ours.send({"do": "fit", "with": {"x": [1, 2.5, None]}})
        assert theirs.receive(timeout=5) == {"do": "fit", "with": {"x": [1, 2.5, None]}}
        theirs.send({"done": {}})
        assert ours.receive(timeout=5) == {"done": {}}


def test_silence_is_a_timeout_and_an_end_stays_an_end(pipes):
    ours, theirs = pipes
    with pytest.raises(TimeoutError):
        ours.receive(timeout=0.01)
    theirs.close()
    for _ in range(3):
        with pytest.raises(ChannelClosed):
            ours.receive(timeout=5)


@pytest.mark.parametrize("junk", [b"not json\n", b"[1, 2]\n", b"\xff\xfe\n"])
def test_what_is_not_a_message_closes_the_channel(pipes, junk):
    ours, theirs = pipes
    theirs.writer.write(junk)
    theirs.writer.flush()
    with pytest.raises(ChannelClosed, match="not a message"):
        ours.receive(timeout=5)


def test_a_queue_carries_only_what_json_can():
    ours, _ = queue_pair()
    with pytest.raises(TypeError):
        ours.send({"x": object()})
