"""For models that train in epochs with torch: chance, early stopping, memory."""

from __future__ import annotations

import copy
import ctypes
import math
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mmbench.views import Run

if TYPE_CHECKING:
    from torch import nn

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
MOST = 2**31 - 1


class Schedule(Protocol):
    """The fields of a ``Config`` that ``early_stopping`` reads.

    Attributes:
        epochs: at most.
        patience: validations without gain before training stops.
        validate_every: epochs between two validations; the last epoch is validated too.
    """

    @property
    def epochs(self) -> int: ...
    @property
    def patience(self) -> int: ...
    @property
    def validate_every(self) -> int: ...


@contextmanager
def seeded(run: Run) -> Iterator[None]:
    """Torch's stream starts from the run's seed; afterwards all global streams go on as before.

    Those of Python and NumPy are put back too, as libraries seed them on the way.
    """
    import torch

    on_gpu = torch.device(run.device).type == "cuda"
    plain, arrays = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if on_gpu else []):
        torch.manual_seed(run.seed)
        try:
            yield
        finally:
            random.setstate(plain)
            np.random.set_state(arrays)


def early_stopping(
    module: nn.Module,
    run_epoch: Callable[[], float],
    schedule: Schedule,
    run: Run,
    ready: Callable[[], None] | None = None,
) -> None:
    """Train until ``patience`` validations in a row brought no gain; leaves the best state.

    Validation is ``run.validate()``: ndcg@10 over the whole catalogue. Losses and validations are
    logged as the curves ``loss`` and ``valid ndcg@10``.

    Args:
        module: what ``run_epoch`` trains; its best state is kept in memory.
        run_epoch: one pass over the training events; returns the mean loss.
        schedule: the model's config.
        run: as of ``fit``.
        ready: called whenever the weights changed and scores will be asked for.
    """
    best, idle, state = -math.inf, 0, copy.deepcopy(module.state_dict())
    for epoch in range(1, schedule.epochs + 1):
        run.log(epoch, loss=run_epoch())
        run.progress(epoch, schedule.epochs, "epochs")
        if epoch % schedule.validate_every and epoch < schedule.epochs:
            continue
        if ready:
            ready()
        value = run.validate()
        run.log(epoch, **{"valid ndcg@10": value})
        if value > best:
            best, idle, state = value, 0, copy.deepcopy(module.state_dict())
        else:
            idle += 1
            if idle >= schedule.patience:
                break
    module.load_state_dict(state)
    if ready:
        ready()


def keep_freed_blocks() -> bool:
    """Tell glibc to reuse big freed blocks; True if it will, False where there is no glibc.

    Otherwise each large tensor of a training step is mapped and page-faulted anew, which about
    doubles the time of a softmax over a catalogue on a CPU.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, MOST) and mallopt(M_TRIM_THRESHOLD, MOST))
