"""Prompts that begin alike: what they share is read once, and each goes on from there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmbench import vlm
from mmbench.vlm.generation import CACHE

Bool = NDArray[np.bool_]


def shared_length(group: Sequence[vlm.Encoded]) -> int:
    """How many tokens the prompts of a group have in common at their beginning, pictures too.

    At least one token of each is left over.
    """
    width = min(map(len, group)) - 1
    rows = np.stack([_shown(one)[:width] for one in group])
    other = (rows != rows[0]).any(axis=0)
    return int(np.argmax(other)) if other.any() else width


def part_of(encoded: vlm.Encoded, start: int, stop: int) -> vlm.Encoded:
    """The tokens ``start:stop`` of a prompt, no picture cut, with the pictures among them."""
    before, after = (int(_begins(encoded)[:end].sum()) for end in (start, stop))
    return replace(
        encoded,
        ids=encoded.ids[start:stop],
        positions=encoded.positions[..., start:stop],
        images=encoded.images[before:after],
        answer=encoded.answer[start:stop],
        pictured=encoded.pictured[start:stop],
        spans={},
    )


def _begins(encoded: vlm.Encoded) -> Bool:
    """bool[n], the first placeholder of each picture; there is text between two."""
    begins: Bool = encoded.pictured & ~np.concatenate([[False], encoded.pictured[:-1]])
    return begins


def _shown(encoded: vlm.Encoded) -> np.ndarray:
    """int64[n]: tokens, and minus an item's number where its picture is."""
    shown = encoded.ids.copy()
    number = np.cumsum(_begins(encoded))[encoded.pictured] - 1
    shown[encoded.pictured] = -np.array(encoded.images, dtype=np.int64)[number]
    return shown


def read_shared(
    backbone: vlm.Backbone,
    groups: Sequence[Sequence[vlm.Encoded]],
    pictures: vlm.Pictures | None,
) -> Tensor:
    """float[n, dim]: the state of each prompt's last token, group after group.

    What the prompts of a group share goes through the backbone once, and its keys and values serve
    all of them. Where attention is not causal (PaliGemma), or is flash attention, which knows no
    padding in the middle, each is read whole.
    """
    flash = backbone.model.config.get_text_config()._attn_implementation == "flash_attention_2"
    if backbone.family.prefix or flash:
        whole = backbone.batch([one for group in groups for one in group], pictures, still=True)
        read_whole: Tensor = backbone(whole)[:, -1]
        return read_whole
    lengths = [max(shared_length(group), 1) for group in groups]
    heads = [part_of(group[0], 0, n) for group, n in zip(groups, lengths, strict=True)]
    tails = [
        part_of(one, n, len(one)) for group, n in zip(groups, lengths, strict=True) for one in group
    ]
    head = backbone.batch(heads, pictures, still=True).to(backbone.device)
    cache = getattr(backbone.run_language(head, use_cache=True), CACHE)
    owner = torch.tensor([k for k, group in enumerate(groups) for _ in group])
    cache.batch_select_indices(owner.to(backbone.device))
    tail = backbone.batch(tails, pictures, still=True).to(backbone.device)
    seen = head.attended[owner.to(backbone.device)]
    tail = replace(tail, attended=torch.cat([seen, tail.attended], dim=1))
    read = backbone.run_language(tail, **{"use_cache": True, CACHE: cache})
    states: Tensor = read.last_hidden_state[:, -1].float()
    return states
