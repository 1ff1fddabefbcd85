"""What is trained on: each example draws its task uniformly, and then what it is about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mmbench import Interactions
from mmbench_trialigngr.configs import Task
from mmbench_trialigngr.tasks import SEQUENCES, Told


@dataclass(frozen=True, slots=True)
class Draw:
    """A task, the history of a sequence task (oldest first), and the item that is answered."""

    task: Task
    history: tuple[int, ...]
    item: int


def prefixes(train: Interactions, max_history: int) -> list[tuple[tuple[int, ...], int]]:
    """(history, next item) of each training event but the first of each user.

    These are training events alone, so no validation or test target is among them.
    """
    return [
        (tuple(items[max(end - max_history, 0) : end].tolist()), int(items[end]))
        for items in train.sequences()
        for end in range(1, len(items))
    ]


def draw_tasks(
    tasks: Sequence[Task], train: Interactions, told: Told, max_history: int, seed: int
) -> list[Draw]:
    """An epoch: as many draws as there are prefixes, times the tasks.

    Every draw has each task with the same chance, so that ``next`` sees about each prefix once.
    What a task is about comes in an order by chance, and begins anew when all had their turn.
    A task that nothing can be asked of (captions of a shop without pictures) is left out.

    Raises ValueError where no user has two training events.
    """
    rng = np.random.default_rng([seed, len(tasks)])
    steps = prefixes(train, max_history)
    if not steps:
        raise ValueError("there are no examples to train on; do histories have two events?")
    pools: dict[Task, list[tuple[tuple[int, ...], int]]] = {}
    for task in tasks:
        whole = steps if task in SEQUENCES else [((), one) for one in range(1, len(told.titles))]
        if usable := [(history, item) for history, item in whole if told.usable(task, item)]:
            pools[task] = usable
    names = list(pools)
    chosen = rng.integers(len(names), size=len(steps) * len(names))
    turns = {task: _turns(len(pool), rng) for task, pool in pools.items()}
    found = []
    for number in chosen.tolist():
        task = names[number]
        history, item = pools[task][next(turns[task])]
        found.append(Draw(task, history, item))
    return found


def _turns(count: int, rng: np.random.Generator) -> Iterator[int]:
    """All numbers below ``count`` in an order by chance, again and again."""
    while True:
        yield from rng.permutation(count).tolist()
