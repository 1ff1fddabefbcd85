"""The score of every item, or of chosen ones: what a beam search is held against.

Each sequence is read behind the prompt (teacher forcing); what sequences begin with alike is read
once. It is affordable for small catalogues, for some candidates, and for some hundred prompts::

    rated = vlm.exact_scores(backbone, prompts, trie)                   # float32[b, n_items]
    rated = vlm.exact_scores(backbone, prompts, trie, candidates=few)   # float32[b, c]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmbench.views import Float32, Int64
from mmbench.vlm.backbones import Backbone
from mmbench.vlm.beams import for_batches, open_prompts
from mmbench.vlm.branches import Branches
from mmbench.vlm.pictures import Pictures
from mmbench.vlm.prompts import Prompt
from mmbench.vlm.trie import Trie


def exact_scores(
    backbone: Backbone,
    prompts: Sequence[Prompt],
    trie: Trie,
    pictures: Pictures | None = None,
    *,
    candidates: ArrayLike | None = None,
    batch_size: int = 8,
    chunk: int = 256,
    progress: Callable[[int, int, str], None] = lambda done, total, unit: None,
) -> Float32:
    """The score of each item after each prompt, as ``vlm.beam_search`` defines it.

    float32[b, n_items], column j is item j + 1; with candidates float32[b, c], in their order.
    Scores do not depend on batches, chunks or other candidates, but for rounding: in float32 they
    differ by less than 1e-4.

    Args:
        backbone: what reads; it is in eval mode meanwhile.
        prompts: b open ones, without an answer.
        trie: the items' sequences.
        pictures: for prompts that show some.
        candidates: int[b, c], the items that are rated for each prompt; all where there are none.
        batch_size: prompts that are read together.
        chunk: items of a prompt whose sequences are read together. Attention's mask grows with its
            square.
        progress: ``run.progress``.

    Raises:
        ValueError: a prompt has an answer already, or ``candidates`` has not a row for each prompt.
        IndexError: a candidate is no item.
        FloatingPointError: the model returns what is not finite.
    """
    encoded = open_prompts(backbone, prompts)
    if candidates is None:
        asked = np.broadcast_to(np.arange(1, trie.n_items + 1), (len(prompts), trie.n_items))
    else:
        asked = np.asarray(candidates)
    if asked.ndim != 2 or len(asked) != len(prompts):
        raise ValueError(
            f"candidates have shape {asked.shape}; a row for each of {len(prompts)} prompts is due"
        )
    scores = np.empty(asked.shape, np.float32)

    def rate(rows: Int64, branches: Branches) -> None:
        places = trie.places(asked[rows])
        order = np.argsort(places, axis=1, kind="stable")  # neighbours share beginnings
        for start in range(0, asked.shape[1], chunk):
            part = order[:, start : start + chunk]
            here = np.take_along_axis(places, part, axis=1)
            scores[rows[:, None], part] = _rate(branches, trie, here)
            branches.cut()

    for_batches(backbone, encoded, pictures, batch_size, rate, progress)
    return scores


def _rate(branches: Branches, trie: Trie, places: Int64) -> NDArray[np.float64]:
    """float64[b, m]: the scores of the items at places, int64[b, m], rising in each row."""
    owner = np.repeat(np.arange(len(places)), places.shape[1])
    flat = places.ravel()
    score = np.zeros(len(flat))
    front = owner  # where in the front that is whose next token is looked for
    for level in range(1, trie.levels + 1):
        node = trie.nodes_at(level, flat)
        new = np.ones(len(flat), bool)
        new[1:] = (owner[1:] != owner[:-1]) | (node[1:] != node[:-1])
        one = np.flatnonzero(new)  # an item of each distinct beginning
        tokens, number = trie.tokens[level][node[one]], np.cumsum(new) - 1
        score += branches.log_probabilities(front[one], tokens)[number]
        if level < trie.levels:
            branches.grow(owner[one], tokens, front[one])
        front = number
    return score.reshape(places.shape)
