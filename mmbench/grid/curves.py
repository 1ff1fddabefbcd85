"""The curves of a cell: what ``run.log`` may be given, and how many points are kept.

A record keeps a point of each curve for each pixel of a plot, however long a model trains: where
there are more, every second one goes, and from then on only every second one is taken.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

NAMES = 64
NAME_LENGTH = 64  # characters
POINTS = 1000  # of a curve
FARTHEST = 2**53  # step


class CurveError(ValueError):
    """What ``run.log`` was given cannot be kept; the message says what to log instead."""


def check_point(step: int, values: Mapping[str, float], known: Collection[str]) -> None:
    """Raise CurveError unless a cell that has curves of the ``known`` names can keep a point."""
    if not -FARTHEST <= step <= FARTHEST:
        raise CurveError("run.log: a step is a count of epochs or batches, under 2**53")
    for name in values:
        if len(name) > NAME_LENGTH or not name.isprintable() or not name:
            raise CurveError(
                f"run.log: {name[:NAME_LENGTH]!r} is no name for a curve: 1 to {NAME_LENGTH} "
                "printable characters are"
            )
    names = {*known, *values}
    if len(names) > NAMES:
        one = next(name for name in values if name not in known)
        raise CurveError(
            f"run.log: with {one!r} there are {len(names)} curves, and a cell keeps {NAMES}: use "
            "the same names at each step"
        )


@dataclass(slots=True)
class Curve:
    """The points of one name; ``stride``: so many come for one that is taken."""

    points: list[tuple[int, float]] = field(default_factory=list)
    last: tuple[int, float] | None = None
    seen: int = 0
    stride: int = 1

    def add(self, step: int, value: float) -> None:
        """Take a point, if it is its turn."""
        self.last = (step, value)
        if self.seen % self.stride == 0:
            self.points.append(self.last)
        self.seen += 1
        if len(self.points) == POINTS:
            self.points, self.stride = self.points[::2], 2 * self.stride

    def kept(self) -> list[tuple[int, float]]:
        """The points, the last one among them."""
        if self.last is None or self.points[-1] == self.last:
            return self.points
        return [*self.points, self.last]


class Curves:
    """All curves of a cell."""

    def __init__(self) -> None:
        self.named: dict[str, Curve] = {}

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Take a point of each name; NaN and infinite ones are left out. Raises CurveError."""
        check_point(step, values, self.named)
        for name, value in values.items():
            curve = self.named.setdefault(name, Curve())
            if math.isfinite(value):
                curve.add(step, value)

    def kept(self) -> dict[str, list[tuple[int, float]]]:
        """The points by name, as a record has them."""
        return {name: curve.kept() for name, curve in self.named.items()}
