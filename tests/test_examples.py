"""The notebooks in ``examples`` run as they stand, from the first cell to the last."""

import ast
import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "examples").glob("*.ipynb"))


def run(source: str, names: dict) -> object:
    """Run a cell; what its last line comes to, as a notebook shows it."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    if last is None:
        return None
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)


def test_there_is_a_notebook():
    assert [path.name for path in NOTEBOOKS] == ["stored_ranks.ipynb"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs_and_shows_what_it_tells(path, monkeypatch, tmp_path, capsys):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path))
    monkeypatch.chdir(path.parent)
    told = json.loads(path.read_text(encoding="utf-8"))
    sources = ["".join(c["source"]) for c in told["cells"] if c["cell_type"] == "code"]
    names: dict = {}
    shown = [run(source, names) for source in sources]
    table = next(one for one in shown if hasattr(one, "columns"))
    assert len(table) > 5 and table.notna().all().all()
    assert "difference +0." in capsys.readouterr().out
    figures = [matplotlib.pyplot.figure(number) for number in matplotlib.pyplot.get_fignums()]
    assert len(figures) == 2
    assert all(figure.axes[0].lines or figure.axes[0].containers for figure in figures)
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_kept_without_what_it_showed(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert not [c for c in cells if c.get("outputs") or c.get("execution_count")]
