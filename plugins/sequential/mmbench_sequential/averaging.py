"""A moving average of a network's weights over training steps (Polyak and Juditsky, 1992)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

Weights = tuple[torch.Tensor, ...] | list[torch.Tensor]


def moving_average(network: nn.Module, decay: float) -> AveragedModel:
    """An average to be told each step by ``update_parameters(network)``.

    After step ``n``, counted from 0, it is ``d * average + (1 - d) * weights`` with
    ``d = min(decay, n / (n + 9))``: a constant ``decay`` would keep the first weights for long.
    """

    def step(average: Weights, weights: Weights, steps: torch.Tensor | int) -> None:
        kept = min(decay, int(steps) / (int(steps) + 9))
        torch._foreach_lerp_(average, weights, 1 - kept)

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
