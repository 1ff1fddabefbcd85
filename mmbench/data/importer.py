"""``mmbench data import``: guess what a folder holds, let the caller correct it, write it down."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from mmbench.data import croissant, hub
from mmbench.data import folder as folders
from mmbench.data.account import FileUse, account, left_out, losses, oddities
from mmbench.data.addresses import find_addresses, write_addresses
from mmbench.data.guess import Survey, look_around, survey
from mmbench.data.kinds import tell_kinds
from mmbench.data.log import DataError
from mmbench.data.looks import Given
from mmbench.data.places import cache_home, data_home
from mmbench.data.prepare import prepare
from mmbench.data.several import fold_marks, write_split
from mmbench.data.spec import (
    ADDRESSES,
    FILE_NAME,
    FolderSpec,
    ImagesSpec,
    ItemsSpec,
    Unit,
    check_id,
    write_toml,
)
from mmbench.hookspecs import RawDataset, Recipe

UNNAMED = "the dataset's description does not name it"


@dataclass(frozen=True, slots=True)
class Corrections:
    """What a caller knows better than the guess; ``None`` leaves the guess.

    ``interactions``, ``items`` and ``images`` are paths below the folder; ``join`` names or
    patterns of files that together hold the events; ``delimiter``, ``no_header``, ``encoding`` and
    ``table_columns`` (the names of all columns) say how the events' file is read, see
    ``mmbench.data.spec``, as are ``time_unit``, ``time_format`` and ``repeated``; ``text`` names
    all text columns, the title first, and ``title_column`` moves one to the front; ``remarks`` are
    added to those of the guess; ``local_split`` asks for the published split as a local protocol;
    from ``core`` to ``require``: see ``mmbench.Recipe``.
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
    join: Sequence[str] | None = None
    local_split: bool = False
    delimiter: str | None = None
    no_header: bool = False
    table_columns: Sequence[str] | None = None
    encoding: str | None = None
    time_unit: str | None = None
    time_format: str | None = None
    repeated: str | None = None
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

    def reading(self) -> Given:
        """How files are read, as ``survey`` takes it."""
        return Given(
            events=self.interactions or "",
            delimiter={"\\t": "\t", "tab": "\t", "space": " "}.get(
                self.delimiter or "", self.delimiter or ""
            ),
            headless=self.no_header,
            columns=tuple(self.table_columns or ()),
            encoding=self.encoding or "",
        )


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import, or a dry run of one, has found.

    Attributes:
        spec: what is agreed on. Columns that no model may read are not in its text.
        card: of the prepared log; None where nothing was read.
        path: of the ``dataset.toml``; None where nothing was written.
        protocol: of the published split as a local protocol; None where none was written.
        files: what became of each file and column.
        notes: what else a person must know: what was left out, guessed, or taken for the same.
    """

    spec: FolderSpec
    card: dict[str, Any] | None
    path: Path | None
    files: tuple[FileUse, ...]
    notes: tuple[str, ...]
    protocol: Path | None = None

    @property
    def left_out(self) -> dict[str, str]:
        """Columns of the items table that no model may read, and why."""
        return left_out(self.spec, self.card)


def guess_folder(source: Path, **overrides: Any) -> Imported:
    """What the folder most likely holds, with the caller's corrections; nothing is written.

    Starts from the folder's ``dataset.toml`` or from what mmbench knows of its name, else from a
    guess. ``overrides`` are the fields of ``Corrections``. Raises DataError.
    """
    found = _survey(source, Corrections(**overrides))
    files = account(found.spec, found.looks, found.reasons)
    return Imported(found.spec, None, None, tuple(files), found.notes)


def _survey(source: Path, given: Corrections) -> Survey:
    """The folder's files, and its spec with the corrections."""
    reading = given.reading()
    spec = folders.described(source)
    anew = given.interactions or given.items or given.join or reading != Given()
    if spec is not None and not anew:
        looks = look_around(spec.root, set(), reading, strict=False)
        found = Survey(
            spec, tuple(looks), dict.fromkeys((x.name for x in looks if not x.why_not), UNNAMED)
        )
        return replace(found, spec=_corrected(found.spec, given))
    place = croissant.find(source)
    told = croissant.read(place) if place is not None else croissant.Croissant()
    found = survey(
        source,
        interactions=given.interactions or "",
        items=given.items or "",
        columns=croissant.hints(told) | given.columns(),
        join=given.join or (),
        given=reading,
    )
    if place is not None:
        info = replace(found.spec.info, name=told.name, licence=told.licence, origin=told.origin)
        found = replace(
            found,
            spec=replace(found.spec, info=info),
            reasons={**found.reasons, place.name: "describes the dataset, which is used"},
            notes=(*found.notes, *croissant.check_files(told, source)),
        )
    return replace(found, spec=_corrected(found.spec, given))


def from_hub(address: str, to: Path | None) -> tuple[Path, dict[str, Any], tuple[str, ...]]:
    """Bring a dataset of the Hugging Face hub here, see ``mmbench.data.hub``.

    Returns:
        Its folder (``to``, or one of its name in the data home), what is known of it, by fields of
        ``Corrections``, and what was left out.

    Raises:
        DataError: it cannot be had.
    """
    where = hub.parse_address(address)
    name = hub.default_id(where)
    found = hub.fetch(where, to or data_home() / name, cache_home() / "huggingface")
    known = {"id": name, "licence": found.licence or None, "origin": found.origin}
    return found.folder, known, found.notes


def _corrected(spec: FolderSpec, given: Corrections) -> FolderSpec:
    columns = ("user", "item", "time", "rating")
    events = _with(
        spec.interactions,
        **{k: v for k, v in given.columns().items() if k in columns},
        unit=_one_of("time-unit", given.time_unit, get_args(Unit)[1:]),
        time_format=given.time_format,
        encoding=given.encoding,
    )
    texts = _items(spec.items, given)
    remarks = spec.info.remarks
    if events.time and not spec.interactions.time:
        remarks = tuple(one for one in remarks if not one.startswith("times are positions"))
    info = _with(
        replace(spec.info, remarks=remarks),
        id=None if given.id is None else check_id(given.id),
        name=given.name,
        aliases=None if given.aliases is None else tuple(given.aliases),
        licence=given.licence,
        origin=given.origin,
        lineage=given.lineage,
        remarks=None if given.remarks is None else (*remarks, *given.remarks),
        recipe=_recipe(spec.info.recipe, given),
        text=texts.text if texts else (),
    )
    images = _images(spec.images, given)
    return replace(spec, info=info, interactions=events, items=texts, images=images)


def import_folder(
    source: Path, dest: Path | None = None, *, replace_existing: bool = False, **overrides: Any
) -> Imported:
    """Make a folder a dataset: guess, check by preparing it, write ``dataset.toml``.

    Args:
        source: the folder with the files.
        dest: the folder for ``dataset.toml``; by default ``source``, or, where that cannot be
            written to, a small folder in the data home that points to it.
        replace_existing: whether a ``dataset.toml`` that is there already may be written over.
        overrides: the fields of ``Corrections``.

    Raises:
        DataError: where the folder cannot be prepared as told; then nothing is written.
    """
    given = Corrections(**overrides)
    found = _survey(source, given)
    spec, notes = found.spec, list(found.notes)
    folders.demand_files(spec)
    target = (dest or source) / FILE_NAME
    if target.exists() and not replace_existing:
        raise DataError(
            f"{target} is there already; edit it, or say that it shall be replaced (--replace)"
        )
    raw = folders.read(spec, notes.append)
    marks = _marks(spec, raw) if given.local_split else None
    card = prepare(raw, spec.info, cache_home() / "pictures").card
    files = account(spec, found.looks, found.reasons, card["left_out"], raw)
    spec = _without(spec, card["left_out"])
    if raw.images_root is not None:
        notes += tell_kinds(raw.images_root, sorted(set(raw.images.values())))
    notes += oddities(raw)
    notes += losses(card)
    target = _write(spec, source, dest, target, replace_existing)
    if replace_existing or not (target.parent / ADDRESSES).exists():
        notes += _note_addresses(spec, raw, target.parent)
    protocol = None if marks is None else write_split(target.parent, spec.info.id, marks)
    return Imported(spec, card, target, tuple(files), tuple(dict.fromkeys(notes)), protocol)


def _note_addresses(spec: FolderSpec, raw: RawDataset, folder: Path) -> list[str]:
    """Keep the addresses of photographs that the items' table tells; a sentence on them."""
    if spec.images is not None or spec.items is None:
        return []
    column, found = find_addresses(spec.root, spec.items, set(raw.events["item"]))
    if not found:
        return []
    path = write_addresses(folder, found)
    return [
        f"{spec.items.file}: {column} holds addresses of photographs of {len(found):,} items, kept "
        f"in {path.name}: mmbench run --images fetches them"
    ]


def _marks(spec: FolderSpec, raw: RawDataset) -> dict[str, list[str | int]]:
    """As ``fold_marks``. Raises DataError."""
    if spec.interactions.history is not None:
        raise DataError(
            f"{spec.root}: each row lists the items before its own, so that an event stands in "
            "rows of several folds; import it without --local-split"
        )
    return fold_marks(spec.info.id, raw.events)


def _write(
    spec: FolderSpec, source: Path, dest: Path | None, target: Path, replace_existing: bool
) -> Path:
    """Write ``dataset.toml`` where it was asked for, or else into the data home; its path."""
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
    return target


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
    repeated = _one_of("repeated", given.repeated, ("first",))
    items: ItemsSpec = _with(spec, id=given.id_column, text=columns, repeated=repeated)
    return items


def _images(spec: ImagesSpec | None, given: Corrections) -> Any:
    if given.images is not None:
        spec = ImagesSpec(given.images)
    if spec is None:
        if given.image_pattern is not None:
            raise DataError("no pictures were found; name them with --images")
        return None
    return _with(spec, pattern=given.image_pattern)
