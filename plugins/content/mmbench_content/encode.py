"""The items' vectors: what an encoder's name stands for, and the cache of what it made."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbench import ImageError, Items, Run
from mmbench.toolkit import encodings, weights
from mmbench_content.configs import COLOURS, TFIDF, TINY_BERT, TINY_LITE0
from mmbench_content.texts import item_texts, tfidf

Float32 = NDArray[np.float32]

CHUNK = 1024  # contents that are encoded and stored at a time

logger = logging.getLogger("mmbench_content")


def encode_texts(
    items: Items,
    run: Run,
    *,
    encoder: str,
    fields: Sequence[str],
    max_length: int = 256,
    dim: int = 256,
    batch_size: int = 64,
) -> Float32:
    """float32[n_items + 1, d]: unit vectors of the items' texts, zeros where there is no text.

    See ``TextEncoderConfig`` for the arguments.
    """
    texts = item_texts(items, fields)
    if encoder == TFIDF:
        return tfidf(texts, dim)
    tiny = encoder == TINY_BERT
    folder = run.scratch if tiny else weights.require(encoder, run.cache)
    described = {
        "kind": "text: unit mean over attended tokens",
        "weights": encoder if tiny else weights.identity(encoder, run.cache),
        "max_length": max_length,
        "trained on": encodings.digest(*texts) if tiny else "",
    }
    present = [item for item, text in enumerate(texts) if text]

    @functools.cache
    def tower() -> Callable[..., Any]:
        from mmbench_content.towers import text_tower

        if tiny:
            from mmbench_content.miniatures import build_bert

            build_bert([text for text in texts if text], folder)
        return text_tower(folder, run.device, max_length, batch_size)

    found = encodings.cached(
        run.encodings,
        described,
        [encodings.digest(texts[item]) for item in present],
        lambda places: tower()([texts[present[place]] for place in places]),
        progress=lambda done, total: run.progress(done, total, "texts"),
        chunk=CHUNK,
    )
    return _spread(found, present, len(texts))


def encode_pictures(
    items: Items, run: Run, *, encoder: str, batch_size: int, image_size: int = 224
) -> Float32:
    """float32[n_items + 1, d]: unit vectors of the items' pictures.

    Zeros where there is no picture, or a damaged one. Raises ValueError where there is none at all.
    """
    digests = _picture_digests(items)
    described: dict[str, Any] = {"kind": "image: unit features"}
    path = run.cache
    if encoder == COLOURS:
        described = {"kind": "image: colour histogram", "version": 1}
    elif encoder == TINY_LITE0:
        described |= {"weights": encoder, "image_size": image_size}
    else:
        path = weights.require(encoder, run.cache)
        described |= {"weights": weights.identity(encoder, run.cache)}
        described |= {"image_size": image_size} if path.is_file() else {}
    present = list(digests)

    @functools.cache
    def tower() -> Callable[..., Any]:
        if encoder == COLOURS:
            from mmbench_content.pictures import colour_histogram

            return lambda pictures: np.stack([colour_histogram(one) for one in pictures])
        if path.is_dir() and encoder != TINY_LITE0:
            from mmbench_content.towers import image_tower

            return image_tower(path, run.device)
        from mmbench.toolkit.efficientnet import load_lite0
        from mmbench_content.lite0 import build_lite0, lite0_tower

        tiny = encoder == TINY_LITE0
        network = build_lite0().to(run.device) if tiny else load_lite0(path, run.device)
        return lite0_tower(network, run.device, image_size)

    found = encodings.cached(
        run.encodings,
        described,
        list(digests.values()),
        lambda places: _encode_opened(
            items, [present[place] for place in places], tower(), batch_size
        ),
        progress=lambda done, total: run.progress(done, total, "pictures"),
        chunk=CHUNK,
    )
    if not found.any():
        raise ValueError("not one picture could be opened, so there is nothing to go by")
    return _spread(found, present, items.n_items + 1)


def _picture_digests(items: Items) -> dict[int, str]:
    """The digest of each item's picture file, of those that can be read."""
    if items.images is None:
        raise ValueError("the dataset has no pictures")
    digests, unread = {}, []
    for item in range(1, items.n_items + 1):
        if item in items.images:
            try:
                digests[item] = encodings.digest(items.images.read(item))
            except ImageError as error:
                unread.append(str(error))
    _tell(unread)
    return digests


def _encode_opened(
    items: Items, numbers: Sequence[int], tower: Callable[..., Any], batch_size: int
) -> Float32:
    """float32[m, d]: the pictures' vectors; zeros for those that cannot be decoded."""
    from PIL import Image

    assert items.images is not None
    blank = Image.new("RGB", (1, 1))
    rows, damaged = [], []
    for start in range(0, len(numbers), batch_size):
        opened, empty = [], []
        for place, item in enumerate(numbers[start : start + batch_size]):
            try:
                opened.append(items.images.open(item))
            except ImageError as error:
                opened.append(blank)
                empty.append(place)
                damaged.append(str(error))
        encoded = tower(opened)
        encoded[empty] = 0
        rows.append(encoded)
    _tell(damaged)
    return np.concatenate(rows)


def _spread(found: Float32, places: Sequence[int], size: int) -> Float32:
    """float32[size, d]: these rows at these places, zeros elsewhere."""
    spread = np.zeros((size, found.shape[1]), np.float32)
    spread[list(places)] = found
    return spread


def _tell(problems: Sequence[str]) -> None:
    if problems:
        logger.warning("pictures that count as missing: %d, first %s", len(problems), problems[0])
