"""A model that is asked once for each candidate set, told what is excluded and what competes."""

import numpy as np
import pytest

from mmbench.grid.question import ask_question
from mmbench.protocol import get_protocol, shown_candidates

SOURCE = """
from dataclasses import dataclass
import numpy as np
from mmbench import hookimpl

@dataclass(frozen=True)
class Config:
    pass

class Each:
    Config = Config
    presets = {"paper": Config()}
    per_set = True
    def __init__(self, config):
        self.config = config
    @hookimpl
    def fit(self, train, items, run):
        self.n = items.n_items
        run.log(0, valid=run.validate())
    @hookimpl
    def transfer(self, items):
        self.n = items.n_items
    @hookimpl
    def score(self, queries, candidates, excluded):
        assert excluded.max(initial=0) <= self.n and candidates.max() <= self.n
        assert not excluded.flags.writeable
        known = (candidates[:, :, None] == queries.history[:, None, :]).any(axis=2)
        masked = (candidates[:, :, None] == excluded[:, None, :]).any(axis=2)
        assert excluded.shape[1] == 0 or (known == masked).all()
        return (1000 * known - 2000 * masked - candidates).astype(np.float32)
"""


@pytest.fixture(autouse=True)
def _models(models_on_the_path):
    """The shelf can be imported."""


@pytest.fixture
def diary(cell, log):
    """What ``shelf.EachSet`` was told, in order, in its own process's thread."""
    import shelf

    del shelf.EachSet.diary[:]
    made = cell("shelf:EachSet", isolated=False)
    assert made.record.status.kind == "done", made.record.status
    return shelf.EachSet.diary, made


def test_it_is_told_what_each_set_leaves_out_and_holds(diary, log):
    told, _ = diary
    fold = ask_question(log, get_protocol("loo@2")).split.test
    valid, full, unseen, sampled = told
    everything = np.arange(1, log.n_items + 1)
    for candidates, excluded, _ in (valid, full):
        assert (candidates == everything).all()
        assert excluded.shape == (30, 0)
    candidates, excluded, _ = unseen
    assert (candidates == everything).all()
    for row, items in enumerate(excluded):
        span = slice(*fold.seen_offsets[row : row + 2])
        assert items[items > 0].tolist() == fold.seen[span].tolist()
        assert (np.diff(items) >= 0).all()  # padding first
    assert len(set((excluded > 0).sum(axis=1).tolist())) > 1
    assert excluded.dtype == np.int32 and not excluded.flags.writeable
    candidates, excluded, _ = sampled
    one = get_protocol("loo@2").candidate_sets[-1]
    assert np.array_equal(candidates, shown_candidates(fold, (one,), log.n_items))
    assert excluded.shape == (30, 0)


def test_candidates_of_a_sample_lie_nowhere_before_it_is_asked(diary):
    told, _ = diary
    assert [files for *_, files in told[:3]] == [[], [], []]
    assert told[3][2] == ["test-neg100-candidates.npy"]


def test_its_answers_are_ranked_each_against_its_own_set(cell, log):
    once, each = cell("shelf:Noise"), cell("shelf:NoiseEach")
    assert each.record.status.kind == "done", each.record.status
    assert each.record.metrics == once.record.metrics
    for name, column in once.ranks.items():
        np.testing.assert_array_equal(column, each.ranks[name])


def test_excluded_items_have_a_joins_numbers_and_a_new_catalogues(bench):
    bench.add("chain", SOURCE, each="Each")
    bench.shop("kiosk", users=30, items=25)
    titles = bench.folder / "data" / "kiosk" / "items.tsv"
    titles.write_text(titles.read_text().replace("Thing", "Magazine"))
    for words in (("-d", "shop+kiosk"), ("-d", "kiosk", "--fit-on", "shop")):
        done = bench.run("run", "-m", "each", *words, "--json")
        assert done.code == 0, done.out + done.err
    found = bench.stored()
    assert len(found) == 3
    for record in found:
        assert record["status"]["kind"] == "done", record["status"]
        assert record["metrics"]["unseen"]["hit@20"] > 0.3  # the lowest numbers: as good as chance
