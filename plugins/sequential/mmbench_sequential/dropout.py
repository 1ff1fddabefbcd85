"""Dropout as torch's, with masks that a CPU draws six times faster."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import dropout

LEVELS = 2**16


class Dropout(nn.Dropout):
    """``nn.Dropout``; on a CPU each 64 bits of torch's stream decide four numbers.

    The rate is rounded to a multiple of 1 / 65536, and what is kept is scaled by the rounded one.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if input.device.type != "cpu" or not self.training or self.p == 0:
            return dropout(input, self.p, self.training)
        dropped = round(self.p * LEVELS)
        words = torch.empty(-(-input.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        drawn = words.view(torch.int16)[: input.numel()].view(input.shape)
        kept = (drawn >= dropped - LEVELS // 2).to(input.dtype)
        return input * kept.mul_(LEVELS / (LEVELS - dropped))
