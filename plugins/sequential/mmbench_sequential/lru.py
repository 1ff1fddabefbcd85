"""LRURec: linear recurrent units (Yue et al., 2024; units of Orvieto et al., 2023), scanned."""

from __future__ import annotations

import math

import torch
from torch import nn

from mmbench_sequential.configs import LRURecConfig
from mmbench_sequential.dropout import Dropout
from mmbench_sequential.network import FeedForward, Network


def scan(inputs: torch.Tensor, log_decay: torch.Tensor) -> torch.Tensor:
    """``h_t = exp(log_decay) * h_{t-1} + inputs_t`` with ``h_{-1} = 0``, all t in log2(w) steps.

    After the step with distance ``k``, position ``t`` holds the sum over its last ``2k`` inputs
    (Hillis and Steele, 1986).

    Args:
        inputs: complex[b, w, k].
        log_decay: complex[k], the logarithm of the transition's diagonal.

    Returns:
        complex[b, w, k]: the states.
    """
    distance = 1
    while distance < inputs.shape[1]:
        carried = inputs[:, :-distance] * torch.exp(distance * log_decay)
        inputs = torch.cat([inputs[:, :distance], inputs[:, distance:] + carried], dim=1)
        distance *= 2
    return inputs


def ring(size: int, low: float = 0.8, high: float = 0.99) -> torch.Tensor:
    """float[3, size]: the logarithms of nu, theta and gamma for eigenvalues on a ring.

    ``lambda = exp(-nu + i theta)`` is uniform over the ring's area ``low <= |lambda| <= high``, and
    ``gamma = sqrt(1 - |lambda|^2)`` keeps a state's variance that of its inputs (Orvieto et al.,
    2023, lemma 3.2 and section 3.4).
    """
    squared = torch.rand(size) * (high**2 - low**2) + low**2
    nu = -0.5 * squared.log()
    theta = 2 * math.pi * (1 - torch.rand(size))  # above 0, for its logarithm
    return torch.stack([nu, theta, (1 - squared).sqrt()]).log()


class LinearRecurrence(nn.Module):
    """A diagonal complex recurrence between two complex linear maps; returns the real part.

    The complex maps are held as real ones: ``inward`` makes real and imaginary parts of each unit
    from a real input, ``outward`` takes them to the real part of the product.

    Args:
        dim: width of input and output.
        units: complex numbers in the state.
    """

    def __init__(self, dim: int, units: int) -> None:
        super().__init__()
        self.inward = nn.Linear(dim, 2 * units)
        self.outward = nn.Linear(2 * units, dim)
        self.logs = nn.Parameter(ring(units))

    def log_decay(self) -> torch.Tensor:
        """complex[units]: the logarithm of lambda."""
        nu, theta, _ = self.logs.exp()
        return torch.complex(-nu, theta)

    def forward(self, x: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """Padding passes nothing on: its state is its own input, and the next one starts at 0.

        Args:
            x: float[b, w, dim].
            real: bool[b, w], False where padded (on the left).
        """
        pairs = self.inward(x).to(self.logs.dtype).unflatten(-1, (-1, 2)).contiguous()
        inputs = torch.view_as_complex(pairs) * self.logs[2].exp()
        kept = real[:, :, None].to(self.logs.dtype)
        states = scan(inputs * kept, self.log_decay()) + inputs * (1 - kept)
        answer: torch.Tensor = self.outward(torch.view_as_real(states).flatten(2))
        return answer


class Block(nn.Module):
    """The recurrence and a feed-forward layer, each added to its input and normalised."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.recurrence = LinearRecurrence(dim, 2 * dim)
        self.dropout = Dropout(dropout)
        self.norm = nn.LayerNorm(dim)
        self.feed_forward = FeedForward(dim, 4 * dim, dropout, inner_dropout=dropout)

    def forward(self, x: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        normed: torch.Tensor = self.feed_forward(
            self.norm(x + self.dropout(self.recurrence(x, real)))
        )
        return normed


class LRURec(Network):
    """Blocks over normalised item vectors, and a bias for each item.

    The padding's vector is trained: the state of a position with nothing before it predicts a
    user's first event, so a query without history gets a learned popularity.
    """

    predicts_first = True

    def __init__(self, n_items: int, config: LRURecConfig) -> None:
        super().__init__(n_items, config.dim, config.max_history, padding=None)
        self.bias = nn.Parameter(torch.empty(n_items))
        self.dropout = Dropout(config.dropout)
        self.norm = nn.LayerNorm(config.dim)
        self.blocks = nn.ModuleList(Block(config.dim, config.dropout) for _ in range(config.layers))
        self._initialise()

    def _initialise(self) -> None:
        """N(0, .02) cut at .04 for all but LayerNorms and the recurrence's logarithms."""
        for module in self.modules():
            if not isinstance(module, nn.LayerNorm):
                for name, weight in module.named_parameters(recurse=False):
                    if name != "logs":
                        nn.init.trunc_normal_(weight, std=0.02, a=-0.04, b=0.04)

    def forward(self, history: torch.Tensor) -> torch.Tensor:
        real = history > 0
        x: torch.Tensor = self.norm(self.dropout(self.items(history)))
        for block in self.blocks:
            x = block(x, real)
        return x

    def table(self) -> torch.Tensor:
        """float[n_items, dim + 1]: the items with their biases, which meet a 1 in each query."""
        return torch.cat([self.items.weight[1:], self.bias[:, None]], dim=1)

    def queries(self, states: torch.Tensor) -> torch.Tensor:
        return torch.cat([states, torch.ones_like(states[..., :1])], dim=-1)
