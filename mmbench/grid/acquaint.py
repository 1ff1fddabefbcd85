"""What installed models tell about themselves: asked once, in processes of their own, and kept.

What is kept holds as long as the plugin's code, its files and mmbench stay what they are.
"""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from mmbench import __version__
from mmbench.data.places import cache_home
from mmbench.files import slug, temporary_folder, write_atomically
from mmbench.grid.about import About
from mmbench.grid.code import code_digest
from mmbench.grid.family import Limits
from mmbench.grid.host import Host, PluginFailure
from mmbench.grid.launch import launch
from mmbench.grid.registry import Plugin, UsageError
from mmbench.grid.replies import ReplyError, read_about

SECONDS = 120.0
ABREAST = 2  # processes
Told = About | str  # or why it could not be asked


def acquaint(
    plugins: Sequence[Plugin], say: Callable[[str], None] = lambda text: None
) -> dict[Plugin, Told]:
    """What each plugin's class tells about itself, or why it could not be asked.

    Plugins of one distribution are asked in one process, unless one of them ends it. ``say`` is
    told of those that have to be asked.
    """
    keys = {plugin: _key(plugin) for plugin in plugins}
    found: dict[Plugin, Told] = {
        plugin: kept for plugin in plugins if (kept := recall(plugin, keys[plugin])) is not None
    }
    left = [plugin for plugin in plugins if plugin not in found]
    if left:
        say(f"asking {len(left)} model{'s' * (len(left) > 1)}; answers are kept")
        groups = [
            list(group) for _, group in itertools.groupby(_sorted(left), lambda p: p.distribution)
        ]
        with ThreadPoolExecutor(ABREAST) as pool:
            for told in pool.map(_ask, groups):
                found |= told
        for plugin in left:
            about = found[plugin]
            if isinstance(about, About) and keys[plugin]:
                _keep(plugin, keys[plugin], about)
    return {plugin: found[plugin] for plugin in plugins}


def recall(plugin: Plugin, key: str | None = None) -> About | None:
    """What is kept of a plugin under a key, or under any; None where nothing is. No import."""
    try:
        stored = json.loads(_file(plugin).read_text("utf-8"))
        if key is not None and stored["key"] != key:
            return None
        return read_about({"about": stored["about"]})
    except (OSError, ValueError, KeyError, TypeError, ReplyError):
        return None  # nothing is kept, or not by this mmbench: it is asked again


def _sorted(plugins: Iterable[Plugin]) -> list[Plugin]:
    return sorted(plugins, key=lambda plugin: (plugin.distribution, plugin.value))


def _ask(plugins: Sequence[Plugin]) -> Mapping[Plugin, Told]:
    """Ask plugins one after the other, in a process that stays as long as none ends it."""
    found: dict[Plugin, Told] = {}
    with temporary_folder() as folder:
        host: Host | None = None
        try:
            for number, plugin in enumerate(plugins):
                if host is None:
                    place = folder / str(number)
                    place.mkdir()
                    host = launch(place, limits=Limits(seconds=SECONDS))
                try:
                    found[plugin] = host.introduce(plugin)
                except (PluginFailure, UsageError) as error:
                    found[plugin] = str(error)
                    host.close()
                    host = None
        finally:
            if host is not None:
                host.close()
    return found


def _key(plugin: Plugin) -> str:
    """A text that changes where the answer may; empty where the code cannot be found."""
    try:
        code = code_digest(plugin.value, plugin.distribution)
        files = sorted(_files(plugin.value))
    except OSError:
        return ""
    stats = [(str(path), path.stat().st_mtime_ns) for path in files]
    told = json.dumps([__version__, asdict(plugin), code, stats, _own()])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _files(value: str) -> list[Path]:
    """The Python files beside a plugin's module: the digest of code leaves docstrings out."""
    top = value.partition(":")[0].partition(".")[0]
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.origin:
        return []
    origin = Path(spec.origin)
    return list(origin.parent.rglob("*.py")) if origin.name == "__init__.py" else [origin]


def _own() -> list[int]:
    """When the modules changed that read a class."""
    names = ("about", "introspect", "docstrings")
    return [Path(__file__).with_name(f"{name}.py").stat().st_mtime_ns for name in names]


def _file(plugin: Plugin) -> Path:
    name = slug(f"{plugin.distribution}-{plugin.name}")
    return cache_home() / "digests" / "about" / f"{name}.json"


def _keep(plugin: Plugin, key: str, about: About) -> None:
    path = _file(plugin)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps({"key": key, "about": asdict(about)}).encode())
