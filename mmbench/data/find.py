"""From a name to a source: an id, an alias, a path, or the dataset of an installed package."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from mmbench.data import folder, plugin
from mmbench.data.fetch.recipe import RECORD, UNTRIED, recipes
from mmbench.data.log import DataError
from mmbench.data.places import data_home, search_folders
from mmbench.data.published import held, published
from mmbench.data.spec import FILE_NAME, FolderSpec, read_toml, suggest
from mmbench.data.variant import split_variant, with_settings
from mmbench.hookspecs import DatasetInfo, RawDataset


@dataclass(frozen=True, slots=True)
class Source:
    """A dataset that was found, not read yet.

    Attributes:
        info: what it says of itself.
        where: its folder, or the package that brings it.
        stamp: ``stamp(memory)`` returns the JSON-able identity of the source files; ``memory`` is a
            folder for digests that are remembered.
        read: ``read(cache, progress)`` returns the ``RawDataset``; ``cache`` is a folder in which
            each dataset that fetches its source has one of its own.
        pictured: whether it has pictures; None where only reading it tells.
        facts: further fields of its card.
    """

    info: DatasetInfo
    where: str
    stamp: Callable[[Path], Mapping[str, Any]]
    read: Callable[[Path, Callable[..., None]], RawDataset]
    pictured: bool | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


class Row(NamedTuple):
    """A line of ``mmbench ls data``; ``status`` begins with ``here`` or says what is wrong."""

    id: str
    aliases: tuple[str, ...]
    where: str
    status: str


def resolve(name: str, pictures: str = "") -> Source:
    """Find a dataset; nothing of it is read but its description.

    ``pictures``, ``drawn`` or ``photographs``, are given to a dataset that has none, see
    ``mmbench.data.attach``.

    ``name[key=value]`` is the dataset with another recipe, see ``mmbench.data.variant``; but a path
    that exists is one, brackets or not. A name with a path separator is a path. Any other is looked
    for among the installed packages' datasets, then in the folders of ``MMBENCH_DATA`` and the data
    home (ids and aliases), then among the known ones (which answer how to get them), and last it
    may be a folder here.

    Raises:
        DataError: says what was looked for and where, and how to get it.
    """
    here = Path(name).expanduser().exists()
    source = _find(name, {}) if here else _find(*split_variant(name))
    if not pictures:
        return source
    from mmbench.data.attach import with_pictures

    return with_pictures(source, pictures)


def place_of(name: str) -> tuple[str, Path | None]:
    """The id that a name means, settings or not, and its folder; None where there is none."""
    base = split_variant(name)[0] if not Path(name).expanduser().exists() else name
    if _is_path(base):
        path = _folder(Path(base).expanduser())
        return path.absolute().name, path
    found = _folders()
    identity = base if base in found else _alias(base, found)
    return identity, found.get(identity)


def _find(name: str, settings: Mapping[str, str]) -> Source:
    """As ``resolve``, for a name and its settings."""
    if _is_path(name):
        return _folder_source(_spec_of(_folder(Path(name).expanduser()), settings))
    plugins = plugin.names()
    if name in plugins:
        return _plugin_source(plugin.open_plugin(name, plugins[name]), settings)
    found = _folders()
    identity = name if name in found else _alias(name, found)
    if identity in found:
        return _folder_source(_spec_of(found[identity], settings))
    if identity in published():
        raise DataError(_how_to_get(published()[identity]))
    if Path(name).is_dir():
        return _folder_source(_spec_of(Path(name), settings))
    every = [word for row in list_datasets() for word in (row.id, *row.aliases)]
    raise DataError(
        f"there is no dataset {name!r}{suggest(name, every)} (looked for an installed package's "
        f"dataset and for a folder in {', '.join(map(str, search_folders()))}; `mmbench ls data` "
        "lists all)"
    )


def _spec_of(path: Path, settings: Mapping[str, str]) -> FolderSpec:
    """How to read a folder: as it says, as a known dataset is read, or by a guess."""
    known = published().get(path.absolute().name)
    if known is not None and not (path / FILE_NAME).is_file():
        spec = held(path, replace(known, info=with_settings(known.info, settings)))
        if spec is not None:
            _demand_pictures(spec)
            return spec
    spec = folder.spec_of(path)
    return replace(spec, info=with_settings(spec.info, settings))


def _demand_pictures(spec: FolderSpec) -> None:
    """Raise DataError where a known dataset lacks the pictures that its recipe is about."""
    if spec.images is None or (spec.root / spec.images.path).exists():
        return
    raise DataError(
        f"{spec.root / spec.images.path}: no such file, and {spec.info.id} keeps only items with a "
        f"picture. Put it there, or ask {spec.info.id.partition('[')[0]}[require=], which is "
        "another dataset and needs none"
    )


def list_datasets() -> list[Row]:
    """Every dataset that can be named, sorted by id; no plugin is imported."""
    rows = {}
    for identity, spec in published().items():
        rows[identity] = Row(identity, spec.info.aliases, "", _absent(identity))
    for identity, path in _folders().items():
        row = _row(identity, path)
        rows[row.id] = row
    for name, points in plugin.names().items():
        where = " and ".join(plugin.package(point) for point in points)
        rows[name] = Row(name, (), where, "here" if len(points) == 1 else "claimed twice")
    return [rows[identity] for identity in sorted(rows)]


def _untried(identity: str) -> str:
    """Which parts of a recipe never met the real files; empty where all did."""
    recipe = recipes().get(identity.partition("[")[0])
    if recipe is None or not recipe.untried:
        return ""
    return f"{', '.join(recipe.untried)}: {UNTRIED}, but on small ones of that layout"


def _absent(identity: str) -> str:
    recipe = recipes().get(identity)
    untried = recipe.untried if recipe is not None else []
    return f"not here; untried: {', '.join(untried)}" if untried else "not here"


def _row(identity: str, path: Path) -> Row:
    """The line of a folder, which may be broken or incomplete."""
    try:
        spec = _description(path)
    except DataError as error:
        return Row(identity, (), str(path), str(error))
    if spec is None:
        return Row(identity, (), str(path), f"here, to be guessed: no {FILE_NAME}")
    root = spec.root if (path / FILE_NAME).is_file() else path
    lacks = [name for name in spec.files() if not (root / name).exists()]
    if lacks and not (path / FILE_NAME).is_file() and held(path, spec):
        status = f"here, without {', '.join(lacks)}"
    else:
        status = f"lacks {', '.join(lacks)}" if lacks else "here"
    return Row(spec.info.id, spec.info.aliases, str(path), status)


def _is_path(name: str) -> bool:
    separators = {os.sep, os.altsep, "/"} - {None}
    return name.startswith(("~", ".")) or any(one in name for one in separators if one)


def _folder(path: Path) -> Path:
    return path.parent if path.name == FILE_NAME else path


def _folders() -> dict[str, Path]:
    """Dataset id to its folder; an earlier search folder wins."""
    found: dict[str, Path] = {}
    for home in search_folders():
        if not home.is_dir():
            continue
        for path in sorted(home.iterdir()):
            if path.is_dir() and not path.name.startswith("."):
                found.setdefault(path.name, path)
    return found


def _description(path: Path) -> FolderSpec | None:
    """What a folder says of itself, without a look at its tables."""
    if (path / FILE_NAME).is_file():
        return read_toml(path / FILE_NAME)
    return published().get(path.name)


def _alias(name: str, found: Mapping[str, Path]) -> str:
    """The id that ``name`` is another word for, or ``name``. Raises DataError for two of them."""
    owners = {i for i, spec in published().items() if name in (i, *spec.info.aliases)}
    for identity, path in found.items():
        try:
            spec = _description(path)
        except DataError:  # another dataset's broken file is not this one's trouble
            continue
        if spec is not None and name in (spec.info.id, *spec.info.aliases):
            owners.add(identity)
    owners = owners & set(found) or owners
    if len(owners) > 1:
        raise DataError(
            f"{name!r} is a name of {' and '.join(sorted(owners))}; use one of these ids"
        )
    return next(iter(owners), name)


def _folder_source(spec: FolderSpec) -> Source:
    fetched = (spec.root / RECORD).is_file()
    told = _untried(spec.info.id) if fetched else ""
    return Source(
        spec.info,
        str(spec.root.absolute()),
        lambda memory: folder.stamp(spec, memory),
        lambda cache, progress: folder.read(spec),
        spec.images is not None,
        {"untried": told} if told else {},
    )


def _plugin_source(found: plugin.Plugin, settings: Mapping[str, str]) -> Source:
    return Source(
        with_settings(found.info, settings),
        found.package,
        lambda memory: found.stamp(),
        lambda cache, progress: found.read(cache / found.info.id, progress),
    )


def _how_to_get(spec: FolderSpec) -> str:
    info = spec.info
    brought = info.id in recipes() and f"`mmbench data fetch {info.id}` brings it. "
    untried = f"({_untried(info.id)}.) " if _untried(info.id) else ""
    return (
        f"{info.id} ({info.name}) is known, but not on this machine. {brought or ''}{untried}"
        f"How to get it: {info.origin} "
        f"Put {', '.join(spec.files())} into {data_home() / info.id}, or into a folder "
        f"{info.id} of one that the environment variable MMBENCH_DATA names."
    )
