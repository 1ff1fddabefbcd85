"""Which plugins are installed: read from package metadata, without importing any of them."""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import itertools
import re
import traceback
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distributions, entry_points, requires
from pathlib import Path
from typing import Any

from mmbench import __version__
from mmbench.grid.docstrings import first_sentence
from mmbench.hooks import ContractError
from mmbench.hookspecs import DATASET_GROUP, MODEL_GROUP, OBSERVER_GROUP
from mmbench.problems import UserError, did_you_mean
from mmbench.results import UNPACKAGED


class UsageError(UserError):
    """The user asked for something that cannot be; the message says how to mend it."""


GROUPS = (MODEL_GROUP, DATASET_GROUP, OBSERVER_GROUP)


@dataclass(frozen=True, slots=True)
class Plugin:
    """An entry point and the distribution that declares it."""

    name: str
    value: str
    distribution: str
    version: str
    group: str = MODEL_GROUP

    def load(self) -> Any:
        """Import the plugin's module and return what the entry point names.

        Raises ContractError where there is no such module or nothing of that name in it, and what
        the module raises, with its line as a note.
        """
        module, _, name = self.value.partition(":")
        try:
            found: Any = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module}.".startswith(f"{error.name}."):
                _note_line(error, module)
                if error.name:
                    error.add_note(
                        f"Install what provides {error.name!r} beside mmbench, or mend the import."
                    )
                raise  # the module is there, and lacks another one
            raise ContractError(f"there is no module {error.name!r}{self._named()}") from error
        except (Exception, SystemExit) as error:
            _note_line(error, module)
            raise
        for part in name.split("."):
            if not hasattr(found, part):
                classes = [key for key, one in vars(found).items() if isinstance(one, type)]
                hint = did_you_mean(part, [key for key in classes if not key.startswith("_")])
                raise ContractError(f"{module} has no {name!r}{self._named()}{hint}")
            found = getattr(found, part)
        return found

    def _named(self) -> str:
        """Who says what to load, and how that is changed; the end of a sentence."""
        if self.distribution == UNPACKAGED:
            return "."
        return (
            f", which the entry point {self.name!r} of {self.distribution} names. Write "
            f'{self.name} = "module:Class" below [project.entry-points."{self.group}"] in its '
            "pyproject.toml, and install it again."
        )


def _note_line(error: BaseException, module: str) -> None:
    """Note the innermost line of a module's own package at which its import failed."""
    if isinstance(error, SyntaxError):
        return  # it names its line
    package = module.partition(".")[0]
    places = [(Path(one.filename), one.lineno) for one in traceback.extract_tb(error.__traceback__)]
    own = [(file, line) for file, line in places if package in (file.stem, *file.parts)]
    if own:
        error.add_note(f"({own[-1][0].name}, line {own[-1][1]})")


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model as it is asked for: ``name[:family][/variant][/size][[key=value,...]]``.

    ``package`` is told where several declare the name. A class that none declares has the name
    ``module:Class``, see ``mmbench.grid.unpackaged``.
    """

    name: str
    family: str | None = None
    variant: str | None = None
    overrides: tuple[tuple[str, str], ...] = ()
    package: str = ""

    @property
    def model(self) -> str:
        """Name with family, as in ``recbole:NeuMF``."""
        return f"{self.name}:{self.family}" if self.family else self.name


def list_plugins(group: str = MODEL_GROUP) -> list[Plugin]:
    """All entry points of a group, sorted by name and distribution; clashing names all appear."""
    found = {
        Plugin(
            entry.name,
            entry.value,
            entry.dist.name if entry.dist else "unknown",
            entry.dist.version if entry.dist else "0",
            group,
        )
        for entry in entry_points(group=group)
    }
    return sorted(found, key=lambda plugin: (plugin.name, plugin.distribution))


def list_observers() -> list[Plugin]:
    """All observers, as ``list_plugins``."""
    return list_plugins(OBSERVER_GROUP)


def find_observer(name: str) -> Plugin:
    """The observer of that name, as ``find_plugin``."""
    return find_plugin(name, OBSERVER_GROUP)


def find_plugin(name: str, group: str = MODEL_GROUP, package: str = "") -> Plugin:
    """The one plugin of that name. Raises UsageError: unknown (did you mean), or a clash.

    ``package`` chooses among several that declare the name.
    """
    plugins = list_plugins(group)
    found = [one for one in plugins if one.name == name and package in ("", one.distribution)]
    if len(found) == 1:
        return found[0]
    kind = group.rpartition(".")[2].removesuffix("s")
    if not found:
        known = sorted({plugin.name for plugin in plugins})
        strayed = "".join(f" {line}." for line in misdeclared(name))
        raise UsageError(f"no {kind} is called {name!r}.{strayed}{did_you_mean(name, known)}")
    owners = " and ".join(f"{plugin.distribution} ({plugin.value})" for plugin in found)
    cure = "Uninstall one of the packages, or ask its authors to rename the entry point."
    if group == MODEL_GROUP:
        cure = f"Write {' or '.join(f'{plugin.distribution}/{name}' for plugin in found)}."
    raise UsageError(f"the {kind} {name!r} is declared by {owners}. {cure}")


def misdeclared(name: str | None = None) -> list[str]:
    """What packages declare under a group that is almost one of mmbench's: a sentence each.

    Of one entry point, or of all.
    """
    return sorted(
        f"{dist.name} declares {entry.name!r} in the entry-point group {entry.group!r}, which is "
        f"none; the group is {near[0]!r}"
        for dist in distributions()
        for entry in dist.entry_points
        if entry.group not in GROUPS and name in (None, entry.name)
        if (near := difflib.get_close_matches(entry.group, GROUPS, n=1, cutoff=0.8))
    )


def outdated(plugin: Plugin) -> str:
    """Why a plugin's package does not go with this mmbench, as it says itself, or an empty text."""
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(line) for line in requires(plugin.distribution) or ()]
    except PackageNotFoundError:
        return ""
    for one in wanted:
        applies = one.name == "mmbench" and (one.marker is None or one.marker.evaluate())
        if applies and not one.specifier.contains(__version__, prereleases=True):
            return (
                f"{plugin.distribution} {plugin.version} wants {one}, and this is mmbench "
                f"{__version__}: install another version of either"
            )
    return ""


def summary_of(plugin: Plugin) -> str:
    """The first sentence of the docstring of a plugin's class, read from its file; often empty.

    Nothing is imported.
    """
    module, _, name = plugin.value.partition(":")
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return ""
    if spec is None or not spec.origin:
        return ""
    place = Path(spec.origin).parent.joinpath(*rest)
    beside = (place / "__init__.py", place.with_name(f"{place.name}.py"))
    file = next(filter(Path.is_file, beside), None) if rest else Path(spec.origin)
    try:
        tree = ast.parse(file.read_bytes()) if file else ast.Module([], [])
    except (OSError, SyntaxError, ValueError):
        return ""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return first_sentence(ast.get_docstring(node))
    return ""


_REF = re.compile(
    r"(?P<name>[\w.\-]+)(:(?P<family>[\w.\-]+))?(/(?P<variant>[\w.\-]+(/[\w.\-]+)?))?(\[(?P<set>.*)\])?"
)


def parse_ref(text: str) -> ModelRef:
    """Parse ``recbole:NeuMF``, ``vlm2rec/sft-ext``, ``sasrec[dim=32,layers=1]``.

    A setting may name another model with settings of its own: ``a[init=b[dim=8]]``.
    """
    match = _REF.fullmatch(text.strip())
    if match is None or not _balanced(match["set"] or ""):
        raise UsageError(
            f"{text!r} is not a model. Write name, name/variant, family:Name or "
            "name[key=value,key=value]."
        )
    overrides = tuple(parse_setting(part) for part in split_list(match["set"] or ""))
    return ModelRef(match["name"], match["family"], match["variant"], overrides)


def parse_setting(text: str) -> tuple[str, str]:
    """Split ``key=value``."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UsageError(f"{text!r} is not a setting. Write key=value.")
    return key.strip(), value.strip()


def split_list(text: str, mark: str = ",") -> list[str]:
    """Split at commas, or another mark, outside of brackets and braces; empty parts vanish."""
    return [part for part in _split(text, mark) if part]


def _split(text: str, mark: str) -> list[str]:
    """As ``split_list``, with the empty parts."""
    parts, depth = [""], 0
    for letter in text:
        depth += {"[": 1, "]": -1, "{": 1, "}": -1}.get(letter, 0)
        if letter == mark and depth <= 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def spread(text: str) -> list[str]:
    """The models of a text whose settings name alternatives, as ``a[x=1|2,y=3|4]``: here four.

    ``|`` stands between values, also in brackets within: ``a[init=b[dim=8|16]]``. A value may be
    empty: ``a[init=|b]`` starts from nothing, and from ``b``. The last setting varies fastest.
    """
    head, bracket, inside = text.strip().partition("[")
    if not bracket or not text.strip().endswith("]"):
        return [text]
    choices = [_alternatives(part) for part in split_list(inside[:-1])]
    return [f"{head}[{','.join(point)}]" for point in itertools.product(*choices)]


def _alternatives(setting: str) -> list[str]:
    """``key=value`` for each value."""
    key, equals, values = setting.partition("=")
    found = [one for value in _split(values, "|") for one in spread(value)]
    return [f"{key}{equals}{value}" for value in found]


def _balanced(text: str) -> bool:
    """Whether each bracket that closes was opened before, and each that opens is closed."""
    depth = 0
    for letter in text:
        depth += {"[": 1, "]": -1}.get(letter, 0)
        if depth < 0:
            return False
    return depth == 0
