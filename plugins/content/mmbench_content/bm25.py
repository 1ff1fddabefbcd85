"""The history's text as a query against the items' texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from mmbench_content.configs import BM25Config
from mmbench_content.profiles import weigh

Float32 = NDArray[np.float32]


class Index:
    """BM25 between items (Robertson et al., in Lucene's form; the index is bm25s').

    A query's score is a sum over its words, so a history's score is the sum over its items: words
    of the history times what bm25s holds for each word and text.

    Args:
        texts: of each item; index 0 is padding.
        config: k1 and b.
    """

    def __init__(self, texts: Sequence[str], config: BM25Config) -> None:
        import bm25s

        self.config = config
        tokens = bm25s.tokenize(
            list(texts), stopwords="english", return_ids=False, show_progress=False
        )
        if not any(tokens):
            raise ValueError("the items' texts hold no word that BM25 can use")
        index = bm25s.BM25(k1=config.k1, b=config.b, method="lucene", backend="numpy")
        index.index(tokens, show_progress=False)
        held = index.scores
        place = index.vocab_dict
        shape = (len(texts), len(held["indptr"]) - 1)
        row = np.repeat(np.arange(len(texts)), [len(words) for words in tokens])
        column = np.array([place[word] for words in tokens for word in words])
        ones = np.ones(len(row), np.float32)
        self.words = sp.csr_array((ones, (row, column)), shape=shape)  # of each item
        by_word = sp.csc_array((held["data"], held["indices"], held["indptr"]), shape=shape)
        self.rated = by_word.T.tocsr()  # float32[words, items]

    def rate(self, history: NDArray[np.int32]) -> Float32:
        """float32[b, n_items]: BM25 of each item's text for the words of each history.

        A word counts as often as it stands there, each time with its event's weight. 0 where no
        word is shared.
        """
        n_items = self.words.shape[0] - 1
        weights = weigh(history, n_items, self.config.max_history, self.config.decay)
        scores: Float32 = ((weights @ self.words) @ self.rated).toarray()[:, 1:]
        return np.ascontiguousarray(scores, np.float32)
