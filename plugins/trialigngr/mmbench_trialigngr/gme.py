"""One vector of an item's texts and picture together, as GME makes it of Qwen2-VL.

The recipe is that of ``mteb`` (``gme_v_models``): the chat's system line, the picture and then the
text in the user's turn, the opening of the assistant's turn, and ``<|endoftext|>``; the state of
that token in the last layer, at length 1. The checkpoint's own code is not run: its weights are
loaded as plain Qwen2-VL.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import normalize

from mmbench import Items, Run, vlm
from mmbench.toolkit import encodings
from mmbench_trialigngr.captions import describe_weights, picture_digests
from mmbench_trialigngr.configs import TriAlignConfig
from mmbench_trialigngr.fields import first_words

Float32 = NDArray[np.float32]

END = "<|endoftext|>"


def embedder(config: TriAlignConfig) -> vlm.BackboneConfig:
    """What reads."""
    return vlm.BackboneConfig(
        backbone=config.embedding_backbone, trained="none", image_size=config.embedding_pixels
    )


def embed_jointly(config: TriAlignConfig, items: Items, told: Sequence[str], run: Run) -> Float32:
    """float32[n_items + 1, d]: unit vectors; zeros for padding and for items with nothing to read.

    They are kept in ``run.encodings``. An item without a picture is read by its texts alone.

    Args:
        config: which model; ``content`` says whether pictures are shown.
        items: the catalogue.
        told: the texts of each item, joined; index 0 is padding.
        run: where to keep them; the device.
    """
    shown = {}
    if "image" in config.content:
        shown = picture_digests(items, range(1, items.n_items + 1))
    words = [first_words(text, config.embedding_words) for text in told]
    present = [item for item in range(1, items.n_items + 1) if words[item] or item in shown]
    described: dict[str, Any] = {
        "kind": "text and image: last token, unit",
        "pixels": config.embedding_pixels,
        **describe_weights(embedder(config), items, run),
    }

    @functools.cache
    def loaded() -> tuple[vlm.Backbone, vlm.Pictures]:
        own = replace(run, scratch=run.scratch / "embedder")
        backbone = vlm.load_backbone(embedder(config), own, texts=words, items=items)
        return backbone, vlm.Pictures(backbone, items.images if shown else None)

    found = encodings.cached(
        run.encodings,
        described,
        [encodings.digest(words[item], shown.get(item, "")) for item in present],
        _reading(config, loaded, [(item, words[item], item in shown) for item in present]),
        progress=lambda done, total: run.progress(done, total, "items"),
    )
    vectors = np.zeros((items.n_items + 1, found.shape[1]), np.float32)
    vectors[present] = found
    return vectors


def encode(backbone: vlm.Backbone, text: str, image: vlm.Image | None) -> vlm.Encoded:
    """The tokens of an item, with the token that is pooled at the end."""
    parts: list[vlm.Part] = [*([image] if image is not None else []), *([text] if text else [])]
    encoded = backbone.encode(vlm.Prompt(parts))
    following = encoded.positions.max() + 1

    def longer(values: np.ndarray, last: int) -> np.ndarray:
        added = np.full((*values.shape[:-1], 1), last, values.dtype)
        return np.concatenate([values, added], axis=-1)

    return replace(
        encoded,
        ids=longer(encoded.ids, backbone.encode_text(END)[0]),
        positions=longer(encoded.positions, following),
        answer=longer(encoded.answer, 0),
        pictured=longer(encoded.pictured, 0),
        spans={},
    )


def _reading(
    config: TriAlignConfig,
    loaded: Callable[[], tuple[vlm.Backbone, vlm.Pictures]],
    contents: Sequence[tuple[int, str, bool]],
) -> Callable[[Sequence[int]], Float32]:
    def read(places: Sequence[int]) -> Float32:
        backbone, pictures = loaded()
        rows = []
        for start in range(0, len(places), config.asset_batch):
            part = [contents[place] for place in places[start : start + config.asset_batch]]
            encoded = [
                encode(backbone, text, vlm.Image(item) if seen and item in pictures else None)
                for item, text, seen in part
            ]
            batch = backbone.batch(encoded, pictures, still=True)
            with torch.inference_mode():
                states = backbone(batch)[:, -1]  # padded on the left: the last is a token of each
            rows.append(normalize(states, dim=1).cpu().numpy())
        found: Float32 = np.concatenate(rows)
        return found

    return read
