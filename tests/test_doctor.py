"""``mmbench doctor``: broken plugins are named with a reason, and no private path is told."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from mmbench import doctor
from mmbench.grid.environment import cuda_gpus

ROOT = Path(__file__).parents[1]
PYTHON = sys.executable

BROKEN = {
    "crash": "raise RuntimeError('no good')",
    "leaves": "import sys; sys.exit(3)",
    "dies": "import os; os._exit(7)",
    "paperless": "import shelf\nclass Model(shelf.Noise): presets = {'tiny': shelf.NoiseConfig()}",
    "misspelt": (
        "import shelf\nfrom mmbench import hookimpl\n"
        "class Model(shelf.Noise):\n    @hookimpl\n    def embed_item(self): ..."
    ),
    "asks": (
        "import shelf\nfrom mmbench import hookimpl\n"
        "class Model(shelf.Noise):\n    @hookimpl\n    def score(self, query): ..."
    ),
    "unmarked": "import shelf\nclass Model(shelf.Noise):\n    def fit(self, train): ...",
    "wants": "import nothing_of_that_name",
}


def add(bench, module: str, source: str, group: str = "mmbench.models") -> None:
    """A package with one plugin, both called like its module."""
    (bench.folder / "site" / f"{module}.py").write_text(source)
    bench.install(module, f"broken-{module}", **{module: f"{module}:Model"})
    points = bench.folder / "site" / f"{module}-1.0.dist-info" / "entry_points.txt"
    points.write_text(points.read_text().replace("mmbench.models", group))


def examine(bench, *words: str):
    """``mmbench doctor`` without the plugins of this checkout, each of which takes seconds."""
    away = [f"mmbench-{folder.name}" for folder in (ROOT / "plugins").iterdir()]
    code = (
        "from mmbench import doctor\nfrom mmbench.cli import main\nevery = doctor.list_plugins\n"
        f"away = {away}\n"
        "doctor.list_plugins = lambda group: ["
        "one for one in every(group) if one.distribution not in away]\nmain()"
    )
    python, *_ = bench.command()
    bench.command = lambda *words: [python, "-c", code, *words]
    return bench.run("doctor", *words)


def by_name(outcome) -> dict:
    return {plugin["name"]: plugin for plugin in outcome.json["plugins"]}


FAMILY = (
    "import shelf\n"
    "from dataclasses import dataclass\n"
    "@dataclass(frozen=True)\n"
    "class C: member: str = ''\n"
    "class Model(shelf.Noise):\n"
    "    Config, presets, family = C, {'paper': C()}, 'member'\n"
)


def test_every_broken_plugin_is_told_apart(bench):
    for module, source in BROKEN.items():
        add(bench, module, source)
    add(bench, "clan", FAMILY)
    watcher = (
        "from mmbench import hookimpl\nclass Model:\n    info = None\n"
        "    {mark}\n    def {hook}(self, {asks}): ...\n"
    )
    badset = watcher.format(mark="@hookimpl", hook="read", asks="cache")
    add(bench, "badset", badset, "mmbench.datasets")
    dies = watcher.format(mark="@hookimpl", hook="cell_started", asks="cell")
    dies += "    def __init__(self): 1 / 0"
    add(bench, "badwatcher", dies, "mmbench.observers")
    good = watcher.format(mark="@hookimpl", hook="cell_started", asks="cell")
    add(bench, "goodwatcher", good, "mmbench.observers")
    for name, source in {
        "watchasks": watcher.format(mark="@hookimpl", hook="cell_started", asks="sell"),
        "watchmiss": watcher.format(mark="@hookimpl", hook="cell_start", asks="cell"),
        "watchmark": watcher.format(mark="", hook="cell_started", asks="cell"),
        "watchdeaf": "class Model: pass",
        "watchdies": "import os; os._exit(7)",
        "watchleaves": "import sys; print('so'); sys.exit(3)",
    }.items():
        add(bench, name, source, "mmbench.observers")
    for name, source in {
        "readless": "class Model: info = None",
        "readasks": watcher.format(mark="@hookimpl", hook="read", asks="folder"),
        "readmark": watcher.format(mark="", hook="read", asks="cache"),
    }.items():
        add(bench, name, source, "mmbench.datasets")
    bench.install("other", "mmbench-other", noise="shelf:Noise")
    done = examine(bench, "--json")
    assert done.code == 1
    found = by_name(done)
    for good in ("counts", "demo", "clan", "goodwatcher"):
        assert found[good]["problem"] == ""
    assert found["crash"]["problem"] == "RuntimeError: no good (crash.py, line 1)"
    assert "SystemExit: 3" in found["leaves"]["problem"]
    assert "exit code 7" in found["dies"]["problem"]
    for name, said in {
        "paperless": "has no 'paper'",
        "misspelt": "misspelt:Model (broken-misspelt 1.0): there is no hook 'embed_item'. Did you",
        "asks": "no argument 'query'; it may name queries, candidates, excluded. Did you mean quer",
        "unmarked": "unmarked:Model (broken-unmarked 1.0): mark fit with @mmbench.hookimpl",
        "watchasks": "cell_started takes no argument 'sell'; it may name cell. Did you mean cell?",
        "watchmiss": "there is no hook 'cell_start'. Did you mean cell_started",
        "watchmark": "watchmark:Model: mark cell_started with @mmbench.hookimpl",
        "watchdeaf": "has no hook; there are prepare, run_started, cell_stored",
        "watchdies": "the process ended with exit code 7",
        "watchleaves": "SystemExit: 3",
        "readless": "has no hook read",
        "readasks": "read takes no argument 'folder'; it may name cache",
        "readmark": "mark read with @mmbench.hookimpl",
    }.items():
        assert said in found[name]["problem"]
    assert "No module named 'nothing_of_that_name'" in found["wants"]["problem"]
    assert "`info` must be a DatasetInfo" in found["badset"]["problem"]
    assert found["badwatcher"]["problem"] == "ZeroDivisionError: division by zero"
    assert (found["badset"]["kind"], found["badset"]["package"]) == ("dataset", "broken-badset")
    twice = [plugin for plugin in done.json["plugins"] if plugin["name"] == "noise"]
    assert {plugin["package"] for plugin in twice} == {"mmbench-shelf", "mmbench-other"}
    assert all("declares this name too" in plugin["problem"] for plugin in twice)
    broken = [plugin for plugin in done.json["plugins"] if plugin["problem"]]
    assert done.json["broken"] == len(broken) >= len(BROKEN) + 4


def test_the_screen_says_what_to_mend(bench):
    add(bench, "crash", BROKEN["crash"])
    done = examine(bench)
    assert done.code == 1
    line = next(line for line in done.out.splitlines() if line.startswith("crash"))
    assert line.split(maxsplit=4)[-1].strip() == "RuntimeError: no good (crash.py, line 1)"
    assert "shop" in done.out
    assert re.search(r"\d+ plugins? do(es)? not load", done.out)


@pytest.fixture
def at_home(monkeypatch, tmp_path):
    """A home whose name is not in the way of anything, with things kept in it."""
    home = tmp_path / "yossarian"
    (home / "cache").mkdir(parents=True)
    (home / "cache" / "big").write_bytes(b"x" * 2_600_000)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("MMBENCH_CACHE", str(home / "cache"))
    monkeypatch.setenv("MMBENCH_DATA", f"{home}/data:/mnt/yossarian/data:{home}-not/data")
    monkeypatch.setattr(doctor, "_plugins", lambda: [dict.fromkeys(("problem",), f"in {home}: x")])
    monkeypatch.setattr(sys, "executable", f"{home}/venv/bin/python")
    return home


def shown(report) -> str:
    console = Console(record=True, width=400, file=io.StringIO())
    console.print(doctor.render(report))
    return console.export_text()


def test_a_machine_with_gpus_is_described(at_home, tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho '0, GPU-aa1, Small'\necho '1, GPU-bb2, Big, with a comma'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(doctor, "_plugins", list)
    cuda_gpus.cache_clear()
    try:
        report = json.loads(json.dumps(doctor.examine()))
    finally:
        cuda_gpus.cache_clear()
    assert report["machine"]["gpus"] == ["Small", "Big, with a comma"]
    assert "GPU: Small, Big, with a comma\n" in shown(report)


def test_no_private_path_is_told(at_home):
    report = doctor.examine()
    text = json.dumps(report)
    assert f"{at_home}/" not in text
    assert "/yossarian/" not in text
    assert report["python"]["executable"] == "~/venv/bin/python"
    assert report["plugins"] == [{"problem": "in ~: x"}]
    assert report["variables"]["MMBENCH_DATA"].startswith("~/data:/mnt/<user>/data:")
    assert [place["path"] for place in report["places"]][:2] == ["~/cache", "~/data"]


def test_places_have_sizes_and_can_be_written_or_not(at_home, monkeypatch):
    cache, data, *_ = doctor.examine()["places"]
    assert (cache["what"], cache["exists"], cache["megabytes"], cache["writable"]) == (
        *("cache", True, 3, True),
    )
    assert (data["exists"], data["megabytes"], data["writable"]) == (False, 0, True)
    assert cache["disk_free_gb"] > 0
    monkeypatch.setenv("MMBENCH_CACHE", "/dev/null/mmbench")
    assert not doctor.examine()["places"][0]["writable"]


def test_versions_are_told(at_home):
    import numpy

    report = doctor.examine()
    assert report["libraries"]["numpy"] == numpy.__version__
    assert report["python"]["version"] == ".".join(map(str, sys.version_info[:3]))
    assert report["machine"]["memory_gb"] > report["machine"]["memory_free_gb"] > 0


def test_what_is_not_as_tested_is_told(at_home, monkeypatch):
    lines = (ROOT / "constraints.txt").read_text("utf-8").split()
    tested = dict(line.split("==") for line in lines)
    here = {name: tested[name] for name in ("numpy", "torch", "typer")}
    monkeypatch.setattr(doctor, "_versions", lambda: here)
    monkeypatch.setattr(doctor, "_plugins", list)
    here["torch"] += "+cpu"  # a build of the same version
    report = doctor.examine()
    assert report["untested"] == []
    assert "all in the versions that were tested together" in shown(report)
    here["numpy"] = "1.0"
    report = doctor.examine()
    assert report["untested"] == [{"name": "numpy", "installed": "1.0", "tested": tested["numpy"]}]
    assert f"not as tested: numpy 1.0 (tested {tested['numpy']})" in shown(report)


@pytest.mark.slow
def test_every_plugin_of_this_checkout_loads(bench):
    done = bench.run("doctor", "--json")
    assert done.code == 0
    assert done.json["broken"] == 0
    assert {"sasrec", "sasrec-ce", "markov", "vlm2rec", "pixrec"} <= by_name(done).keys()


def test_a_data_folder_that_cannot_be_read_is_told(at_home, monkeypatch):
    def refuse():
        raise PermissionError(13, "Permission denied", f"{at_home}/data")

    monkeypatch.setattr(doctor, "list_datasets", refuse)
    (row,) = doctor.examine()["datasets"]
    assert (row["where"], row["status"]) == ("~/data", "Permission denied")


def test_libraries_without_bytecode_are_told_with_the_cure(at_home, monkeypatch, tmp_path):
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(site)
    for name in ("raw", "ready"):
        info = site / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "RECORD").write_text(f"{name}/__init__.py,,\n{name}/deep/__init__.py,,\n")
        (site / name).mkdir()
        (site / name / "__init__.py").touch()
    monkeypatch.setattr(doctor, "_versions", lambda: {"raw": "1.0", "ready": "1.0"})
    monkeypatch.setattr(doctor, "_untested", list)
    monkeypatch.setattr(doctor, "_plugins", list)
    command = [PYTHON, "-m", "compileall", "-q"]
    subprocess.run([*command, str(site / "ready")], check=True)
    report = doctor.examine()
    assert report["uncompiled"] == [{"name": "raw", "folder": str(site)}]
    (line,) = (line for line in shown(report).splitlines() if "without bytecode" in line)
    cure = line.partition("mend it with: ")[2].split()
    assert cure == ["python", *command[1:], str(site)]
    subprocess.run([PYTHON, *cure[1:]], check=True)
    assert doctor.examine()["uncompiled"] == []
