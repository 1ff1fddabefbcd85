"""Models that no package declares yet: ``module:Class`` on the path, ``./file.py:Class``.

They run like any other. Their distribution is called ``not packaged``, and their rows say so. The
digest of their code covers the file, and the modules beside it that it imports.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from pathlib import Path

from mmbench.grid.registry import (
    ModelRef,
    Plugin,
    UsageError,
    find_plugin,
    list_plugins,
    parse_ref,
)
from mmbench.problems import did_you_mean
from mmbench.results import UNPACKAGED

_FILE = re.compile(r"(?P<file>[^\[\]]+\.py):(?P<rest>\w+.*)")

_CLASSLESS = re.compile(r"[^\[\]]+\.py:?")


def locate(text: str) -> ModelRef:
    """What a text means as a model: an installed one, ``module:Class`` or ``file.py:Class``.

    ``package/name`` chooses between packages that declare one name. Of a model that is not
    installed, the folder of its file, or the folder here, joins the search path of this process and
    of those that it starts, behind all else.

    Raises UsageError: no such file or module, a module that Python would take from elsewhere, or a
    text that names no model.
    """
    match = _FILE.fullmatch(text.strip())
    if match:
        return _in_file(Path(match["file"]).expanduser(), match["rest"])
    if _CLASSLESS.fullmatch(text.strip()):
        raise UsageError(f"{text!r} names no class; say which, as in {text.strip(': ')}:MyModel")
    ref = parse_ref(text)
    plugins = list_plugins()
    names = {plugin.name for plugin in plugins}
    if ref.name in names:
        return ref
    if ref.family is not None:
        return _in_module(ref)
    first, _, rest = (ref.variant or "").partition("/")
    owned = {plugin.name for plugin in plugins if plugin.distribution == ref.name}
    if first not in owned:
        return ref  # find_model says that there is no such model
    clash = sum(plugin.name == first for plugin in plugins) > 1
    return ModelRef(first, None, rest or None, ref.overrides, ref.name if clash else "")


def find_model(ref: ModelRef) -> Plugin:
    """The plugin that a reference names. Raises UsageError as ``find_plugin`` does."""
    _, colon, name = ref.name.partition(":")
    if colon:
        return Plugin(name, ref.name, UNPACKAGED, "0")
    return find_plugin(ref.name, package=ref.package)


def unpackaged(ref: ModelRef) -> bool:
    """Whether no package declares a model."""
    return ":" in ref.name


def file_of(ref: ModelRef) -> str | None:
    """The file of a model that no package declares; None of another, or where there is none."""
    return _origin(ref.name.partition(":")[0]) if unpackaged(ref) else None


def _in_file(file: Path, rest: str) -> ModelRef:
    if not file.is_file():
        raise UsageError(f"there is no file {file}")
    module, folder = file.stem, str(file.absolute().parent)
    if not module.isidentifier():
        raise UsageError(
            f"{file}: its name cannot be a module's; use letters, digits and _, as in "
            f"{re.sub(r'[^0-9a-zA-Z_]', '_', module)}.py"
        )
    _join_path(folder)
    found = _origin(module)
    if found is None or Path(found).resolve() != file.resolve():
        raise UsageError(
            f"{file}: a module {module!r} is imported from {found or 'Python itself'}, which comes "
            "first; give the file another name"
        )
    ref = parse_ref(f"{module}:{rest}")
    return ModelRef(f"{module}:{ref.family}", None, ref.variant, ref.overrides)


def _in_module(ref: ModelRef) -> ModelRef:
    if _origin(ref.name) is None:
        _join_path(os.getcwd())
    if _origin(ref.name) is None:
        hint = did_you_mean(ref.name, sorted({plugin.name for plugin in list_plugins()}))
        raise UsageError(f"no model and no module is called {ref.name!r}.{hint}")
    return ModelRef(f"{ref.name}:{ref.family}", None, ref.variant, ref.overrides)


def _origin(module: str) -> str | None:
    """The file that a module would be loaded from; None where there is none."""
    importlib.invalidate_caches()
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return None
    return spec.origin if spec is not None else None


def _join_path(folder: str) -> None:
    """Put a folder at the end of this process's search path, and of those that it will start.

    They get the whole path: what ``PYTHONPATH`` names comes before Python's own library, and a file
    ``random.py`` beside the model must not be taken for that.
    """
    if folder not in [os.path.abspath(entry) for entry in sys.path]:
        sys.path.append(folder)
    os.environ["PYTHONPATH"] = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
