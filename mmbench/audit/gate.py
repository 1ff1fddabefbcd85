"""The arithmetic gate: figures that no set of ranks can have.

Where each query has one target, every figure is a mean over queries of a function of one rank, and
so are means over seeds. Then ``hit``, ``ndcg`` and ``mrr`` bind each other:

* the ``h = hit@b - hit@a`` of queries with ranks in ``a + 1 .. b`` each add between
  ``1 / log2(b + 1)`` and ``1 / log2(a + 2)`` to ``ndcg@b - ndcg@a``; with ``a = 0`` this bounds
  ``ndcg@b`` itself;
* they each add between ``1 / b`` and ``1 / (a + 1)`` to ``mrr``; those past the last cutoff add
  between 0 and ``1 / (last + 1)``, or nothing to ``mrr@last``.

Queries without an answer (rank infinite) and expectations over ties obey the same bounds. And each
figure is bound by itself: it is a mean of numbers between 0 and 1, and grows with its cutoff.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

TOLERANCE = 1.3e-4
"""What rounding four figures to four decimals can add up to, and a little more."""

_NAMES = {
    **dict.fromkeys(("h", "r", "hr", "hit", "hits", "recall"), "hit"),
    **dict.fromkeys(("n", "ndcg"), "ndcg"),
    **dict.fromkeys(("p", "precision"), "precision"),
    "map": "map",
    "mrr": "mrr",
}


def canonical(metric: str) -> str | None:
    """``H@10``, ``Recall@10``, ``HR@10`` are ``hit@10``, and so on; None for an unknown name."""
    name, at, cutoff = metric.strip().partition("@")
    known = _NAMES.get(name.lower())
    if known is None or bool(at) != cutoff.isdecimal():
        return None
    if not at:
        return known if known in {"mrr", "map"} else None
    return f"{known}@{int(cutoff)}" if int(cutoff) else None


def violations(metrics: Mapping[str, float], tolerance: float = TOLERANCE) -> list[str]:
    """What is impossible in one row of figures, a sentence each; an empty list is a pass.

    Args:
        metrics: by name, as ``canonical`` knows them; other names are not looked at.
        tolerance: by how much rounding may break a bound.
    """
    known = {name: value for key, value in metrics.items() if (name := canonical(key))}
    return [
        *check_range(known, tolerance),
        *check_growth(known, tolerance),
        *check_ndcg(known, tolerance),
        *check_first(known, tolerance),
        *check_mrr(known, tolerance),
    ]


def check_range(metrics: Mapping[str, float], tolerance: float = TOLERANCE) -> list[str]:
    """That each figure lies between 0 and 1, whatever the number of targets."""
    found = []
    for name, value in metrics.items():
        if not -tolerance <= value <= 1 + tolerance:
            hint = " (percent? divide by 100)" if 1 < value <= 100 else ""
            found.append(f"{name} = {value:.4f} does not lie between 0 and 1{hint}")
    return found


def check_growth(metrics: Mapping[str, float], tolerance: float = TOLERANCE) -> list[str]:
    """That no figure with one target falls as its cutoff grows; ``mrr`` has the widest."""
    found = []
    for head in ("hit", "ndcg", "mrr"):
        values = sorted(_by_cutoff(metrics, head).items())
        named = [(f"{head}@{k}", value) for k, value in values]
        if head == "mrr" and "mrr" in metrics:
            named.append(("mrr", metrics["mrr"]))
        for (a, low), (b, high) in itertools.pairwise(named):
            if high < low - tolerance:
                found.append(f"{b} = {high:.4f} is less than {a} = {low:.4f}")
    return found


def check_ndcg(metrics: Mapping[str, float], tolerance: float = TOLERANCE) -> list[str]:
    """The bounds between ``hit@k`` and ``ndcg@k`` at each pair of cutoffs that has both."""
    hit, ndcg = _by_cutoff(metrics, "hit"), _by_cutoff(metrics, "ndcg")
    found = []
    both = {k: (hit[k], ndcg[k]) for k in sorted(hit.keys() & ndcg.keys())}
    for k, (h, n) in both.items():
        if not h / math.log2(k + 1) - tolerance <= n <= h + tolerance:
            found.append(_outside(f"ndcg@{k}", n, h / math.log2(k + 1), h, f"hit@{k} = {h:.4f}"))
    for a, b in itertools.combinations(both, 2):
        h, n = both[b][0] - both[a][0], both[b][1] - both[a][1]
        low, high = h / math.log2(b + 1), h / math.log2(a + 2)
        if not low - tolerance <= n <= high + tolerance:
            name, given = f"ndcg@{b} - ndcg@{a}", f"hit@{b} - hit@{a} = {h:.4f}"
            found.append(_outside(name, n, low, high, given))
    return found


def check_first(metrics: Mapping[str, float], tolerance: float = TOLERANCE) -> list[str]:
    """The same bounds with ``ndcg@1``, seldom printed, filled in: it equals ``hit@1``."""
    if "hit@1" not in metrics or "ndcg@1" in metrics:
        return []
    known = set(check_ndcg(metrics, tolerance))
    filled = {**metrics, "ndcg@1": metrics["hit@1"]}
    return [text for text in check_ndcg(filled, tolerance) if text not in known]


def check_mrr(metrics: Mapping[str, float], tolerance: float = TOLERANCE) -> list[str]:
    """The bounds that ``hit@k`` sets to ``mrr``, and to ``mrr@k`` where ``hit@k`` is there."""
    hit = _by_cutoff(metrics, "hit")
    found = []
    for name, cutoff in [("mrr", None), *((f"mrr@{k}", k) for k in hit)]:
        used = {k: h for k, h in sorted(hit.items()) if cutoff is None or k <= cutoff}
        if name not in metrics or not used:
            continue
        low = high = previous = 0.0
        last = 0
        for k, h in used.items():
            low += (h - previous) / k
            high += (h - previous) / (last + 1)
            previous, last = h, k
        if cutoff is None:
            high += (1 - previous) / (last + 1)
        if not low - tolerance <= metrics[name] <= high + tolerance:
            given = ", ".join(f"hit@{k} = {h:.4f}" for k, h in used.items())
            found.append(_outside(name, metrics[name], low, high, given))
    return found


def _by_cutoff(metrics: Mapping[str, float], name: str) -> dict[int, float]:
    parts = ((key.partition("@"), value) for key, value in metrics.items())
    return {int(k): value for (head, _, k), value in parts if head == name and k}


def _outside(name: str, value: float, low: float, high: float, given: str) -> str:
    return f"{name} = {value:.4f}, but {given} leaves only {low:.4f} to {high:.4f}"
