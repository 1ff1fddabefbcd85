"""Start a plugin's process, or its thread.

Two ways to host the same worker: a child process (the default: crashes stay there, and the limits
hold) and a thread of this process (for debuggers). Both get the same messages and the same files.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from mmbench.grid import exchange, shared_memory
from mmbench.grid.channel import PLUGIN_THREAD, Message, PipeChannel, queue_pair
from mmbench.grid.family import Family, Limits
from mmbench.grid.host import Host
from mmbench.grid.surroundings import environment_for, shorten
from mmbench.grid.wall import OWN, PACKAGES, Gates
from mmbench.grid.worker import serve


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
        return Host(ours, folder, on_event, stop=stop, thread=thread)
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
    assert process.stdin and process.stdout
    family = Family(process, limits, stop)
    family.watch()
    return Host(
        *(PipeChannel(process.stdout, process.stdin), folder, on_event, family),
        stop=stop,
        wall="",
        temporary=temporary,
        shared=shared,
    )
