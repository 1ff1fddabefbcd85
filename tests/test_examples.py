"""The notebooks in ``examples`` run as they stand, from the first cell to the last."""

import ast
import json
import re
import tomllib
from pathlib import Path

import pytest

from mmbench.data.checks import CHECKS, examine

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


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


def install(bench, name, group, **names):
    """Put an example's package on the search path, as pip would."""
    (path,) = (EXAMPLES / name).glob("*.py")
    declared = tomllib.loads((EXAMPLES / name / "pyproject.toml").read_text("utf-8"))["project"]
    assert declared["entry-points"] == {
        group: {key: f"{path.stem}:{value}" for key, value in names.items()}
    }
    (bench.folder / "site").mkdir(exist_ok=True)
    bench.add(path.stem, path.read_text("utf-8"), group, **names)


def test_the_page_of_examples_names_them_all():
    told = set(re.findall(r"\]\((\w[^)]*?)/?\)", (EXAMPLES / "README.md").read_text("utf-8")))
    there = {
        path.name
        for path in EXAMPLES.iterdir()
        if path.suffix in (".py", ".ipynb") or (path / "pyproject.toml").exists()
    }
    assert told == there


def test_the_model_is_the_tutorial_s():
    page = (EXAMPLES.parent / "docs" / "tutorial.md").read_text("utf-8")
    assert f":caption: pairs.py\n\n{(EXAMPLES / 'pairs.py').read_text('utf-8')}```" in page


def test_the_dataset_and_the_observer_are_used_in_a_run(bench):
    install(bench, "comics", "mmbench.datasets", comics="Comics")
    install(bench, "minutes", "mmbench.observers", minutes="Minutes")
    card = bench.run("data", "describe", "comics", "--json").json
    assert card["id"] == "comics"
    model = f"{EXAMPLES / 'pairs.py'}:Pairs"
    done = bench.run("run", "-m", f"{model},counts", "-d", "comics", "--observer", "minutes")
    assert done.code == 0, done.err
    assert re.search(r"0\.\d min  pairs:Pairs \(unpublished\)", done.out + done.err)
    rows = bench.rows()
    figures = {name: row["metrics"]["unseen"]["ndcg@10"] for name, row in rows.items()}
    assert figures["pairs:Pairs (unpublished)"] > figures["counts"]


def test_the_dataset_keeps_the_contract(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES / "comics")
    from mmbench_comics import Comics

    examined = examine(Comics, tmp_path)
    for check in CHECKS:
        check(examined)


@pytest.mark.slow
def test_the_model_on_a_vision_language_model_runs(bench):
    pytest.importorskip("transformers")
    model = f"{EXAMPLES / 'one_word.py'}:OneWord"
    model += "[epochs=1]"
    done = bench.run("run", "-m", model, "-d", "demo", "--preset", "tiny", "--limit", "40")
    assert done.code == 0, done.out + done.err
    ((label, row),) = bench.rows().items()
    assert label.startswith("one_word:OneWord/tiny[") and row["status"]["kind"] == "done"
