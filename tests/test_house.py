"""Walls of the house: who imports whom, what is light, what is said of the code."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mmbench

ROOT = Path(mmbench.__file__).parent
# cli -> report, grid, check -> results -> protocol, data -> hookspecs -> views
GROUND = {"problems", "files", "hooks", "hookspecs", "products", "views"}
MAY_IMPORT = {
    "problems": set(),
    "files": set(),
    "views": set(),
    "products": {"views"},
    "hookspecs": {"views"},
    "hooks": {"hookspecs", "problems"},
    "data": {"data", *GROUND},
    "protocol": {"protocol", "data", *GROUND},
    "audit": {"audit", *GROUND},
    "results": {"results", "protocol", "data", *GROUND},
    "grid": {"grid", "results", "audit", "protocol", "data", "toolkit", *GROUND},
    "cluster": {"cluster", "grid", "results", "protocol", "data", *GROUND},
    "report": {"report", "results", "audit", "protocol", "data", *GROUND},
    "check": {"check", "grid", "results", "protocol", "data", *GROUND},
    "toolkit": {"toolkit", "files", "hookspecs", "views"},
    "vlm": {"vlm", "toolkit", "files", "views"},
    "testing": {"check", "grid", "data", "views"},
    "tune": {"tune", "grid", "results", "protocol", "data", "files", "problems"},
    "scaffold": {"grid", "hookspecs", "problems"},
    "doctor": {"grid", "data", "toolkit", "files", "hookspecs", "problems"},
    "cli": {
        *(
            "cli",
            "api",
            "running",
            "recommending",
            "cluster",
            "doctor",
            "scaffold",
            "check",
            "tune",
            "vet",
            "report",
            "grid",
            "results",
            "audit",
        ),
        *("protocol", "data", "files", "problems"),
    },
    "running": {"cluster", "grid", "data"},
    "recommending": {
        *("api", "running", "report", "grid", "results", "protocol", "data", "files", "problems"),
    },
    "vet": {"api", "running", "report", "grid", "results", "protocol", "audit", "problems"},
    "api": {"running", "report", "grid", "results", "data", "problems"},
    "__init__": {"api", "toolkit", "hookspecs", "products", "views"},
}


def imports(path: Path) -> set[str]:
    """The parts of mmbench that a file imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if node.module == "mmbench":
                found |= {alias.name for alias in node.names}
            elif node.module.startswith("mmbench."):
                found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {name.name.split(".")[1] for name in node.names if "mmbench." in name.name}
    return found - set(mmbench.__all__)


def sources() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path):
    part = path.relative_to(ROOT).parts[0].removesuffix(".py")
    assert imports(path) <= MAY_IMPORT[part]


def test_the_wall_would_be_seen_if_it_fell(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text(
        "def f():\n    from mmbench.results.store import claim\n    import mmbench.cli\n"
    )
    assert imports(bad) == {"results", "cli"}


def plugin_sources() -> list[Path]:
    return sorted((ROOT.parent / "plugins").glob("*/mmbench_*/**/*.py"))


@pytest.mark.parametrize("path", plugin_sources(), ids=lambda path: path.name)
def test_plugins_use_public_names_only(path):
    assert imports(path) <= {"toolkit", "vlm"}


def table_roads(code: str) -> set[str]:
    """What of pyarrow and pandas a module reads or writes tables with."""
    roads = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            roads |= {name.name for name in node.names if name.name.startswith("pyarrow.")}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pyarrow"):
            roads.add(str(node.module))
        elif isinstance(node, ast.Attribute) and (
            node.attr == "to_pandas" or ast.unparse(node).startswith(("pd.read_", "pandas.read_"))
        ):
            roads.add(node.attr)
    return roads


def test_one_module_reads_and_writes_tables():
    """Other roads through pyarrow start threads that outlive the call."""
    found = {
        path.name
        for path in [*sources(), *plugin_sources()]
        if table_roads(path.read_text(encoding="utf-8"))
    }
    assert found == {"tables.py"}
    assert table_roads("import pandas as pd; pd.read_parquet(p)") == {"read_parquet"}


def loaded_by(code: str) -> set[str]:
    code += "; import sys; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_importing_mmbench_loads_nothing_heavy():
    heavy = {"torch", "transformers", "pandas", "pyarrow", "scipy", "numpy", "rich"}
    assert not loaded_by("import mmbench") & heavy
    assert not loaded_by("import mmbench; mmbench.hookimpl, mmbench.Run") & (heavy - {"numpy"})


def test_help_starts_without_anything_heavy():
    heavy = {"torch", "pandas", "numpy", "pyarrow", "rich", "pydantic"}
    code = "import mmbench.cli as c\ntry: c.app(['--help'])\nexcept SystemExit: pass\nNone"
    assert not loaded_by(code) & heavy


@pytest.mark.parametrize(
    "words", [["ls", "models", "--names"], ["ls", "data"], ["audit", "absent.csv"]]
)
def test_lists_start_without_what_reads_tables(words):
    heavy = {"torch", "pandas", "pyarrow", "scipy", "mmbench.grid.plan"}
    code = f"import mmbench.cli as c\ntry: c.app({words})\nexcept SystemExit: pass\nNone"
    assert not loaded_by(code) & heavy


def test_help_loads_little_beside_its_library():
    """Seconds depend on the machine: ``benchmarks/start.py`` has them beside the library's."""
    code = "import mmbench.cli as c\ntry: c.app(['--help'])\nexcept SystemExit: pass\nNone"
    own = loaded_by(code) - loaded_by("import typer, typer.completion")
    assert len(own) < 60


def test_every_public_name_is_there():
    for name in mmbench.__all__:
        assert getattr(mmbench, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        mmbench.Nothing  # noqa: B018
