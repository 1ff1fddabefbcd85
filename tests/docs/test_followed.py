"""The pages' commands do what the pages say, and the pages' tables are what is stored."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

DOCS = Path(__file__).parents[2] / "docs"
FOLLOWED = sorted(path for path in DOCS.rglob("*.md") if "```sh\n" in path.read_text("utf-8"))
QUICK = {"data.md", "model.md"}


def load(name):
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def follow(tmp_path, monkeypatch):
    """Follows a page in an empty folder, on an empty cache."""
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MMBENCH_DATA", raising=False)
    home = tmp_path / "home"
    home.mkdir()
    return lambda path: (load("follow").follow(path, home), home)


def test_a_page_that_has_commands_is_followed():
    names = {path.name for path in FOLLOWED}
    assert {"tutorial.md", "data.md", "model.md", "split.md", "tune.md", "publish.md"} <= names


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=() if path.name in QUICK else pytest.mark.slow, id=path.stem)
        for path in FOLLOWED
    ],
)
def test_a_page_can_be_followed(path, follow, capfd):
    code, home = follow(path)
    printed = capfd.readouterr()
    assert code == 0, printed.out + printed.err
    if path.stem == "tutorial":
        board = (home / "comics-bench" / "boards" / "loo@2" / "comics.md").read_text("utf-8")
        row = next(line for line in board.splitlines() if line.startswith("| pairs:Pairs"))
        _, figure, group = (cell.strip(" *") for cell in row.split("|")[1:4])
        assert float(figure.split("±")[1]) > 0  # an interval
        assert group == "a"  # a letter of its own
        assert "27 checks, 0 to mend" in printed.out


def test_following_stops_at_the_command_that_fails(follow, tmp_path, capfd):
    page = tmp_path / "page.md"
    page.write_text(
        "```console\n$ not typed\n```\n\n"
        "```{code-block} text\n:caption: deep/one.txt\n\nit's $HOME\n```\n\n"
        "```sh\ncat deep/one.txt\n# a remark\nfalse\necho after\n```\n"
    )
    code, home = follow(page)
    assert code == 1
    assert capfd.readouterr().out == "$ cat deep/one.txt\nit's $HOME\n$ false\n"
    assert (home / "deep" / "one.txt").read_text() == "it's $HOME\n"


@pytest.mark.slow
@pytest.mark.parametrize("script", ["worth.py", "tables.py"])
def test_figures_on_pages_are_what_is_stored(script):
    command = [sys.executable, DOCS / script, "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_public_name_that_no_page_tells_is_warned_of(monkeypatch):
    pytest.importorskip("sphinx")
    conf = load("conf")
    told = []
    monkeypatch.setattr(conf.logger, "warning", lambda text, *args: told.append(text % args))
    monkeypatch.setattr(conf, "PUBLIC", ("mmbench.hookspecs", "mmbench.vlm"))
    names = {"mmbench.vlm.Trie": ..., "mmbench.hookspecs.Recipe": ...}
    conf.demand_complete(None, SimpleNamespace(domaindata={"py": {"objects": names}}))
    assert "mmbench.vlm.Backbone is on no page of the API" in told
    assert "mmbench.hookspecs.ModelHooks is on no page of the API" in told
    assert not [text for text in told if "Trie" in text or "Recipe" in text]
