"""SASRec: causal self-attention (Kang and McAuley, 2018), post-norm and GELU as in RecBole."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from mmbench_sequential.configs import SASRecConfig
from mmbench_sequential.dropout import Dropout
from mmbench_sequential.network import FeedForward, Network, Positions, initialise_normal


def visible(history: torch.Tensor) -> torch.Tensor:
    """bool[b, 1, w, w]: which positions (last axis) each position may look at.

    The real ones up to itself; and itself, so that padding looks at something and stays finite.
    """
    width = history.shape[1]
    past = torch.ones(width, width, dtype=torch.bool, device=history.device).tril()
    itself = torch.eye(width, dtype=torch.bool, device=history.device)
    return ((history > 0)[:, None, None, :] & past) | itself


class Block(nn.Module):
    """Attention and a feed-forward layer."""

    def __init__(self, config: SASRecConfig) -> None:
        super().__init__()
        self.heads, self.rate = config.heads, config.dropout
        self.inward = nn.Linear(config.dim, 3 * config.dim)
        self.outward = nn.Linear(config.dim, config.dim)
        self.dropout = Dropout(config.dropout)
        self.norm = nn.LayerNorm(config.dim)
        self.feed_forward = FeedForward(config.dim, config.inner, config.dropout)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        parts = self.inward(x).unflatten(-1, (3, self.heads, -1))  # b, w, 3, heads, dim / heads
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        rate = self.rate if self.training else 0.0
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=rate)
        mixed = mixed.transpose(1, 2).flatten(2)
        normed: torch.Tensor = self.feed_forward(self.norm(x + self.dropout(self.outward(mixed))))
        return normed


class SASRec(Network):
    """Item vectors with positions through causal attention blocks."""

    def __init__(self, n_items: int, config: SASRecConfig) -> None:
        super().__init__(n_items, config.dim, config.max_history)
        self.place = Positions(config.max_history, config.dim, config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        initialise_normal(self)

    def forward(self, history: torch.Tensor) -> torch.Tensor:
        x: torch.Tensor = self.place(self.items(history))
        mask = visible(history)
        for block in self.blocks:
            x = block(x, mask)
        return x
