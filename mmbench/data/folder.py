"""A folder as a dataset: its spec, its files, its events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from mmbench.data.digests import contents, digest_of
from mmbench.data.log import DataError
from mmbench.data.spec import FILE_NAME, FolderSpec, parse, read_toml
from mmbench.hookspecs import RawDataset


@cache
def known() -> Mapping[str, FolderSpec]:
    """The datasets that mmbench knows, by id; their ``root`` is a mere name."""
    folder = resources.files("mmbench.data") / "known"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    specs = (parse(file.read_text("utf-8"), Path(file.name[:-5]), file.name) for file in files)
    return {spec.info.id: spec for spec in specs}


def described(folder: Path) -> FolderSpec | None:
    """What the folder's ``dataset.toml`` or its known name says; ``None`` where neither does."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    if (folder / FILE_NAME).is_file():
        return read_toml(folder / FILE_NAME)
    spec = known().get(folder.absolute().name)
    if spec is not None and (folder / spec.interactions.file).is_file():
        return replace(spec, root=folder)
    return None


def spec_of(folder: Path) -> FolderSpec:
    """How to read a folder: what describes it, or a guess. Raises DataError."""
    spec = described(folder)
    if spec is not None:
        return spec
    from mmbench.data.guess import guess

    try:
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


def read(spec: FolderSpec) -> RawDataset:
    """Everything in the folder's files, nothing dropped. Raises DataError."""
    import pandas as pd

    from mmbench.data import formats, images, rows

    path = spec.root / spec.interactions.file
    if spec.interactions.format == "rows":
        return RawDataset(*rows.read_rows(path))
    events = formats.read_events(path, spec.interactions)
    items = pd.DataFrame({"item": pd.Series([], dtype=object)})
    if spec.items is not None:
        items = formats.read_items(spec.root / spec.items.file, spec.items)
    if spec.images is None:
        return RawDataset(events, items)
    root = spec.root / spec.images.path
    names = list(images.list_files(root))
    found = images.pair(names, spec.images.pattern)
    if not set(found) & set(events["item"]):
        raise DataError(
            f"{root}: none of its {len(names):,} pictures fits an item with the pattern "
            f"{spec.images.pattern!r} (pictures: {', '.join(names[:3]) or 'none'}; items: "
            f"{', '.join(events['item'].iloc[:3])}); mend `pattern` under [images]"
        )
    return RawDataset(events, items, root, found)
