"""What boards say in words: the rules, and figures in human units."""

from __future__ import annotations

import math
import re

RULES = (
    "Metrics are means over all queries, one target each (hit@k is recall@k); tied items count "
    "as their mean over a random order, a query whose target is no candidate counts 0."
)

SAMPLED = (
    "Sampled candidates, for comparison with published sampled tables only. Sampling does more "
    "than raise the figures: it changes the order of models. Uniform negatives are mostly items "
    "that few people want, so that popularity alone looks strong and large differences shrink."
)


def decimals(value: float) -> str:
    """A figure as boards print it; never ``-0.0000``."""
    return f"{value:.4f}".replace("-0.0000", "0.0000")


def duration(seconds: float) -> str:
    """``<0.1s``, ``0.4s``, ``12.3s``, ``3m 12s``, ``2h 05m``."""
    if 0 < seconds < 0.05:
        return "<0.1s"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    if seconds < 3599.5:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes}m {rest:02d}s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours}h {minutes:02d}m"


def small(value: float) -> str:
    """Two decimals, and ``<0.01`` rather than a zero that is none."""
    return "<0.01" if 0 < value < 0.005 else f"{value:.2f}"


def count(value: float | None) -> str:
    """A whole number with commas, ``?`` where unknown."""
    return "?" if value is None or not math.isfinite(value) else f"{round(value):,}"


def plural(number: int, noun: str) -> str:
    """``1 seed``, ``2 seeds``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def plain(text: str) -> str:
    """One line without control characters, for texts that plugins and datasets bring along."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def key_of(text: str) -> str:
    """A text as an ``id`` of a page: lower-case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


def short(text: str) -> str:
    """A loss in a word or two: what comes before the first that says over what, or how."""
    return re.split(r"[,;:(]| (?:over|on|of|and|with|for|in|from) ", text, maxsplit=1)[0].strip()


_FOLDERS = re.compile(r"(?<![\w.:/])/(?:[^\s/'\":,;]+/)+|\b[A-Za-z]:\\(?:[^\s\\'\":]+\\)+")


def reason(text: str) -> str:
    """The first line of a failure's reason; folders of the machine it ran on become ``…/``."""
    lines = text.strip().splitlines()
    return _FOLDERS.sub("…/", plain(lines[0])) if lines else ""
