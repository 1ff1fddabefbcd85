import random

import pytest

from mmbench.report import find_rows, make_boards, parse
from mmbench.report.aggregate import Estimate


@pytest.fixture
def board():
    """One board from records."""

    def make(records):
        (only,) = make_boards(map(parse, records))
        return only

    return make


def names(board):
    return [row.name for row in board.rows]


def test_mean_and_sample_deviation_worked_by_hand(make_record, board):
    # 0.02, 0.04, 0.09: mean 0.05, deviations -0.03, -0.01, 0.04, squares sum 0.0026, / 2.
    records = [make_record(seed=s, ndcg=v) for s, v in enumerate([0.02, 0.04, 0.09])]
    (row,) = board(records).rows
    estimate = row.figure("full", "ndcg@10")
    assert estimate.mean == pytest.approx(0.05)
    assert estimate.sd == pytest.approx(0.0013**0.5)
    assert estimate.n == 3


def test_one_seed_has_no_deviation():
    assert Estimate.of([0.3]) == Estimate(0.3, None, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"version": "0.2.0"},
        {"limit": 100},
        {"code": "f" * 16},
        {"wall": "none"},
        {"weights": {"org/name@main": "commit:" + "f" * 40}},
        {"preset": "tiny"},
        {"config": {"dim": 128, "epochs": 30}},
        {"fit_on": {"dataset": "other", "fingerprints": {"events": "f" * 16}}},
        {"together": [{"dataset": "other", "fingerprints": {"events": "f" * 16}}]},
    ],
)
def test_what_differs_is_never_averaged(make_record, board, change):
    rows = board([make_record(seed=0), make_record(seed=1, **change)]).rows
    assert [len(row.records) for row in rows] == [1, 1]


def test_other_data_or_protocol_is_another_board(make_record):
    records = [
        make_record(),
        make_record(dataset="books"),
        make_record(protocol="time@2"),
        make_record(fingerprints={"events": "f" * 16}),
    ]
    boards = make_boards(map(parse, records))
    assert [(b.protocol, b.dataset, b.fingerprint) for b in boards] == [
        ("loo@2", "books", "0123456789abcdef"),
        ("loo@2", "toy-shop", "0123456789abcdef"),
        ("loo@2", "toy-shop", "f" * 16),
        ("time@2", "toy-shop", "0123456789abcdef"),
    ]


def test_failed_seeds_stay_in_their_row_and_out_of_its_mean(make_record, board):
    records = [make_record(seed=0, ndcg=0.02), make_record(seed=1, status="out-of-memory")]
    (row,) = board(records).rows
    assert row.figure("full", "ndcg@10") == Estimate(0.02, None, 1)
    assert [result.status.kind for result in row.failed] == ["out-of-memory"]


def test_a_row_that_only_failed_stays(make_record, board):
    (row,) = board([make_record(status="failed")]).rows
    assert (row.done, row.metrics, row.cost) == ((), {}, {})


def test_costs_are_means_of_what_is_known(make_record, board):
    records = [
        make_record(seed=0, cost={"fit_seconds": 10.0, "parameters": None}),
        make_record(seed=1, cost={"fit_seconds": 20.0, "parameters": None}),
    ]
    (row,) = board(records).rows
    assert row.cost["fit_seconds"] == 15.0
    assert "parameters" not in row.cost
    assert row.tie_rate["neg100"] == 0.25


def test_best_first_then_by_name_and_smoke_runs_last(make_record, board):
    records = [
        make_record("b", ndcg=0.02),
        make_record("a", ndcg=0.02),
        make_record("smoke", ndcg=0.09, limit=10),
        make_record("best", ndcg=0.05),
        make_record("broken", status="failed"),
    ]
    assert names(board(records)) == ["best", "a", "b", "smoke", "broken"]


def test_each_candidate_set_has_its_own_order(make_record, board):
    first, second = make_record("a", ndcg=0.03), make_record("b", ndcg=0.02)
    second["metrics"]["unseen"]["ndcg@10"] = 0.2
    made = board([first, second])
    assert [row.name for row in made.ranked("full")] == ["a", "b"]
    assert [row.name for row in made.ranked("unseen")] == ["b", "a"]


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_results_does_not_matter(shop, board, seed):
    shuffled = shop.copy()
    random.Random(seed).shuffle(shuffled)
    assert board(shuffled) == board(shop)


def test_seeds_of_a_wall_that_stood_are_one_row_whatever_the_kernel(make_record, board):
    records = [make_record(seed=s, wall=f"landlock:{abi}") for s, abi in enumerate([4, 7])]
    (row,) = board(records).rows
    assert len(row.records) == 2


def test_rows_on_other_weights_are_told_apart(make_record, board):
    """A branch that moved, or a folder whose files changed, under the same name."""
    told = [
        {"org/name@main": f"commit:{digit * 40}", "./b": "sha256:" + "e" * 64} for digit in "ab"
    ]
    upstream = make_record(model="encoder", weights=told[0])["cell"]
    records = [make_record(weights=told[0]), make_record(weights=told[1])]
    records += [make_record("other"), make_record("other", upstream=upstream)]
    names = {row.name for row in board(records).rows}
    assert {"sasrec [weights=aaaaaaaa+eeeeeeee]", "sasrec [weights=bbbbbbbb+eeeeeeee]"} <= names
    assert any("upstream's weights=aaaaaaaa+eeeeeeee" in name for name in names)


def test_rows_of_one_name_are_told_apart_by_what_differs(make_record, board):
    records = [
        make_record(config={"dim": 64, "loss": "ce", "epochs": 3}, ndcg=0.03),
        make_record(config={"dim": 128, "loss": "bpr", "epochs": 3}, ndcg=0.02),
        make_record("pop", ndcg=0.01),
    ]
    expected = ["sasrec [dim=64, loss=ce]", "sasrec [dim=128, loss=bpr]", "pop"]
    assert names(board(records)) == expected


def test_the_gate_sees_every_set_of_every_seed(make_record, board):
    good, bad = make_record(seed=0, ndcg=0.02), make_record(seed=1, ndcg=0.03)
    assert board([good, bad]).rows[0].violations == ()
    for name, ndcg in (("unseen", 0.5), ("neg100", 0.9)):
        bad["metrics"][name]["ndcg@10"] = ndcg
    (row,) = board([good, bad]).rows
    assert {text.partition(":")[0] for text in row.violations} == {
        "unseen, seed 1",
        "neg100, seed 1",
    }
    assert row.violations[0].startswith("unseen, seed 1: ndcg@10 = 0.5000, but hit@10 = 0.0780")


def test_paper_and_ours(make_record, papers, board):
    elsewhere = {**papers[0], "dataset": "books"}
    records = [
        make_record(seed=0, ndcg=0.04, papers=[*papers, elsewhere]),
        make_record(seed=1, ndcg=0.05, papers=papers),
        make_record("small", preset="tiny", papers=papers[:1]),
        make_record("smoke", limit=5, papers=papers),
    ]
    hit, ndcg, small = board(records).comparisons
    assert (hit.metric, ndcg.metric, small.metric) == ("hit@10", "ndcg@10", "ndcg@10")
    assert ndcg.ours == pytest.approx(0.045)
    assert ndcg.difference == pytest.approx(0.045 - 0.0364)
    assert ndcg.differs == "negatives instead of full softmax"
    assert small.differs == "negatives instead of full softmax; ours is a stand-in"


def test_a_published_figure_without_ours_has_no_difference(make_record, papers, board):
    (comparison,) = board([make_record(papers=[{**papers[0], "metric": "hit@25"}])]).comparisons
    assert (comparison.ours, comparison.difference) == (None, None)


def test_published_rows_pass_the_gate_together(make_record, papers, board):
    made = board([make_record(papers=papers)])
    assert [c.violations for c in made.comparisons] == [(), ()]
    odd = [{**paper, "value": paper["value"] / 2 + 0.05} for paper in papers[:1]]
    made = board([make_record(papers=[*odd, papers[1]])])  # .0682 of .0734 at most
    assert made.comparisons[0].violations == ()
    odd[0]["value"] = 0.0735
    made = board([make_record(papers=[*odd, papers[1]])])
    assert made.comparisons[0].violations == ()  # what rounding may do
    odd[0]["value"] = 0.0740
    made = board([make_record(papers=[*odd, papers[1]])])
    (said,) = {c.violations for c in made.comparisons}
    assert said[0].startswith("ndcg@10 = 0.0740, but hit@10 = 0.0734 leaves only")


def test_a_row_is_found_by_id_name_or_model_and_its_remark_may_be_left_out(make_record):
    records = [
        make_record("vlm2rec", preset="tiny", label="vlm2rec (tiny)", config={"w": 1}),
        make_record("vlm2rec", preset="sft/tiny", label="vlm2rec/sft (tiny)", config={"w": 0}),
        make_record("pop", config={}),
        make_record("hybrid", preset="small", label="hybrid[k=1] (small)", config={"k": 1}),
        make_record("ce", label="ce[init=text-encoder (small)]", config={"init": 1}),
    ]
    boards = make_boards(map(parse, records))
    found = {
        asked: [row.name for _, row in find_rows(boards, asked)]
        for asked in (
            "vlm2rec",
            "vlm2rec (tiny)",
            "vlm2rec/sft",
            "vlm2rec/sft/tiny",
            "hybrid/small[k=1]",
            "ce[init=text-encoder/small]",
            "pop",
            "po",
            records[2]["cell"]["id"][:5],
        )
    }
    assert found == {
        "vlm2rec": ["vlm2rec (tiny)"],
        "vlm2rec (tiny)": ["vlm2rec (tiny)"],
        "vlm2rec/sft": ["vlm2rec/sft (tiny)"],
        "vlm2rec/sft/tiny": ["vlm2rec/sft (tiny)"],
        "hybrid/small[k=1]": ["hybrid[k=1] (small)"],
        "ce[init=text-encoder/small]": ["ce[init=text-encoder (small)]"],
        "pop": ["pop"],
        "po": [],
        records[2]["cell"]["id"][:5]: ["pop"],
    }
