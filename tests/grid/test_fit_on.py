"""Fit on one dataset, ask on another."""

import numpy as np
import pytest

SOURCE = """
from dataclasses import dataclass
import numpy as np
from mmbench import hookimpl

@dataclass(frozen=True)
class Config:
    fail: bool = False

class Traveller:
    Config = Config
    presets = {"paper": Config()}
    def __init__(self, config):
        self.config = config
    @hookimpl
    def fit(self, train, items, run):
        self.home, self.items = items.n_items, items
        self.weight = float(train.item.mean())
        run.log(0, valid=run.validate())
    @hookimpl
    def transfer(self, items):
        if self.config.fail:
            raise RuntimeError("seasick")
        assert self.home == 40 and items.n_items == 25
        self.items = items
    @hookimpl
    def score(self, queries):
        if self.items.n_items != self.home:
            assert (queries.user == -1).all() and queries.history.max() <= self.items.n_items
        else:
            assert (queries.user >= 0).all()
        return np.tile(np.arange(self.items.n_items, dtype=np.float32), (len(queries), 1))
    @hookimpl
    def embed_items(self, items):
        return {"fused": np.ones((items.n_items + 1, 2), np.float32)}
"""


@pytest.fixture
def shops(bench):
    bench.add("trips", SOURCE, traveller="Traveller")
    bench.shop("kiosk", users=30, items=25)
    titles = bench.folder / "data" / "kiosk" / "items.tsv"
    titles.write_text(titles.read_text().replace("Thing", "Magazine"))
    return bench


def test_a_model_is_fitted_there_and_asked_here(shops):
    done = shops.run("run", "-m", "traveller", "-d", "kiosk", "--fit-on", "shop", "--json")
    assert done.code == 0, done.out + done.err
    (record,) = shops.rows().values()
    assert record["label"] == "traveller[fit-on=shop]"
    cell = record["cell"]
    assert cell["dataset"] == "kiosk" and cell["fit_on"]["dataset"] == "shop"
    assert cell["fit_on"]["fingerprints"] != cell["fingerprints"]
    assert (record["catalogue"], record["queries"]) == (25, 30)
    assert record["metrics"]["full"]["hit@50"] == 1
    assert "0 of 1" not in done.err
    again = shops.run("run", "-m", "traveller", "-d", "kiosk", "--fit-on", "shop", "--dry-run")
    assert " done" in again.out


def test_it_is_another_cell_than_the_one_at_home(shops):
    for more in ((), ("--fit-on", "shop")):
        shops.run("run", "-m", "traveller", "-d", "kiosk", "--json", *more)
    found = shops.stored()
    assert len({record["cell"]["id"] for record in found}) == 2
    # at home its own assertion holds: it is never turned to another catalogue
    assert {record["status"]["kind"] for record in found} == {"done"}


def test_who_cannot_move_is_not_applicable(shops):
    done = shops.run("run", "-m", "counts", "-d", "kiosk", "--fit-on", "shop", "--json")
    assert done.code == 1  # nothing could be run
    status = shops.rows()["counts[fit-on=shop]"]["status"]
    assert status["kind"] == "not-applicable" and "no hook `transfer`" in status["reason"]


def test_a_failing_move_is_a_failed_row(shops):
    done = shops.run("run", "-m", "traveller[fail=true]", "-d", "kiosk", "--fit-on", "shop")
    assert done.code == 1
    (record,) = shops.rows().values()
    assert record["status"]["kind"] == "failed" and "seasick" in record["status"]["reason"]


def test_fit_on_what_is_asked_is_a_usage_error(shops):
    done = shops.run("run", "-m", "traveller", "-d", "shop,kiosk", "--fit-on", "shop")
    assert done.code == 2 and "leave --fit-on out" in done.err


def test_a_grid_file_says_it_too(shops):
    (shops.folder / "grid.toml").write_text(
        'models = ["traveller"]\ndata = ["kiosk"]\nfit_on = "shop"\n'
    )
    assert shops.run("run", "grid.toml").code == 0
    assert "traveller[fit-on=shop]" in shops.rows()


def write_market(folder, user="u{}", item="i{}", titles=True, words="Thing"):
    """The baskets of 90 users; every copy names users, items and their order otherwise."""
    rng = np.random.default_rng(3)
    baskets = [rng.choice(120, rng.integers(4, 10), replace=False) for _ in range(90)]
    lines = [
        " ".join([user.format(u), *(item.format(i) for i in basket)])
        for u, basket in enumerate(baskets)
    ]
    folder.mkdir(parents=True)
    (folder / "sequences.txt").write_text("\n".join(sorted(lines)) + "\n")
    if titles:
        rows = "".join(f"{item.format(i)}\t{words} number {i}\n" for i in range(120))
        (folder / "items.tsv").write_text("item_id\ttitle\n" + rows)


@pytest.fixture
def markets(shops):
    """``market``, and the same events under other names, each in its own disguise."""
    data = shops.folder / "data"
    write_market(data / "market")
    write_market(data / "renamed", "x{:x}x", "{:03d}z")
    write_market(data / "untitled", "{}-", "{}-", titles=False)
    write_market(data / "retitled", "{}-", "{}-", words="Chose")
    write_market(data / "kin")
    lineage = 'id = "{}"\nlineage = "bazaar"\n[interactions]\nfile = "sequences.txt"\n'
    for name in ("shop", "kin"):  # these two have no event in common
        (data / name / "dataset.toml").write_text(lineage.format(name))
    return shops


@pytest.mark.parametrize(
    ("one", "other", "says"),
    [
        ("market", "market[min_length=4]", "both come from market"),
        ("market", "renamed", "by the items' titles"),
        ("market", "untitled", "linked by their items"),
        ("market", "retitled", "linked by their items"),
        ("shop", "kin", "both come from bazaar"),
    ],
)
def test_datasets_of_the_same_events_never_meet(markets, one, other, says):
    for words in (
        ["-d", one, "--fit-on", other],
        ["-d", other, "--fit-on", one],
        ["-d", f"{one}+{other}"],
    ):
        done = markets.run("run", "-m", "traveller", "--dry-run", *words)
        assert done.code == 2, words
        said = " ".join(done.err.split())
        assert says in said and "would be learned from the other" in said


def test_datasets_of_other_events_may_meet(markets):
    apart = markets.run("run", "-m", "traveller", "--dry-run", "-d", "market+kiosk")
    assert apart.code == 0, apart.err
