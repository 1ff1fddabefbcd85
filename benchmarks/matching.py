"""Matching generated texts with a catalogue: PixRec's BM25 against rank_bm25.

    python benchmarks/matching.py                       # 12,000 made-up titles x 32 texts a user
    MMBENCH_DATA=... python benchmarks/matching.py --data beauty

Both compute BM25 in Lucene's form with the same words and the same constants, for every text of
every user, and their scores must agree to 1e-5. Times are of the processor. "with ranking" adds
scaling, pooling and order, which both need alike; rank_bm25 has none of it.
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np
from mmbench_pixrec.retrieval import Index, round_robin, split_words
from rank_bm25 import BM25Okapi

EPSILON = 1 / 5000


class PlainLucene(BM25Okapi):
    """rank_bm25 with Lucene's idf, and without the factor k1 + 1 that Lucene leaves out."""

    def _calc_idf(self, nd: dict[str, int]) -> None:
        for word, count in nd.items():
            self.idf[word] = math.log(1 + (self.corpus_size - count + 0.5) / (count + 0.5))

    def get_scores(self, query: list[str]) -> np.ndarray:
        """float64[texts]."""
        scores: np.ndarray = super().get_scores(query) / (self.k1 + 1)
        return scores


def made_up(count: int, rng: np.random.Generator) -> list[str]:
    """Distinct titles of 4 to 14 words out of 8,000, some of them much more usual than others."""
    chance = 1 / np.arange(1, 8001)
    titles = [
        " ".join(
            f"w{word}" for word in rng.choice(8000, rng.integers(4, 15), p=chance / chance.sum())
        )
        for _ in range(count)
    ]
    return sorted(set(titles))


def real(name: str) -> list[str]:
    """The distinct titles of a dataset."""
    from mmbench.data import load

    titles = next(iter(load(name).items.fields.values()))
    return sorted({title for title in titles if split_words(title)})


def write(titles: list[str], users: int, texts: int, rng: np.random.Generator) -> list[list[str]]:
    """What a generator may write: titles with a word left out and one of another title."""
    found = []
    for _ in range(users):
        drafts = []
        for one, other in rng.integers(len(titles), size=(texts, 2)):
            words, more = titles[one].split(), titles[other].split()
            words[int(rng.integers(len(words)))] = more[int(rng.integers(len(more)))]
            drafts.append(" ".join(words))
        found.append(drafts)
    return found


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--titles", type=int, default=12_000)
    parser.add_argument("--texts", type=int, default=32)
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--rival-users", type=int, default=3, help="rank_bm25 is slow")
    parser.add_argument("--data", help="a dataset's titles instead of made-up ones")
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    titles = real(given.data) if given.data else made_up(given.titles, rng)
    asked = write(titles, given.users, given.texts, rng)

    started = time.process_time()
    index = Index(titles)
    print(f"{len(titles):,} titles, {given.texts} texts a user; index {seconds(started):.2f} s")
    plain = PlainLucene([split_words(title) for title in titles])
    few = asked[: given.rival_users]
    started = time.process_time()
    wanted = [[plain.get_scores(split_words(text)) for text in drafts] for drafts in few]
    theirs = len(few) / seconds(started)
    gap = max(
        float(np.abs(index.rate(drafts) - rows).max())
        for drafts, rows in zip(few, wanted, strict=True)
    )
    started = time.process_time()
    for drafts in asked:
        index.rate(drafts)
    ours = len(asked) / seconds(started)
    logp = -np.arange(given.texts, dtype=np.float64)
    popularity = np.zeros(len(titles), np.int64)
    started = time.process_time()
    for drafts in asked:
        round_robin(index.rate(drafts), logp, popularity, EPSILON)
    ranked = len(asked) / seconds(started)
    print("| | users/s | ratio |\n|---|---:|---:|")
    print(f"| rank_bm25 | {theirs:,.2f} | 1 |")
    print(f"| pixrec's index (bm25s) | {ours:,.1f} | {ours / theirs:,.0f} |")
    print(f"| the same, with ranking | {ranked:,.1f} | {ranked / theirs:,.0f} |")
    print(f"\nlargest difference of scores: {gap:.1e}")
    if gap > 1e-5:
        raise SystemExit("the two do not agree")


def seconds(started: float) -> float:
    """Of the processor, since then."""
    return max(time.process_time() - started, 1e-9)


if __name__ == "__main__":
    main()
