"""The two towers on one backbone, and the loss of a batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mmbench import vlm
from mmbench_pixrec.configs import Config
from mmbench_pixrec.losses import info_nce, learned_states, mix, next_item_labels
from mmbench_pixrec.prompts import TEXT

Pair = tuple[vlm.Batch, vlm.Batch]
"""Histories with their targets, and the targets alone."""


class Towers(nn.Module):
    """One backbone that reads histories with targets, and targets alone; two projections."""

    def __init__(self, backbone: vlm.Backbone, config: Config) -> None:
        super().__init__()
        self.backbone = backbone
        self.settings = config  # `config` would be taken for a transformers one by the Trainer
        self.user_proj = nn.Linear(backbone.dim, config.projection_dim)
        self.item_proj = nn.Linear(backbone.dim, config.projection_dim)
        self.to(backbone.device)

    def forward(self, chunks: Sequence[Pair]) -> dict[str, Tensor]:
        """The loss of a batch that comes in chunks, and its parts.

        With more than one chunk, the states of each are forgotten and computed again in the
        backward pass, so memory holds one chunk, and gradients are those of the whole batch.
        """
        # Tensors of the device among the arguments, for torch to keep that device's chance too.
        anchor = self.user_proj.weight
        found = [
            checkpoint(self._read, *pair, anchor, use_reentrant=False)
            if len(chunks) > 1 and torch.is_grad_enabled()
            else self._read(*pair, anchor)
            for pair in chunks
        ]
        total, count, users, conditioned, targets = zip(*found, strict=True)
        next_item = torch.stack(total).sum() / sum(count)
        if not self.settings.contrasted:
            return {"loss": next_item, "next_item": next_item}
        target = torch.cat(targets)
        contrast = [
            info_nce(
                torch.cat(given), target, self.settings.temperature, self.settings.contrast_axis
            )
            for given in (conditioned, users)
        ]
        loss = mix(next_item, *contrast, self.settings.alpha, self.settings.beta)
        parts = {"next_item": next_item, "target_target": contrast[0], "user_target": contrast[1]}
        return {"loss": loss, **parts}

    def _read(
        self, told: vlm.Batch, alone: vlm.Batch, anchor: Tensor
    ) -> tuple[Tensor, int, Tensor, Tensor, Tensor]:
        """A chunk's summed token loss and its tokens, v^U, v^{T|U} and v^T (equations 1 to 3)."""
        told = told.to(anchor.device)
        hidden = self.backbone(told)
        labels = next_item_labels(told.ids, told.spans[TEXT], told.answer, self.backbone.end)
        states, tokens = learned_states(hidden, labels, self.settings.loss_shift)
        loss = F.cross_entropy(self.backbone.logits(states), tokens, reduction="sum")
        user = self.user_proj(vlm.mean_over(hidden, told.attended.bool() & ~told.answer))
        target = self.item(self.backbone(alone), alone)
        return loss, len(tokens), user, self.conditioned(hidden, told), target

    def conditioned(self, hidden: Tensor, told: vlm.Batch) -> Tensor:
        """[b, projection_dim]: v^{T|U}, the mean over what follows the history, projected."""
        projected: Tensor = self.item_proj(vlm.mean_over(hidden, told.answer))
        return projected

    def item(self, hidden: Tensor, alone: vlm.Batch) -> Tensor:
        """[b, projection_dim]: v^T, the mean over an item that stands alone, projected."""
        projected: Tensor = self.item_proj(vlm.mean_over(hidden, alone.attended))
        return projected
