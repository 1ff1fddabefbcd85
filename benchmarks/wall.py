"""What the wall around a plugin's process costs a cell.

    python benchmarks/wall.py --pairs 30

The same small cell with the wall and without it, by turns, one first and then the other. Processor
time is that of the harness and of all that the cell started; the medians are compared, and the
median of the differences within pairs. Wall time stands beside it, and is only worth something
where the cores are free.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from dataclasses import dataclass

from cell import make_job, run
from data import describe_machine

from mmbench.grid.question import Question
from mmbench.grid.runner import Job


@dataclass(frozen=True)
class Spent:
    """Seconds of a cell."""

    processor: float
    wall: float


def spend(job: Job, question: Question, *, walled: bool) -> tuple[Spent, str]:
    """What a cell takes, and what stood around it."""
    before, begun = processor_seconds(), time.perf_counter()
    record = run(job, question, walled=walled)
    return Spent(processor_seconds() - before, time.perf_counter() - begun), record.wall


def processor_seconds() -> float:
    """Of this process and of its children that have ended, in user code and in the system."""
    uses = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


def main() -> None:
    """Print a line for each clock."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--items", type=int, default=500)
    parser.add_argument("--pairs", type=int, default=30)
    given = parser.parse_args()
    job, question = make_job(given.users, given.items, 16)
    spend(job, question, walled=True)  # so that all that is loaded once is loaded
    with_wall: list[Spent] = []
    without: list[Spent] = []
    stood = ""
    for pair in range(given.pairs):
        for walled in (True, False) if pair % 2 else (False, True):
            spent, name = spend(job, question, walled=walled)
            (with_wall if walled else without).append(spent)
            stood = name if walled else stood
    print(describe_machine(f"{given.pairs} pairs of cells, {stood} against none"))
    print("| clock | without, ms | with, ms | x | median difference, ms |\n|:--|--:|--:|--:|--:|")
    for clock in ("processor", "wall"):
        ours, theirs = ([getattr(one, clock) for one in part] for part in (with_wall, without))
        one, other = statistics.median(ours), statistics.median(theirs)
        more = statistics.median(a - b for a, b in zip(ours, theirs, strict=True))
        print(
            f"| {clock} time | {1000 * other:.1f} | {1000 * one:.1f} | {one / other:.3f} "
            f"| {1000 * more:.1f} |"
        )


if __name__ == "__main__":
    main()
