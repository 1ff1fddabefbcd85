"""Published files that are known by their names, for what they do not say themselves.

They are data: ``layouts.toml`` beside this file.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import PurePosixPath

from pydantic import TypeAdapter

from mmbench.data.spec import PACKED, Format


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file of a published dataset.

    Attributes:
        of: the dataset, for people.
        file: a regular expression of its whole name, without folders and packing, in lower case.
        role: ``events``, ``items``, ``users``, or ``part`` of what another file holds whole.
        why: why it is not used, where it is not.
        delimiter: what stands between its cells.
        columns: their names; empty where the file has a header.
        format: where it is not ``csv`` or ``tsv``.
        text: of items, the columns that models read.
        user: the column of users, where another one looks likelier.
        time: as ``EventsSpec.time``, where it takes two columns.
    """

    of: str
    file: str
    role: str
    why: str = ""
    delimiter: str = ""
    columns: tuple[str, ...] = ()
    format: Format = ""
    text: tuple[str, ...] = ()
    user: str = ""
    time: str = ""


@cache
def _layouts() -> tuple[KnownFile, ...]:
    text = (resources.files("mmbench.data") / "layouts.toml").read_text("utf-8")
    return TypeAdapter(tuple[KnownFile, ...]).validate_python(tomllib.loads(text)["layout"])


def known_file(name: str) -> KnownFile | None:
    """What is known of a file of this name."""
    path = PurePosixPath(name)
    plain = (path.stem if path.suffix.lower() in PACKED else path.name).lower()
    return next((one for one in _layouts() if re.fullmatch(one.file, plain)), None)
