"""How an item's text and picture become one vector. Importing this loads torch.

All answer float[..., dim] of ``text``, float[..., t], and ``image``, float[..., p]; one of the two
widths may be 0. ``Concat``, ``Weighted`` and ``Attention`` start as the identity: an item's vector
is then its two blocks next to each other.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import linear, scaled_dot_product_attention

from mmbench_mmgpt2rec.configs import MMGPT2RecConfig


class Concat(nn.Module):
    """``W_f [text ; image] + b``, where ``W_f`` starts as the identity and ``b`` at 0.

    The paper's equation of ``e_item``. With fewer columns than ``dim``, ``W_f`` is the identity's
    first columns.
    """

    def __init__(self, text: int, image: int, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(dim, text + image))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, text: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        return linear(torch.cat([text, image], dim=-1), self.weight, self.bias)


class Weighted(Concat):
    """``W_f [2 g text ; 2 (1 - g) image] + b``: a learned gate ``g`` of each item, 1/2 at first.

    ``g = sigmoid(u [text ; image] + c)``.
    """

    def __init__(self, text: int, image: int, dim: int) -> None:
        super().__init__(text, image, dim)
        self.gate = nn.Linear(text + image, 1)
        nn.init.zeros_(self.gate.weight)
        nn.init.zeros_(self.gate.bias)

    def forward(self, text: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        share = self.gate(torch.cat([text, image], dim=-1)).sigmoid()
        return super().forward(2 * share * text, 2 * (1 - share) * image)


class Attention(Concat):
    """``W_f [text ; image] + b`` and what each modality finds in both by attention.

    The two halves of that sum are two tokens. Each asks both, with several heads; what they find is
    added through a map that starts at 0.
    """

    def __init__(self, text: int, image: int, dim: int, heads: int) -> None:
        super().__init__(text, image, dim)
        self.text, self.heads = text, heads
        self.inward = nn.Linear(dim, 3 * dim)
        self.outward = nn.Linear(dim, dim)
        nn.init.zeros_(self.outward.weight)
        nn.init.zeros_(self.outward.bias)

    def forward(self, text: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        told = linear(text, self.weight[:, : self.text])
        shown = linear(image, self.weight[:, self.text :])
        tokens = torch.stack([told, shown], dim=-2)
        parts = self.inward(tokens).unflatten(-1, (3, self.heads, -1))  # ..., 2, 3, heads, d
        query, key, value = parts.movedim(-3, 0).transpose(-2, -3).unbind(0)
        found = scaled_dot_product_attention(query, key, value).transpose(-2, -3).flatten(-2)
        fused: torch.Tensor = told + shown + self.bias + self.outward(found.sum(dim=-2))
        return fused


class Elementwise(nn.Module):
    """``W_f (A text + B image) + b``: both brought to half the width and added.

    The paper's other fusion (width 512 of 1,024). ``A`` and ``B`` start at random so that the sum
    has the blocks' deviation, and ``W_f`` with columns at right angles that keep it.
    """

    def __init__(self, text: int, image: int, dim: int) -> None:
        super().__init__()
        half = dim // 2
        parts = sum(width > 0 for width in (text, image))
        self.told, self.shown = (nn.Parameter(torch.empty(half, w)) for w in (text, image))
        for weight in (self.told, self.shown):
            if weight.numel():
                nn.init.normal_(weight, std=(parts * weight.shape[1]) ** -0.5)
        self.out = nn.Linear(half, dim)
        nn.init.orthogonal_(self.out.weight, gain=(dim / half) ** 0.5)
        nn.init.zeros_(self.out.bias)

    def forward(self, text: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        fused: torch.Tensor = self.out(linear(text, self.told) + linear(image, self.shown))
        return fused


def make_fusion(config: MMGPT2RecConfig, text: int, image: int, dim: int) -> nn.Module:
    """What a config fuses with.

    Args:
        config: its ``fusion``.
        text: columns of the texts' block, 0 where texts are not read.
        image: columns of the pictures' block.
        dim: of an item's vector.
    """
    if config.fusion == "attention":
        return Attention(text, image, dim, config.heads)
    kinds = {"concat": Concat, "weighted": Weighted, "elementwise": Elementwise}
    return kinds[config.fusion](text, image, dim)
