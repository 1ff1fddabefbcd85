"""How much sooner ``sasrec-ce`` is as good as RecBole's own SASRec training.

    python benchmarks/training.py --minutes 20        # 20 minutes of RecBole, then ours

RecBole's side is its SASRec class with its defaults (every prefix a row of its own, full softmax,
Adam at 0.001, 2,048 rows a step) in a plain loop: its loop, logger and checkpoints are left out,
which only makes it faster. Ours is the plugin ``sasrec-ce``, through its public hooks. Both see the
same split and are validated by the same code: ndcg@10 over the whole catalogue. The clock is
processor time of one thread and stands still during validation.

RecBole needs hours to the end, so it is cut off after ``--minutes``. The mark is 95% of the best
value that it has reached by then; how much sooner ours reaches it is the ratio. Where both train to
their end (a small dataset), the mark is 95% of the slower one's final value.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from data import PROTOCOL, describe_machine, random_log
from mmbench_recbole.sequential import Sequential
from mmbench_sequential.models import SASRecCE

import mmbench
from mmbench.data import Log, load
from mmbench.protocol import Asked, Split, split, validation_ndcg
from mmbench.toolkit.training import keep_freed_blocks
from mmbench.views import Answer, Float32, Queries, Vectors

Curve = list[tuple[float, float]]  # seconds of training, validation ndcg@10


class Over(Exception):
    """The time is used up."""


class Clock:
    """Processor seconds of training, and what validations along the way found.

    Args:
        seconds: after so many of training, ``tick`` and ``validate`` raise Over.
        every: seconds of training between two validations that ``tick`` makes.
        validate: returns the validation's ndcg@10.
    """

    def __init__(self, seconds: float, every: float, validate: Callable[[], float]) -> None:
        self.limit, self.every, self.measure = seconds, every, validate
        self.curve: Curve = []
        self.epochs = 0
        self.epoch_seconds = float("nan")  # the mean over whole epochs
        self.before, self.begun = 0.0, time.process_time()

    @property
    def trained(self) -> float:
        """Seconds."""
        return self.before + time.process_time() - self.begun

    def validate(self, limit: int | None = None) -> float:
        """Stop the clock, look, go on."""
        self.before, self.begun = self.trained, time.process_time()
        value = self.measure()
        self.curve.append((self.before, value))
        print(f"  {self.before:8.1f} s  ndcg@10 {value:.4f}", flush=True)
        self.begun = time.process_time()
        if self.before > self.limit:
            raise Over
        return value

    def epoch_over(self) -> None:
        """A whole epoch is trained, and not looked at yet."""
        self.epochs += 1
        self.epoch_seconds = self.trained / self.epochs

    def tick(self) -> None:
        """Validate if it is time to."""
        last = self.curve[-1][0] if self.curve else 0.0
        if self.trained - last >= self.every or self.trained > self.limit:
            self.validate()


def nothing(*_: object, **__: object) -> None:
    """A bar or a curve that nobody looks at."""


def circumstances(folder: Path, validate: Callable[..., float]) -> mmbench.Run:
    """A run with seed 0 on the CPU."""
    return mmbench.Run(0, "cpu", folder, folder, "paper", validate, nothing, nothing)


def ndcg(log: Log, parts: Split, answer: Callable[[Queries], Answer]) -> float:
    """Validation as the harness makes it."""
    asked = parts.valid.queries

    def ask(what: Asked, slices: Sequence[slice]) -> Iterator[Answer]:
        for rows in slices:
            yield answer(Queries(asked.user[rows], asked.history[rows], asked.time[rows]))

    return validation_ndcg(parts.valid, log.n_items, ask)


def recbole(log: Log, parts: Split, given: argparse.Namespace, folder: Path) -> Clock:
    """RecBole's SASRec on prefixes, until the time is over, ``--epochs`` or ``--patience``."""
    import torch

    keep_freed_blocks()
    settings = {"loss_type": "CE"}
    trainee = Sequential(
        "SASRec",
        settings,
        parts.train,
        circumstances(folder, nothing),
        max_history=50,
        batch_size=2048,
    )
    model = trainee.model
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def measure() -> float:
        value = ndcg(log, parts, trainee.score)
        model.train()
        return value

    clock = Clock(60 * given.minutes, given.every, measure)
    print(f"RecBole's SASRec: {len(trainee.rows):,} rows an epoch")
    best, idle = 0.0, 0
    try:
        for _ in range(given.epochs):
            model.train()
            for batch in trainee.epoch():
                optimizer.zero_grad()
                model.calculate_loss(batch).backward()
                optimizer.step()
                clock.tick()
            clock.epoch_over()
            value = clock.validate()
            best, idle = max(best, value), 0 if value > best else idle + 1
            if idle >= given.patience:
                break
    except Over:
        print("  cut off")
    return clock


def ours(log: Log, parts: Split, given: argparse.Namespace, folder: Path) -> Clock:
    """``sasrec-ce``, validated after every epoch, as it asks for."""
    config = dataclasses.replace(
        SASRecCE.Config(), epochs=given.epochs, patience=given.patience, validate_every=1
    )
    model = SASRecCE(config)

    def measure() -> float:
        items: Float32 = model.embed_items()["fused"]
        return ndcg(log, parts, lambda queries: Vectors(model.score(queries).queries, items))

    def validate(limit: int | None = None) -> float:
        clock.epoch_over()
        return clock.validate(limit)

    clock = Clock(60 * given.minutes, float("inf"), measure)
    print("sasrec-ce")
    try:
        model.fit(train=parts.train, items=log.items, run=circumstances(folder, validate))
    except Over:
        print("  cut off")
    return clock


def first(curve: Curve, mark: float) -> float | None:
    """The seconds at which a curve first reaches a mark."""
    return next((seconds for seconds, value in curve if value >= mark), None)


def main() -> None:
    """Train both, print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="beauty", help="random, or a dataset's name")
    parser.add_argument("--minutes", type=float, default=20, help="of training, for each")
    parser.add_argument("--every", type=float, default=30, help="seconds between RecBole's looks")
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--patience", type=int, default=10)
    parser.add_argument("--users", type=int, default=22_363, help="of random")
    parser.add_argument("--items", type=int, default=12_101, help="of random")
    given = parser.parse_args()
    log = random_log(given.users, given.items) if given.data == "random" else load(given.data)
    parts = split(log, PROTOCOL)
    print(describe_machine())
    with tempfile.TemporaryDirectory() as folder:
        theirs = recbole(log, parts, given, Path(folder))
        mine = ours(log, parts, given, Path(folder))
    mark = 0.95 * max(value for _, value in theirs.curve)
    slow, fast = first(theirs.curve, mark), first(mine.curve, mark)
    assert slow is not None
    print(
        f"\n| training | best ndcg@10 | seconds trained | seconds an epoch "
        f"| seconds to {mark:.4f} |"
    )
    print("|:--|--:|--:|--:|--:|")
    for name, clock, reached in (("RecBole's SASRec", theirs, slow), ("sasrec-ce", mine, fast)):
        best = max(value for _, value in clock.curve)
        seconds = "never" if reached is None else f"{reached:.1f}"
        trained = f"{clock.curve[-1][0]:.0f} | {clock.epoch_seconds:.1f}"
        print(f"| {name} | {best:.4f} | {trained} | {seconds} |")
    if fast:
        print(f"\nsasrec-ce is there {slow / fast:.1f} times as soon.")
    print(f"An epoch takes {theirs.epoch_seconds / mine.epoch_seconds:.1f} times as long there.")


if __name__ == "__main__":
    main()
