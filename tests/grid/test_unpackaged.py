"""A class before it is packaged runs by module:Class and by file; a package chooses a name."""

import os
import sys

import pytest

from mmbench.grid import registry, unpackaged
from mmbench.grid.registry import ModelRef, Plugin, UsageError, misdeclared
from mmbench.grid.unpackaged import find_model, locate
from mmbench.hooks import ContractError

SOURCE = """
from helper_of_mine import STRENGTH
import shelf


class Mine(shelf.Noise):
    presets = {"paper": shelf.NoiseConfig(), "wide": shelf.NoiseConfig(k=7)}

    def __init__(self, config):
        self.config, self.strength = config, STRENGTH


class Away:
    pass
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to stand in; the search path is put back afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_s_class_runs_and_its_row_says_that_it_is_unpublished(bench):
    place = bench.folder / "own"
    place.mkdir()
    (place / "mine.py").write_text(SOURCE)
    (place / "helper_of_mine.py").write_text("STRENGTH = 1\n")
    (place / "random.py").write_text("raise RuntimeError('this is not the library')\n")
    words = ("run", "-m", "own/mine.py:Mine,own/mine.py:Mine/wide,noise", "-d", "shop")
    done = bench.run(*words, "--set", "mine:Mine/wide.k=3")
    assert done.code == 0, done.out + done.err
    rows = bench.rows()
    assert set(rows) == {
        "mine:Mine (unpublished)",
        "mine:Mine/wide[k=3] (unpublished)",
        "noise",
    }
    cell = rows["mine:Mine (unpublished)"]["cell"]
    assert (cell["distribution"], cell["model"]) == ("not packaged", "mine:Mine")
    assert rows["mine:Mine (unpublished)"]["wall"] == rows["noise"]["wall"]
    assert "mine:Mine (unpublished)" in done.out
    assert "a class in a file, which no package and version names" in " ".join(done.out.split())
    assert rows["mine:Mine (unpublished)"]["environment"]["dirty"]
    refused = bench.run("leaderboard", "results", "-o", "boards", "--published")
    assert refused.code == 2
    assert "mine:Mine (unpublished) on shop" in refused.err
    checked = bench.run("check", "own/mine.py:Mine", "--only", "init_only_stores")
    assert checked.code == 1
    assert "__init__ sets strength" in checked.out
    again = bench.run(*words, "--set", "mine:Mine/wide.k=3", "--dry-run", "--json").json
    assert [row["state"] for row in again] == ["done"] * 3
    (place / "helper_of_mine.py").write_text("STRENGTH = 2\n")  # not the file itself
    edited = bench.run(*words, "--set", "mine:Mine/wide.k=3", "--dry-run", "--json").json
    assert [row["state"] for row in edited] == ["new", "new", "done"]


def test_a_module_here_is_found_last_of_all(here):
    (here / "mine_here.py").write_text("")
    assert locate("mine_here:Mine/wide[k=1]") == ModelRef(
        "mine_here:Mine", None, "wide", (("k", "1"),)
    )
    assert sys.path[-1] == str(here)
    assert os.environ["PYTHONPATH"].split(os.pathsep)[-1] == str(here)
    assert find_model(locate("mine_here:Mine")) == Plugin(
        "Mine", "mine_here:Mine", "not packaged", "0"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("./absent.py:Mine", "there is no file absent.py"),
        ("./two-words.py:Mine", "as in two_words.py"),
        ("./mine.py", "'./mine.py' names no class; say which, as in ./mine.py:MyModel"),
        ("./mine.py:", "say which, as in ./mine.py:MyModel"),
        ("./json.py:Mine", "which comes first; give the file another name"),
        ("no_such_module:Mine", "no model and no module is called 'no_such_module'"),
    ],
)
def test_what_cannot_be_found_is_told(here, text, told):
    for name in ("two-words", "json"):
        (here / f"{name}.py").write_text("")
    with pytest.raises(UsageError) as error:
        locate(text)
    assert told in str(error.value)


def test_a_package_chooses_where_two_declare_a_name(monkeypatch):
    plugins = [
        Plugin("pop", "a:P", "first-pack", "1"),
        Plugin("pop", "b:P", "second-pack", "1"),
        Plugin("lone", "b:L", "second-pack", "1"),
    ]
    for module in (registry, unpackaged):
        monkeypatch.setattr(module, "list_plugins", lambda group="": plugins)
    with pytest.raises(UsageError, match=r"Write first-pack/pop or second-pack/pop"):
        find_model(locate("pop"))
    chosen = locate("second-pack/pop/wide[k=1]")
    assert chosen == ModelRef("pop", None, "wide", (("k", "1"),), "second-pack")
    assert find_model(chosen).value == "b:P"
    assert locate("second-pack/lone") == ModelRef("lone")  # the same cell as without the package
    assert locate("pop/wide") == ModelRef("pop", None, "wide")


def test_a_renamed_class_is_told_with_the_entry_point(here):
    (here / "renamed_one.py").write_text("class NewName: ...\n")
    sys.path.append(str(here))
    with pytest.raises(ContractError) as error:
        Plugin("taste", "renamed_one:OldName", "mmbench-taste", "1").load()
    told = str(error.value)
    assert "renamed_one has no 'OldName', which the entry point 'taste' of mmbench-taste" in told
    assert '[project.entry-points."mmbench.models"]' in told
    assert "NewName" in told
    with pytest.raises(ContractError, match="there is no module 'gone_module'"):
        Plugin("taste", "gone_module:New", "mmbench-taste", "1").load()
    (here / "wanting_one.py").write_text("import not_installed_thing\n")
    with pytest.raises(ModuleNotFoundError, match="not_installed_thing"):
        Plugin("taste", "wanting_one:New", "mmbench-taste", "1").load()


def test_a_misspelt_group_is_told(bench):
    bench.add("strayed", "class M: ...\n", group="mmbench.model", lost="M")
    done = bench.run("run", "-m", "lost", "-d", "shop")
    assert done.code == 2
    assert "strayed declares 'lost' in the entry-point group 'mmbench.model'" in done.err
    assert "the group is 'mmbench.models'" in done.err
    assert not misdeclared()
