"""A run as one phase of a fit sees it, and the choice of the best state by steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor, nn

from mmbench import Run


def named(run: Run, phase: str, names: Mapping[str, str] | None = None) -> Run:
    """The run with the phase's name before those of its curves, or with other ``names``.

    A fit has three phases, each with a loss and steps that count from 1.
    """
    changed = dict(names or {})

    def log(step: int, **values: float) -> None:
        run.log(step, **{changed.get(name, f"{phase} {name}"): v for name, v in values.items()})

    return replace(run, log=log)


class Enough(Exception):
    """Validations have brought no gain for long enough."""


@dataclass
class Judge:
    """Keeps the best state of a module by a figure that is asked for every so many steps.

    Attributes:
        module: what is trained.
        validate: the figure; higher is better.
        run: where to log, as one phase sees it.
        every: steps between two validations, and the last step is validated too.
        patience: validations without gain before ``Enough`` is raised.
    """

    module: nn.Module
    validate: Callable[[], float]
    run: Run
    every: int
    patience: int
    best: float = -math.inf
    idle: int = 0
    state: dict[str, Tensor] = field(default_factory=dict)

    def watch(self, step: int, steps: int) -> None:
        """Called after each step, with its number and that of all steps. Raises Enough."""
        if step % self.every and step < steps:
            return
        training = self.module.training
        self.judge(step)
        self.module.train(training)
        if self.idle >= self.patience:
            raise Enough

    def judge(self, step: int) -> None:
        """Validate the state that the module is in."""
        self.module.eval()
        value = self.validate()
        self.run.log(step, **{"valid ndcg@10": value})
        if value > self.best:
            self.best, self.idle, self.state = value, 0, _trained(self.module)
        else:
            self.idle += 1

    def restore(self) -> None:
        """Put the best state back."""
        own: dict[str, Any] = dict(self.module.named_parameters())
        for name, weight in self.state.items():
            own[name].data.copy_(weight)
        self.module.eval()


def _trained(module: nn.Module) -> dict[str, Tensor]:
    return {
        name: weight.detach().to("cpu", copy=True)
        for name, weight in module.named_parameters()
        if weight.requires_grad
    }
