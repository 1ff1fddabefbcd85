"""The two towers on one backbone, and the loss of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mmbench import vlm
from mmbench_pixrec.configs import PixRecConfig
from mmbench_pixrec.losses import info_nce, learned_states, mix, next_item_labels
from mmbench_pixrec.prompts import TEXT

Pair = tuple[vlm.Batch, vlm.Batch]
"""Histories with their targets, and the targets alone."""


class Towers(nn.Module):
    """One backbone that reads histories with targets, and targets alone; two projections."""

    def __init__(self, backbone: vlm.Backbone, config: PixRecConfig) -> None:
        super().__init__()
        self.backbone = backbone
        self.settings = config  # `config` would be taken for a transformers one by the Trainer
        self.user_proj = nn.Linear(backbone.dim, config.projection_dim)
        self.item_proj = nn.Linear(backbone.dim, config.projection_dim)
        self.to(backbone.device)

    def forward(self, chunks: Sequence[Pair]) -> dict[str, Tensor]:
        """The loss of a batch that comes in chunks, and its parts.

        With more than one chunk, the states of each but the last are forgotten and computed again
        in the backward pass, so memory holds one chunk, and gradients are those of the whole batch.
        The last is the first that the backward pass comes to. Where the backbone's layers compute
        their states again by themselves (``gradient_checkpointing``), no chunk does: it would be a
        third time. Memory holds each layer's input then, of all chunks.
        """
        # Tensors of the device among the arguments, for torch to keep that device's chance too.
        anchor = self.user_proj.weight
        found = [
            checkpoint(self._read, *pair, anchor, use_reentrant=False)
            if torch.is_grad_enabled() and self._forgets(pair is chunks[-1])
            else self._read(*pair, anchor)
            for pair in chunks
        ]
        total, count, *vectors = zip(*found, strict=True)
        next_item = torch.stack(total).sum() / sum(count)
        if not self.settings.contrasted:
            return {"loss": next_item, "next_item": next_item}
        users, conditioned, target = (torch.cat(parts) for parts in vectors)
        settings = self.settings
        target_target, user_target = (
            info_nce(given, target, settings.temperature, settings.contrast_axis)
            for given in (conditioned, users)
        )
        loss = mix(next_item, target_target, user_target, settings.alpha, settings.beta)
        return {
            "loss": loss,
            "next_item": next_item,
            "target_target": target_target,
            "user_target": user_target,
        }

    def _forgets(self, last: bool) -> bool:
        """Whether a chunk's states are computed again in the backward pass."""
        return not last and not self.layers_forget

    @property
    def layers_forget(self) -> bool:
        """Whether the backbone's layers compute their states again in the backward pass."""
        return self.settings.gradient_checkpointing and self.training

    def _read(self, told: vlm.Batch, alone: vlm.Batch, anchor: Tensor) -> tuple[Any, ...]:
        """A chunk's summed token loss and its tokens (equation 1).

        v^U, v^{T|U} and v^T (equations 2 and 3) follow where they are contrasted.
        """
        told = told.to(anchor.device)
        hidden = self.backbone(told)
        labels = next_item_labels(told.ids, told.spans[TEXT], told.answer, self.backbone.end)
        states, tokens = learned_states(hidden, labels, self.settings.loss_shift)
        loss = (
            checkpoint(self._say, states, tokens, use_reentrant=False)
            if torch.is_grad_enabled() and self.layers_forget
            else self._say(states, tokens)
        )
        if not self.settings.contrasted:
            return loss, len(tokens)
        user = self.user_proj(vlm.mean_over(hidden, told.attended.bool() & ~told.answer))
        target = self.item(self.backbone(alone), alone)
        return loss, len(tokens), user, self.conditioned(hidden, told), target

    def _say(self, states: Tensor, tokens: Tensor) -> Tensor:
        """The summed loss of tokens; a vocabulary of scores for each is its memory."""
        return F.cross_entropy(self.backbone.logits(states), tokens, reduction="sum")

    def conditioned(self, hidden: Tensor, told: vlm.Batch) -> Tensor:
        """[b, projection_dim]: v^{T|U}, the mean over what follows the history, projected."""
        projected: Tensor = self.item_proj(vlm.mean_over(hidden, told.answer))
        return projected

    def item(self, hidden: Tensor, alone: vlm.Batch) -> Tensor:
        """[b, projection_dim]: v^T, the mean over an item that stands alone, projected."""
        projected: Tensor = self.item_proj(vlm.mean_over(hidden, alone.attended))
        return projected
