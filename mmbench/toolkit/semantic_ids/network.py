"""RQ-VAE: an autoencoder whose code is a sum of entries of code-books. Importing this loads torch.

After Lee et al. (2022), eq. 2 to 8, as TIGER (Rajput et al., 2023) and LC-Rec (Zheng et al., 2024)
use it for items. Level by level the nearest entry is taken from what is left of the latent, and
the entries' sum is decoded. In two things this differs from LC-Rec's code: what is left is the
latent less the entries so far, held fixed, so that the commitment of every level reaches the
encoder (in LC-Rec's only that of the first does), and the losses of the levels are means, as there,
of squares over vectors and columns.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Quantised(NamedTuple):
    """What a step quantises.

    Attributes:
        codes: int64[n, levels].
        latents: float[n, dim], the entries' sums; in the backward pass, the encoder's own.
        codebook: scalar, how far the entries are from what they stand for; moves entries alone.
        commitment: scalar, the same number; moves the encoder alone.
    """

    codes: Tensor
    latents: Tensor
    codebook: Tensor
    commitment: Tensor


class RQVAE(nn.Module):
    """Encoder, code-books and decoder.

    Args:
        width: of the vectors.
        widths: of the encoder's hidden layers; the decoder's are the same in reverse.
        dim: of the latents.
        sizes: entries of each level's code-book; they are zeros at first.
        generator: chance for the weights (Xavier's normal distribution; biases are 0).
    """

    def __init__(
        self,
        width: int,
        widths: Sequence[int],
        dim: int,
        sizes: Sequence[int],
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        layers = [width, *widths, dim]
        self.encoder = _perceptron(layers, generator)
        self.decoder = _perceptron(layers[::-1], generator)
        self.books = nn.ParameterList(torch.zeros(size, dim) for size in sizes)

    def quantise(self, latents: Tensor) -> Quantised:
        """Take the nearest entry of each level, and pass the gradient straight through."""
        rest, total = latents, torch.zeros_like(latents)
        codes, codebook, commitment = [], latents.new_zeros(()), latents.new_zeros(())
        for book in self.books:
            code = nearest(rest.detach(), book.detach())[0]
            entry = book[code]
            codebook = codebook + (entry - rest.detach()).square().mean() / len(self.books)
            commitment = commitment + (rest - entry.detach()).square().mean() / len(self.books)
            rest, total = rest - entry.detach(), total + entry.detach()
            codes.append(code)
        through = latents + (total - latents).detach()
        return Quantised(torch.stack(codes, dim=1), through, codebook, commitment)

    def forward(self, vectors: Tensor) -> tuple[Tensor, Quantised]:
        """float[n, width], the vectors as they are rebuilt from their codes, and the codes."""
        quantised = self.quantise(self.encoder(vectors))
        return self.decoder(quantised.latents), quantised


def nearest(rest: Tensor, book: Tensor) -> tuple[Tensor, Tensor]:
    """int64[n] and float[n]: the nearest entry, and the squared distance to it."""
    squared = rest.square().sum(dim=1, keepdim=True) - 2 * rest @ book.T + book.square().sum(dim=1)
    distance, code = squared.min(dim=1)
    return code, distance.clamp(min=0)


def _perceptron(layers: Sequence[int], generator: torch.Generator) -> nn.Sequential:
    """Linear layers with ReLU between them."""
    parts: list[nn.Module] = []
    for before, after in itertools.pairwise(layers):
        if parts:
            parts.append(nn.ReLU())
        linear = nn.utils.skip_init(  # type: ignore[no-untyped-call]
            nn.Linear, before, after
        )  # draws from nobody's stream
        nn.init.xavier_normal_(linear.weight, generator=generator)
        nn.init.zeros_(linear.bias)
        parts.append(linear)
    return nn.Sequential(*parts)
