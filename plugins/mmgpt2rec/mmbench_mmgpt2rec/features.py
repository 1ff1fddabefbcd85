"""The frozen features of items: which encoder a setting names, and what it makes of a catalogue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from mmbench_content.configs import COLOURS, TFIDF, TINY_LITE0
from mmbench_content.encode import encode_pictures, encode_texts
from mmbench_content.texts import item_texts
from numpy.typing import NDArray

from mmbench import Items, Run
from mmbench.toolkit import weights
from mmbench_mmgpt2rec.blocks import Features
from mmbench_mmgpt2rec.configs import MMGPT2RecConfig

Float32 = NDArray[np.float32]
Encoder = Callable[[Items], Features]

WORDS = 256  # columns of tf-idf, at most


def text_encoder(items: Items, config: MMGPT2RecConfig, run: Run) -> Encoder:
    """What makes features of a catalogue's texts: this one's, and others' later.

    ``tfidf`` knows the words of ``items`` and no others.
    """
    if config.text_encoder == TFIDF:
        vectors = learn_words(item_texts(items, config.fields))
        return lambda others: _features(vectors(item_texts(others, config.fields)))
    return lambda others: _features(
        encode_texts(
            others,
            run,
            encoder=config.text_encoder,
            fields=config.fields,
            max_length=config.max_length,
            batch_size=config.encoder_batch_size,
        )
    )


def image_encoder(config: MMGPT2RecConfig, run: Run) -> Encoder:
    """What makes features of a catalogue's pictures."""
    counted = config.image_encoder in (COLOURS, TINY_LITE0)
    if not counted and weights.parse(config.image_encoder).kind != "package":
        from mmbench_mmgpt2rec.pictures import encode_pooled

        return lambda others: _features(
            encode_pooled(others, run, config.image_encoder, config.encoder_batch_size)
        )
    return lambda others: _features(
        encode_pictures(
            others,
            run,
            encoder=config.image_encoder,
            batch_size=config.encoder_batch_size,
            image_size=config.image_size,
        )
    )


def learn_words(texts: Sequence[str]) -> Callable[[Sequence[str]], Float32]:
    """A function from texts to float32[m, at most 256], zeros for a text of unknown words.

    Latent semantic analysis (Deerwester et al., 1990) as in ``mmbench_content.texts.tfidf``, which
    forgets its words; here other texts can be asked later.

    Raises ValueError where the texts hold no word.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(stop_words="english", sublinear_tf=True, dtype=np.float32)
    counts = words.fit_transform(texts)
    space = TruncatedSVD(min(WORDS, *counts.shape), random_state=0)  # no run's chance: one answer
    space.fit(counts)

    def encode(texts: Sequence[str]) -> Float32:
        found: Float32 = space.transform(words.transform(texts)).astype(np.float32)
        return found

    return encode


def _features(vectors: Float32) -> Features:
    """Rows of a catalogue, the padding's first; those of zeros have no content."""
    return Features(vectors[1:], np.asarray(vectors[1:].any(axis=1)))


def sources(config: MMGPT2RecConfig) -> tuple[str, ...]:
    """The pretrained weights of the encoders that a config reads with."""
    read = [config.text_encoder] if config.reads_text else []
    read += [config.image_encoder] if config.reads_image else []
    return tuple(one for one in read if one not in (TFIDF, COLOURS, TINY_LITE0))


def fetch(named: Sequence[str], cache: Path) -> None:
    """Bring pretrained weights into the model cache."""
    for one in named:
        weights.fetch(one, cache)
