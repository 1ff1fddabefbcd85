"""``mmbench data import``: guess what a folder holds, let the caller correct it, write it down."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmbench.data import folder as folders
from mmbench.data.columns import why_not_by_name
from mmbench.data.formats import header
from mmbench.data.guess import guess
from mmbench.data.log import DataError
from mmbench.data.places import cache_home, data_home
from mmbench.data.prepare import prepare
from mmbench.data.spec import (
    FILE_NAME,
    FolderSpec,
    ImagesSpec,
    ItemsSpec,
    check_id,
    file_format,
    write_toml,
)
from mmbench.hookspecs import Recipe


@dataclass(frozen=True, slots=True)
class Corrections:
    """What a caller knows better than the guess; ``None`` leaves the guess.

    ``interactions``, ``items`` and ``images`` are paths below the folder; ``text`` names all text
    columns, the title first, and ``title_column`` moves one to the front; ``remarks`` are added to
    those of the guess; from ``core`` to ``require``: see ``mmbench.Recipe``.
    """

    id: str | None = None
    name: str | None = None
    aliases: Sequence[str] | None = None
    interactions: str | None = None
    user_column: str | None = None
    item_column: str | None = None
    time_column: str | None = None
    rating_column: str | None = None
    items: str | None = None
    id_column: str | None = None
    title_column: str | None = None
    text: Sequence[str] | None = None
    images: str | None = None
    image_pattern: str | None = None
    core: int | None = None
    min_rating: float | None = None
    min_length: int | None = None
    duplicates: str | None = None
    ties: str | None = None
    require: Sequence[str] | None = None
    licence: str | None = None
    origin: str | None = None
    lineage: str | None = None
    remarks: Sequence[str] | None = None

    def columns(self) -> dict[str, str]:
        """The named columns by kind, as ``guess`` takes them."""
        named = {
            "user": self.user_column,
            "item": self.item_column,
            "time": self.time_column,
            "rating": self.rating_column,
            "id": self.id_column,
            "title": self.title_column,
        }
        return {kind: column for kind, column in named.items() if column}


def guess_folder(source: Path, **overrides: Any) -> FolderSpec:
    """What the folder most likely holds, with the caller's corrections; nothing is written.

    Starts from the folder's ``dataset.toml`` or from what mmbench knows of its name, else from a
    guess. ``overrides`` are the fields of ``Corrections``. Raises DataError.
    """
    given = Corrections(**overrides)
    spec = folders.described(source)
    if spec is None or given.interactions or given.items:
        spec = guess(
            source,
            interactions=given.interactions or "",
            items=given.items or "",
            columns=given.columns(),
        )
    columns = ("user", "item", "time", "rating")
    events = _with(spec.interactions, **{k: v for k, v in given.columns().items() if k in columns})
    texts = _items(spec.items, given)
    info = _with(
        spec.info,
        id=None if given.id is None else check_id(given.id),
        name=given.name,
        aliases=None if given.aliases is None else tuple(given.aliases),
        licence=given.licence,
        origin=given.origin,
        lineage=given.lineage,
        remarks=None if given.remarks is None else (*spec.info.remarks, *given.remarks),
        recipe=_recipe(spec.info.recipe, given),
        text=texts.text if texts else (),
    )
    images = _images(spec.images, given)
    return replace(spec, info=info, interactions=events, items=texts, images=images)


def import_folder(
    source: Path, dest: Path | None = None, *, replace_existing: bool = False, **overrides: Any
) -> tuple[FolderSpec, dict[str, Any], Path]:
    """Make a folder a dataset: guess, check by preparing it, write ``dataset.toml``.

    Args:
        source: the folder with the files.
        dest: the folder for ``dataset.toml``; by default ``source``, or, where that cannot be
            written to, a small folder in the data home that points to it.
        replace_existing: whether a ``dataset.toml`` that is there already may be written over.
        overrides: the fields of ``Corrections``.

    Returns:
        The spec, the log's card, and the path of the ``dataset.toml``. Text columns that no model
        may read are in the card's ``left_out``, and not in the spec.

    Raises:
        DataError: where the folder cannot be prepared as told; then nothing is written.
    """
    spec = guess_folder(source, **overrides)
    folders.demand_files(spec)
    target = (dest or source) / FILE_NAME
    if target.exists() and not replace_existing:
        raise DataError(
            f"{target} is there already; edit it, or say that it shall be replaced (--replace)"
        )
    card = prepare(folders.read(spec), spec.info, cache_home() / "pictures").card
    spec = _without(spec, card["left_out"])
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_toml(spec, target)
    except OSError as error:
        if dest is not None:
            raise DataError(f"{target}: cannot be written: {error}") from error
        target = data_home() / spec.info.id / FILE_NAME
        if target.exists() and not replace_existing:
            raise DataError(
                f"{source} is read-only and {target} is there already; choose another --id, or say "
                "that it shall be replaced (--replace)"
            ) from error
        target.parent.mkdir(parents=True, exist_ok=True)
        write_toml(spec, target)
    return spec, card, target


def left_out(spec: FolderSpec, card: Mapping[str, Any] | None) -> dict[str, str]:
    """Which columns of the items table are no text for models, and why, as far as rules say.

    Args:
        spec: what was guessed or imported.
        card: of the imported dataset, if it is: what values tell is in it.
    """
    if spec.items is None:
        return {}
    form = file_format(spec.items.file, spec.items.format)
    names = header(spec.root / spec.items.file, form)
    reasons = {
        name: why_not_by_name(name)
        for name in names
        if name != spec.items.id and name not in spec.items.text
    }
    return {n: why for n, why in reasons.items() if why} | dict(card["left_out"] if card else {})


def _without(spec: FolderSpec, columns: Collection[str]) -> FolderSpec:
    """The spec without these text columns."""
    if spec.items is None or not columns:
        return spec
    text = tuple(column for column in spec.items.text if column not in columns)
    return replace(spec, items=replace(spec.items, text=text), info=replace(spec.info, text=text))


def _with(part: Any, **changes: Any) -> Any:
    """``part`` with the changes that are not ``None``."""
    return replace(part, **{key: value for key, value in changes.items() if value is not None})


def _one_of(name: str, value: str | None, allowed: Sequence[str]) -> str | None:
    if value is not None and value not in allowed:
        raise DataError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")
    return value


def _recipe(recipe: Recipe, given: Corrections) -> Any:
    require = None
    if given.require is not None:
        require = tuple(_one_of("require", one, ("text", "image")) for one in given.require)
    return _with(
        recipe,
        core=given.core,
        min_rating=given.min_rating,
        min_length=given.min_length,
        duplicates=_one_of("duplicates", given.duplicates, ("keep", "first", "last")),
        ties=_one_of("ties", given.ties, ("hash", "source")),
        require=require,
    )


def _items(spec: ItemsSpec | None, given: Corrections) -> ItemsSpec | None:
    title = given.title_column
    if spec is None:
        if given.id_column or title or given.text:
            raise DataError("no items table was found; name its file with --items")
        return None
    columns = tuple(given.text) if given.text is not None else spec.text
    if title is not None:
        columns = (title, *(column for column in columns if column != title))
    return replace(spec, id=given.id_column or spec.id, text=columns)


def _images(spec: ImagesSpec | None, given: Corrections) -> Any:
    if given.images is not None:
        spec = ImagesSpec(given.images)
    if spec is None:
        if given.image_pattern is not None:
            raise DataError("no pictures were found; name them with --images")
        return None
    return _with(spec, pattern=given.image_pattern)
