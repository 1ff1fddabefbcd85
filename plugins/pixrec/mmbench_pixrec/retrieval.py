"""From generated texts to a ranking of the catalogue: quasi-round-robin matching.

What a generator writes is seldom an item's exact text. Each of its texts rates the catalogue, the
ratings are scaled to [0, 1], weighed by ``exp(epsilon * log-probability)`` and pooled by their
maximum (PixRec, section 3.6). As epsilon is small, the best items of all texts come first, the
likeliest text's first, then everything else by its best scaled rating.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Words = Literal["all", "bm25s"]

WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Draft:
    """A text that was generated, maybe more than once.

    Attributes:
        text: without space around it.
        logp: the best log-probability that it was generated with.
        count: how often it was generated.
    """

    text: str
    logp: float
    count: int = 1


def choose_drafts(generated: Iterable[tuple[str, float]], most: int) -> list[Draft]:
    """The distinct texts of some generations, the likeliest first.

    Empty texts are dropped, of equal ones the best log-probability is kept, texts of one
    log-probability stand in alphabetical order; so the order of the generations does not matter.

    Args:
        generated: (text, log-probability) pairs.
        most: how many to keep.
    """
    found: dict[str, Draft] = {}
    for raw, logp in generated:
        text = raw.strip()
        if text:
            known = found.get(text, Draft(text, logp, 0))
            found[text] = Draft(text, max(known.logp, logp), known.count + 1)
    return sorted(found.values(), key=lambda draft: (-draft.logp, draft.text))[:most]


def split_words(text: str, words: Words = "all") -> list[str]:
    """The words of a text in lower case.

    ``all`` keeps words of one character, such as the sizes L and M, and stop words; ``bm25s`` is
    that library's default, which drops both.
    """
    if words == "all":
        return WORD.findall(text.lower())
    import bm25s

    tokens = bm25s.tokenize(text, return_ids=False, show_progress=False)
    return list(tokens[0])


class Index:
    """BM25 over texts (Robertson and Zaragoza 2009, in Lucene's form; the index is bm25s').

    Args:
        texts: m of them.
        words: how they and the queries become words, see ``split_words``.
        k1: how soon a word's repetitions stop to count.
        b: how much a text's length counts.

    Raises:
        ValueError: no text holds a word.
    """

    def __init__(
        self, texts: Sequence[str], words: Words = "all", k1: float = 1.5, b: float = 0.75
    ) -> None:
        import bm25s

        tokens = [split_words(text, words) for text in texts]
        if not any(tokens):
            raise ValueError("the items' texts hold no word to match with")
        self.words, self.size = words, len(texts)
        self._index = bm25s.BM25(k1=k1, b=b, method="lucene", backend="numpy")
        self._index.index(tokens, show_progress=False)

    def rate(self, queries: Sequence[str]) -> Float32:
        """float32[len(queries), m]: BM25 of each text; a query's word counts as often as it stands.

        0 where no word is shared.
        """
        rates = np.zeros((len(queries), self.size), np.float32)
        for row, query in zip(rates, queries, strict=True):
            known = [
                word for word in split_words(query, self.words) if word in self._index.vocab_dict
            ]
            if known:
                row[:] = self._index.get_scores(known)
        return rates


def scale(rates: Float32) -> Float64:
    """float64[q, m]: each row moved and stretched to [0, 1]; zeros where all of it is tied."""
    wide = rates.astype(np.float64)
    low, high = wide.min(axis=1, keepdims=True), wide.max(axis=1, keepdims=True)
    spread = high - low
    scaled: Float64 = (wide - low) / np.where(spread > 0, spread, 1)
    return scaled


def round_robin(
    rates: Float32, logp: Sequence[float], popularity: NDArray[np.int64], epsilon: float
) -> Float32:
    """float32[m]: how high each entry stands, whole numbers from 0 for the lowest.

    The pooled score of an entry is the maximum over the drafts of ``exp(epsilon * logp)`` times the
    scaled rating. Entries stand in the order of that, then of their best rating; those that no
    draft rated above its lowest come after all others, in the order of ``popularity``. Entries that
    are tied in all of this are tied in the answer.

    Args:
        rates: float32[q, m], how well each of q drafts matches each of m entries. q may be 0.
        logp: of each draft.
        popularity: int64[m].
        epsilon: of the weights.
    """
    size = len(popularity)
    if len(rates):
        weights = np.exp(epsilon * np.asarray(logp, dtype=np.float64))[:, None]
        score, raw = (weights * scale(rates)).max(axis=0), rates.max(axis=0)
    else:
        score, raw = np.zeros(size), np.zeros(size, np.float32)
    matched = score > 0
    keys = (np.where(matched, 0, popularity), np.where(matched, raw, 0), score)
    order = np.lexsort(keys)  # by the last key first
    step = np.zeros(size, dtype=bool)
    for key in keys:
        step[1:] |= np.diff(key[order]) != 0
    levels = np.empty(size, np.float32)
    levels[order] = np.cumsum(step)
    return levels


def agreement(rates: Float32, counts: Sequence[int]) -> float:
    """The share of the generations whose best match is the one that most of them have, 0 to 1.

    A generation that matches nothing votes for nothing; of tied matches the first counts.

    Args:
        rates: float32[q, m] of distinct drafts.
        counts: how often each was generated.
    """
    votes: dict[int, int] = {}
    for row, count in zip(rates, counts, strict=True):
        if row.max() > row.min():
            best = int(row.argmax())
            votes[best] = votes.get(best, 0) + count
    return max(votes.values(), default=0) / max(sum(counts), 1)
