"""Beam search over a trie: the items whose token sequences a backbone finds likeliest.

A sequence's score is the sum of its tokens' log-probabilities over the whole vocabulary. Nothing is
renormalised over what the trie allows, so that a token is given nothing for having no sibling, and
no length is rewarded or punished: all sequences are equally long::

    trie = vlm.Trie(token_ids)                               # int[n_items, levels]
    items, scores = vlm.beam_search(backbone, prompts, trie, beams=50, k=20, excluded=seen)

With as many beams as the widest level above the last has nodes, these are the best items of all,
which ``vlm.exact_scores`` finds by rating every one. transformers' constrained beams
(``prefix_allowed_tokens_fn``) give the same scores, but read each prompt once for each beam; they
are compared in ``benchmarks/beams.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from mmbench.views import Float32, Int32, Int64
from mmbench.vlm.backbones import Backbone
from mmbench.vlm.batches import by_length
from mmbench.vlm.branches import Branches
from mmbench.vlm.merged import merged_once
from mmbench.vlm.openings import read_prompts
from mmbench.vlm.pictures import Pictures
from mmbench.vlm.prompts import Encoded, Prompt
from mmbench.vlm.trie import Barred, Trie


def beam_search(
    backbone: Backbone,
    prompts: Sequence[Prompt],
    trie: Trie,
    pictures: Pictures | None = None,
    *,
    beams: int,
    k: int | None = None,
    excluded: ArrayLike | None = None,
    batch_size: int = 16,
    progress: Callable[[int, int, str], None] = lambda done, total, unit: None,
) -> tuple[Int32, Float32]:
    """The items that a search with so many beams finds for each prompt, the best first.

    Items int32[b, k] and scores float32[b, k]; 0 and -inf where fewer than k may be answers. No
    item stands twice in a row. Tied items stand by number, and so are beams told apart that are
    tied: by the lowest item below. Items of one sequence are tied. Scores do not depend on what
    else is in the batch, but for rounding: in float32 they differ by less than 1e-4.

    Args:
        backbone: what reads; it is in eval mode meanwhile.
        prompts: b open ones, without an answer.
        trie: the items' sequences.
        pictures: for prompts that show some.
        beams: sequences that are followed at each level, at least k.
        k: columns of the answer; it may cut a group of items of one sequence. Without it there is
            room for all that is found: ``beams`` times ``trie.largest_group``.
        excluded: int[b, e], items that must not be answered, 0 where there is none. They take no
            beam from others.
        batch_size: prompts that are read together.
        progress: ``run.progress``.

    Raises:
        ValueError: k is above ``beams``, a prompt has an answer already, or ``excluded`` has not a
            row for each prompt.
        FloatingPointError: the model returns what is not finite.
    """
    if not 1 <= (1 if k is None else k) <= beams:
        raise ValueError(f"{beams} beams do not find the best {k}: take at least so many")
    k = beams * trie.largest_group if k is None else k
    encoded = open_prompts(backbone, prompts)
    barred = exclusion(trie, excluded, len(prompts))
    items = np.zeros((len(prompts), k), np.int32)
    scores = np.full((len(prompts), k), -np.inf, np.float32)

    def answer(rows: Int64, branches: Branches) -> None:
        found = _search(branches, trie, rows, beams, barred)
        owner, column, item, score = _listed(trie, rows, *found, k, barred)
        items[rows[owner], column] = item
        scores[rows[owner], column] = score

    for_batches(backbone, encoded, pictures, batch_size, answer, progress)
    return items, scores


def open_prompts(backbone: Backbone, prompts: Sequence[Prompt]) -> list[Encoded]:
    """The tokens of prompts. Raises ValueError where one has an answer already."""
    closed = [number for number, prompt in enumerate(prompts) if prompt.answer is not None]
    if closed:
        raise ValueError(f"prompt {closed[0]} has an answer already")
    return [backbone.encode(prompt) for prompt in prompts]


def exclusion(trie: Trie, excluded: ArrayLike | None, prompts: int) -> Barred:
    """Items that are excluded. Raises ValueError where that is not a row for each prompt."""
    table = np.zeros((prompts, 0), np.int64) if excluded is None else np.asarray(excluded)
    if table.ndim != 2 or len(table) != prompts:
        raise ValueError(f"excluded has shape {table.shape}; a row for each of {prompts} is due")
    return trie.bar(table)


def for_batches(
    backbone: Backbone,
    encoded: Sequence[Encoded],
    pictures: Pictures | None,
    batch_size: int,
    work: Callable[[Int64, Branches], None],
    progress: Callable[[int, int, str], None],
) -> None:
    """``work`` with the numbers of the prompts of each batch, and with those read."""
    training, done = backbone.training, 0
    backbone.eval()
    try:
        with torch.inference_mode(), merged_once(backbone.model):
            for rows in by_length([len(prompt) for prompt in encoded], batch_size):
                read = read_prompts(backbone, [encoded[row] for row in rows], pictures)
                work(rows, Branches(backbone, read))
                done += len(rows)
                progress(done, len(encoded), "prompts")
    finally:
        backbone.train(training)


Scores = NDArray[np.float64]


def _search(
    branches: Branches, trie: Trie, rows: Int64, beams: int, barred: Barred
) -> tuple[Int64, Int64, Scores]:
    """The prompt, leaf and score of what the beams have found; prompts rise."""
    owner = np.arange(len(rows))
    node, score = np.zeros(len(rows), np.int64), np.zeros(len(rows))
    for level in range(1, trie.levels + 1):
        parent, child = trie.children(level - 1, node)
        kept = barred.is_open(level, rows[owner[parent]], child)
        parent, child = parent[kept], child[kept]
        tokens = trie.tokens[level][child]
        gained = score[parent] + branches.log_probabilities(parent, tokens)
        best = _best(owner[parent], gained, trie.first[level][child], beams)
        parent, node, score = parent[best], child[best], gained[best]
        owner = owner[parent]
        if level < trie.levels and len(node):
            branches.grow(owner, trie.tokens[level][node], parent)
    return owner, node, score


def _best(owner: Int64, score: Scores, tie: Int32, most: int) -> Int64:
    """Indices of each owner's best, at most so many, the best first; the lower ``tie`` of equals.

    Owners rise. What is surely not among them is not sorted.
    """
    count = np.bincount(owner) if len(owner) else np.zeros(0, np.int64)
    candidates = np.arange(len(owner))
    if len(owner) and count.max() > most:
        table = np.full((len(count), count.max()), -np.inf)
        table[owner, _places(owner)] = score
        least = np.partition(table, -most, axis=1)[:, -most]
        candidates = np.flatnonzero(score >= least[owner])
    order = candidates[np.lexsort((tie[candidates], -score[candidates], owner[candidates]))]
    return order[_places(owner[order]) < most]


def _places(owner: Int64) -> Int64:
    """How many of the same owner stand before; owners rise."""
    return np.arange(len(owner)) - np.searchsorted(owner, owner)


def _listed(
    trie: Trie, rows: Int64, owner: Int64, leaf: Int64, score: Scores, k: int, barred: Barred
) -> tuple[Int64, Int64, Int32, Scores]:
    """The prompt, column, number and score of at most k items for each prompt."""
    place, item = trie.items_of(leaf)
    kept = barred.allows(rows[owner[place]], item)
    place, item = place[kept], item[kept]
    best = _best(owner[place], score[place], item, k)
    place = place[best]
    return owner[place], _places(owner[place]), item[best], score[place]
