"""``mmbench show`` on cells that really ran."""

import xml.etree.ElementTree as ElementTree

import pytest

SOURCE = """
from dataclasses import dataclass
import numpy as np
from mmbench import hookimpl

@dataclass(frozen=True)
class Config:
    wrong: str = ""

class Seer:
    Config = Config
    presets = {"paper": Config()}
    needs = frozenset({"text"})
    def __init__(self, config):
        self.config = config
    @hookimpl
    def fit(self, train, run):
        rng = np.random.default_rng(run.seed)
        self.items = rng.normal(size=(train.n_items + 1, 4)).astype(np.float32)
        for step in range(5):
            run.log(step, loss=1 / (step + 1))
        run.example("item 1", title="[red]hat", thoughts="a" * 300)
    def queries(self, queries):
        return self.items[queries.history[:, -1]]
    @hookimpl
    def score(self, queries):
        return self.queries(queries) @ self.items[1:].T
    @hookimpl
    def embed_items(self):
        return {"fused": self.items, "text": self.items[:, :3]}
    @hookimpl
    def embed_queries(self, queries):
        fused = self.queries(queries)
        if self.config.wrong == "rows":
            fused = fused[:2]
        if self.config.wrong == "nan":
            fused = fused * np.nan
        if self.config.wrong == "spaces":
            return {"fused": fused}
        return {"fused": fused, "text": self.items[queries.history[:, -1], :3]}
"""


@pytest.fixture
def shop(bench):
    bench.add("seers", SOURCE, seer="Seer")
    return bench


def test_figures_slices_spaces_and_curves(shop, tmp_path):
    assert shop.run("run", "-m", "seer,counts", "-d", "shop", "--seeds", "2").code == 0
    (told,) = shop.run("show", "seer", "--json").json["rows"]
    first, second = told["cells"].values()
    assert first["seed"] == 0 and second["seed"] == 1
    assert set(first["spaces"]["geometry"]) == {"fused", "text"}
    assert set(first["spaces"]["modalities"]) == {"f2f"}  # the text has another width
    assert first["spaces"]["embed_seconds"] >= 0
    assert first["curves"]["loss"][4] == [4, 0.2]
    assert sum(part["queries"] for part in told["slices"] if part["by"] == "frequency") == 60
    text = shop.run("show", "seer", "--plot", "curves.svg")
    assert text.code == 0, text.err
    assert told["examples"] == [
        {"title": "item 1", "texts": {"title": "[red]hat", "thoughts": "a" * 300}}
    ]
    for words in ("separability", "f2f", "of the target", "5 points", "ndcg@10", "[red]hat"):
        assert words in text.out
    assert "…" not in text.out  # no figure is cut
    drawn = (shop.folder / "curves.svg").read_bytes()
    assert ElementTree.fromstring(drawn).tag.endswith("svg")
    assert shop.run("show", "seer", "--plot", "curves.svg").code == 0
    assert (shop.folder / "curves.svg").read_bytes() == drawn  # the same picture, byte by byte
    by_id = shop.run("show", next(iter(told["cells"]))[:6], "--json").json
    assert by_id["rows"][0]["name"] == "seer"
    assert "separability" not in shop.run("show", "counts").out


@pytest.mark.parametrize(
    ("wrong", "words"),
    [("rows", "answered 2 rows"), ("nan", "not all finite"), ("spaces", "answered ['fused']")],
)
def test_embeddings_that_are_none_fail_the_cell(shop, wrong, words):
    done = shop.run("run", "-m", f"seer[wrong={wrong}]", "-d", "shop", "--json")
    assert done.code == 1
    assert words in done.out


def test_what_is_not_there_is_said(shop):
    assert shop.run("run", "-m", "noise", "-d", "shop").code == 0
    unknown = shop.run("show", "nobody")
    assert unknown.code == 2 and "Known: noise" in unknown.err
    assert shop.run("show", "noise", "--plot", "a.gif").code == 2
    assert "no curve" in shop.run("show", "noise", "--plot", "a.svg").err
    assert shop.run("show", "noise", "-r", "nowhere").code == 2
