"""Many prompts to vectors: pooled states of a backbone that stands still."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmbench.toolkit import encodings
from mmbench.views import Float32
from mmbench.vlm.backbones import Backbone
from mmbench.vlm.batches import Batch, by_length
from mmbench.vlm.lower import LowerStates
from mmbench.vlm.pictures import Pictures
from mmbench.vlm.prompts import Encoded, Prompt

Pool = Callable[[Tensor, Batch], Tensor]

CHUNK = 8  # batches that are kept on the disk together


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
    folder: Path | None = None,
    lower: LowerStates | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, unit: None,
) -> Float32:
    """float32[n, dim]: a vector for each prompt, as the backbone is now.

    Prompts of like lengths go through it together. Neither that nor the batch size changes a vector
    by more than rounding. Prompts that say and show the same are read once, so that their vectors
    are equal and items of one content stay tied.

    Args:
        backbone: what is read with; it is in eval mode meanwhile.
        prompts: n of them.
        pictures: for prompts that show some.
        pool: ``None`` for the last token; the name of a span for the mean over it; or a function of
            the states [b, L, dim] and the batch.
        batch_size: prompts in a forward pass.
        folder: ``run.encodings`` to keep the vectors, for a backbone that stands still: under its
            ``identity``, the pooling, and each prompt's tokens, spans and pictures. Then ``pool``
            is no function, for that has no name.
        lower: the states below the trained layers, so that only the layers above are run.
        progress: ``run.progress``.

    Raises ValueError where vectors are to be kept and ``pool`` is a function.
    """
    encoded = [backbone.encode(prompt) for prompt in prompts]
    contents = [_content(prompt, pictures) for prompt in encoded]
    if folder is None:
        first = {content: place for place, content in reversed(list(enumerate(contents)))}
        distinct = [encoded[place] for place in first.values()]
        vectors = _read(backbone, distinct, pictures, pool, batch_size, lower, progress)
        if lower is not None:
            lower.flush()
        row = {content: number for number, content in enumerate(first)}
        return vectors[[row[content] for content in contents]]
    if callable(pool):
        raise ValueError(
            "vectors that are kept need a pooling with a name; mark a Span and name it"
        )

    def encode(places: Sequence[int]) -> Float32:
        return _read(backbone, [encoded[n] for n in places], pictures, pool, batch_size, lower)

    return encodings.cached(
        folder,
        {"part": "embedding", "pool": pool or "", **backbone.identity()},
        contents,
        encode,
        progress=lambda done, total: progress(done, total, "prompts"),
        chunk=CHUNK * batch_size,
    )


def _read(
    backbone: Backbone,
    encoded: Sequence[Encoded],
    pictures: Pictures | None,
    pool: Pool | str | None,
    batch_size: int,
    lower: LowerStates | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, unit: None,
) -> Float32:
    rows: list[NDArray[np.int64]] = []
    vectors: list[Float32] = []
    training, done = backbone.training, 0
    backbone.eval()
    try:
        for part in by_length([len(prompt) for prompt in encoded], batch_size):
            batch = backbone.batch([encoded[row] for row in part], pictures, True, lower)
            with torch.inference_mode():
                vectors.append(_pooling(pool)(backbone(batch), batch).float().cpu().numpy())
            rows.append(part)
            done += len(part)
            progress(done, len(encoded), "prompts")
    finally:
        backbone.train(training)
    if not rows:
        return np.zeros((0, backbone.dim), np.float32)
    answer: Float32 = np.concatenate(vectors)[np.argsort(np.concatenate(rows))]
    return answer


def _content(prompt: Encoded, pictures: Pictures | None) -> str:
    """All that a prompt says and shows. (Positions follow from tokens and pictures.)"""
    seen = [pictures.content(item) for item in prompt.images] if pictures is not None else []
    spans = [part for name, mask in prompt.spans.items() for part in (name, mask.tobytes())]
    return encodings.digest(prompt.ids.tobytes(), prompt.answer.tobytes(), *spans, *seen)


def _pooling(pool: Pool | str | None) -> Pool:
    if pool is None:
        return lambda hidden, batch: last_token(hidden, batch.attended)
    if isinstance(pool, str):
        name = pool
        return lambda hidden, batch: mean_over(hidden, batch.spans[name])
    return pool
