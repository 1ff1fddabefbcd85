"""Does the model do what it is said to do? One function a rule."""

from __future__ import annotations

import numpy as np

from mmbench.check import worlds
from mmbench.check.baseline import best_guess
from mmbench.check.compare import ROUNDING
from mmbench.check.contract import RUNS
from mmbench.check.honesty import SAME
from mmbench.check.lab import PROTOCOL, Lab
from mmbench.check.rules import Check, CheckFailed, NotAsked
from mmbench.grid.question import ask_question
from mmbench.protocol import get_protocol
from mmbench.protocol.metrics import per_query
from mmbench.views import Float32

ERRORS = 2  # standard errors of a gain that is believed
AGREEMENT = 0.99  # mean rank correlation between embeddings and scores


def learns_which_item_follows_which(lab: Lab) -> None:
    """Where each item has its usual successor, ndcg@10 is surely above chance and popularity.

    Surely: by more than two standard errors of the gain, query by query, over the better of both.
    """
    ranks = lab.cell("first").outcome.ranks
    assert ranks is not None
    chosen = lab.offer.sets[0]
    counts = (ranks[f"{count}_{chosen.name}"] for count in ("greater", "equal"))
    ours = per_query("ndcg@10", *counts)
    guessed = best_guess(ask_question(lab.world, get_protocol(PROTOCOL)), chosen)
    gain = ours - guessed
    mean, error = gain.mean(), gain.std(ddof=1) / np.sqrt(len(gain))
    if not mean > ERRORS * error:
        raise CheckFailed(
            f"ndcg@10 is {ours.mean():.3f}, and the better of chance and popularity has "
            f"{guessed.mean():.3f}: the gain is {mean:+.3f}, between {mean - ERRORS * error:+.3f} "
            f"and {mean + ERRORS * error:+.3f} ({ERRORS} standard errors, {len(gain)} queries), "
            "and an interval above 0 is asked for"
        )


def uses_the_titles_it_needs(lab: Lab) -> None:
    """A model that needs text scores otherwise when the items change titles."""
    _demand_change(lab, "text", "titles")


def uses_the_pictures_it_needs(lab: Lab) -> None:
    """A model that needs pictures scores otherwise when the items change pictures."""
    _demand_change(lab, "image", "pictures")


def embeddings_agree_with_scores(lab: Lab) -> None:
    """Products (or cosines) of fused query and item embeddings order the items as scores do.

    Spearman's rank correlation over the retrieved items, averaged over queries, is at least 0.99
    for the better of inner product and cosine. What differs by rounding is tied.
    """
    first = lab.cell("first")
    if not first.embeddings:
        raise NotAsked("it does not offer both embed_items and embed_queries")
    for found in first.embeddings.values():
        if isinstance(found, Exception):
            raise CheckFailed(str(found))
    items, queries = (dict(first.embeddings[name]) for name in ("items", "queries"))  # type: ignore[arg-type]
    scores = first.reply("again")
    for space in ("fused", *items):
        _demand_shapes(items.get(space), queries.get(space), space, len(scores))
    columns = np.broadcast_to(np.arange(worlds.ITEMS), (len(scores), worlds.ITEMS))
    if lab.offer.narrow:
        columns = worlds.choose_candidates(*scores.shape).astype(np.int64) - 1
    agreement = max(
        _agreement(queries["fused"] @ vectors.T, scores, columns)
        for vectors in (items["fused"][1:], _unit(items["fused"][1:]))
    )
    if agreement < AGREEMENT:
        raise CheckFailed(
            f"the rank correlation between fused embeddings and scores is {agreement:.3f}, "
            f"and {AGREEMENT} is asked for"
        )


def _demand_change(lab: Lab, need: str, cell: str) -> None:
    if need not in lab.needs:
        raise NotAsked(f"it does not need {need}")
    first, other = lab.cell("first"), lab.cell(cell)
    if other.problem:
        raise CheckFailed(f"with other {cell}: {other.problem}")
    ours, theirs = (
        (viewed.reply("few") if lab.offer.narrow else viewed.asked) for viewed in (first, other)
    )
    assert ours is not None and theirs is not None
    if np.array_equal(ours, theirs):
        raise CheckFailed(f"it needs {need}, but giving items other {cell} changes no score")


def _demand_shapes(items: Float32 | None, queries: Float32 | None, space: str, count: int) -> None:
    for name, found, rows in (("items", items, worlds.ITEMS + 1), ("queries", queries, count)):
        if found is None:
            raise CheckFailed(f"embed_{name} answers no {space!r} space")
        if len(found) != rows or not np.isfinite(found).all():
            raise CheckFailed(
                f"embed_{name}: {space!r} has shape {found.shape}; {rows} rows of finite numbers "
                "are due"
            )
    assert items is not None and queries is not None
    if items.shape[1] != queries.shape[1]:
        raise CheckFailed(
            f"{space!r} has {items.shape[1]} columns for items, {queries.shape[1]} for queries"
        )


def _agreement(products: Float32, scores: Float32, columns: np.ndarray) -> float:
    """Mean Spearman correlation over the queries, of the items that are retrieved."""
    from scipy.stats import rankdata

    found = []
    for row, product in enumerate(products):
        kept = np.isfinite(scores[row])
        if kept.sum() > 1:
            ours, theirs = (
                rankdata(_steps(values[kept])) for values in (product[columns[row]], scores[row])
            )
            spread = ours.std() * theirs.std()
            covariance = ((ours - ours.mean()) * (theirs - theirs.mean())).mean()
            found.append(covariance / spread if spread else float(ours.std() == theirs.std()))
    return float(np.mean(found)) if found else 0.0


def _steps(values: Float32) -> np.ndarray:
    """int64[n]: the values as numbers from 0, the same for those that rounding could tell apart."""
    order = np.argsort(values)
    steps = np.empty(len(values), dtype=np.int64)
    steps[order] = np.append(0, np.cumsum(np.diff(values[order]) > ROUNDING * np.ptp(values)))
    return steps


def _unit(vectors: Float32) -> Float32:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Float32 = (vectors / np.where(norms, norms, 1)).astype(np.float32)
    return unit


CHECKS = (
    Check("learns_which_item_follows_which", "sense", learns_which_item_follows_which, RUNS),
    Check("uses_the_titles_it_needs", "sense", uses_the_titles_it_needs, SAME, ("titles",)),
    Check("uses_the_pictures_it_needs", "sense", uses_the_pictures_it_needs, SAME, ("pictures",)),
    Check("embeddings_agree_with_scores", "sense", embeddings_agree_with_scores, RUNS),
)
