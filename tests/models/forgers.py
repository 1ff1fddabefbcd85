"""Models that write to the harness by themselves, and say what is not so."""

import array
import contextlib
import fcntl
import os
import stat
import tempfile
import termios
import time

import numpy as np
import shelf

from mmbench import hookimpl
from mmbench.grid import exchange


def channel_of(run):
    """The plugin's end of the channel, out of the closure of ``run.log``."""
    held = [cell.cell_contents for cell in run.log.__closure__]
    return next(one for one in held if hasattr(one, "receive"))


class Sleeps(shelf.Noise):
    """Takes its time, a different one in each place, and says that it took none."""

    BUILD, FIT, SCORE = 2.0, 0.3, 0.1

    def __init__(self, config):
        time.sleep(self.BUILD)
        self.config = config

    @hookimpl
    def fit(self, train, run):
        super().fit(train, run)
        time.sleep(self.FIT)
        run.validate()
        run.validate()

    @hookimpl
    def score(self, queries):
        time.sleep(self.SCORE)
        return super().score(queries)


class Says(shelf.Noise):
    """Says what its class holds, in the middle of ``fit``."""

    message: dict = {}
    count = 1

    @hookimpl
    def fit(self, train, run):
        super().fit(train, run)
        channel = channel_of(run)
        for _ in range(self.count):
            channel.send(self.message)


class Costless(Says):
    """An answer to ``fit`` that names its own costs."""

    message = {"answer": {"seconds": 0.0, "parameters": 1}}


class Enormous(Says):
    message = {"answer": {"parameters": 10**30}}


class Early(Says):
    """Answers ``fit``, and ``score`` before it is asked."""

    message = {"answer": {"parameters": 1}}
    count = 2


class Unknown(Says):
    message = {"event": "targets"}


class OtherWall(Says):
    message = {"event": "wall", "name": "landlock:99"}


class NoPoint(Says):
    message = {"event": "log", "step": 0, "values": {"loss": "low"}}


class NoExample(Says):
    message = {"event": "example", "title": "a\nb", "texts": {"text": ""}}


class ManyExamples(Says):
    message = {"event": "example", "title": "an item", "texts": {"text": 5000 * "x"}}
    count = 40


class NoValidation(Says):
    message = {"event": "validate", "limit": -1}


class NoFailure(Says):
    message = {"failed": {"usage": True}}


class AskedWrongly(Says):
    """Its failure says that the user made a mistake."""

    message = {
        "failed": {
            "type": "UsageError",
            "message": "give me more",
            "usage": True,
            "memory": False,
            "traceback": "",
        }
    }


class NoAnswer(shelf.Noise):
    """Describes an answer that is another file."""

    @hookimpl
    def fit(self, train, run):
        super().fit(train, run)
        self.channel = channel_of(run)

    @hookimpl
    def score(self, queries):
        layout = {"dtype": "<f4", "shape": [len(queries), 20]}
        self.channel.send({"answer": {"answer": {"../../secret": layout}}})
        return super().score(queries)


class FloodsNames(shelf.Noise):
    """Logs 300,000 curves, as a model may by mistake."""

    @hookimpl
    def fit(self, train, run):
        super().fit(train, run)
        for number in range(300_000):
            run.log(0, **{f"loss of batch {number}": 0.0})


class ForgesNames(shelf.Noise):
    """Does so by itself."""

    @hookimpl
    def fit(self, train, run):
        super().fit(train, run)
        channel = channel_of(run)
        for number in range(300_000):
            channel.send({"event": "log", "step": 0, "values": {f"loss of batch {number}": 0.0}})


class FloodsPoints(shelf.Noise):
    """Trains for long."""

    @hookimpl
    def fit(self, train, run):
        super().fit(train, run)
        for step in range(20_000):
            run.log(step, loss=1 / (step + 1))


class FloodsBytes(shelf.Noise):
    """One message without an end."""

    @hookimpl
    def fit(self, train, run):
        super().fit(train, run)
        channel = channel_of(run)
        block = b" " * 2**20
        for _ in range(2000):
            channel.writer.write(block)


class TooLong(shelf.Noise):
    """Raises what does not fit into a message, in characters that no file holds."""

    @hookimpl
    def fit(self, train):
        raise ValueError("\udc80\x1b[2J" + "x" * 2**21)


class Deaf(shelf.Noise):
    """Asks for its validation figure without end, answers what it is asked, and reads nothing."""

    @hookimpl
    def fit(self, train, run):
        super().fit(train, run)
        channel, (commands,) = channel_of(run), pipes_to_read()
        fcntl.fcntl(commands, fcntl.F_SETPIPE_SZ, 4096)
        scores = np.zeros((1, train.n_items), np.float32)
        described = exchange.save_answer(run.scratch.parent, 0, scores)
        with channel.inbox.changed:  # the thread that reads waits for it, with the first command
            while True:
                for message in (
                    {"event": "validate", "limit": 1},
                    {"answer": {"answer": described}},
                ):
                    before = unread(commands)
                    channel.send(message)
                    for _ in range(100):
                        time.sleep(0.01)
                        if unread(commands) > before:
                            break


def pipes_to_read():
    """The numbers of the open pipes that this process reads from."""
    found = []
    for number in range(3, 20):
        with contextlib.suppress(OSError):
            reads = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
            if reads and stat.S_ISFIFO(os.fstat(number).st_mode):
                found.append(number)
    return found


def unread(pipe):
    """How many bytes wait in a pipe."""
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


class Digs(shelf.Noise):
    """Leaves folders in folders, and those in others, whatever it is asked."""

    @staticmethod
    def needs(config):
        dig(tempfile.gettempdir())
        return ()

    @hookimpl
    def fit(self, train, run):
        super().fit(train, run)
        dig(run.scratch)


def dig(folder):
    """1,200 folders, each in the one before: more than Python calls functions in functions."""
    here = os.open(tempfile.mkdtemp(dir=folder), os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=here)
        deeper = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)


class Swells(shelf.Noise):
    """Has a lot of memory for a moment between two looks of whoever polls."""

    @hookimpl
    def fit(self, train, run):
        super().fit(train, run)
        np.ones(400 * 2**20, np.uint8)
