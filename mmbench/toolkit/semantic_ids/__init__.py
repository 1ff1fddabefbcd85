"""Semantic ids: items as short sequences of codes, so that a language model can write them.

An item's vector (of its text, its picture, or both) becomes one code a level, from coarse to fine;
items that are alike share the first codes. RQ-VAE (Lee et al., 2022; for items TIGER, Rajput et
al., 2023) learns a space for it, residual k-means takes the vectors as they are::

    from mmbench.toolkit import semantic_ids

    config = semantic_ids.SemanticIdConfig(sizes=(256, 256, 256))
    ids = semantic_ids.cached(run.encodings, vectors, config, run.seed, log=run.log)
    ids.codes[7]                          # int32[3]: the id of item 7; row 0 is padding, all -1
    run.log(0, **ids.card.figures())      # the card: in ``mmbench show``, and on boards

``vectors`` is float32[n_items + 1, d]; row 0 is padding, and zeros stand for an item that has
neither text nor picture. Unless the config says otherwise no two items share an id; the card says
how many had to move for that, how evenly codes are used, what they lose and which items they take
for one. ``make_semantic_ids`` does the same without a cache, ``save`` and ``load`` keep ids in a
file without pickle.

**The same ids again.** They depend on the vectors, the config and the seed. RQ-VAE is trained in
one thread whatever the process has, so on one machine the number of threads changes nothing there.
Another processor, a GPU, or another version of torch, numpy or scipy rounds otherwise, and a
training magnifies that: the ids are others, of the same quality. What numpy multiplies, in k-means
and in looking for the nearest code, may round otherwise in other numbers of threads too, which
matters where two codes are equally near to the last bit.

Torch is loaded by ``method="rqvae"`` alone.
"""

from __future__ import annotations

from mmbench.toolkit.semantic_ids.card import Card
from mmbench.toolkit.semantic_ids.config import SemanticIdConfig
from mmbench.toolkit.semantic_ids.keeping import DamagedError, cached, load, save
from mmbench.toolkit.semantic_ids.make import SemanticIds, make_semantic_ids

__all__ = [
    "Card",
    "DamagedError",
    "SemanticIdConfig",
    "SemanticIds",
    "cached",
    "load",
    "make_semantic_ids",
    "save",
]
