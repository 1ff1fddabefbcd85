"""The items' texts, and vectors of them by counting words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmbench import Items
from mmbench_content.profiles import unit

Float32 = NDArray[np.float32]


def item_texts(items: Items, fields: Sequence[str] = ()) -> list[str]:
    """The text of each item, index 0 is padding: its fields' values, joined by ``". "``.

    Args:
        items: the catalogue.
        fields: which columns, in this order; empty takes all.

    Raises ValueError for a column that is not there, or where no item has a text.
    """
    for name in fields:
        if name not in items.fields:
            raise ValueError(f"no text column is called {name!r}; there are {sorted(items.fields)}")
    columns = [items.fields[name] for name in fields or items.fields]
    texts = [". ".join(value for value in values if value) for values in zip(*columns, strict=True)]
    if not any(texts):
        raise ValueError(f"no item has a text in the columns {list(fields or items.fields)}")
    return texts


def tfidf(texts: Sequence[str], dim: int) -> Float32:
    """float32[len(texts), at most dim]: unit vectors of words, zero for texts without one.

    Latent semantic analysis (Deerwester et al., 1990): tf-idf with logarithmic term frequencies,
    without English stop words, in the space of its first singular vectors. It depends on all the
    texts together, so it is made anew for each catalogue.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(stop_words="english", sublinear_tf=True, dtype=np.float32)
    try:
        counts = words.fit_transform(texts)
    except ValueError as error:
        raise ValueError(f"the items' texts hold no word that tf-idf can use ({error})") from error
    space = TruncatedSVD(min(dim, *counts.shape), random_state=0)  # no run's chance: one answer
    return unit(space.fit_transform(counts))
