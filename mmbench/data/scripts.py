"""Which scripts titles are written in: some models' words do not fit all of them."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

# Scripts that put no space between words, and who writes in them.
UNSPACED = {
    "han": "Chinese or Japanese",
    "kana": "Japanese",
    "thai": "Thai",
    "lao": "Lao",
    "khmer": "Khmer",
    "myanmar": "Burmese",
    "tibetan": "Tibetan",
}
NAMES = {"cjk": "han", "hiragana": "kana", "katakana": "kana", "katakana-hiragana": "kana"}
NAMES |= {"ideographic": "han", "fullwidth": "latin", "halfwidth": "kana"}


@lru_cache(maxsize=65_536)
def script_of(character: str) -> str:
    """The script of a letter, in lower case, such as ``latin``; empty for what is no letter."""
    if not character.isalpha():
        return ""
    first = unicodedata.name(character, "").split(" ")[0].lower()
    return NAMES.get(first, first)


def scripts(titles: Iterable[str]) -> dict[str, float]:
    """The share of titles that are mostly written in each script, the largest first.

    Titles without a letter are of no script and count for none. Japanese is told by its kana, which
    stand between characters of Chinese: a title with kana in a fifth of its letters is ``kana``.
    """
    found: Counter[str] = Counter()
    for title in titles:
        letters = Counter(script_of(character) for character in title)
        del letters[""]
        if letters:
            mixed = letters["kana"] * 5 >= letters.total() and letters["han"] > 0
            found["kana" if mixed else letters.most_common(1)[0][0]] += 1
    total = found.total()
    return {name: count / total for name, count in found.most_common()}


def unspaced(shares: dict[str, float]) -> dict[str, float]:
    """Those of ``scripts`` that put no space between words."""
    return {name: share for name, share in shares.items() if name in UNSPACED}
