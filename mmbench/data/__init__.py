"""Raw files to a prepared, fingerprinted log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mmbench.data.log import DataError, Log, sample_users

__all__ = ["DataError", "Log", "load", "sample_users"]


def _quiet(*_: object) -> None:
    """A progress bar that shows nothing."""


def load(
    name_or_path: str,
    *,
    pictures: str = "",
    cache: Path | None = None,
    progress: Callable[..., None] = _quiet,
) -> Log:
    """Find a dataset, read it, prepare it; a log that was prepared before is only opened.

    Args:
        name_or_path: id, alias, folder or ``dataset.toml``, with another recipe in brackets or
            not, as in ``beauty-days[ties=source]``; see ``mmbench.data.find.resolve``.
        pictures: ``drawn`` or ``photographs``, for a dataset that has none of its own; see
            ``mmbench.data.attach``.
        cache: where prepared logs and fetched sources are kept; default ``places.cache_home()``.
        progress: ``progress(done, total, unit)``, of a source that is fetched and of pictures.

    Raises:
        DataError: says what is wrong, where, and how to mend it.
    """
    from dataclasses import replace

    from mmbench.data import cache as entries
    from mmbench.data.find import resolve
    from mmbench.data.places import cache_home
    from mmbench.files import slug

    home = cache or cache_home()
    source = resolve(name_or_path)
    if pictures and source.pictured is None:  # a package's: its log tells
        plain = load(name_or_path, cache=cache, progress=progress)
        if plain.items.images is not None:
            return plain
    if pictures and not source.pictured:
        source = resolve(name_or_path, pictures)
    memory = home / "digests"
    key = entries.entry_key(source.info, source.stamp(memory))
    entry = home / "prepared" / f"{slug(source.info.id)}-{key}"
    log = entries.load(entry, memory)
    if log is not None:
        return log
    from mmbench.data.prepare import prepare

    raw = source.read(home / "datasets", progress)
    log = prepare(raw, source.info, entries.pictures_folder(entry), progress)
    log = replace(log, card={**log.card, **source.facts})
    entries.store(log, entry, memory)
    return log
