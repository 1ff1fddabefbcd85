"""What all networks share: the table of items, which reads histories and rates the catalogue."""

from __future__ import annotations

import torch
from torch import nn


class Network(nn.Module):
    """A sequence encoder with tied item weights.

    ``forward`` takes histories, int64[b, w], left-padded with 0, and answers the states of their
    last positions, float[b, k, d]: all of them (``k = w``) if it is causal, else the last one.

    Attributes:
        causal: a position's state depends on that position and earlier ones only, so that one row
            can train all its positions.
        predicts_first: a user's first event is a training target too, predicted from padding.
        fixed_width: histories must have exactly ``max_history`` columns.
        max_history: the most columns.

    Args:
        n_items: items are ``1..n_items``.
        dim: width of an item's vector.
        max_history: see above.
        padding: the item whose vector stays 0, or None to train padding too.
    """

    causal = True
    predicts_first = False
    fixed_width = False

    def __init__(self, n_items: int, dim: int, max_history: int, padding: int | None = 0) -> None:
        super().__init__()
        self.max_history = max_history
        self.items = nn.Embedding(n_items + 1, dim, padding_idx=padding)

    def table(self) -> torch.Tensor:
        """float[n_items, e]: the items in the space where an inner product is a score."""
        return self.items.weight[1:]

    def queries(self, states: torch.Tensor) -> torch.Tensor:
        """float[..., e]: states in the space of ``table``."""
        return states


class FeedForward(nn.Module):
    """Two layers with a GELU, added to their input and normalised; dropout on the sum's new part.

    Args:
        dim: width of input and output.
        inner: width between.
        dropout: of the second layer's output.
        inner_dropout: of the first layer's.
    """

    def __init__(self, dim: int, inner: int, dropout: float, inner_dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(dim, inner),
            nn.GELU(),
            nn.Dropout(inner_dropout),
            nn.Linear(inner, dim),
            nn.Dropout(dropout),
        )
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normed: torch.Tensor = self.norm(x + self.layers(x))
        return normed


class Positions(nn.Module):
    """Adds learned positions, counted from the end, to vectors; then LayerNorm and dropout."""

    def __init__(self, max_history: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.positions = nn.Embedding(max_history, dim)
        self.norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        aligned = self.positions.weight[-x.shape[1] :]
        placed: torch.Tensor = self.dropout(self.norm(x + aligned))
        return placed


def initialise_normal(network: nn.Module, std: float = 0.02) -> None:
    """N(0, std) for matrices, 0 for biases; LayerNorms and the padding's vector stay neutral."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=std)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
        if isinstance(module, nn.Embedding) and module.padding_idx is not None:
            with torch.no_grad():
                module.weight[module.padding_idx] = 0
