"""A model that starts from another's item embeddings: who runs first, what is kept, what fails."""

import re

import numpy as np
import pytest

from mmbench.grid.registry import UsageError, parse_ref, split_list

SOURCE = """
from dataclasses import dataclass
import numpy as np
from mmbench import hookimpl

@dataclass(frozen=True)
class GiverConfig:
    dim: int = 3
    fail: str = ""

class Giver:
    Config = GiverConfig
    presets = {"paper": GiverConfig(), "tiny": GiverConfig(dim=2)}
    def __init__(self, config):
        self.config = config
    @hookimpl
    def fit(self, train, run):
        if self.config.fail == "fit":
            raise RuntimeError("no luck")
        rng = np.random.default_rng(run.seed)
        self.vectors = rng.normal(size=(train.n_items + 1, self.config.dim)).astype(np.float32)
    @hookimpl
    def score(self, queries):
        return np.repeat(self.vectors[None, 1:, 0], len(queries), 0)
    @hookimpl
    def embed_items(self):
        wrong = {
            "space": {"text": self.vectors},
            "rows": {"fused": self.vectors[:4]},
            "nan": {"fused": self.vectors * np.nan},
        }
        return wrong.get(self.config.fail, {"fused": self.vectors})

@dataclass(frozen=True)
class TakerConfig:
    init: str = ""

class Taker:
    Config = TakerConfig
    presets = {"paper": TakerConfig()}
    upstream = "init"
    def __init__(self, config):
        self.config = config
    @hookimpl
    def fit(self, train, items):
        self.vectors = np.zeros(train.n_items + 1)
        if self.config.init:
            self.vectors = items.features["init"][:, -1]
    @hookimpl
    def score(self, queries):
        return np.repeat(self.vectors[None, 1:], len(queries), 0)
    @hookimpl
    def embed_items(self):
        return {"fused": 2 * self.vectors[:, None]}

class Strange(Taker):
    upstream = "start"
"""


@pytest.fixture
def shop(bench):
    bench.add("chain", SOURCE, giver="Giver", taker="Taker", strange="Strange")
    return bench


def items(shop, record):
    return np.load(shop.beside(record, "items.npy"), allow_pickle=False)


def run(shop, models, *more):
    return shop.run("run", "-m", models, "-d", "shop", "--json", "--preset", "paper", *more)


def test_the_upstream_runs_first_once_and_its_embeddings_arrive(shop):
    done = run(shop, "taker[init=giver],giver,taker[init=taker[init=giver]]", "-j", "3")
    assert done.code == 0, done.err
    found = shop.rows()
    names = {"giver", "taker[init=giver]", "taker[init=taker[init=giver]]"}
    assert set(found) == names
    giver, taker = found["giver"], found["taker[init=giver]"]
    assert taker["cell"]["upstream"] == giver["cell"]
    assert "upstream" not in giver["cell"]
    vectors = items(shop, giver)
    assert vectors.shape == (41, 3) and vectors.dtype == np.float32
    np.testing.assert_array_equal(items(shop, taker)[:, 0], 2 * vectors[:, -1])
    kept = {path.name.split(".")[0] for path in shop.folder.glob("results/*/*/*/*.items.npy")}
    assert kept == {giver["cell"]["id"], taker["cell"]["id"]}  # those that somebody wanted


def test_what_is_done_is_not_done_again_unless_its_embeddings_are_gone(shop):
    assert run(shop, "giver").code == 0
    first = shop.rows()["giver"]
    assert not list(shop.folder.glob("results/*/*/*/*.items.npy"))  # nobody wanted them
    assert run(shop, "taker[init=giver]").code == 0
    again = shop.rows()["giver"]
    assert again["started"] >= first["started"] and again["metrics"] == first["metrics"]
    items(shop, again)
    plan = shop.run(
        "run", "-m", "taker[init=giver]", "-d", "shop", "--preset", "paper", "--dry-run"
    )
    assert plan.out.count(" done") == 2 and "to run" not in plan.out


def test_each_seed_starts_from_the_upstream_of_its_seed(shop):
    assert run(shop, "taker[init=giver]", "--seeds", "2").code == 0
    found = shop.stored()
    pairs = {
        (r["cell"]["seed"], r["cell"]["upstream"]["seed"]) for r in found if "upstream" in r["cell"]
    }
    assert pairs == {(0, 0), (1, 1)}
    board = shop.run("leaderboard", "results", "-o", "boards")
    assert board.code == 0, board.err
    (page,) = shop.folder.glob("boards/*/*.md")
    assert re.search(r"\n\| taker\S* [^\n]*\| +2 \|", page.read_text())  # both seeds are one row


def test_a_setting_of_the_upstream_is_part_of_the_identity(shop):
    assert run(shop, "taker[init=giver[dim=7]],taker[init=giver]").code == 0
    found = shop.rows()
    first, second = (found[f"taker[init=giver{dim}]"] for dim in ("[dim=7]", ""))
    assert first["cell"]["id"] != second["cell"]["id"]
    assert items(shop, found["giver[dim=7]"]).shape[1] == 7
    assert run(shop, "taker[init=giver]", "--set", "giver.dim=5").code == 0
    assert shop.rows()["giver[dim=5]"]["cell"]["config"]["dim"] == 5


def test_a_tiny_upstream_shows_in_the_name(shop):
    done = shop.run("run", "-m", "taker[init=giver]", "-d", "shop", "--json", "--preset", "tiny")
    assert done.code == 0, done.err
    assert "taker[init=giver/tiny]" in shop.rows()


@pytest.mark.parametrize(
    ("fail", "words"),
    [
        ("fit", "no luck"),
        ("space", "answered no 'fused' space"),
        ("rows", "answered 4 rows for 40 items"),
        ("nan", "answered NaN"),
    ],
)
def test_a_failed_upstream_is_a_failed_row_of_both(shop, fail, words):
    done = run(shop, f"taker[init=giver[fail={fail}]],giver")
    assert done.code == 1
    found = shop.rows()
    upstream, down = found[f"giver[fail={fail}]"], found[f"taker[init=giver[fail={fail}]]"]
    assert upstream["status"]["kind"] == down["status"]["kind"] == "failed"
    assert words in upstream["status"]["reason"] and words in down["status"]["reason"]
    assert down["status"]["reason"].startswith("starts from giver")
    assert not upstream["metrics"]
    assert found["giver"]["status"]["kind"] == "done"


@pytest.mark.parametrize(
    ("models", "words"),
    [
        ("taker[init=counts]", "counts offers no item embeddings"),
        ("taker[init=givr]", "Did you mean giver"),
        ("taker[init=giver]]", "is not a model"),
    ],
)
def test_a_senseless_upstream_is_a_usage_error(shop, models, words):
    done = run(shop, models)
    assert done.code == 2
    assert words in " ".join(done.err.split())


def test_an_upstream_field_that_config_has_not_is_a_broken_row(shop):
    done = run(shop, "strange,giver")
    assert done.code == 1
    assert "Config has no such field" in done.out + done.err
    assert shop.rows()["giver"]["status"]["kind"] == "done"


def test_damaged_embeddings_are_named(shop):
    assert run(shop, "taker[init=giver]").code == 0
    found = shop.rows()
    (path,) = shop.folder.glob("results/*/*/*/*.items.npy")
    path.write_bytes(path.read_bytes()[:100])
    for name in shop.folder.glob(f"results/*/*/taker/{found['taker[init=giver]']['cell']['id']}.*"):
        name.unlink()
    assert run(shop, "taker[init=giver]").code == 1
    assert "remove it and run again" in shop.rows()["taker[init=giver]"]["status"]["reason"]


def test_brackets_nest():
    ref = parse_ref("a[x=1,init=b/v[dim=8,init=c]]")
    assert ref.overrides == (("x", "1"), ("init", "b/v[dim=8,init=c]"))
    assert parse_ref(ref.overrides[1][1]).overrides == (("dim", "8"), ("init", "c"))
    assert split_list("a[x=1,y=b[z=2,w=3]], c,,d[e=1]") == ["a[x=1,y=b[z=2,w=3]]", "c", "d[e=1]"]
    for text in ("a[x=1", "a[x=1]]", "a[x=]b[]"):
        with pytest.raises(UsageError):
            parse_ref(text)
