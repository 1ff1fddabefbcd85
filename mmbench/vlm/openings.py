"""Prompts to be continued: read into a cache, and what all of a batch begin with is read once.

Instructions, and a chat format's system message, are the same for all users.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmbench.vlm.backbones import Backbone
from mmbench.vlm.generation import CACHE
from mmbench.vlm.pictures import Pictures
from mmbench.vlm.prompts import Encoded


@dataclass(frozen=True, slots=True)
class Opened:
    """b prompts that were read.

    Attributes:
        cache: their keys and values, T columns.
        attended: bool[b, T], which columns are tokens of each.
        positions: int64[b], or [3, b] for time, row and column: of the last tokens.
        states: [b, dim], the last layer's states of the last tokens.
    """

    cache: Any
    attended: Tensor
    positions: Tensor
    states: Tensor


def read_prompts(
    backbone: Backbone, encoded: Sequence[Encoded], pictures: Pictures | None
) -> Opened:
    """Read prompts. Raises ValueError where one shows a picture that ``pictures`` has not."""
    opening = shared_opening(backbone, encoded)
    rest = [_cut(one, slice(opening, None)) for one in encoded]
    batch = backbone.batch(rest, pictures, still=True).to(backbone.device)
    options: dict[str, Any] = {"use_cache": True}
    if opening:
        head = backbone.batch([_cut(encoded[0], slice(0, opening))])
        options[CACHE] = getattr(backbone.run_language(head, use_cache=True), CACHE)
        options[CACHE].batch_repeat_interleave(len(encoded))
        seen = torch.nn.functional.pad(batch.attended, (opening, 0), value=1)
        batch = replace(batch, attended=seen)
    read = backbone.run_language(batch, **options)
    return Opened(
        getattr(read, CACHE),
        batch.attended.bool(),
        batch.positions.amax(-1),
        read.last_hidden_state[:, -1],
    )


def shared_opening(backbone: Backbone, encoded: Sequence[Encoded]) -> int:
    """How many tokens all prompts begin with, up to the first picture; one of each is left over.

    None where that would not be the same: where attention is not causal (PaliGemma), or flash
    attention, which knows no padding between tokens.
    """
    config = backbone.model.config.get_text_config()
    flash = config._attn_implementation == "flash_attention_2"
    if len(encoded) < 2 or backbone.family.prefix or flash:
        return 0
    width = min(map(len, encoded)) - 1
    ids = np.stack([one.ids[:width] for one in encoded])
    pictured = np.stack([one.pictured[:width] for one in encoded])
    other = (ids != ids[0]).any(axis=0) | pictured.any(axis=0)
    return int(np.argmax(np.append(other, True)))


def _cut(encoded: Encoded, part: slice) -> Encoded:
    """Some columns of a prompt, with its pictures if any column shows one."""
    return replace(
        encoded,
        ids=encoded.ids[part],
        positions=encoded.positions[..., part],
        images=encoded.images if encoded.pictured[part].any() else (),
        answer=encoded.answer[part],
        pictured=encoded.pictured[part],
        spans={},
    )
