"""How long cells will take, as far as anything is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmbench.grid.question import Question
from mmbench.grid.runner import Job
from mmbench.grid.shelf import Shelf


def estimate(job: Job, question: Question, shelf: Shelf) -> float | None:
    """About the seconds of a cell; None where nothing is known.

    What is stored of the same model on the same data with another seed, or by other code, on a like
    device, tells best. Else what the class declares (``seconds``), which holds for a CPU.
    """
    known = [
        record.seconds
        for record in shelf.find_alike(job.cell)
        if record.device.startswith(job.device) and record.seconds
    ]
    if known:
        return sum(known) / len(known)
    return reckon(job.declared.seconds, question) if job.device == "cpu" else None


def peak_memory(job: Job, shelf: Shelf) -> float | None:
    """The most megabytes that a cell alike took; None where nothing is known."""
    known = [record.cost.peak_memory_mb for record in shelf.find_alike(job.cell)]
    return max((one for one in known if one is not None), default=None)


def reckon(seconds: Mapping[str, float], question: Question) -> float | None:
    """What a class declares, times the sizes of a dataset; None where it declares nothing."""
    if not seconds:
        return None
    log = question.log
    sizes = {"cell": 1, "user": log.n_users, "item": log.n_items, "event": len(log.user)}
    return sum(seconds[unit] * sizes[unit] for unit in seconds)


def total(seconds: Sequence[float | None], jobs: int) -> float:
    """About the seconds of cells side by side; those of which nothing is known count 0."""
    known = [one for one in seconds if one is not None]
    return max([sum(known) / max(jobs, 1), *known], default=0.0)
