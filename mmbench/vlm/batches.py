"""Batches: left-padded prompts, the pictures that they show, and which prompts go together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmbench.vlm.prompts import Encoded

if TYPE_CHECKING:
    from mmbench.vlm.lower import LowerStates
    from mmbench.vlm.pictures import Pictures

POOL = 50  # batches that are sorted by length together


@dataclass(frozen=True, slots=True)
class Batch:
    """b prompts, left-padded to L tokens; their last token is in the last column.

    Attributes:
        ids: int64[b, L].
        attended: int64[b, L], 1 where there is a token, 0 where there is padding.
        positions: int64[b, L], or [3, b, L] for time, row and column.
        answer: bool[b, L].
        pictured: bool[b, L], placeholders.
        spans: bool[b, L] for each name that occurs; false where a prompt has no such span.
        images: the k distinct pictures: pixels for the tower, or features [k, tokens, dim].
        seen: whether they are features.
        rows: int64[m], which of them each of the m shown pictures is, prompt after prompt.
        lower: [b, L, dim], the states below the trained layers, where they are known; no picture
            is needed then.
    """

    ids: Tensor
    attended: Tensor
    positions: Tensor
    answer: Tensor
    pictured: Tensor
    spans: dict[str, Tensor]
    images: Tensor | None = None
    seen: bool = True
    rows: Tensor | None = None
    lower: Tensor | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """The same batch elsewhere."""
        moved: dict[str, Any] = {
            field.name: value.to(device, non_blocking=non_blocking)
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), Tensor)
        }
        spans = {
            name: mask.to(device, non_blocking=non_blocking) for name, mask in self.spans.items()
        }
        return replace(self, spans=spans, **moved)


def collate(
    encoded: Sequence[Encoded],
    pad: int,
    pictures: Pictures | None,
    still: bool = False,
    lower: LowerStates | None = None,
) -> Batch:
    """Prompts as one batch; see ``Backbone.batch``."""
    width = max(map(len, encoded))

    def padded(arrays: Sequence[np.ndarray], fill: int | bool) -> Tensor:
        """[b, n_i] or [axes, n_i] rows to [b, L] or [axes, b, L]."""
        whole = np.full((*arrays[0].shape[:-1], len(arrays), width), fill, arrays[0].dtype)
        for row, a in enumerate(arrays):
            whole[..., row, width - a.shape[-1] :] = a
        return torch.from_numpy(whole)

    shown = [item for prompt in encoded for item in prompt.images]
    images, rows, seen = None, None, True
    states = None
    if lower is not None:
        known = lower.take(encoded)
        states = known[0].new_zeros(len(encoded), width, known[0].shape[1])
        for row, matrix in enumerate(known):
            states[row, width - len(matrix) :] = matrix
    elif shown:
        if pictures is None:
            raise ValueError(
                f"the prompts show pictures, such as item {shown[0]}'s; give `pictures`"
            )
        same = pictures.distinct(shown)
        looked = sorted(set(same.values()))
        seen = still or pictures.seen
        images = pictures.features(looked) if still else pictures.take(looked)
        place = {item: row for row, item in enumerate(looked)}
        rows = torch.tensor([place[same[item]] for item in shown])
    names = dict.fromkeys(name for prompt in encoded for name in prompt.spans)
    return Batch(
        ids=padded([prompt.ids for prompt in encoded], pad),
        attended=padded([np.ones(len(prompt), dtype=np.int64) for prompt in encoded], 0),
        positions=padded([prompt.positions for prompt in encoded], 0),
        answer=padded([prompt.answer for prompt in encoded], False),
        pictured=padded([prompt.pictured for prompt in encoded], False),
        spans={
            name: padded(
                [prompt.spans.get(name, np.zeros(len(prompt), dtype=bool)) for prompt in encoded],
                False,
            )
            for name in names
        },
        images=images,
        seen=seen,
        rows=rows,
        lower=states,
    )


def by_length(lengths: Sequence[int], batch_size: int) -> list[NDArray[np.int64]]:
    """Indices in batches of like lengths, the longest first (so that memory runs out at once)."""
    order = np.argsort(-np.asarray(lengths), kind="stable")
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def shuffled_by_length(
    lengths: Sequence[int], batch_size: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """All indices in an order by chance, in which batches hold like lengths.

    They are shuffled, ``POOL`` batches at a time are sorted by length, and the batches are shuffled
    again; a last batch that is not full stays last.
    """
    length = np.asarray(lengths)
    order = rng.permutation(len(length))
    pool = batch_size * POOL
    for start in range(0, len(order), pool):
        part = order[start : start + pool]
        order[start : start + pool] = part[np.argsort(length[part], kind="stable")]
    full = len(order) - len(order) % batch_size
    batches = order[:full].reshape(-1, batch_size)
    return np.concatenate([rng.permutation(batches, axis=0).ravel(), order[full:]])
