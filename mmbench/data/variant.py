"""A dataset with another recipe: ``beauty-days[ties=source]``, ``ml[core=10,min_rating=4]``.

It is a dataset of its own, with an id, a fingerprint and a board of its own. Its id names what
differs from the dataset's own recipe, sorted, so that two ways to write it are one dataset.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from mmbench.data.log import DataError
from mmbench.data.spec import suggest
from mmbench.hookspecs import DatasetInfo, Recipe

FORM = re.compile(r"(?P<name>[^\[\]]+)\[(?P<settings>[^\[\]]*)\]")
FIELDS = tuple(one.name for one in fields(Recipe))


def split_variant(name: str) -> tuple[str, Mapping[str, str]]:
    """The dataset and the settings of ``name[key=value,key=value]``; other names have none.

    Raises DataError for a setting that is no field of a recipe.
    """
    match = FORM.fullmatch(name.strip())
    if match is None:
        return name, {}
    settings = {}
    for part in filter(None, map(str.strip, match["settings"].split(","))):
        key, equals, value = (word.strip() for word in part.partition("="))
        if key not in FIELDS or not equals:
            raise DataError(
                f"{name}: {part!r} is no setting of a recipe{suggest(key, FIELDS)}; write "
                f"{match['name']}[key=value], a key is one of {', '.join(FIELDS)}"
            )
        settings[key] = value
    return match["name"], settings


def with_settings(info: DatasetInfo, settings: Mapping[str, str]) -> DatasetInfo:
    """The dataset with another recipe, and an id that says so; itself where nothing differs.

    Words of ``require`` are separated by ``/``, and an empty value means none. Raises DataError for
    a value that a recipe cannot have.
    """
    from pydantic import TypeAdapter, ValidationError

    wanted: dict[str, Any] = {**asdict(info.recipe), **settings}
    if "require" in settings:
        wanted["require"] = [word for word in settings["require"].split("/") if word]
    if settings.get("min_rating") == "":
        wanted["min_rating"] = None
    try:
        recipe = TypeAdapter(Recipe).validate_python(wanted)
    except ValidationError as error:
        first = error.errors()[0]
        key = first["loc"][0]
        told = f"{info.id}[{key}={settings.get(str(key), '')}]"
        raise DataError(f"{told}: {first['msg']}") from error
    own = asdict(info.recipe)
    differs = [
        f"{key}={_spelt(value)}"
        for key, value in sorted(asdict(recipe).items())
        if value != own[key]
    ]
    if not differs:
        return info
    told = f"[{','.join(differs)}]"
    name = info.name and f"{info.name} {told}"
    return replace(info, id=info.id + told, name=name, aliases=(), recipe=recipe)


def _spelt(value: Any) -> str:
    """A recipe's value as ``with_settings`` reads it."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return "/".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
