"""What tells one prepared log from another: a digest each of its events, texts and pictures.

Events are told in raw terms, so a fingerprint does not depend on how items are numbered.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.views import Int64, Items

if TYPE_CHECKING:
    from mmbench.data.log import Log


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """16 hex digits each; empty where a log has no such part.

    Attributes:
        events: who had what when, in which order, and every preparing step.
        text: the text columns.
        pictures: the pictures.
    """

    events: str
    text: str = ""
    pictures: str = ""


def events_fingerprint(
    log: Log, steps: Sequence[Mapping[str, Any]], recipe: Mapping[str, Any]
) -> str:
    """The fingerprint of a log's events.

    Args:
        log: its arrays and raw ids are read.
        steps: the counts after each preparing step.
        recipe: the recipe's fields, JSON-able.
    """
    digest = hashlib.sha256(b"mmbench: events, 1\n")
    items = log.item_ids[1:]
    for ids in (log.user_ids, items):
        digest.update(spell(sorted(ids)))
    user = ranks(log.user_ids)[log.user]
    order = np.argsort(user, kind="stable")
    for column in (user, ranks(items)[log.item - 1], log.time):
        digest.update(spell_array(column[order]))
    rest = [list(steps), dict(recipe)]
    digest.update(json.dumps(rest, sort_keys=True, allow_nan=False).encode())
    return digest.hexdigest()[:16]


def text_fingerprint(items: Items) -> str:
    """The fingerprint of a catalogue's text columns, in item order; empty where there is none."""
    if not items.fields:
        return ""
    digest = hashlib.sha256(b"mmbench: text, 1\n")
    for name, texts in items.fields.items():
        digest.update(spell([name]))
        digest.update(spell(texts))
    return digest.hexdigest()[:16]


def pictures_fingerprint(digests: Sequence[str]) -> str:
    """The fingerprint of a catalogue's pictures, in item order; empty where there is none.

    It is of the dataset's own files, not of what is handed over: how they decode may change with a
    library, what they hold does not. Names, sizes and times are no part of it.

    Args:
        digests: the sha256 of each item's file, empty where there is none; index 0 is padding.
    """
    if not any(digests):
        return ""
    digest = hashlib.sha256(b"mmbench: pictures, 2\n")
    digest.update(spell(digests))
    return digest.hexdigest()[:16]


def ranks(ids: Sequence[str]) -> Int64:
    """int64[len(ids)]: the place of each of distinct ids among them all, sorted."""
    place = np.empty(len(ids), dtype=np.int64)
    place[sorted(range(len(ids)), key=ids.__getitem__)] = np.arange(len(ids))
    return place


def spell(texts: Sequence[str]) -> bytes:
    """Texts as bytes that no other list of texts has, whatever characters they hold."""
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    lengths = spell_array(np.array([len(one) for one in encoded], dtype=np.int64))
    return lengths + b"".join(encoded)


def spell_array(array: Int64) -> bytes:
    """int64[n] as bytes that no other array has, on any machine."""
    return len(array).to_bytes(8, "little") + np.ascontiguousarray(array, dtype="<i8").tobytes()
