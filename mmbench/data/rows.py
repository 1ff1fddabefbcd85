"""PixRec's published rows: a user a line, with each item written out as text.

A row is a JSON object with ``user_history`` (a list of texts), ``target_item`` (a text), and the
names of their pictures in ``user_history_images`` and ``target_item_image``. A text reads ``Title:
<title>. Category: <category>. Brand: <brand>. Price: <price>. Image:``. Rows name no item, so an
item is a text with a picture's name, and the target is the row's last event.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmbench.data.log import DataError
from mmbench.data.records import json_rows

KEYS = ("user_history", "user_history_images", "target_item", "target_item_image")
FIELDS = ("title", "category", "brand", "price")
UNKNOWN = "Unknown"
TEXT = re.compile(r"Title: (.*)\. Category: (.*)\. Brand: (.*)\. Price: (.*)\. Image: ?", re.DOTALL)


def read_rows(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """``RawDataset.events`` and ``.items`` of a file of rows; times are places, from 0.

    What the texts call unknown is an empty string. Raises DataError that names the line.
    """
    users: list[str] = []
    things: list[str] = []
    times: list[int] = []
    items: dict[str, tuple[str, ...]] = {}
    for number, row in json_rows(path):
        where = f"{path}, line {number}"
        for time, (text, picture) in enumerate(_events(row, where)):
            item = hashlib.sha256(f"{text}\n{picture}".encode()).hexdigest()[:16]
            if item not in items:
                items[item] = _fields(text, where)
            users.append(f"row-{number:06d}")
            things.append(item)
            times.append(time)
    if not users:
        raise DataError(f"{path}: the file is empty; it needs rows with {', '.join(KEYS)}")
    events = pd.DataFrame(
        {"user": users, "item": things, "time": np.array(times, dtype=np.int64)}, dtype=object
    ).astype({"time": np.int64})
    described = [(item, *values) for item, values in items.items()]
    return events, pd.DataFrame(described, columns=["item", *FIELDS], dtype=object)


def _events(row: dict[str, Any], where: str) -> list[tuple[str, str]]:
    """(text, name of the picture) of each event."""
    lacks = [key for key in KEYS if key not in row]
    if lacks:
        raise DataError(f"{where}: no key {lacks[0]!r}; a row has {', '.join(KEYS)}")
    texts, pictures, target, picture = (row[key] for key in KEYS)
    if not isinstance(texts, list) or not isinstance(pictures, list):
        raise DataError(f"{where}: user_history and user_history_images must be lists")
    if len(texts) != len(pictures):
        raise DataError(
            f"{where}: user_history has {len(texts)} items and user_history_images {len(pictures)}"
        )
    events = [*zip(texts, pictures, strict=True), (target, picture)]
    if not all(isinstance(value, str) for event in events for value in event):
        raise DataError(f"{where}: items and pictures must be strings")
    return events


def _fields(text: str, where: str) -> tuple[str, ...]:
    found = TEXT.fullmatch(text)
    if found is None:
        raise DataError(
            f"{where}: {text[:60]!r} is not written as 'Title: <title>. Category: <category>. "
            "Brand: <brand>. Price: <price>. Image: '"
        )
    return tuple("" if value.strip() == UNKNOWN else value.strip() for value in found.groups())
