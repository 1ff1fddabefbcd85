"""What of Python's search path a walled process may read: packages, never the folders they lie in.

An entry of ``sys.path`` may be the root of a checkout (that is what an editable install adds), with
data, results and caches beside the code, or a folder in which somebody keeps a module and all else.
So of such an entry only this is readable: folders with an ``__init__``, modules, and the metadata
of distributions. Folders called ``site-packages`` or ``dist-packages`` are readable whole, with
what links in them lead to.

Python finds nothing in a folder that it cannot list. So each such entry gets a finder that knows
what is there, and behind it a folder of links to the same packages, for interpreters that the
process starts.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from types import ModuleType

WHOLE = ("site-packages", "dist-packages")
METADATA = (".dist-info", ".egg-info")
SUFFIXES = tuple(importlib.machinery.all_suffixes())


class Finder:
    """Finds the packages and modules of one entry of the search path."""

    def __init__(self, files: dict[str, str]) -> None:
        """``files``: what ``list_packages`` found there."""
        code = [file for file in files if not file.endswith(METADATA)]
        code.sort(key=lambda file: not file.endswith(SUFFIXES))  # a package wins over a module
        self.places = {file.partition(".")[0]: files[file] for file in code}

    def find_spec(self, name: str, target: ModuleType | None = None) -> ModuleSpec | None:
        """What is to be loaded under a name, if it is here."""
        place = self.places.get(name.rpartition(".")[2])
        if place is None:
            return None
        if not os.path.isdir(place):
            return importlib.util.spec_from_file_location(name, place)
        initial = find_init(place)
        if not initial:
            return None
        return importlib.util.spec_from_file_location(
            name, initial, submodule_search_locations=[place]
        )


def narrow(links: str, is_readable: Callable[[str], bool]) -> list[str]:
    """Make the search path one of packages; returns what must be readable for it.

    Args:
        links: an empty folder.
        is_readable: whether a path is so anyway, as Python's own are.
    """
    path: list[str] = []
    beside: list[str] = []
    readable = list(_editable())
    for number, entry in enumerate(sys.path):
        real = os.path.realpath(entry or os.getcwd())
        path.append(entry)
        if os.path.basename(real) in WHOLE:
            readable += [real, *_links(real)]
        elif os.path.isdir(real) and not is_readable(real):
            found = list_packages(real)
            sys.path_importer_cache[entry or os.getcwd()] = Finder(found)
            path.append(_link(os.path.join(links, str(number)), found))
            beside.append(path[-1])
            readable += found.values()
        else:  # a zip, or nothing
            readable.append(real)
    sys.path[:] = path
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join([*beside, *filter(None, given)])
    return readable


def list_packages(folder: str) -> dict[str, str]:
    """The packages, modules and metadata in a folder: file name to real path."""
    found = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                wanted = entry.name.endswith(METADATA) or bool(find_init(entry.path))
            else:
                wanted = entry.name.endswith(SUFFIXES)
            if wanted:
                found[entry.name] = os.path.realpath(entry.path)
    return found


def find_init(folder: str) -> str:
    """The file that makes a folder a package, or an empty text."""
    files = (os.path.join(folder, f"__init__{suffix}") for suffix in SUFFIXES)
    return next(filter(os.path.isfile, files), "")


def _link(folder: str, found: dict[str, str]) -> str:
    os.mkdir(folder)
    for file, place in found.items():
        os.symlink(place, os.path.join(folder, file))
    return folder


def _links(folder: str) -> Iterator[str]:
    """Where the links in a folder lead to: some tools install a checkout's package so."""
    with os.scandir(folder) as entries:
        yield from (os.path.realpath(entry.path) for entry in entries if entry.is_symlink())


def _editable() -> Iterator[str]:
    """The packages that the finders of editable installs know by their place (setuptools' do)."""
    for name, module in list(sys.modules.items()):
        mapping = getattr(module, "MAPPING", None)
        if name.startswith("__editable__") and isinstance(mapping, dict):
            for place in map(str, mapping.values()):
                yield from (place, *(place + suffix for suffix in SUFFIXES))
