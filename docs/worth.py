"""The tables of ``what-figures-are-worth.md``, made from stored ranks.

``python docs/worth.py`` writes them into the page, ``--check`` says whether the page has them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

import mmbench
from mmbench.protocol.metrics import per_query

PAGE = Path(__file__).with_name("what-figures-are-worth.md")
STORED = Path(__file__).parents[1] / "leaderboards" / "results"
BEAUTY = "amazon2014-beauty"
DAYS, FILE_ORDER = f"{BEAUTY}-days", f"{BEAUTY}-days[ties=source]"
SAMPLES, SAMPLE = 2_000, 2_000

Cells = Sequence[object]


def table(header: Cells, lines: Iterable[Cells]) -> str:
    """A markdown table: the first column is text, the others are numbers."""
    rows = [header, [":--", *["--:"] * (len(header) - 1)], *lines]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def ndcg(ranks: pd.DataFrame, candidates: str, ties: str = "expected") -> np.ndarray:
    """float64[n]: ndcg@10 of each query, with ties for it (best) or against it (worst)."""
    greater = ranks[f"greater_{candidates}"].to_numpy(np.int32)
    equal = ranks[f"equal_{candidates}"].to_numpy(np.int32)
    if ties == "best":
        equal = np.zeros_like(equal)
    if ties == "worst":
        greater, equal = greater + equal, np.zeros_like(equal)
    return per_query("ndcg@10", greater, equal)


def history(found: mmbench.Results) -> str:
    """What leaving out the history is worth."""
    board = _board(found, BEAUTY)
    lines = [
        (row.model, f"{row.full:.4f}", f"{row.unseen:.4f}", f"{row.unseen / row.full - 1:+.0%}")
        for row in board.itertuples()
    ]
    return table(("model", "`full`", "`unseen`", "difference"), lines)


def sampled(found: mmbench.Results) -> str:
    """Which places rows have among all items, and among 101."""
    board = _board(found, BEAUTY)
    places = board[["unseen", "neg100"]].rank(ascending=False).astype(int)
    lines = [
        (row.model, f"{row.unseen:.4f}", place.unseen, f"{row.neg100:.4f}", place.neg100)
        for row, place in zip(board.itertuples(), places.itertuples(), strict=True)
    ]
    pairs = list(combinations(range(len(board)), 2))
    unseen, neg100 = board["unseen"].to_numpy(), board["neg100"].to_numpy()
    swapped = sum((unseen[a] - unseen[b]) * (neg100[a] - neg100[b]) < 0 for a, b in pairs)
    header = ("model", "`unseen`", "place", "`neg100`", "place")
    return f"{table(header, lines)}\n\n{swapped} of {len(pairs)} pairs of rows change order."


def score_ties(found: mmbench.Results) -> str:
    """What figures would be if ties of scores were resolved for a model, or against it."""
    lines = []
    for model in ("markov", "markov[max_history=3]", "itemknn", "bm25-text", "pop", "sasrec-ce"):
        ranks = _ranks(found, model, BEAUTY)
        best, expected, worst = (
            ndcg(ranks, "full", ties).mean() for ties in ("best", "expected", "worst")
        )
        lines.append((model, f"{best:.4f}", f"{expected:.4f}", f"{worst:.4f}"))
    return table(("model", "for the model", "in expectation", "against it"), lines)


def time_ties(found: mmbench.Results) -> str:
    """What the file's order of a day's events gives to each model that stands on both boards."""
    board = _board(found, FILE_ORDER).sort_values("full", ascending=False)
    hashed = set(_board(found, DAYS)["model"])
    lines = []
    for model in (name for name in board["model"] if name in hashed):
        cells: list[str] = []
        for dataset in (DAYS, FILE_ORDER):
            ranks = _ranks(found, model, dataset)
            figures, tied = ndcg(ranks, "full"), ranks["tied"].to_numpy(bool)
            cells += [f"{part.mean():.4f}" for part in (figures, figures[~tied], figures[tied])]
        lines.append((model, *cells))
    parts = ("all", "untied", "tied")
    header = ("model", *(f"hash: {p}" for p in parts), *(f"file: {p}" for p in parts))
    return table(header, lines)


def seeds(found: mmbench.Results) -> str:
    """How far seeds of one setting lie apart."""
    lines = []
    for (dataset, model), ranks in found.user_figures(metrics=("ndcg@10",)).groupby(
        ["dataset", "model"]
    ):
        means = ranks.groupby("seed")["unseen ndcg@10"].mean()
        if len(means) < 3 or means.max() == means.min():
            continue
        lines.append(
            (model, dataset, *(f"{value:.4f}" for value in (means.min(), means.max(), means.std())))
        )
    return table(("model", "data", "lowest", "highest", "deviation"), lines)


def sampled_users(found: mmbench.Results) -> str:
    """How often a sample of users shows two rows in the wrong order."""
    lines = []
    chance = np.random.default_rng(0)
    pairs = (
        ("sasrec-ce", "markov[max_history=3]"),
        ("markov[max_history=3]", "markov"),
        ("markov", "itemknn"),
    )
    for better, worse in pairs:
        gains = _of_users(found, better) - _of_users(found, worse)
        drawn = np.array(
            [chance.choice(gains.to_numpy(), SAMPLE, replace=False).mean() for _ in range(SAMPLES)]
        )
        lines.append(
            (f"{better} against {worse}", f"{gains.mean():+.4f}", f"{(drawn < 0).mean():.1%}")
        )
    header = ("pair", f"all {len(gains):,} users", f"wrong order with {SAMPLE:,}")
    return table(header, lines)


def _board(found: mmbench.Results, dataset: str) -> pd.DataFrame:
    rows = found.table().query("dataset == @dataset and failed == 0")
    names = {f"{of} ndcg@10": of for of in ("full", "unseen", "neg100")}
    return rows.rename(columns=names)[["model", *names.values()]].sort_values(
        "unseen", ascending=False
    )


def _ranks(found: mmbench.Results, model: str, dataset: str) -> pd.DataFrame:
    ranks = found.ranks(model)
    return ranks[(ranks["dataset"] == dataset) & (ranks["model"] == model)]


def _of_users(found: mmbench.Results, model: str) -> pd.Series:
    ranks = _ranks(found, model, BEAUTY)
    return pd.Series(ndcg(ranks, "unseen"), index=ranks["user"]).groupby(level=0).mean()


TABLES: dict[str, Callable[[mmbench.Results], str]] = {
    "history": history,
    "sampled": sampled,
    "score-ties": score_ties,
    "time-ties": time_ties,
    "seeds": seeds,
    "sampled-users": sampled_users,
}


def fill(page: str) -> str:
    """The page with the tables of today's stored ranks."""
    found = mmbench.read_results(STORED)
    for name, make in TABLES.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if len(pattern.findall(page)) != 1:
            raise SystemExit(f"{PAGE.name} has no place for {name}, or several")
        text = make(found)
        page = pattern.sub(lambda match, text=text: match[1] + text + "\n" + match[2], page)
    return page


if __name__ == "__main__":
    old = PAGE.read_text(encoding="utf-8")
    new = fill(old)
    if sys.argv[1:] == ["--check"]:
        stale = f"{PAGE} is not what the stored ranks say: python docs/worth.py"
        sys.exit(stale if old != new else 0)
    PAGE.write_text(new, encoding="utf-8")
