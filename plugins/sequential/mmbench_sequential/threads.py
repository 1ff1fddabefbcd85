"""When torch's threads help: its matrices are small here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

DIVIDED_FROM = 4096  # positions of width 64, by benchmarks/threads.py


@contextmanager
def threads_for(positions: int) -> Iterator[int]:
    """On a CPU, networks read few ``positions`` with one thread; yields how many there are.

    Divided among two threads, few positions take longer than in one.
    """
    threads = torch.get_num_threads()
    if positions < DIVIDED_FROM:
        torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)
