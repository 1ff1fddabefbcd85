"""Many prompts to vectors: pooled states of a backbone that stands still."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from mmbench.views import Float32
from mmbench.vlm.backbones import Backbone
from mmbench.vlm.batches import Batch, by_length
from mmbench.vlm.pictures import Pictures
from mmbench.vlm.prompts import Prompt

Pool = Callable[[Tensor, Batch], Tensor]


def last_token(hidden: Tensor, attended: Tensor) -> Tensor:
    """[b, dim]: the state of each prompt's last token.

    Args:
        hidden: [b, L, dim].
        attended: [b, L], not 0 where there is a token; padding may stand on either side.
    """
    places = torch.arange(hidden.shape[1], device=hidden.device)
    last = torch.where(attended.to(hidden.device) != 0, places, -1).amax(1)
    return hidden[torch.arange(len(hidden), device=hidden.device), last]


def mean_over(hidden: Tensor, mask: Tensor) -> Tensor:
    """[b, dim]: the mean of the states under a mask; 0 where the mask is empty.

    Args:
        hidden: [b, L, dim].
        mask: [b, L], not 0 where a position counts, as ``batch.attended``, ``batch.answer`` or one
            of ``batch.spans``.
    """
    weight = (mask.to(hidden.device) != 0).to(hidden.dtype)[..., None]
    return (hidden * weight).sum(1) / weight.sum(1).clamp(min=1)


def embed(
    backbone: Backbone,
    prompts: Sequence[Prompt],
    pictures: Pictures | None = None,
    *,
    pool: Pool | str | None = None,
    batch_size: int = 32,
    progress: Callable[[int, int, str], None] = lambda done, total, unit: None,
) -> Float32:
    """float32[n, dim]: a vector for each prompt, as the backbone is now.

    Prompts of like lengths go through it together. Neither that nor the batch size changes a vector
    by more than rounding.

    Args:
        backbone: what is read with; it is in eval mode meanwhile.
        prompts: n of them.
        pictures: for prompts that show some.
        pool: ``None`` for the last token; the name of a span for the mean over it; or a function of
            the states [b, L, dim] and the batch.
        batch_size: prompts in a forward pass.
        progress: ``run.progress``.
    """
    encoded = [backbone.encode(prompt) for prompt in prompts]
    vectors: Float32 = np.zeros((len(prompts), backbone.dim), np.float32)
    done, training = 0, backbone.training
    backbone.eval()
    try:
        for rows in by_length([len(prompt) for prompt in encoded], batch_size):
            batch = backbone.batch([encoded[row] for row in rows], pictures)
            with torch.inference_mode():
                pooled = _pooling(pool)(backbone(batch), batch).cpu().numpy()
            if not done and pooled.shape[1] != backbone.dim:
                vectors = np.zeros((len(prompts), pooled.shape[1]), np.float32)
            vectors[rows] = pooled
            done += len(rows)
            progress(done, len(prompts), "prompts")
    finally:
        backbone.train(training)
    return vectors


def _pooling(pool: Pool | str | None) -> Pool:
    if pool is None:
        return lambda hidden, batch: last_token(hidden, batch.attended)
    if isinstance(pool, str):
        name = pool
        return lambda hidden, batch: mean_over(hidden, batch.spans[name])
    return pool
