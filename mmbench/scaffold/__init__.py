"""``mmbench new``: a complete package for a model, a dataset or an observer, from templates.

A template is a file below ``templates/common`` or ``templates/<kind>``, and for a model below
``templates/kinds/<sort>`` too, whose name ends in ``.in``; its text is a ``string.Template``. In
its path ``__module__`` stands for the module's name and a leading ``dot_`` for a dot.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from string import Template
from typing import Literal

from mmbench import __version__
from mmbench.grid.registry import list_plugins
from mmbench.hookspecs import DATASET_GROUP, MODEL_GROUP, OBSERVER_GROUP
from mmbench.problems import UserError

Kind = Literal["model", "dataset", "observer"]
GROUPS: dict[Kind, str] = {
    "model": MODEL_GROUP,
    "dataset": DATASET_GROUP,
    "observer": OBSERVER_GROUP,
}
LAST_WORDS: dict[Kind, str] = {"model": "Model", "dataset": "Data", "observer": "Observer"}
NAME = re.compile(r"[a-z](?:[a-z0-9_-]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Sort:
    """What distinguishes the samples of models from each other.

    Attributes:
        about: what it does, a sentence for the README.
        dependencies: beside mmbench, or ``mmbench[...]`` instead of it.
        setting, preset: one of each, for the README.
    """

    about: str
    dependencies: tuple[str, ...]
    setting: str
    preset: str


SORTS: dict[str, Sort] = {
    "counts": Sort(
        "what followed a user's last items, backed off to what is popular.",
        ("numpy", "scipy"),
        *("decay=0.7", "last"),
    ),
    "torch": Sort(
        "a recurrent network over the history, trained with the whole catalogue's softmax.",
        ("numpy", "torch>=2.6"),
        *("dim=128", "tiny"),
    ),
    "embedding": Sort(
        "item vectors from what followed what, and inner products with a history's.",
        ("numpy", "scipy"),
        *("dim=128", "last"),
    ),
    "reranker": Sort(
        "a few items are retrieved by what followed what, and ranked by their titles too.",
        ("numpy", "scipy"),
        *("k=50", "wide"),
    ),
    "vlm": Sort(
        "a vision-language model puts histories and items into words, and compares those.",
        ("mmbench[vlm]", "numpy", "torch>=2.6"),
        *("max_history=5", "tiny"),
    ),
}


class ScaffoldError(UserError):
    """A package cannot be written; the message says how to mend it."""


@dataclass(frozen=True, slots=True)
class Names:
    """What a package and its parts are called.

    Attributes:
        plugin: the entry point, as users type it: ``fast-taste``.
        package: the distribution and its folder: ``mmbench-fast-taste``.
        module: what Python imports: ``mmbench_fast_taste``.
        words: the start of class names: ``FastTaste``.
    """

    plugin: str
    package: str
    module: str
    words: str


def make_names(plugin: str, kind: Kind) -> Names:
    """The names that follow from a plugin's. Raises ScaffoldError where it can be no name."""
    if not NAME.fullmatch(plugin):
        near = re.sub(r"[^a-z0-9_]+", "-", plugin.lower()).strip("-_").lstrip("0123456789-_")
        hint = f" Perhaps {near.removeprefix('mmbench-')}?" if near else ""
        raise ScaffoldError(
            f"{plugin!r} cannot be a {kind}'s name: use small letters, digits, '-' and '_', a "
            f"letter first, a letter or digit last.{hint}"
        )
    if re.match(r"mmbench[-_]", plugin):
        raise ScaffoldError(
            f"leave out 'mmbench-': the package of {plugin[8:]!r} gets it by itself"
        )
    parts = [part for part in re.split(r"[-_]+", plugin) if part]
    words = "".join(part.capitalize() for part in parts).removesuffix(LAST_WORDS[kind])
    slug = "-".join(parts)
    return Names(plugin, f"mmbench-{slug}", f"mmbench_{slug.replace('-', '_')}", words)


def clashes(names: Names, kind: Kind) -> list[str]:
    """What is installed under the same name, one sentence each."""
    return [
        f"{plugin.distribution} {plugin.version} already brings a {kind} {plugin.name!r}; "
        + (
            f"beside it, yours is {names.package}/{plugin.name}"
            if kind == "model"
            else "two packages with one name cannot be used side by side"
        )
        for plugin in list_plugins(GROUPS[kind])
        if plugin.name == names.plugin
    ]


def make_package(
    kind: Kind, plugin: str, parent: Path, sort: str = "counts"
) -> tuple[Path, list[str]]:
    """Write the package ``parent/mmbench-<plugin>``, whole or not at all.

    ``sort``: which sample of a model, of ``SORTS``.

    Returns:
        Its folder, and the names of its files.

    Raises:
        ScaffoldError: for a name that can be none, a sort that there is not, a folder that is
            there, a parent that is not.
    """
    if sort not in SORTS:
        raise ScaffoldError(f"--kind is one of {', '.join(SORTS)}, not {sort}")
    names = make_names(plugin, kind)
    folder = parent / names.package
    if not parent.is_dir():
        raise ScaffoldError(f"{parent}: no such folder; make it first, or choose another --dir")
    if folder.exists():
        raise ScaffoldError(f"{folder} is there already; move it away or choose another name")
    scratch = parent / f".{names.package}.part"
    shutil.rmtree(scratch, ignore_errors=True)
    files = render(kind, names, sort)
    try:
        for path, text in files.items():
            file = scratch / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
        scratch.rename(folder)
    except OSError as error:
        shutil.rmtree(scratch, ignore_errors=True)
        raise ScaffoldError(f"{folder} cannot be written: {error.strerror or error}") from error
    return folder, sorted(files)


def next_commands(kind: Kind, names: Names, folder: Path) -> list[str]:
    """What to type once the package is there."""
    commands = [
        f"cd {shlex.quote(str(folder))}",
        'python -m pip install --editable ".[test]"',
        "python -m pytest",
    ]
    if kind == "dataset":
        return [*commands, f"mmbench data describe {names.plugin}"]
    if kind == "observer":
        return [*commands, f"mmbench run --models pop --data demo --observer {names.plugin}"]
    return [
        *commands,
        f"mmbench check {names.plugin}",
        f"mmbench run --models {names.plugin} --data demo",
        "mmbench leaderboard results",
    ]


def render(kind: Kind, names: Names, sort: str = "counts") -> dict[str, str]:
    """The package's files: path to text."""
    values = {
        "name": names.plugin,
        "package": names.package,
        "module": names.module,
        "words": names.words,
        "class_name": names.words + LAST_WORDS[kind],
        "version": __version__,
    }
    root = resources.files("mmbench.scaffold") / "templates"
    folders = [root / "common", root / kind]
    if kind == "model":
        values |= _sample_values(SORTS[sort])
        folders.append(root / "kinds" / sort)
    return {
        _place(path, names.module): Template(source.read_text("utf-8")).substitute(values)
        for folder in folders
        for path, source in _templates(folder, PurePosixPath())
    }


def _sample_values(sample: Sort) -> dict[str, str]:
    others = [one for one in sample.dependencies if not one.startswith("mmbench")]
    own = next((one for one in sample.dependencies if one.startswith("mmbench")), "mmbench")
    dependencies = [f"{own}>={__version__}", *others]
    return {
        "about": sample.about,
        "dependencies": ", ".join(f'"{one}"' for one in dependencies),
        "setting": sample.setting,
        "preset": sample.preset,
    }


def _templates(
    folder: Traversable, path: PurePosixPath
) -> Iterator[tuple[PurePosixPath, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _templates(entry, path / entry.name)
        elif entry.name.endswith(".in"):
            yield path / entry.name, entry


def _place(path: PurePosixPath, module: str) -> str:
    parts = [re.sub(r"^dot_", ".", part).replace("__module__", module) for part in path.parts]
    return "/".join(parts).removesuffix(".in")
