"""Several processes that fit one model together, each with a GPU of its own.

The first is the plugin's process itself. It starts the others, which find the same views in the
same folder, inside the same wall, build the same instance and fit it too; torch.distributed joins
them, and ``mmbench.vlm.train`` averages their gradients. Only the first is heard: it validates,
logs, and keeps the fitted model, which alone is asked for scores.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

VISIBLE = "CUDA_VISIBLE_DEVICES"
LOOPBACK = "127.0.0.1"
INTERFACE = {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}
NAMES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
LOOK = 0.2  # seconds between two looks at the other processes
PATIENCE = 60.0  # seconds that the others may take to end once the first has


@contextmanager
def joined(folder: Path, count: int, message: dict[str, Any]) -> Iterator[None]:
    """Fit in ``count`` processes; inside, this one is the first of them.

    Args:
        folder: the cell's, with its views.
        count: of processes, this one included; 1 does nothing.
        message: what ``rank.main`` is told.

    Where another process fails, this one ends at once with status 1, as it would wait for it for
    ever; what that one said is in the log. Raises RuntimeError where another does not end.
    """
    if count == 1:
        yield
        return
    before = dict(os.environ)
    address = {"MASTER_ADDR": LOOPBACK, "MASTER_PORT": str(_free_port()), **INTERFACE}
    gpus = os.environ.get(VISIBLE, "").split(",") if os.environ.get(VISIBLE) else []
    others, over = [], threading.Event()
    for rank in reversed(range(count)):
        place = {"RANK": rank, "LOCAL_RANK": 0, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": 1}
        settings = {name: str(value) for name, value in place.items()} | address
        if gpus:
            settings[VISIBLE] = gpus[rank]
        os.environ |= settings
        if rank:
            others.append(_start(folder, message))
    watch = threading.Thread(target=_watch, args=(others, over), daemon=True)
    watch.start()
    try:
        yield
        over.set()
        _leave(others)
    finally:
        over.set()
        for process in others:
            process.kill()
        for name in (*NAMES, *INTERFACE, VISIBLE):
            os.environ.pop(name, None)
        os.environ |= {
            name: before[name] for name in (*NAMES, *INTERFACE, VISIBLE) if name in before
        }


def part() -> None:
    """End what joins this process to the others."""
    distributed = getattr(sys.modules.get("torch"), "distributed", None)
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


def _start(folder: Path, message: dict[str, Any]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "mmbench.grid.rank", str(folder)],
        stdin=subprocess.PIPE,
        stdout=2,  # ours carries answers
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(message).encode())
    process.stdin.close()
    return process


def _watch(others: list[subprocess.Popen[bytes]], over: threading.Event) -> None:
    """End this process where another one has failed."""
    while not over.wait(LOOK):
        for process in others:
            if process.poll():
                print(
                    f"mmbench: one of the processes of this fit ended with {process.returncode}",
                    file=sys.stderr,
                    flush=True,
                )
                os._exit(1)


def _leave(others: list[subprocess.Popen[bytes]]) -> None:
    """Wait for the others. Raises RuntimeError where one fails, or does not end."""
    part()
    end = time.monotonic() + PATIENCE
    for process in others:
        try:
            code = process.wait(max(end - time.monotonic(), 0.0))
        except subprocess.TimeoutExpired:
            raise RuntimeError(
                "the model is fitted in the first of its processes and not in another: does fit "
                "train by something else than mmbench.vlm.train?"
            ) from None
        if code:
            raise RuntimeError(f"one of the processes of this fit ended with {code}")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind((LOOPBACK, 0))
        port: int = one.getsockname()[1]
        return port
