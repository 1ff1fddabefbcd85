"""What an evaluation needs in memory beyond the model, and how that grows with users and items.

    python benchmarks/memory.py                  # 1x, 4x, 16x users; 1x, 4x, 16x items; a million
    python benchmarks/memory.py --rivals         # RecBole's evaluator and ranx at 1x beside it

Each line is a process of its own. "beyond the model" is the peak of the resident memory during
``evaluate`` (the kernel's high-water mark, set back just before) less what was resident before,
which is the log, the split and the vectors; the ranks that it hands back are listed apart, as they
are the result: 184 bytes a user. ``cell`` is a whole cell; its peak is the sum of the peaks of both
processes.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from cell import make_job, run
from data import PROTOCOL, Task, describe_machine, random_task

from mmbench.protocol import Asked, Ranks, evaluate
from mmbench.protocol.rank import has_numba, numba_engine
from mmbench.views import Answer, Vectors

MB = 2**20


def resident(field: str) -> int:
    """Bytes: ``VmRSS`` now or ``VmHWM``, the high-water mark."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise OSError(f"no {field} in /proc/self/status; this benchmark needs Linux")


def vectors(task: Task) -> Ranks:
    """``evaluate`` of a model that returns vectors."""

    def ask(what: Asked, slices: Sequence[slice]) -> Iterator[Answer]:
        for rows in slices:
            yield Vectors(task.queries[rows], task.items)

    return evaluate(task.split.test, task.n_items, ask, PROTOCOL)


def matrix(task: Task) -> Ranks:
    """``evaluate`` of a model that returns scores, in memory of its own."""

    def ask(what: Asked, slices: Sequence[slice]) -> Iterator[Answer]:
        most = max(rows.stop - rows.start for rows in slices)
        memory = np.empty((most, task.n_items), np.float32)
        for rows in slices:
            part = memory[: rows.stop - rows.start]
            yield np.matmul(task.queries[rows], task.items[1:].T, out=part)

    return evaluate(task.split.test, task.n_items, ask, PROTOCOL)


def recbole(task: Task) -> None:
    """RecBole's evaluator, chunks of 512."""
    import ranking

    ranking.recbole(task)


def ranx(task: Task) -> None:
    """ranx, runs of 100."""
    import ranking

    ranking.ranx(task)


def whole_cell(users: int, items: int, dim: int) -> dict[str, float | None]:
    """A cell as ``mmbench run`` has it, with ``model.RandomVectors``: both processes' peaks."""
    job, question = make_job(users, items, dim)
    begun = time.perf_counter()
    record = run(job, question)
    child = record.cost.peak_memory_mb or 0.0
    return {
        "seconds": time.perf_counter() - begun,
        "beyond": None,
        "kept": None,
        "peak": resident("VmHWM") / MB + child,
    }


METHODS: dict[str, Callable[[Task], Ranks | None]] = {
    "vectors": vectors,
    "matrix": matrix,
    "recbole": recbole,
    "ranx": ranx,
}


def measure(method: str, users: int, items: int, dim: int) -> dict[str, float | None]:
    """One evaluation, in this process: seconds and megabytes."""
    if method == "cell":
        return whole_cell(users, items, dim)
    METHODS[method](random_task(64, items, dim))  # so that libraries load before we look
    if has_numba():
        numba_engine()
    task = random_task(users, items, dim)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what making the task left over is not to be used again
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    begun = time.process_time()
    ranks = METHODS[method](task)
    seconds = time.process_time() - begun
    peak = resident("VmHWM")
    kept = 0
    if ranks is not None:
        parts = (*ranks.greater.values(), *ranks.equal.values(), *ranks.top.values())
        kept = sum(part.nbytes for part in parts)
    return {
        "seconds": seconds,
        "beyond": (peak - before - kept) / MB,
        "kept": kept / MB,
        "peak": peak / MB,
    }


def lines(given: argparse.Namespace) -> Iterator[tuple[str, int, int]]:
    """What is measured: method, users, items."""
    for method in ("vectors", "matrix"):
        for factor in given.factors:
            yield method, given.users * factor, given.items
        for factor in given.factors[1:]:
            yield method, min(given.users, given.few), given.items * factor
    yield "vectors", min(given.users, 1000), given.most
    yield "cell", given.users, given.items
    yield "cell", min(given.users, 1000), given.most
    if given.rivals:
        for method, package in (("recbole", "mmbench_recbole"), ("ranx", "ranx")):
            if importlib.util.find_spec(package):
                yield method, given.users, given.items


def main() -> None:
    """Measure each line in a process of its own, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=22_363)
    parser.add_argument("--few", type=int, default=2000, help="users where the catalogue grows")
    parser.add_argument("--items", type=int, default=12_101)
    parser.add_argument("--most", type=int, default=1_000_000, help="the largest catalogue")
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--factors", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--rivals", action="store_true")
    parser.add_argument("--one", nargs=3, metavar=("METHOD", "USERS", "ITEMS"))
    given = parser.parse_args()
    if given.one:
        method, users, items = given.one
        print(json.dumps(measure(method, int(users), int(items), given.dim)))
        return
    print(describe_machine() + "\n")
    print(
        "| answer | users | items | beyond the model, MB | ranks kept, MB | peak of all, MB | s |"
    )
    print("|:--|--:|--:|--:|--:|--:|--:|")
    for method, users, items in lines(given):
        command = [sys.executable, __file__, "--dim", str(given.dim), "--one"]
        done = subprocess.run(
            [*command, method, str(users), str(items)], stdout=subprocess.PIPE, check=True
        )
        found = json.loads(done.stdout.splitlines()[-1])
        columns = [found[name] for name in ("beyond", "kept", "peak", "seconds")]
        shown = ["" if value is None else f"{value:,.0f}" for value in columns]
        print(f"| {method} | {users:,} | {items:,} | {' | '.join(shown)} |", flush=True)


if __name__ == "__main__":
    main()
