"""Messages between processes are data, and an end is an end."""

import os
import threading
import time

import pytest

from mmbench.grid.channel import (
    LONGEST,
    WAITING,
    BadMessage,
    ChannelClosed,
    MessageTooLong,
    PipeChannel,
    queue_pair,
)


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


@pytest.fixture(params=["pipe", "queue"])
def ends(request):
    """Both ends of either kind of channel."""
    pair = pipe_pair() if request.param == "pipe" else queue_pair()
    yield pair
    for end in pair:
        end.close()


@pytest.mark.parametrize("junk", [b"not json\n", b"[1, 2]\n", b"\xff\xfe\n", b"[" * 10**5 + b"\n"])
def test_what_is_not_a_message_closes_the_channel(pipes, junk):
    ours, theirs = pipes
    theirs.writer.write(junk)
    theirs.writer.flush()
    with pytest.raises(BadMessage, match="not a message"):
        ours.receive(timeout=5)


def test_a_queue_carries_only_what_json_can():
    ours, _ = queue_pair()
    with pytest.raises(TypeError):
        ours.send({"x": object()})


def test_a_message_has_a_greatest_length(ends):
    ours, theirs = ends
    room = LONGEST - len('{"x": ""}\n')
    theirs.send({"x": "a" * room})
    assert len(ours.receive(timeout=5)["x"]) == room
    with pytest.raises(MessageTooLong, match="1,048,576 is the most"):
        theirs.send({"x": "a" * (room + 1)})
    theirs.send({"still": "open"})
    assert ours.receive(timeout=5) == {"still": "open"}


def test_a_line_without_an_end_is_not_read_to_its_end(pipes):
    """Whoever writes it learns that nobody reads."""
    ours, theirs = pipes
    written = []

    def flood():
        block = b"x" * 2**16
        try:
            while len(written) < 1000:
                theirs.writer.write(block)
                written.append(len(block))
        except BrokenPipeError:
            written.append("broken")

    thread = threading.Thread(target=flood)
    thread.start()
    with pytest.raises(BadMessage, match="more than 1,048,576 bytes: b'xxx"):
        ours.receive(timeout=5)
    thread.join(5)
    assert written[-1] == "broken"
    assert sum(written[:-1]) < 2 * LONGEST
    with pytest.raises(ChannelClosed):
        ours.receive(timeout=5)


def test_who_sends_more_than_is_received_waits(ends):
    """A pipe holds some bytes of its own."""
    ours, theirs = ends
    sent, text = [], "a" * 2**16

    def flood():
        try:
            for number in range(10 * WAITING):
                theirs.send({"number": number, "text": text})
                sent.append(number)
        except ChannelClosed:
            sent.append("closed")

    thread = threading.Thread(target=flood)
    thread.start()
    count = -1
    while count != len(sent):
        count = len(sent)
        time.sleep(0.2)
    assert WAITING <= count <= WAITING + 2
    for number in range(count + 5):
        assert ours.receive(timeout=5)["number"] == number
    thread.join(0.2)
    assert len(sent) < 10 * WAITING
    ours.close()
    thread.join(5)
    assert sent[-1] == "closed"


def test_a_message_tells_when_it_came_however_long_it_waited(ends):
    ours, theirs = ends
    before = time.perf_counter()
    theirs.send({})
    time.sleep(0.2)
    ours.receive(timeout=5)
    assert before <= ours.arrived < before + 0.15
