"""An average of a network's weights over its training steps."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

Weights = tuple[torch.Tensor, ...] | list[torch.Tensor]


def moving_average(network: nn.Module, share: float) -> AveragedModel:
    """An average over about the last ``share`` of all steps so far.

    It is told of each step by ``update_parameters(network)``. Step ``n``, counted from 0, enters
    with the weight ``1 / (1 + share * n)``, the average before it with the rest (polynomial-decay
    averaging, Shamir and Zhang, 2013). With 1 all steps count alike; with 0 only the last does.
    """

    def step(average: Weights, weights: Weights, steps: torch.Tensor | int) -> None:
        torch._foreach_lerp_(average, weights, 1 / (1 + share * int(steps)))

    return AveragedModel(network, multi_avg_fn=step)


@contextmanager
def standing_in(network: nn.Module, average: AveragedModel | None) -> Iterator[None]:
    """The network has the average's weights inside, and its own again afterwards.

    Without an average it has its own all the time.
    """
    if average is None:
        yield
        return
    own = copy.deepcopy(network.state_dict())
    network.load_state_dict(average.module.state_dict())
    try:
        yield
    finally:
        network.load_state_dict(own)
