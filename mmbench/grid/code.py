"""Which code can move a model's numbers, and a digest of it: part of a cell's identity.

It is the plugin's package with its data files, the packages of plugins that it imports, and what
these reach of ``mmbench.toolkit`` and ``mmbench.vlm``. The rest of mmbench hands data over and
ranks, which fingerprints and protocols name; libraries are recorded by version beside the cell.
Imports are read, never run: what is imported by a name that is put together at run time is not
seen. Compiled extensions are left out, as their bytes differ between machines. Standard library
alone.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import metadata
from pathlib import Path

from mmbench.grid.syntax import Source, read_source

HOUSE = Path(__file__).parents[1]  # mmbench's own folder
TOOLKITS = ("mmbench.toolkit.", "mmbench.vlm.")
GROUPS = "mmbench."  # how the entry-point groups of plugins begin
OURS = "mmbench_"  # how packages of plugins are called, be it that they have no entry point
SITES = {"site-packages", "dist-packages"}  # where all that is installed stands side by side
IDLE_FOLDERS = {"__pycache__", "tests", "test"}
IDLE_SUFFIXES = {".pyc", ".pyo", ".pyi", ".so", ".pyd", ".dll", ".dylib"}
IDLE_NAMES = {"README", "CHANGELOG", "LICENSE", "LICENCE", "NOTICE", "AUTHORS", "PY.TYPED"}


def code_digest(value: str, distribution: str = "") -> str:
    """16 hex digits that change where the code of a plugin does, in a way that may move a number.

    Nothing is imported, and each call looks at the files as they are now.

    Args:
        value: the entry point's value, ``module:Class``.
        distribution: whose entry point it is.

    Raises OSError where a file cannot be read.
    """
    reach = _Reach()
    reach.go(value.partition(":")[0], distribution)
    lines = "".join(f"{name}\0{digest}\n" for name, digest in sorted(reach.digests.items()))
    return hashlib.sha256(f"{value}\n{lines}".encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class _Root:
    """What stands behind an import's first names: a package's folder, or a lone module's file.

    ``owner`` is the distribution that it is of, or an empty text.
    """

    name: str
    path: Path
    owner: str

    @property
    def home(self) -> Path:
        """The folder on the search path that it was found in."""
        return self.path.parents[self.name.count(".")]


class _Reach:
    """Goes from module to module; ``digests`` holds what was found, by name."""

    def __init__(self) -> None:
        self.digests: dict[str, str] = {}
        self.seen: set[str] = set()  # plugins' packages, and names of mmbench, that were entered
        self.modules: set[str] = set()  # of the toolkits, that were read
        self.foreign: set[tuple[str, str]] = set()  # importer and first name, where no plugin's

    def go(self, module: str, distribution: str) -> None:
        """Take in all that is reached from a plugin's module."""
        first = _find(module, distribution)
        roots = [first] if first else []
        while roots:
            root = roots.pop()
            if root.name in self.seen:
                continue
            self.seen.add(root.name)
            for name, source in _read(root):
                self.digests[name] = source.digest
                for dotted in sorted(source.imports):
                    if dotted in self.seen or f"{dotted}.".startswith(f"{root.name}."):
                        continue
                    if dotted.startswith("mmbench."):
                        self._enter_house(dotted)
                    elif other := self._plugin(dotted, root):
                        roots.append(other)

    def _plugin(self, dotted: str, root: _Root) -> _Root | None:
        """The package of a plugin, or another one of the importer's own, that a name is in."""
        top = dotted.partition(".")[0]
        if top in sys.stdlib_module_names or (root.name, top) in self.foreign:
            return None
        for module, distribution in self._owners.get(top, ()):
            found = _find(dotted, "")
            if found and f"{module}.".startswith(f"{found.name}."):
                return replace(found, owner=distribution.name)
        if top.startswith(OURS):
            return _find(dotted, "")
        listed = _listed(root.owner)
        beside = any((root.home / name).exists() for name in (f"{top}.py", top))
        if top in listed or (beside and not listed and root.home.name not in SITES):
            return _find(dotted, root.owner)
        self.foreign.add((root.name, top))
        return None

    @cached_property
    def _owners(self) -> dict[str, list[tuple[str, metadata.Distribution]]]:
        """First name to the modules of entry points below it, each with its distribution."""
        owners = defaultdict(list)
        for distribution in metadata.distributions():
            for point in distribution.entry_points:
                if point.group.startswith(GROUPS):
                    top = point.module.partition(".")[0]
                    owners[top].append((point.module, distribution))
        return owners

    def _enter_house(self, dotted: str) -> None:
        """Take in what a name of mmbench reaches of the toolkits."""
        todo = {dotted}
        while todo:
            self.seen.add(dotted := todo.pop())
            for name, file in _house_modules(dotted):
                if name in self.modules or not f"{name}.".startswith(TOOLKITS):
                    continue
                self.modules.add(name)
                package = name if file.name == "__init__.py" else name.rpartition(".")[0]
                source = read_source(file.read_bytes(), package)
                todo |= {d for d in source.imports - self.seen if d.startswith("mmbench.")}
                if not _hands_on(file, source):
                    self.digests[name] = source.digest
                if file.name == "__init__.py":
                    self.digests |= {f"{name}/{d.name}": _sha256(d) for d in _data(file.parent)}


def _find(dotted: str, owner: str) -> _Root | None:
    """The first regular package, or the lone module, on the way along a dotted name."""
    first, *rest = dotted.split(".")
    try:
        spec = importlib.util.find_spec(first)
    except (ImportError, ValueError, AttributeError):
        return None
    if spec is None:
        return None
    if spec.origin and spec.has_location:
        file = Path(spec.origin)
        path = file.parent if file.name == "__init__.py" else file
        return _Root(first, path, owner) if path.exists() else None
    for folder in map(Path, spec.submodule_search_locations or ()):
        for depth, part in enumerate(rest):
            folder, name = folder / part, ".".join([first, *rest[: depth + 1]])
            if (folder / "__init__.py").exists():
                return _Root(name, folder, owner)
            if (file := folder.with_name(f"{part}.py")).exists():
                return _Root(name, file, owner)
    return None


def _listed(distribution: str) -> set[str]:
    """The import names that a distribution's list of files tells; an editable one's tells none."""
    try:
        files = metadata.files(distribution) if distribution else None
    except metadata.PackageNotFoundError:
        files = None
    return {file.parts[0].removesuffix(".py") for file in files or () if file.suffix == ".py"}


def _read(root: _Root) -> Iterator[tuple[str, Source]]:
    """The files of a package that may move a number, by their names in it."""
    if root.path.is_file():
        package = root.name.rpartition(".")[0]
        yield f"{root.name}.py", read_source(root.path.read_bytes(), package)
        return
    for place, folders, files in os.walk(root.path):
        folders[:] = sorted(n for n in folders if n not in IDLE_FOLDERS and n[0] != ".")
        inside = Path(place).relative_to(root.path)
        package = ".".join([root.name, *inside.parts])
        for file in (Path(place, name) for name in sorted(files) if not _idle(name)):
            name = f"{root.name}/{(inside / file.name).as_posix()}"
            if file.suffix == ".py":
                yield name, read_source(file.read_bytes(), package)
            else:
                yield name, Source(_sha256(file))


def _idle(name: str) -> bool:
    """Whether a file of this name can move no number."""
    path = Path(name)
    told = {name.upper(), path.stem.upper()}
    return name[0] == "." or path.suffix in IDLE_SUFFIXES or bool(told & IDLE_NAMES)


def _data(folder: Path) -> Iterable[Path]:
    files = (path for path in folder.iterdir() if path.is_file())
    return [path for path in files if path.suffix != ".py" and not _idle(path.name)]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _house_modules(dotted: str) -> Iterator[tuple[str, Path]]:
    """The modules of mmbench that importing a name runs, with their files, the name's home last."""
    folder, name = HOUSE, "mmbench"
    for part in dotted.split(".")[1:]:
        package, module = folder / part / "__init__.py", folder / f"{part}.py"
        if package.exists():
            folder, name = folder / part, f"{name}.{part}"
            yield name, package
        elif module.exists():
            yield f"{name}.{part}", module
            return
        else:
            table = folder / "__init__.py"
            source = read_source(table.read_bytes(), name)
            if _hands_on(table, source):
                for home in sorted(source.promised):
                    if part in ("*", home.rpartition(".")[2]) and home != f"{name}.{part}":
                        yield from _house_modules(home)
            return


def _hands_on(file: Path, source: Source) -> bool:
    """Whether a package's own file is a table of names that are loaded from elsewhere when used.

    The names are spelt for type checkers; what is behind them counts, the table does not.
    """
    return file.name == "__init__.py" and bool(source.promised)
