"""The list of published tables is whole, and the grid files that it names can be run."""

import importlib.util
import json
import re
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from mmbench.data.published import published
from mmbench.grid.asked import make_grid
from mmbench.grid.config import as_dict, choose_preset, resolve
from mmbench.grid.declared import given_to, split_setting
from mmbench.grid.registry import find_plugin, list_plugins, parse_ref, spread
from mmbench.hookspecs import DATASET_GROUP, Published
from mmbench.protocol import get_protocol

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "published-tables.md"
GRIDS = sorted((ROOT / "leaderboards" / "grids").glob("*.toml"))
UNSEEN = [path for path in GRIDS if re.search(r"Not seen\s+(# )?running", path.read_text("utf-8"))]


@pytest.fixture(scope="module")
def tables():
    spec = importlib.util.spec_from_file_location("docs_tables", ROOT / "docs" / "tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Labels:
    """What the script reads of the stored results to say which rows there are."""

    def __init__(self, lines):
        self.lines = lines

    def table(self):
        return pd.DataFrame(self.lines)


@pytest.fixture(scope="module")
def found():
    rows = {}
    for path in sorted((ROOT / "leaderboards" / "results").rglob("*.json")):
        record = json.loads(path.read_text("utf-8"))
        at = (record["cell"]["dataset"], record["cell"]["protocol"], record["label"])
        rows[at] = rows.get(at, 0) + (record["status"]["kind"] != "done")
    return Labels([{"dataset": d, "model": m, "failed": n} for (d, _, m), n in rows.items()])


def sections():
    """By the page's headings, the cells of each line of a table."""
    told = {}
    for part in PAGE.read_text("utf-8").split("\n## ")[1:]:
        _, _, *lines = [line for line in part.split("\n") if line[:1] == "|"]
        cells = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
        told[part.partition("\n")[0]] = cells
    return told


def sources(of):
    """The sources of published figures, wherever they stand in what a class holds."""
    if isinstance(of, Published):
        return {of.source}
    parts = of.values() if isinstance(of, dict) else of
    return set().union(*map(sources, parts))


@cache
def load(name):
    return find_plugin(name).load()


def config_of(ref, size, settings=()):
    """A model's whole config, by the presets of its class; nothing is fitted or fetched."""
    cls = load(ref.name)
    preset = choose_preset(
        cls.presets, ref, "paper" if size == "auto" else size, getattr(cls, "stand_ins", ())
    )
    values = as_dict(resolve(cls, ref, preset, {**given_to(ref, settings), **dict(ref.overrides)}))
    if upstream := values.get(getattr(cls, "upstream", None)):
        config_of(parse_ref(upstream), size, settings)
    return values


def test_every_published_figure_that_a_model_holds_has_a_line():
    here = {f"mmbench-{folder.name}" for folder in (ROOT / "plugins").iterdir()}
    held = {
        source
        for plugin in list_plugins()
        if plugin.distribution in here
        for source in sources(getattr(load(plugin.name), "papers", ()))
    }
    assert {"PRIME, table 2", "VLM2Rec, table 4", "MM-GPT2Rec, table II"} <= held
    told = {f"{paper}, {line[0]}" for paper, lines in sections().items() for line in lines}
    assert held <= told


def test_every_row_that_a_line_names_can_be_asked_for():
    names = {
        name
        for lines in sections().values()
        for line in lines
        if len(line) == 5  # of a paper's table; the list of grids has less
        for name in re.findall(r"`([^`]+)`", line[-1])
    }
    assert "sasrec-ce/task2[init=vlm2rec/k128]" in names
    for name in names:
        config_of(parse_ref(re.sub(r"\[fit-on=[\w-]+\]", "", name)), "paper")


def test_the_page_names_every_grid_file_and_no_other(tables):
    there = {path.stem for path in GRIDS}
    page = PAGE.read_text("utf-8")
    links = dict(re.findall(r"^\[([\w-]+)\]: \.\./leaderboards/grids/([\w-]+)\.toml$", page, re.M))
    assert links == {name: name for name in there}
    told = sections()
    listed = [line[0].strip("[]") for line in told.pop("The grid files")]
    assert listed == sorted(there)
    lines = [" ".join(line) for lines in told.values() for line in lines]
    assert {name for line in lines for name in tables.GRID.findall(line)} <= there


def test_the_page_says_what_is_stored(tables, found):
    page = PAGE.read_text("utf-8")
    assert page.count("<!-- seen of=") == len(sections())
    assert tables.fill(page, found) == page, "python docs/tables.py writes it anew"


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.stem)
def test_a_grid_file_asks_for_what_there_is(path):
    grid = make_grid(path)
    settings = [split_setting(text) for text in grid.settings]
    rows = [parse_ref(one) for text in grid.models for one in spread(text)]
    asked = [(row.name, str(config_of(row, grid.preset, settings))) for row in rows]
    assert len(set(asked)) == len(asked)  # twice the same would be one row
    assert get_protocol(grid.protocol)
    aliases = {name for spec in published().values() for name in spec.info.aliases}
    known = {*published(), *aliases, *(plugin.name for plugin in list_plugins(DATASET_GROUP))}
    data = [*grid.data, *([grid.fit_on] if grid.fit_on else [])]
    assert {name.partition("[")[0] for name in data} <= known


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.stem)
def test_a_grid_file_begins_with_its_command(path):
    first = path.read_text("utf-8").partition("\n")[0]
    assert first.startswith(f"# mmbench run {path.relative_to(ROOT)} --out ")


@pytest.mark.parametrize("path", UNSEEN, ids=lambda path: path.stem)
def test_a_grid_that_was_not_seen_running_leads_with_a_row_that_is_not_stored(path, tables, found):
    (first, *_), data, preset = tables._grid(path)
    assert tables._standing(found, [first], data, preset) == "none"
