"""Which columns of an items table no model may read, by their names and by what they hold.

A column that counts events (how many ratings, their mean, a sales rank, what was bought together)
counts the targets among them: an item's whole count less its training events is how often it is
asked for. A column that names items or files (product numbers, links, paths) tells raw ids, and
their order is often that of first appearance, or that of a day's events.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

# Names are compared as lower-case letters alone: `average_rating`, `avgRating5`, `ratings-count`.
AMOUNT = r"(?:(?:n|no|nb|nr|of|num|number|count|total|sum|average|avg|mean|median|weighted)s?)"
WHO = (
    r"(?:(?:user|customer|reader|buyer|people|person|text|verified|work|global|all|monthly|imdb|"
    r"meta)s?)"
)
WHAT = (
    r"(?:(?:user|customer|reader|buyer|people|rating|rater|star|score|vote|voter|review|reviewer|"
    r"like|dislike|favou?rite|bookmark|comment|view|viewer|visit|impression|click|play|playtime|"
    r"listen|listener|scrobble|stream|watch|download|install|sale|order|purchase|sold|share|"
    r"follower|subscriber|member|owner|checkin|interaction|event)s?)"
)
RANK = r"(?:sales?|bestsellers?|amazon|popularity|chart|hit)rank(?:ing)?s?"
COUNTS = re.compile(
    rf"(?:{AMOUNT}|{WHO})*{AMOUNT}{WHO}*{WHAT}+{AMOUNT}*|{WHO}*{WHAT}+{AMOUNT}+|{RANK}"
)
COUNT_WORDS = {"rating", "ratings", "vote", "votes", "popularity", "helpful", "helpfulness"}
AUDIENCE_WORDS = {"age", "content", "film", "mpaa", "esrb", "pegi", "maturity", "parental"}
MAY_COUNT = re.compile(
    rf"{WHO}*{WHAT}+|{AMOUNT}|rank(?:ing)?|overall|freq(?:uency)?|hits?|(?:scor|rat)edby"
)
TOGETHER = re.compile(
    r"(?:people|customers?|users?|who)*also(?:buy|bought|view|viewed|like|liked|read)\w*"
    r"|(?:frequently)?(?:bought|viewed)together|(?:buy|bought)afterview\w*"
    r"|(?:related|similar|recommended)(?:items?|products?|books?|movies?|artists?|ids?)?"
    r"|recommendations?"
)
CODE_WORDS = {"id", "ids", "uid", "uuid", "guid", "asin", "isbn", "issn", "sku", "ean", "upc"}
CODE_WORDS |= {"gtin", "mbid", "slug", "barcode", "itemid", "productid", "movieid", "bookid"}
CODE_WORDS |= {"businessid", "songid", "trackid", "newsid", "videoid", "gameid", "parentasin"}
FILE_WORDS = {"url", "urls", "uri", "link", "links", "href", "path", "paths", "file", "filename"}
FILE_WORDS |= {"image", "images", "img", "imgs", "imurl", "thumbnail", "thumbnails"}

WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
NUMBER = re.compile(r"[#(]?\s*[-+]?(\d[\d,]*(?:\.\d+)?)")
RANKED = re.compile(r"(?:best ?sellers? ?rank|sales ?rank)\W{0,20}\w{0,30}\W{0,20}\d", re.I)
FILE = re.compile(r"(?:\w+://|www\.)\S+|\S+\.(?:jpe?g|png|gif|webp|bmp|tiff?|html?|json)", re.I)
TOKEN = re.compile(r"[^\s,;|\[\]{}()'\"]+")

ROWS = re.compile(r"|unnamed: \d+|index|level_0|row[ _.-]?(?:id|n(?:ame|um|umber|o)s?)?|#", re.I)

LIKE_COUNTS = 0.8  # a rank correlation past this, and a column counts under another name
FEWEST_NUMBERS = 20  # numbers that a rank correlation is worth anything for
FEWEST_CODES = 100  # values that might not all differ by chance
SAMPLE = 2000  # values that are looked into


def why_not_by_name(name: str) -> str:
    """Why a column of this name is not worth showing to a model; empty where nothing says so."""
    plain, words = _letters(name), _words(name)
    if ROWS.fullmatch(name.strip()):
        return "numbers rows, by its name"
    if TOGETHER.fullmatch(plain):
        return "lists what was bought or viewed together, by its name"
    if _counts(plain, words):
        return "counts events, by its name"
    if words & (CODE_WORDS | FILE_WORDS):
        return "names items or files, by its name"
    return ""


def why_not(
    name: str, texts: Mapping[str, str], counts: Mapping[str, int], ratings: Mapping[str, float]
) -> str:
    """Why no model may read a column, by its name and its values; empty where it may.

    Args:
        name: of the column.
        texts: raw item id to its value.
        counts: raw item id to its number of events in the source.
        ratings: raw item id to its mean rating there, where there are ratings.
    """
    held = {item: texts[item].strip() for item in sorted(texts) if texts[item].strip()}
    some = dict(list(held.items())[:: max(1, len(held) // SAMPLE)])
    plain, words = _letters(name), _words(name)
    if not held:
        return ""
    if TOGETHER.fullmatch(plain):
        return "lists what was bought or viewed together, by its name"
    told = _counts(plain, words) or MAY_COUNT.fullmatch(plain) is not None
    if told and _share(map(_is_amount, some.values())) > 0.5:
        return "counts events, by its name and its numbers"
    if _share(RANKED.search(text) is not None for text in some.values()) > 0.01:
        return "holds sales ranks, which count events"
    for what, known in (("number of events", counts), ("mean rating", ratings)):
        alike = _rank_correlation(held, known)
        if abs(alike) >= LIKE_COUNTS:
            return f"has a rank correlation of {alike:.2f} with the items' {what}"
    counted = "numbers the items one by one" if _numbers_rows(held.values()) else ""
    return _why_code(some, words, counts) or counted


def _numbers_rows(values: Iterable[str]) -> bool:
    """Whether values are so many whole numbers one after the other, in whichever order."""
    texts = list(values)
    if len(texts) < FEWEST_NUMBERS or not all(text.isdecimal() for text in texts):
        return False
    numbers = {int(text) for text in texts}
    return len(numbers) == len(texts) == max(numbers) - min(numbers) + 1


def _why_code(some: Mapping[str, str], words: set[str], ids: Mapping[str, int]) -> str:
    """As ``why_not``, for columns that name items or files.

    Args:
        some: raw item id to value.
        words: of the column's name.
        ids: by raw item ids.
    """
    values = list(some.values())
    if _share(text == item for item, text in some.items()) > 0.5:
        return "holds the items' own ids"
    tokens = [TOKEN.findall(text) for text in values]
    every = [token for found in tokens for token in found]
    linked = (text[0] in "{[" and re.search(r"\w+://", text) is not None for text in values)
    if _share(FILE.fullmatch(token) is not None for token in every) > 0.5 or _share(linked) > 0.5:
        return "names files or links"
    # Where ids are plain numbers, so is much else: then only a list of nothing else will do.
    plain = _share(item.isdigit() for item in ids) > 0.5
    if (len(every) >= 2 * len(values) or not plain) and _share(token in ids for token in every) > (
        0.95 if plain else 0.5
    ):
        return "lists the ids of items"
    single = [len(found) == 1 for found in tokens]
    if words & CODE_WORDS and _share(single) > 0.5:
        return "names items, by its name"
    coded = [one and _is_code(text) for one, text in zip(single, values, strict=True)]
    apart = len(set(values)) / len(values)
    if len(values) >= FEWEST_CODES and _share(coded) > 0.95 and apart > 0.95:
        return "names items: nearly each has a code of its own"
    return ""


def _counts(plain: str, words: set[str]) -> bool:
    """Whether a column counts, by its name's letters and words; an audience's rating does not."""
    told = COUNTS.fullmatch(plain) is not None or bool(words & COUNT_WORDS)
    return told and not words & AUDIENCE_WORDS


def _rank_correlation(held: Mapping[str, str], known: Mapping[str, float]) -> float:
    """Spearman's, of a column's numbers and what is known of their items; 0 where few have both."""
    numbers = {item: NUMBER.fullmatch(text) for item, text in held.items() if item in known}
    pairs = [
        (float(found[1].replace(",", "")) * (-1 if "-" in found[0] else 1), known[item])
        for item, found in numbers.items()
        if found is not None
    ]
    if len(pairs) < max(FEWEST_NUMBERS, len(held) / 2):
        return 0.0
    ranks = pd.DataFrame(pairs).rank()
    if (ranks.nunique() < 3).any():
        return 0.0
    return float(np.corrcoef(ranks.to_numpy().T)[0, 1])


def _is_amount(text: str) -> bool:
    """Whether a text begins with a number, or is a table or a list with numbers."""
    return NUMBER.match(text) is not None or (
        text[0] in "{[" and re.search(r"\d", text) is not None
    )


def _is_code(text: str) -> bool:
    """Whether a word has a digit and is no number with a fraction, such as a price."""
    return re.search(r"\d", text) is not None and not re.fullmatch(r"\W?\d*[.,]\d+", text)


def _letters(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _words(name: str) -> set[str]:
    return {word.lower() for word in WORD.findall(name)} | {_letters(name)}


def _share(marks: Iterable[bool]) -> float:
    found: Sequence[bool] = list(marks)
    return sum(found) / len(found) if found else 0.0
