"""A folder as a dataset: its spec, its files, its events."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.data.digests import contents, digest_of
from mmbench.data.log import DataError
from mmbench.data.spec import FILE_NAME, FolderSpec, parse, read_toml
from mmbench.hookspecs import RawDataset

if TYPE_CHECKING:
    import pandas as pd

Say = Callable[[str], None]

logger = logging.getLogger("mmbench.data")


@cache
def known() -> Mapping[str, FolderSpec]:
    """The datasets that mmbench knows, by id; their ``root`` is a mere name."""
    folder = resources.files("mmbench.data") / "known"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    specs = (parse(file.read_text("utf-8"), Path(file.name[:-5]), file.name) for file in files)
    return {spec.info.id: spec for spec in specs}


def described(folder: Path) -> FolderSpec | None:
    """What the folder's ``dataset.toml`` or its known name says; ``None`` where neither does."""
    if folder.is_file():
        raise DataError(f"{folder} is a file; give the folder that it is in")
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    if (folder / FILE_NAME).is_file():
        return read_toml(folder / FILE_NAME)
    spec = known().get(folder.absolute().name)
    if spec is not None and (folder / spec.interactions.file).is_file():
        return replace(spec, root=folder)
    return None


def spec_of(folder: Path) -> FolderSpec:
    """How to read a folder: what describes it, or a guess.

    Raises DataError, also where a guess would have to leave out a damaged zip.
    """
    spec = described(folder)
    if spec is not None:
        return spec
    from mmbench.data.guess import guess
    from mmbench.data.images import list_files

    try:
        for packed in sorted(folder.glob("*.zip")):
            list_files(packed)
        return guess(folder)
    except DataError as error:
        like = known().get(folder.absolute().name)
        raise DataError(f"{error}. {expected(like)}" if like else str(error)) from error


def demand_files(spec: FolderSpec) -> None:
    """Raise DataError where a file or folder that the spec names is absent."""
    if not spec.root.is_dir():
        raise DataError(f"{spec.root}: no such folder; {spec.info.id} should be there")
    for name in spec.files():
        if not (spec.root / name).exists():
            raise DataError(f"{spec.root / name}: no such file; {expected(spec)}")


def stamp(spec: FolderSpec, memory: Path) -> dict[str, Any]:
    """Identity of the source files: where they are and what they hold.

    ``memory`` as in ``digests.contents``. Raises DataError where one is absent.
    """
    demand_files(spec)
    files = {name: digest_of(contents(spec.root / name, memory)) for name in spec.files()}
    parts = (spec.interactions, spec.items, spec.images)
    return {"root": str(spec.root.absolute()), "files": files, "spec": repr(parts)}


def expected(spec: FolderSpec) -> str:
    """What the dataset's folder should hold, for messages."""
    return f"{spec.info.id} needs the files {', '.join(spec.files())}"


def read(spec: FolderSpec, say: Say = logger.warning) -> RawDataset:
    """Everything in the folder's files, nothing dropped that ``say`` is not told of.

    ``say`` takes a sentence: what was left out, and ids that are spelled in several ways. Raises
    DataError.
    """
    import pandas as pd

    from mmbench.data import formats, rows
    from mmbench.data.ids import agree, alike

    path = spec.root / spec.interactions.file
    if spec.interactions.format == "rows":
        return RawDataset(*rows.read_rows(path))
    events = formats.read_events(path, spec.interactions, say)
    for column in ("user", "item"):
        events[column], notes = alike(events[column])
        _tell(say, path, notes)
    items = pd.DataFrame({"item": pd.Series([], dtype=object)})
    if spec.items is not None:
        place = spec.root / spec.items.file
        items = formats.read_items(place, spec.items, say)
        agreed = agree(set(events["item"]), items["item"].tolist(), place.name)
        items["item"] = items["item"].map(lambda one: agreed.renamed.get(one, one))
        _tell(say, path, agreed.notes)
    if spec.images is None:
        return RawDataset(events, items)
    root, pictures = _pictures(spec, events["item"], say)
    return RawDataset(events, items, root, pictures)


def _tell(say: Say, path: Path, notes: Iterable[str]) -> None:
    for note in notes:
        say(f"{path.name}: {note}")


def _pictures(spec: FolderSpec, items: pd.Series, say: Say) -> tuple[Path, dict[str, str]]:
    """The folder or zip of pictures, and item id to the name of its picture in it."""
    from mmbench.data import images
    from mmbench.data.ids import agree

    assert spec.images is not None
    root = spec.root / spec.images.path
    names = list(images.list_files(root))
    found = images.pair(names, spec.images.pattern)
    agreed = agree(set(items), list(found), root.name)
    _tell(say, root, agreed.notes)
    found = {agreed.renamed.get(one, one): name for one, name in found.items()}
    if not set(found) & set(items):
        raise DataError(
            f"{root}: none of its {len(names):,} pictures fits an item with the pattern "
            f"{spec.images.pattern!r} (pictures: {', '.join(names[:3]) or 'none'}; items: "
            f"{', '.join(items.iloc[:3])}); mend `pattern` under [images]"
        )
    return root, found
