"""Which processors and GPUs cells run on: chosen by a word, and dealt out to cells side by side.

A GPU that a cell shall not use is hidden from it (``CUDA_VISIBLE_DEVICES``), so that a model finds
its own under torch's ``cuda``, whichever it is. Nothing here imports torch.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence

from mmbench.grid.environment import VISIBLE, Gpu, cuda_gpus
from mmbench.grid.registry import UsageError
from mmbench.problems import did_you_mean

WORDS = ("auto", "cpu", "cuda")
_NUMBERED = re.compile(r"cuda:\d+(,\d+)*")


@contextlib.contextmanager
def using_device(word: str) -> Iterator[None]:
    """Let this process, and those that it starts, see no GPU but those that a word names.

    ``auto``: all that are visible; ``cuda``: the same, of which there must be one; ``cpu``: none;
    ``cuda:1`` or ``cuda:0,2``: these, counted as torch counts them. Raises UsageError for a word
    that is none and for GPUs that are not here.
    """
    keys = _chosen(word)
    before = os.environ.get(VISIBLE)
    if keys is not None:
        os.environ[VISIBLE] = keys
        cuda_gpus.cache_clear()
    try:
        yield
    finally:
        if keys is not None:
            os.environ.pop(VISIBLE)
            if before is not None:
                os.environ[VISIBLE] = before
            cuda_gpus.cache_clear()


def _chosen(word: str) -> str | None:
    """What is to be visible; None for all that is."""
    if word == "auto":
        return None
    if word == "cpu":
        return ""
    if word != "cuda" and not _NUMBERED.fullmatch(word):
        raise UsageError(
            f"--device is auto, cpu, cuda, or a GPU such as cuda:1 or cuda:0,2, not {word!r}."
            f"{did_you_mean(word, WORDS)}"
        )
    gpus = cuda_gpus()
    if not gpus:
        hidden = f" ({VISIBLE}={os.environ[VISIBLE]!r} is set)" if VISIBLE in os.environ else ""
        raise UsageError(
            f"--device {word}: no CUDA GPU is visible here{hidden}; nvidia-smi shows what the "
            "driver sees, --device cpu runs without"
        )
    if word == "cuda":
        return None
    numbers = list(dict.fromkeys(map(int, word.removeprefix("cuda:").split(","))))
    for number in numbers:
        if number >= len(gpus):
            here = ", ".join(f"cuda:{place} ({gpu.name})" for place, gpu in enumerate(gpus))
            raise UsageError(f"--device {word}: there is no cuda:{number} here. There is {here}")
    return ",".join(gpus[number].key for number in numbers)


def deal(gpus: Sequence[Gpu], each: float) -> list[tuple[str, ...]]:
    """The GPUs of each place for a cell: the keys of those that it sees; empty without GPUs.

    ``each``: how many GPUs a cell gets. 1 leases a GPU to one cell at a time, 0.5 has two cells
    share one, 2 gives a cell two. Raises UsageError for a number that GPUs cannot be dealt by.
    """
    keys = [gpu.key for gpu in gpus]
    if each < 1:
        share = round(1 / each) if each > 0 else 0
        if share < 1 or abs(share * each - 1) > 0.05:
            raise UsageError(
                f"--gpus-per-cell is a whole number, or a part such as 0.5 or 0.25, not {each:g}"
            )
        return [(key,) for _ in range(share) for key in keys]  # first a cell on each
    if each != int(each):
        raise UsageError(f"--gpus-per-cell is a whole number where it is above 1, not {each:g}")
    count = int(each)
    if keys and count > len(keys):
        raise UsageError(f"--gpus-per-cell {count}: {len(keys)} are here")
    return [tuple(keys[at : at + count]) for at in range(0, len(keys) - count + 1, count)]


def make_slots(jobs: int, each: float = 1.0) -> list[dict[str, str]]:
    """What is added to the environment of each cell that runs at once; at most ``jobs``.

    There are no more than the GPUs allow, see ``deal``, and cores are divided among them. A lone
    job sees every GPU, unless ``each`` says otherwise. Raises UsageError as ``deal`` does.
    """
    gpus = cuda_gpus()
    places = deal(gpus, each)
    count = min(jobs, len(places)) if places else jobs
    slots: list[dict[str, str]] = [{} for _ in range(count)]
    if len(gpus) > 1 and (jobs, each) != (1, 1):
        slots = [{VISIBLE: ",".join(place)} for place in places[:count]]
    if count > 1:
        cores = str(max(1, (os.cpu_count() or 1) // count))
        for slot in slots:
            slot["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS", cores)
    return slots


def say_slots(jobs: int, slots: int, each: float) -> str:
    """Why fewer cells run at once than were asked for, in a sentence; empty where they do not."""
    if slots >= jobs:
        return ""
    gpus = len(cuda_gpus())
    shared = 1 / math.ceil(jobs / gpus)
    return (
        f"{slots} at once instead of {jobs}: a cell leases {each:g} of {gpus} GPU"
        f"{'s' if gpus > 1 else ''} (--gpus-per-cell {shared:.3g} shares them, --device cpu runs "
        "without)"
    )


def seen_gpus(environment: Mapping[str, str]) -> str | None:
    """The names of the GPUs that a process sees with these additions to this one's environment."""
    gpus = cuda_gpus()
    if VISIBLE in environment:
        keys = environment[VISIBLE].split(",")
        gpus = tuple(gpu for gpu in gpus if gpu.key in keys)
    return ", ".join(gpu.name for gpu in gpus) or None
