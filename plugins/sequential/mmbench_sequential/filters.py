"""FMLP-Rec: learned filters in the frequency domain (Zhou et al., 2022)."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from mmbench_sequential.configs import FMLPRecConfig
from mmbench_sequential.dropout import Dropout
from mmbench_sequential.network import FeedForward, Network, Positions, initialise_normal


class Filter(nn.Module):
    """Multiplies the spectrum of each feature's course over the positions by learned numbers.

    That is a circular convolution: each position sees all others, later ones too.

    Args:
        width: positions.
        dim: features.
    """

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.width = width
        self.weight = nn.Parameter(torch.randn(width // 2 + 1, dim, 2) * 0.02)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """float[b, width, dim] to the same."""
        spectrum = torch.fft.rfft(x.to(self.weight.dtype), dim=1, norm="ortho")
        spectrum = spectrum * torch.view_as_complex(self.weight)
        filtered: torch.Tensor = torch.fft.irfft(spectrum, n=self.width, dim=1, norm="ortho")
        return filtered

    def last(self, x: torch.Tensor) -> torch.Tensor:
        """The last position alone, float[b, 1, dim]: one sum instead of two transforms."""
        kernel = torch.fft.irfft(torch.view_as_complex(self.weight), n=self.width, dim=0)
        filtered: torch.Tensor = (x.to(kernel.dtype) * kernel.flip(0)).sum(dim=1, keepdim=True)
        return filtered


class Block(nn.Module):
    """A filter and a feed-forward layer, each added to its input and normalised."""

    def __init__(self, config: FMLPRecConfig) -> None:
        super().__init__()
        self.filter = Filter(config.max_history, config.dim)
        self.dropout = Dropout(config.dropout)
        self.norm = nn.LayerNorm(config.dim)
        self.feed_forward = FeedForward(config.dim, config.inner, config.dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._rest(x, self.filter(x))

    def last(self, x: torch.Tensor) -> torch.Tensor:
        """The last position alone."""
        return self._rest(x[:, -1:], self.filter.last(x))

    def _rest(self, x: torch.Tensor, filtered: torch.Tensor) -> torch.Tensor:
        normed: torch.Tensor = self.feed_forward(self.norm(x + self.dropout(filtered)))
        return normed


class FMLPRec(Network):
    """Item vectors with positions through filter blocks; returns the last position's state.

    Not causal: it trains on prefixes, whose last position has nothing after it.
    """

    causal = False
    fixed_width = True

    def __init__(self, n_items: int, config: FMLPRecConfig) -> None:
        super().__init__(n_items, config.dim, config.max_history)
        self.place = Positions(config.max_history, config.dim, config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        initialise_normal(self)

    def forward(self, history: torch.Tensor) -> torch.Tensor:
        x: torch.Tensor = self.place(self.items(history))
        for block in self.blocks[:-1]:
            x = block(x)
        final = cast(Block, self.blocks[-1])
        return final.last(x)
