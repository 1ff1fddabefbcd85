"""What a shell completes: models, variants, settings, data, presets and protocols.

Nothing here imports a plugin: variants and settings are those that ``mmbench ls models`` has kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

SIZES = ("auto", "paper", "small", "tiny")
LISTED = ("models", "data", "protocols", "observers")


def listed(incomplete: str) -> list[str]:
    """What ``mmbench ls`` lists."""
    return _starting(incomplete, LISTED)


def kinds(incomplete: str) -> list[str]:
    """The samples of ``mmbench new model``."""
    from mmbench.scaffold import SORTS

    return _starting(incomplete, SORTS)


def presets(incomplete: str) -> list[str]:
    """The sizes that ``--preset`` takes."""
    return _starting(incomplete, SIZES)


def devices(incomplete: str) -> list[str]:
    """The words that ``--device`` takes, and the GPUs that are here."""
    from mmbench.grid.environment import cuda_gpus

    numbered = (f"cuda:{number}" for number in range(len(cuda_gpus())))
    return _starting(incomplete, ("auto", "cpu", "cuda", *numbered))


def observers(incomplete: str) -> list[str]:
    """The installed observers."""
    from mmbench.grid.registry import list_observers

    return _starting(incomplete, (plugin.name for plugin in list_observers()))


def spaces(incomplete: str) -> list[str]:
    """The search spaces that come with mmbench."""
    from mmbench.tune.space import shipped

    return _starting(incomplete, (space.name for space in shipped()))


def protocols(incomplete: str) -> list[str]:
    """The named protocols."""
    from mmbench.protocol import PROTOCOLS

    return _starting(incomplete, PROTOCOLS)


def models(incomplete: str) -> list[str]:
    """The last of a list of models: a name, a variant after a slash, settings in brackets."""
    before, last = _last(incomplete)
    name, bracket, inside = last.partition("[")
    if bracket:
        given, _, word = inside.rpartition(",")
        head = f"{before}{name}[{given}," if given else f"{before}{name}["
        return _starting(word, (f"{key}=" for key in _settings(name)), head)
    if "/" in last:
        plain = last.partition("/")[0]
        return _starting(last, (f"{plain}/{one}" for one in _variants(plain)), before)
    from mmbench.grid.registry import list_plugins

    return _starting(last, (plugin.name for plugin in list_plugins()), before)


def settings(incomplete: str) -> list[str]:
    """``MODEL.KEY=`` for ``--set``."""
    name, dot, key = incomplete.partition(".")
    if not dot:
        return [f"{one}." for one in models(name)]
    return _starting(key, (f"{one}=" for one in _settings(name)), f"{name}.")


def data(incomplete: str) -> list[str]:
    """The last of a list of datasets, also after a plus: ids and aliases."""
    from mmbench.data.find import list_datasets

    before, last = _last(incomplete)
    head, plus, last = last.rpartition("+")
    words = (word for row in list_datasets() for word in (row.id, *row.aliases))
    return _starting(last, words, f"{before}{head}{plus}")


def _starting(incomplete: str, words: Iterable[str], head: str = "") -> list[str]:
    return [head + word for word in dict.fromkeys(words) if word.startswith(incomplete)]


def _last(text: str) -> tuple[str, str]:
    """What stands before the last of a list, and that last one; commas in brackets are its own."""
    depth, cut = 0, 0
    for place, letter in enumerate(text):
        depth += {"[": 1, "]": -1}.get(letter, 0)
        if letter == "," and not depth:
            cut = place + 1
    return text[:cut], text[cut:]


def _settings(name: str) -> Iterator[str]:
    from mmbench.grid.acquaint import recall
    from mmbench.grid.registry import list_plugins

    plain = name.partition("/")[0].partition(":")[0]
    for plugin in list_plugins():
        if plugin.name == plain and (about := recall(plugin)) is not None:
            yield from (setting.name for setting in about.settings)


def _variants(name: str) -> Iterator[str]:
    from mmbench.grid.acquaint import recall
    from mmbench.grid.registry import list_plugins

    for plugin in list_plugins():
        if plugin.name == name and (about := recall(plugin)) is not None:
            yield from (preset.name for preset in about.presets if preset.name != "paper")
