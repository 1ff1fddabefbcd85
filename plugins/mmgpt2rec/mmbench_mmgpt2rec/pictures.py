"""Pooled outputs of a network of pictures, such as ResNet-18. Importing this loads torch."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from mmbench import ImageError, Items, Run
from mmbench.toolkit import encodings, weights

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Float32 = NDArray[np.float32]

logger = logging.getLogger("mmbench_mmgpt2rec")


def encode_pooled(items: Items, run: Run, source: str, batch_size: int) -> Float32:
    """float32[n_items + 1, k]: pooled features, zeros for an item without a picture that opens.

    ``mmbench_content``'s image encoder reads CLIP's kind, whose features are of two axes; a
    ResNet's pooled output has four.

    Args:
        items: with pictures.
        run: where weights and kept encodings are.
        source: the network's weights, as ``mmbench.toolkit.weights`` names them.
        batch_size: pictures at a time.

    Raises ValueError where no picture can be opened.
    """
    folder = weights.require(source, run.cache)
    opened = {item: _read(items, item) for item in range(1, items.n_items + 1)}
    digests = {item: encodings.digest(data) for item, data in opened.items() if data}
    present = list(digests)

    @functools.cache
    def tower() -> Callable[[Sequence[Picture]], Float32]:
        return pooled_tower(folder, run.device)

    def encode(places: Sequence[int]) -> Float32:
        rows = []
        for start in range(0, len(places), batch_size):
            numbers = [present[place] for place in places[start : start + batch_size]]
            rows.append(_encode(items, numbers, tower()))
        return np.concatenate(rows)

    found = encodings.cached(
        run.encodings,
        {"kind": "image: pooled output", "weights": weights.identity(source, run.cache)},
        list(digests.values()),
        encode,
        progress=lambda done, total: run.progress(done, total, "pictures"),
    )
    if not found.any():
        raise ValueError("not one picture could be opened, so there is nothing to go by")
    spread = np.zeros((items.n_items + 1, found.shape[1]), np.float32)
    spread[present] = found
    return spread


def pooled_tower(folder: Path, device: str) -> Callable[[Sequence[Picture]], Float32]:
    """A function from pictures to float32[m, k]: the network's pooled output.

    Args:
        folder: of a model and its image processor, which resizes, crops and normalises.
        device: where to run, in torch's words.
    """
    processor = transformers.AutoImageProcessor.from_pretrained(  # type: ignore[no-untyped-call]
        folder, local_files_only=True, backend="pil"
    )
    model: Any = transformers.AutoModel.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
    )
    model = model.eval().to(device)

    @torch.inference_mode()
    def encode(pictures: Sequence[Picture]) -> Float32:
        pixels = processor(images=list(pictures), return_tensors="pt")["pixel_values"].to(device)
        found: Float32 = model(pixel_values=pixels).pooler_output.flatten(1).float().cpu().numpy()
        return found

    return encode


def _read(items: Items, item: int) -> bytes:
    """The picture's bytes, empty where it has none."""
    if items.images is None or item not in items.images:
        return b""
    return items.images.read(item)


def _encode(
    items: Items, numbers: Sequence[int], tower: Callable[[Sequence[Picture]], Float32]
) -> Float32:
    """float32[m, k], zeros for a picture that cannot be decoded."""
    from PIL import Image

    assert items.images is not None
    opened, damaged = [], []
    for place, item in enumerate(numbers):
        try:
            opened.append(items.images.open(item))
        except ImageError as error:
            logger.warning("a picture counts as missing: %s", error)
            opened.append(Image.new("RGB", (1, 1)))
            damaged.append(place)
    rows = tower(opened)
    rows[damaged] = 0
    return rows
