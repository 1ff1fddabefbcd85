"""Datasets that installed packages bring: listed by metadata, imported only when chosen."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from mmbench.data.log import DataError
from mmbench.hooks import check_hooks, open_manager
from mmbench.hookspecs import DATASET_GROUP, DatasetHooks, DatasetInfo, RawDataset


def names() -> dict[str, list[EntryPoint]]:
    """Dataset id to its entry points, one for each package that has the name."""
    found: dict[str, dict[str, EntryPoint]] = {}
    for point in entry_points(group=DATASET_GROUP):
        found.setdefault(point.name, {}).setdefault(package(point), point)
    return {name: list(points.values()) for name, points in sorted(found.items())}


def package(point: EntryPoint) -> str:
    """The distribution that an entry point is of, with its version."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


def open_plugin(name: str, points: list[EntryPoint]) -> Plugin:
    """The plugin of a name. Raises DataError where two packages claim it, or as Plugin does."""
    if len(points) > 1:
        claims = " and ".join(package(point) for point in points)
        raise DataError(f"dataset {name!r} is claimed by {claims}; uninstall one of them")
    return Plugin(name, package(points[0]), points[0].load)


class Plugin:
    """One dataset plugin, imported and checked.

    Raises DataError where the import fails or the class breaks the contract.
    """

    def __init__(self, name: str, package: str, load: Callable[[], Any]) -> None:
        self.package = package
        try:
            self._kind = load()
            check_hooks(self._kind, DatasetHooks, "its class", needed=("read",))
            self._manager = open_manager(self._kind, DatasetHooks, name)
            info = self._kind.info
        except Exception as error:  # a plugin may raise anything
            raise DataError(
                f"dataset {name!r} of {self.package} cannot be used: "
                f"{type(error).__name__}: {error}"
            ) from error
        if not isinstance(info, DatasetInfo) or info.id != name:
            raise DataError(
                f"dataset {name!r} of {self.package}: its `info` must be a DatasetInfo with that id"
            )
        self.info: DatasetInfo = info

    def stamp(self) -> Mapping[str, Any]:
        """Identity of the source: what ``fetch`` brings is checksummed, so the code tells all."""
        digest = hashlib.sha256()
        for path in _code(self._kind):
            digest.update(path.read_bytes())
        return {"package": self.package, "code": digest.hexdigest()}

    def fetch(self, cache: Path, progress: Callable[..., None]) -> None:
        """Bring the source into ``cache``, where the dataset has a ``fetch``."""
        cache.mkdir(parents=True, exist_ok=True)
        self._manager.hook.fetch(cache=cache, progress=progress)

    def read(self, cache: Path, progress: Callable[..., None]) -> RawDataset:
        """Fetch what lacks, then read. Raises DataError where ``read`` returns something else."""
        self.fetch(cache, progress)
        return self.read_fetched(cache)

    def read_fetched(self, cache: Path) -> RawDataset:
        """Read what is there. Raises DataError where ``read`` returns something else."""
        raw = self._manager.hook.read(cache=cache)
        if not isinstance(raw, RawDataset):
            raise DataError(
                f"dataset {self.info.id!r} of {self.package}: read() must return a RawDataset, "
                f"not {type(raw).__name__}"
            )
        return raw


def _code(kind: type) -> list[Path]:
    """What a class is made of: its module, or all of the package's folder, bundled tables too."""
    module = inspect.getmodule(kind)
    file = getattr(module, "__file__", None)
    if module is None or file is None:
        return []
    if not module.__package__:
        return [Path(file)]
    inside = Path(file).parent.rglob("*")
    return sorted(path for path in inside if path.is_file() and path.suffix != ".pyc")
