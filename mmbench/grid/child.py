"""``python -P -m mmbench.grid.child FOLDER GATES``: the process that a plugin lives in.

Commands come on stdin and answers leave on what was stdout; both are moved out of the plugin's way
first, so that its prints land in the log. The process, with all that the plugin started, ends when
the parent does.

GATES is JSON: the fields of ``wall.Gates``, and ``watched``. The wall comes first: nothing imported
before it may load numpy or start a thread.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
from pathlib import Path

from mmbench.grid import wall


def main() -> None:
    """Serve commands until told to stop."""
    guarded = start_guard()
    folder, gates = Path(sys.argv[1]), json.loads(sys.argv[2])
    watch = None
    if gates.pop("watched"):
        from mmbench.grid.watch import Watch

        watch = Watch(folder)
    standing = wall.put_up(str(folder), wall.Gates(**gates))

    from mmbench.grid.channel import PipeChannel
    from mmbench.grid.worker import serve

    commands = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    channel = PipeChannel(commands, answers, on_close=None if guarded else lambda: os._exit(1))
    adopt_orphans()
    channel.send({"event": "wall", "name": standing})
    serve(channel, folder, watch)
    sys.stdout.flush()
    os._exit(0)  # threads and children that a plugin left behind must not hold us up


def start_guard() -> bool:
    """Fork a process that kills our group when the parent is gone; False where that cannot be.

    A thread could not do it: a plugin may sit on the interpreter's lock in a long call of C, and
    may have started processes of its own. When the parent dies, even by kill -9, its end of our
    stdin closes, and ``poll`` says so without reading a command. The guard stands outside of the
    wall, out of reach for a plugin's signals.
    """
    if not hasattr(os, "fork") or os.getpgrp() != os.getpid():
        return False
    if first := os.fork():
        os.waitpid(first, 0)
        return True
    if os.fork():
        os._exit(0)  # so that the guard is no child of ours, for which a plugin may wait
    os.close(1)
    os.close(2)
    parent = select.poll()
    parent.register(0, 0)
    parent.poll()
    os.killpg(0, signal.SIGKILL)
    return True


def adopt_orphans() -> None:
    """Stay the ancestor of every process that a plugin starts, to find it and end it.

    The guard is not among them: it lost its parent before.
    """
    if sys.platform == "linux":
        set_child_subreaper = 36
        ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


if __name__ == "__main__":
    main()
