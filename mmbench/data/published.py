"""The datasets that mmbench knows by name, and what a folder of such a name holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path

from mmbench.data import folder
from mmbench.data.fetch.recipe import categories_of, fill, recipes, words_of
from mmbench.data.spec import FolderSpec, ItemsSpec, parse


@cache
def published() -> Mapping[str, FolderSpec]:
    """Every known dataset by id, those of templates too; their ``root`` is a mere name."""
    found = dict(folder.known())
    place = resources.files("mmbench.data") / "known" / "templates"
    for file in sorted(place.iterdir(), key=lambda one: one.name):
        template = file.read_text("utf-8")
        for category, lineage in categories_of(file.name.removesuffix(".toml")).items():
            text = fill(template, {**words_of(category), "lineage": lineage})
            spec = parse(text, Path(file.name), file.name)
            found[spec.info.id] = spec
    return found


def held(path: Path, spec: FolderSpec) -> FolderSpec | None:
    """A known dataset in the folder ``path``, with the parts that are there.

    Its events must be, and whatever the recipe requires of items counts as there: reading it then
    says what lacks. A remark on pictures goes where these go. None where there are no events.
    """
    if not (path / spec.interactions.file).is_file():
        return None
    items = _items(path, spec)
    pictured = spec.images is not None and (
        (path / spec.images.path).exists() or "image" in spec.info.recipe.require
    )
    remark = spec.images.remark if spec.images is not None and pictured else ""
    info = replace(
        spec.info,
        text=items.text if items else (),
        remarks=((remark,) if remark else ()) + spec.info.remarks,
    )
    return replace(
        spec, info=info, root=path, items=items, images=spec.images if pictured else None
    )


def _items(path: Path, spec: FolderSpec) -> ItemsSpec | None:
    """The items' table that is there, or that is required."""
    if spec.items is None or (path / spec.items.file).is_file():
        return spec.items
    recipe = recipes().get(spec.info.id.partition("[")[0])
    if recipe is not None and recipe.items and (path / recipe.items.file).is_file():
        return recipe.items
    return spec.items if "text" in spec.info.recipe.require else None
