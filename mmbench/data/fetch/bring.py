"""What of a dataset is not here, and bringing it: sources, proof, making, and the counts."""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmbench.data.fetch.http import Progress, differs, digest, download
from mmbench.data.fetch.makers import MAKERS
from mmbench.data.fetch.recipe import RECORD, UNTRIED, FetchRecipe, Output, Proof, Source, recipes
from mmbench.data.log import DataError
from mmbench.data.places import cache_home, data_home
from mmbench.data.scratch import make_scratch
from mmbench.files import put_in_place, remove_tree, write_atomically

logger = logging.getLogger("mmbench.data")


@dataclass(frozen=True, slots=True)
class Lack:
    """What is to be brought for a dataset.

    Attributes:
        recipe: how.
        outputs: the files that will be made.
        sources: what they are made of.
        parts: that were asked for.
        unknown: those of them that no recipe brings.
    """

    recipe: FetchRecipe
    outputs: tuple[Output, ...]
    sources: tuple[Source, ...]
    parts: frozenset[str]
    unknown: frozenset[str]

    @property
    def id(self) -> str:
        """The dataset's."""
        return self.recipe.id

    @property
    def by_hand(self) -> list[Source]:
        """The sources that a person has to get."""
        return [one for one in self.sources if one.by_hand]


def lacking(identity: str, parts: Collection[str]) -> Lack | None:
    """What ``fetch`` would bring of a known dataset's parts; None where it has no recipe."""
    recipe = recipes().get(identity)
    if recipe is None:
        return None
    folder = data_home() / identity
    here = {one.file for one in recipe.outputs if (folder / one.file).is_file()}
    final = [one for one in recipe.outputs if one.part in set(parts) and one.file not in here]
    outputs = tuple(recipe.making(parts, here)) if final else ()
    named = {name for output in outputs for name in output.inputs}
    sources = tuple(one for one in recipe.sources if one.name in named)
    unknown = frozenset(parts) - {one.part for one in recipe.outputs}
    return Lack(recipe, outputs, sources, frozenset(parts), unknown)


def describe(lack: Lack) -> list[str]:
    """What a person is told beforehand: a line for each source, or the steps that are theirs."""
    lines = [f"{lack.id}: {_amount(lack.sources)} into {data_home() / lack.id}"]
    for source in lack.sources:
        origin = f"from {source.addresses[0]}" if source.addresses else "got by hand"
        lines.append(f"  {source.name}, {_size(source)}, {origin}")
        lines.append(f"    licence: {source.licence or 'none told'}")
        if source.untried:
            lines.append(f"    {UNTRIED}, but on small ones of that layout")
    if lack.by_hand:
        lines.append("  a form or an account stands before some of it:")
        lines += [f"    {n}. {step}" for n, step in enumerate(lack.recipe.steps, 1)]
    return lines


def _amount(sources: Iterable[Source]) -> str:
    sizes = [one.proof.size for one in sources]
    known = sum(size for size in sizes if size is not None)
    unknown = sum(size is None for size in sizes)
    told = f"{known / 1e6:,.1f} MB" if known or not unknown else ""
    rest = f"{unknown} {'file' if unknown == 1 else 'files'} of a size not told" if unknown else ""
    return " and ".join(filter(None, (told, rest)))


def _size(source: Source) -> str:
    if source.proof.size is not None:
        return f"{source.proof.size:,} bytes"
    return f"size not told, {source.at_most / 1e9:,.2g} GB at most"


def bring(
    lack: Lack,
    *,
    given: Path | None = None,
    progress: Progress = lambda done, total, unit: None,
    say: Callable[[str], None] = lambda text: None,
) -> Path:
    """Bring what lacks into the dataset's folder, and return that.

    Each file of the dataset is there whole or not at all, and none before the counts of what is
    read from them are the expected ones. What was downloaded stays in the cache until it is
    cleaned.

    Args:
        lack: see ``lacking``.
        given: a file or folder with what was got by hand, or elsewhere.
        progress: of downloads.
        say: told what is being done.

    Raises DataError (which FetchError is) and OSError.
    """
    folder = data_home() / lack.id
    if not lack.outputs:
        return folder
    record = _read_record(folder / RECORD)
    had: dict[str, Path] = {}
    for source in lack.sources:
        say(f"fetching {source.name}")
        had[source.name] = _get(source, lack, given, record, progress)
    scratch = make_scratch(data_home())
    try:
        place = scratch / lack.id
        _copy_links(folder, place)
        for output in lack.outputs:
            say(f"making {output.file}")
            inputs = [had.get(name, place / name) for name in output.inputs]
            MAKERS[output.make](inputs, place / output.file, output.options)
        say(f"counting {lack.id}")
        check_counts(lack.recipe, place)
        folder.mkdir(parents=True, exist_ok=True)
        for output in lack.outputs:
            if output.part != "step":
                put_in_place(place / output.file, folder / output.file)
        now = time.strftime("%Y-%m-%d", time.gmtime())
        for source in lack.sources:
            record.setdefault(source.name, _entry(had[source.name], source, now))
        write_atomically(folder / RECORD, json.dumps(record, indent=1).encode())
    finally:
        remove_tree(scratch)
    return folder


def _entry(path: Path, source: Source, now: str) -> dict[str, Any]:
    pinned = bool(source.proof.digest)
    return {
        "sha256": digest(path),
        "bytes": path.stat().st_size,
        "addresses": list(source.addresses),
        "proven": "by a known digest" if pinned else "recorded on first use",
        "first": now,
    }


def _read_record(path: Path) -> dict[str, dict[str, Any]]:
    """What stands of earlier fetches. Raises DataError for a damaged one: it is the proof."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise DataError(
            f"{path} is damaged ({error}): it holds the digests of what was fetched; remove the "
            "folder to fetch anew"
        ) from error
    if not isinstance(found, dict):
        raise DataError(f"{path} is damaged: remove the folder to fetch anew")
    return found


def _get(
    source: Source,
    lack: Lack,
    given: Path | None,
    record: Mapping[str, Mapping[str, Any]],
    progress: Progress,
) -> Path:
    """A source on this disk, proven."""
    first = record.get(source.name)
    proof = source.proof
    if not proof.digest and first is not None:
        proof = Proof(first["bytes"], "sha256", first["sha256"])
    if given is not None and (found := find_given(given, source.name)) is not None:
        if wrong := differs(found, proof):
            raise DataError(f"{found} is another file than the recipe's: {wrong}")
        return found
    if source.by_hand:
        raise _by_hand(source, lack, given)
    path = cache_home() / "downloads" / lack.id / source.name
    try:
        download(source.addresses, path, proof, at_most=source.at_most, progress=progress)
    except DataError as error:
        if first is None or source.proof.digest:
            raise
        raise DataError(
            f"{error}. {source.name} was recorded on first use, on {first['first']}; where it was "
            f"reissued, remove {data_home() / lack.id} to start from the new one"
        ) from error
    return path


def demand_given(lack: Lack, given: Path | None) -> None:
    """Raise DataError where a file that a person has to get is not in what was given."""
    for source in lack.by_hand:
        if given is None or find_given(given, source.name) is None:
            raise _by_hand(source, lack, given)


def _by_hand(source: Source, lack: Lack, given: Path | None) -> DataError:
    steps = "; ".join(f"{n}. {step}" for n, step in enumerate(lack.recipe.steps, 1))
    where = f" ({given} has none)" if given is not None else ""
    return DataError(f"{lack.id}: {source.name} has to be got by hand{where}: {steps}")


def find_given(given: Path, name: str) -> Path | None:
    """The file of that name in what a person gave: a file, or a folder with its subfolders."""
    if given.is_file():
        return given if given.name == name else None
    if not given.is_dir():
        raise DataError(f"{given}: no such file or folder")
    return next((path for path in sorted(given.rglob(name)) if path.is_file()), None)


def _copy_links(folder: Path, place: Path) -> None:
    """A folder with what the dataset has already, without a copy where the system allows it."""
    place.mkdir()
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_file():
            try:
                os.link(path, place / path.name)
            except OSError:
                shutil.copyfile(path, place / path.name)


def check_counts(recipe: FetchRecipe, place: Path) -> None:
    """Read the dataset in a folder, and hold it against the expected counts.

    Pictures are left out. Raises DataError where counts that were seen before differ; where they
    are only said by others, the log ``mmbench.data`` is told.
    """
    wrong = [
        f"{found:,} {name} instead of {_range(least, most)}"
        for name, found in counts(recipe.id, place).items()
        if name in recipe.expected.counts
        for least, most in [recipe.expected.counts[name]]
        if not least <= found <= most
    ]
    if not wrong:
        return
    told = f"{recipe.id}: what was read is not what is expected: {', '.join(wrong)}"
    if recipe.expected.seen:
        raise DataError(f"{told}; nothing was kept but the downloads")
    logger.warning("%s (these figures are said by others, and were not seen by mmbench)", told)


def counts(identity: str, place: Path) -> dict[str, int]:
    """Users, items and events of the prepared log, without pictures; ``titles``, if it has any."""
    from mmbench.data import folder
    from mmbench.data.prepare import prepare
    from mmbench.data.published import held, published

    spec = published()[identity]
    kept = tuple(word for word in spec.info.recipe.require if word != "image")
    info = replace(spec.info, recipe=replace(spec.info.recipe, require=kept))
    spec_here = held(place, replace(spec, info=info, images=None))
    if spec_here is None:
        return {}
    log = prepare(folder.read(spec_here), spec_here.info)
    found = {"users": log.n_users, "items": log.n_items, "events": len(log.item)}
    if log.items.fields:
        titles = next(iter(log.items.fields.values()))
        found["titles"] = sum(bool(title) for title in titles[1:])
    return found


def _range(least: int, most: int) -> str:
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"
