"""Fit on several datasets together, ask on each: ``--data a+b``."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mmbench.data.fingerprint import Fingerprints
from mmbench.grid.declaration import Declaration
from mmbench.grid.question import ask_question, ask_together, not_applicable, split_parts
from mmbench.grid.registry import UsageError
from mmbench.protocol import get_protocol
from mmbench.testing import make_images
from mmbench.views import Items

SOURCE = """
from dataclasses import dataclass
import numpy as np
from mmbench import EmbeddingModel, hookimpl

@dataclass(frozen=True)
class Config:
    init: str = ""

class Popular:
    Config = Config
    presets = {"paper": Config()}
    upstream = "init"
    def __init__(self, config):
        self.config = config
    @hookimpl
    def fit(self, train, items, run):
        self.n = items.n_items
        self.count = np.bincount(train.item, minlength=self.n + 1).astype(np.float32)
        if self.config.init:
            self.count = items.features["init"][:, 0]
        titles = [text.split()[0] for text in items.fields["title"][1:]]
        run.log(0, items=self.n, users=train.n_users, events=len(train.item),
                books=titles.count("Book"), valid=run.validate())
    @hookimpl
    def score(self, queries):
        assert queries.user.max() < 60 + 30 and queries.history.max() <= self.n
        return np.tile(self.count[1:], (len(queries), 1))

class Picky(Popular):
    max_candidates = 30
    upstream = None
    @hookimpl
    def score(self, queries, candidates):
        known = candidates[:, :, None] == queries.history[:, None, :]
        return self.count[candidates] - 5 * known.any(axis=2)

class Readers(EmbeddingModel):
    Config = Config
    presets = {"paper": Config()}
    needs = frozenset({"text"})
    def __init__(self, config):
        self.config = config
    @hookimpl
    def fit(self, train, items, run):
        table = np.random.default_rng(1).standard_normal((items.n_items + 1, 6))
        self.table = (table / np.linalg.norm(table, axis=1)[:, None]).astype(np.float32)
        run.log(0, valid=run.validate())
    @hookimpl
    def embed_items(self):
        return {"fused": self.table}
    @hookimpl
    def embed_queries(self, queries):
        return {"fused": self.table[queries.history[:, -1]]}
"""


@pytest.fixture
def shops(bench):
    """``shop`` of 60 users and 40 things, and ``kiosk`` of 30 users and 25 books."""
    bench.add("chain", SOURCE, popular="Popular", picky="Picky", readers="Readers")
    rng = np.random.default_rng(5)
    folder = bench.folder / "data" / "kiosk"
    folder.mkdir(parents=True)
    walks = [rng.integers(0, 25, rng.integers(4, 9)) for _ in range(30)]
    lines = [" ".join([f"u{user}", *(f"i{i}" for i in w)]) for user, w in enumerate(walks)]
    (folder / "sequences.txt").write_text("\n".join(lines) + "\n")
    rows = "".join(f"i{item}\tBook number {item}\n" for item in range(25))
    (folder / "items.tsv").write_text("item_id\ttitle\n" + rows)
    return bench


def records(shops):
    """``{(label, dataset): record}`` of all that is stored."""
    found = shops.stored()
    made = {(record["label"], record["cell"]["dataset"]): record for record in found}
    assert len(made) == len(found)
    return made


def columns(shops, record, kind):
    return pq.read_table(shops.beside(record, f"{kind}.parquet")).to_pydict()


def test_every_part_is_asked_what_it_is_asked_alone(shops):
    done = shops.run("run", "-m", "popular,counts,picky", "-d", "shop+kiosk,kiosk,shop", "--json")
    assert done.code == 0, done.err
    found = records(shops)
    assert len(found) == 12
    for model in ("popular", "counts", "picky"):
        for part, other in (("shop", "kiosk"), ("kiosk", "shop")):
            alone, joined = found[model, part], found[f"{model}[with={other}]", part]
            together = joined["cell"]["together"]
            assert [one["dataset"] for one in together] == ["kiosk", "shop"]
            assert "together" not in alone["cell"]
            for key in ("catalogue", "users", "events", "queries", "candidates_sha256"):
                assert joined[key] == alone[key], key
            mine, theirs = (columns(shops, record, "ranks") for record in (joined, alone))
            chosen = set(mine) & set(theirs)  # picky is narrow in the join, not in the kiosk
            assert {"greater_neg100", "frequency", "history_length"} <= chosen
            assert model == "picky" or chosen == {*mine, *theirs}
            for key in chosen:
                assert mine[key] == theirs[key], key
            if model != "picky":  # whose lists and beyond figures are of the whole catalogue
                assert columns(shops, joined, "top") == columns(shops, alone, "top")
                for key in ("metrics", "beyond", "tie_rate", "unanswered"):
                    assert joined[key] == alone[key], key
    assert set(found["picky[with=shop]", "kiosk"]["metrics"]) == {"neg100"}


def test_the_model_sees_both_logs(shops):
    assert shops.run("run", "-m", "popular", "-d", "kiosk,shop,kiosk+shop").code == 0
    found = records(shops)
    curves = {
        key: {n: points[0][1] for n, points in r["curves"].items()} for key, r in found.items()
    }
    shop, kiosk = curves["popular", "shop"], curves["popular", "kiosk"]
    for part, other in (("shop", "kiosk"), ("kiosk", "shop")):
        joined = curves[f"popular[with={other}]", part]
        for name in ("items", "users", "events", "books"):
            assert joined[name] == shop[name] + kiosk[name]
        # it is validated on the asked part alone
        assert joined["valid"] == curves["popular", part]["valid"]
    assert shop["books"] == 0 and kiosk["books"] == 25


def test_the_order_of_the_parts_makes_no_other_cell(shops):
    plan = ("run", "-m", "popular", "--dry-run", "--json", "-d")
    one, other = shops.run(*plan, "shop+kiosk").json, shops.run(*plan, "kiosk+shop").json
    assert [row["dataset"] for row in one] == ["shop", "kiosk"]
    assert one == other[::-1]
    assert [row["label"] for row in one] == ["popular[with=kiosk]", "popular[with=shop]"]
    assert len({row["cell"]["id"] for row in one}) == 2
    twice = shops.run(*plan, "shop+kiosk,kiosk+shop,kiosk").json
    assert [row["label"] for row in twice] == [*(row["label"] for row in one), "popular"]


def test_what_is_done_is_done(shops):
    assert shops.run("run", "-m", "counts", "-d", "shop+kiosk").code == 0
    again = shops.run("run", "-m", "counts", "-d", "kiosk+shop", "--dry-run")
    assert again.out.count(" done") == 2 and "to run" not in again.out


def test_rows_of_one_board_that_never_average(shops):
    assert shops.run("run", "-m", "counts", "-d", "kiosk+shop,kiosk", "--seeds", "2").code == 0
    boards = shops.run("leaderboard", "results", "--json").json["boards"]
    (kiosk,) = (board for board in boards if board["dataset"] == "kiosk")
    seeds = {row["name"]: len(row["cells"]) for row in kiosk["rows"]}
    assert seeds == {"counts": 2, "counts[with=shop]": 2}


def test_the_upstream_is_fitted_on_the_same_join(shops):
    done = shops.run("run", "-m", "popular[init=readers]", "-d", "shop+kiosk", "--json")
    assert done.code == 0, done.err
    found = records(shops)
    name = "popular[init=readers[with=kiosk],with=kiosk]"
    record, upstream = found[name, "shop"], found["readers[with=kiosk]", "shop"]
    assert record["cell"]["upstream"] == upstream["cell"]
    parts = [
        [(part["dataset"], part["fingerprints"]["events"]) for part in one["cell"]["together"]]
        for one in (upstream, record)
    ]
    assert parts[0] == parts[1]
    assert np.load(shops.beside(upstream, "items.npy")).shape == (1 + 40 + 25, 6)
    (kept,) = record["curves"]["items"]
    assert kept[1] == 65


def test_the_reports_on_spaces_are_of_the_part(shops):
    assert shops.run("run", "-m", "readers", "-d", "shop+kiosk").code == 0
    for record in records(shops).values():
        spaces = record["spaces"]
        assert set(spaces["geometry"]) == {"fused"}
        # vectors of length 1, so that cosines are the model's own scores
        for name, figures in record["metrics"].items():
            assert spaces["modalities"]["f2f"][name] == pytest.approx(figures)


def test_a_sample_is_drawn_of_each_part(shops):
    assert shops.run("run", "-m", "popular", "-d", "shop+kiosk,shop", "--limit", "20").code == 0
    found = records(shops)
    joined = found["popular[with=kiosk]", "shop"]
    assert joined["users"] == 20 and joined["cell"]["limit"] == 20
    assert joined["curves"]["users"][0][1] == 40
    assert joined["metrics"] == found["popular", "shop"]["metrics"]


def test_a_grid_file_says_it_too(shops):
    (shops.folder / "grid.toml").write_text('models = ["popular"]\ndata = ["kiosk+shop"]\n')
    assert shops.run("run", "grid.toml").code == 0
    assert set(records(shops)) == {("popular[with=shop]", "kiosk"), ("popular[with=kiosk]", "shop")}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-d", "shop+shop"], "shop is named twice"),
        (["-d", "shop+"], "on both sides of each +"),
        (["-d", "shop+kiosc"], "did you mean 'kiosk'"),
        (["-d", "shop+kiosk", "--fit-on", "shop"], "leave one of the two out"),
        (["-d", "shop", "--fit-on", "kiosk+shop"], "leave one of the two out"),
        (["-d", "shop+kiosk", "--protocol", "time@2"], "needs moments in time"),
        (["-d", "shop+stall"], "would be learned from the other"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(shops, words, says):
    shops.shop("stall", users=20, items=40)  # the first users of the shop
    done = shops.run("run", "-m", "popular", "--dry-run", *words)
    assert done.code == 2
    assert says in " ".join(done.err.split())


def test_a_path_may_hold_a_plus(tmp_path, monkeypatch):
    (tmp_path / "c++").mkdir()
    monkeypatch.chdir(tmp_path)
    assert split_parts("./c++") == ("./c++",)
    assert split_parts("a + ./b") == ("a", "./b")
    with pytest.raises(UsageError, match="both sides"):
        split_parts("./b++")


def test_each_part_must_serve_a_model_s_needs(log, make, tmp_path):
    store = make_images(tmp_path / "pictures", [Image.new("RGB", (2, 2))] * 20)
    drawn = Items(20, log.items.fields, store)
    other = make(users=30, items=10, seed=1)
    other = replace(other, id="bare", fingerprints=Fingerprints("1" * 16), items=Items(10, {}))
    log = replace(log, items=drawn)
    questions = [ask_question(one, get_protocol("loo@2")) for one in (log, other)]
    for question in ask_together(questions):
        reason = not_applicable(Declaration("", {}, needs=("image",)), question, None)
        assert reason == "no pictures of bare (add --images or --draw)"
        assert not not_applicable(Declaration("", {}), question, None)
    assert not not_applicable(Declaration("", {}, needs=("image",)), questions[0], None)
