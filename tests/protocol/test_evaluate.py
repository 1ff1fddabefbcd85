"""Ranks against an oracle that tries every order of the ties; what must not change them."""

import dataclasses
import itertools
import math
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbench import TopK, Vectors
from mmbench.products import block_rows
from mmbench.protocol import (
    CANDIDATE_SETS,
    chunks,
    evaluate,
    evaluate_each,
    excluded,
    get_protocol,
    split,
    validation_ndcg,
)
from mmbench.protocol.answers import AnswerError
from mmbench.protocol.candidate_sets import negatives
from mmbench.protocol.evaluate import chunk_rows
from mmbench.protocol.metrics import per_query

LOO = get_protocol("loo@2")
MODULE = sys.modules["mmbench.protocol.evaluate"]
GAINS = {
    "hit@2": lambda rank: float(rank <= 2),
    "ndcg@2": lambda rank: 1 / math.log2(rank + 1) if rank <= 2 else 0.0,
    "mrr@3": lambda rank: 1 / rank if rank <= 3 else 0.0,
    "mrr": lambda rank: 1 / rank,
}


def expected(scores, target, candidates, metric):
    """The mean over all orders that sort the candidates by score."""
    if target not in candidates:
        return 0.0
    gains = []
    for order in itertools.permutations(candidates):
        ranked = sorted(order, key=lambda item: -scores[item - 1])
        gains.append(GAINS[metric](1 + ranked.index(target)))
    return sum(gains) / len(gains)


@st.composite
def worlds(draw):
    n_items = draw(st.integers(3, 6))
    one = st.lists(st.integers(1, n_items), min_size=3, max_size=5)
    sequences = draw(st.lists(one, min_size=1, max_size=4))
    level = st.sampled_from([-math.inf, -1.0, 0.0, 0.5, 2.0])
    row = st.lists(level, min_size=n_items, max_size=n_items)
    scores = draw(st.lists(row, min_size=len(sequences), max_size=len(sequences)))
    width = draw(st.integers(0, n_items))
    listed = [draw(st.permutations(range(1, n_items + 1)))[:width] for _ in sequences]
    return n_items, sequences, np.array(scores, np.float32), np.array(listed, np.int32)


@pytest.mark.parametrize("as_list", [False, True])
@settings(max_examples=60, deadline=None)
@given(world=worlds())
def test_against_the_oracle(make_log, drawing, as_list, world):
    n_items, sequences, scores, listed = world
    protocol = drawing(LOO, 2)
    fold = split(make_log(sequences, n_items), protocol).test
    answer = scores
    if as_list:
        answer = TopK(listed, np.take_along_axis(scores, listed.astype(int) - 1, axis=1))
        silent = np.ones(scores.shape, dtype=bool)
        np.put_along_axis(silent, listed.astype(int) - 1, False, axis=1)
        scores = np.where(silent, -np.inf, scores)
    ranks = evaluate(fold, n_items, lambda what, slices: iter([answer]), protocol)
    for i, target in enumerate(fold.target.tolist()):
        seen = set(fold.seen[fold.seen_offsets[i] : fold.seen_offsets[i + 1]].tolist())
        everything = list(range(1, n_items + 1))
        sets = {
            "full": everything,
            "unseen": [item for item in everything if item not in seen],
            "neg2": [item for item in fold.candidates["neg2"][i].tolist() if item],
        }
        for name, candidates in sets.items():
            for metric in GAINS:
                got = per_query(metric, ranks.greater[name], ranks.equal[name])[i]
                assert got == pytest.approx(expected(scores[i], target, candidates, metric))
        for name in ("full", "unseen"):
            found = [item for item in sets[name] if scores[i][item - 1] > -math.inf]
            best = sorted(found, key=lambda item: (-scores[i][item - 1], item))
            assert ranks.top[name][i].tolist() == (best + [0] * 20)[:20]


@pytest.fixture(scope="module")
def test_fold(shop):
    return split(shop, LOO).test


@pytest.fixture(scope="module")
def tied_scores(shop):
    """300 x 400, with many ties and some -inf."""
    rng = np.random.default_rng(3)
    scores = rng.integers(-20, 20, (300, 400)).astype(np.float32)
    scores[rng.random(scores.shape) < 0.05] = -np.inf
    return scores


def same(one, two, names=("greater", "equal", "top")):
    for name in names:
        first, second = getattr(one, name), getattr(two, name)
        assert first.keys() == second.keys()
        for key, values in first.items():
            assert np.array_equal(values, second[key]), (name, key)


@pytest.mark.parametrize("rows", [1, 7, 64, 299])
def test_the_size_of_chunks_does_not_matter(monkeypatch, test_fold, tied_scores, answering, rows):
    whole = evaluate(test_fold, 400, answering(tied_scores), LOO)
    monkeypatch.setattr(MODULE, "chunk_rows", lambda n_items: rows)
    assert len(chunks(test_fold, 400)) == -(-300 // rows)
    same(evaluate(test_fold, 400, answering(tied_scores), LOO), whole)


@pytest.mark.parametrize("rows", [1, 7, 64, 299])
def test_the_size_of_chunks_does_not_matter_to_products(monkeypatch, test_fold, rows):
    """Of vectors among which many are equal: a query's scores are those that it has alone."""
    rng = np.random.default_rng(4)
    items = rng.standard_normal((401, 65)).astype(np.float32)
    items[rng.integers(1, 401, 90)] = items[7]
    queries = rng.standard_normal((300, 65)).astype(np.float32)

    def ask(what, slices):
        return (Vectors(queries[part], items) for part in slices)

    whole = evaluate(test_fold, 400, ask, LOO)
    assert whole.equal["full"].max() > 70
    monkeypatch.setattr(MODULE, "chunk_rows", lambda n_items: rows)
    same(evaluate(test_fold, 400, ask, LOO), whole)


@pytest.mark.parametrize("n_items", [1, 400, 12_101, 131_072, 150_000, 10**6, 10**9])
def test_chunks_are_whole_blocks(n_items):
    assert chunk_rows(n_items) % block_rows(n_items) == 0
    assert chunk_rows(n_items) > 0


def test_chunks_are_bounded_in_bytes(test_fold):
    assert chunks(test_fold, 400) == [slice(0, 300)]
    assert chunks(test_fold, 2**18)[:2] == [slice(0, 32), slice(32, 64)]
    assert chunks(test_fold, 10**9)[0] == slice(0, 16)
    assert chunks(test_fold, 400, limit=20) == [slice(0, 20)]
    with pytest.raises(ValueError, match="1 or more"):
        chunks(test_fold, 400, limit=0)


def test_only_the_order_of_scores_counts(test_fold, tied_scores, answering):
    one = evaluate(test_fold, 400, answering(tied_scores), LOO)
    same(evaluate(test_fold, 400, answering(tied_scores**3 * 0.5 + 7), LOO), one)
    same(evaluate(test_fold, 400, answering(tied_scores.astype(np.float64)), LOO), one)


def test_the_numbering_of_items_does_not_matter(test_fold, tied_scores, answering):
    number = np.random.default_rng(1).permutation(400).astype(np.int32) + 1  # of old item 1, 2, ...
    scores = np.empty_like(tied_scores)
    scores[:, number - 1] = tied_scores
    seen = [
        np.sort(number[part - 1]) for part in np.split(test_fold.seen, test_fold.seen_offsets[1:-1])
    ]
    renamed = dataclasses.replace(
        test_fold,
        target=number[test_fold.target - 1],
        seen=np.concatenate(seen),
        candidates={
            name: np.sort(number[candidates - 1], axis=1)
            for name, candidates in test_fold.candidates.items()
        },
    )
    one = evaluate(test_fold, 400, answering(tied_scores), LOO)
    same(evaluate(renamed, 400, answering(scores), LOO), one, ("greater", "equal"))


def test_a_query_is_ranked_alone_as_in_company(make_log, shop, answering):
    def score(log, fold):
        """Any function of what the query shows."""
        last = fold.queries.history[:, -1:].astype(np.float32)
        return (last * 37 + np.arange(log.n_items, dtype=np.float32) * 11) % 53

    def by_user(log):
        fold = split(log, LOO).test
        ranks = evaluate(fold, log.n_items, answering(score(log, fold)), LOO)
        rows = np.stack([*ranks.greater.values(), *ranks.equal.values()], axis=1).tolist()
        return {log.user_ids[user]: row for user, row in zip(fold.queries.user, rows, strict=True)}

    whole = by_user(shop)
    alone = make_log(
        [shop.item[shop.user == 17].tolist()], shop.n_items, user_ids=[shop.user_ids[17]]
    )
    assert by_user(alone)["u17"] == whole["u17"]


def test_without_the_history_no_rank_is_worse(test_fold, tied_scores, answering):
    ranks = evaluate(test_fold, 400, answering(tied_scores), LOO)
    answered = ranks.greater["unseen"] >= 0
    assert 0 < (~answered).sum() < 300
    assert (ranks.greater["unseen"][~answered] == -1).all()
    assert (ranks.equal["unseen"][~answered] == 0).all()
    assert (ranks.equal["unseen"] >= 0).all()
    worst = {name: ranks.greater[name] + ranks.equal[name] for name in ("full", "unseen")}
    assert (ranks.greater["unseen"] <= ranks.greater["full"]).all()
    assert (worst["unseen"] <= worst["full"]).all()
    for i in np.flatnonzero(~answered):
        span = slice(*test_fold.seen_offsets[i : i + 2])
        assert test_fold.target[i] in test_fold.seen[span]


def test_candidates_alone_give_the_ranks_of_all(test_fold, tied_scores, answering):
    whole = evaluate(test_fold, 400, answering(tied_scores), LOO)
    asked = []

    def rates_candidates(what, slices):
        asked.append(what)
        for rows in slices:
            columns = test_fold.candidates["neg100"][rows].astype(int) - 1
            yield np.take_along_axis(tied_scores[rows], columns, axis=1)

    def rates_all(what, slices):
        for rows in slices:
            yield tied_scores[rows]

    for ask in (rates_candidates, rates_all):
        ranks = evaluate(test_fold, 400, ask, LOO, sets=[CANDIDATE_SETS["neg100"]])
        assert list(ranks.greater) == ["neg100"]
        assert not ranks.top
        assert np.array_equal(ranks.greater["neg100"], whole.greater["neg100"])
        assert np.array_equal(ranks.equal["neg100"], whole.equal["neg100"])
    assert asked == ["candidates"]


def test_some_sets_only(test_fold, tied_scores, answering):
    whole = evaluate(test_fold, 400, answering(tied_scores), LOO)
    ranks = evaluate(test_fold, 400, answering(tied_scores), LOO, sets=[CANDIDATE_SETS["unseen"]])
    assert list(ranks.greater) == list(ranks.equal) == list(ranks.top) == ["unseen"]
    assert np.array_equal(ranks.greater["unseen"], whole.greater["unseen"])
    with pytest.raises(ValueError, match="choose of"):
        evaluate(test_fold, 400, answering(tied_scores), LOO, sets=[negatives(7)])
    with pytest.raises(ValueError, match="choose of"):
        evaluate(test_fold, 400, answering(tied_scores), LOO, sets=())


def test_answers_are_not_written_to(test_fold, tied_scores, answering):
    before = tied_scores.copy()
    evaluate(test_fold, 400, answering(tied_scores), LOO)
    assert np.array_equal(before, tied_scores)


def test_a_bad_answer_names_the_query_in_the_fold(monkeypatch, test_fold, tied_scores, answering):
    monkeypatch.setattr(MODULE, "chunk_rows", lambda n_items: 100)
    scores = tied_scores.copy()
    scores[217, 5] = np.nan
    with pytest.raises(AnswerError, match="query 217: column 5"):
        evaluate(test_fold, 400, answering(scores), LOO)


def test_too_few_answers_are_an_error(monkeypatch, test_fold, tied_scores):
    monkeypatch.setattr(MODULE, "chunk_rows", lambda n_items: 100)
    with pytest.raises(ValueError, match="shorter"):
        evaluate(test_fold, 400, lambda what, slices: iter([tied_scores[:100]]), LOO)


def test_progress_is_told(monkeypatch, test_fold, tied_scores, answering):
    monkeypatch.setattr(MODULE, "chunk_rows", lambda n_items: 128)
    told = []
    evaluate(test_fold, 400, answering(tied_scores), LOO, progress=lambda *at: told.append(at))
    assert told == [(128, 300, "queries"), (256, 300, "queries"), (300, 300, "queries")]


def test_validation_is_ndcg_at_10_on_full(monkeypatch, shop, tied_scores, answering):
    fold = split(shop, LOO).valid
    ranks = evaluate(fold, 400, answering(tied_scores), LOO, sets=[CANDIDATE_SETS["full"]])
    each = per_query("ndcg@10", ranks.greater["full"], ranks.equal["full"])
    monkeypatch.setattr(MODULE, "chunk_rows", lambda n_items: 64)
    assert validation_ndcg(fold, 400, answering(tied_scores)) == pytest.approx(each.mean())
    got = validation_ndcg(fold, 400, answering(tied_scores), limit=70)
    assert got == pytest.approx(each[:70].mean())


def test_memory_does_not_grow_with_users(make_log):
    """Four times the queries, the same peak, but for the ranks themselves."""
    n_items = 4000

    def peak(users):
        rng = np.random.default_rng(0)
        log = make_log(rng.integers(1, n_items, (users, 5)).tolist(), n_items)
        fold = split(log, LOO).test

        def ask(what, slices):
            for rows in slices:
                shape = (rows.stop - rows.start, n_items)
                yield np.random.default_rng(rows.start).random(shape, dtype=np.float32)

        tracemalloc.start()
        ranks = evaluate(fold, n_items, ask, LOO)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        kept = [*ranks.greater.values(), *ranks.equal.values(), *ranks.top.values()]
        return most - sum(array.nbytes for array in kept)

    few, many = peak(2048), peak(8192)
    assert many < few * 1.05
    assert many < 40 * 2**20  # two answers: the last still stands while the next one is made


def test_asked_for_each_set_a_model_of_one_mind_has_the_same_ranks(
    make_log, drawing, tied_scores, answering
):
    rng = np.random.default_rng(3)
    log = make_log([rng.permutation(400)[:6] + 1 for _ in range(40)], 400)
    protocol = drawing(LOO, 9)
    protocol = dataclasses.replace(
        protocol, candidate_sets=(negatives(4), *protocol.candidate_sets)
    )
    fold = split(log, protocol).test
    asked, told = [], []

    def ask(one):
        asked.append(one.name)

        def rates(what, slices):
            assert (what == "candidates") == one.sampled
            for rows in slices:
                scores = tied_scores[rows]
                columns = fold.candidates.get(one.name)
                if columns is not None:
                    scores = np.take_along_axis(scores, columns[rows].astype(int) - 1, axis=1)
                yield scores

        return rates

    each = evaluate_each(fold, 400, ask, protocol, progress=lambda *said: told.append(said))
    once = evaluate(fold, 400, answering(tied_scores), protocol)
    assert asked == ["full", "unseen", "neg9", "neg4"]  # what is told last, tells nothing more
    assert list(each.greater) == list(once.greater) == ["neg4", "full", "unseen", "neg9"]
    for part in ("greater", "equal", "top"):
        ours, theirs = getattr(each, part), getattr(once, part)
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    assert told == [(40 * number, 160, "queries") for number in (1, 2, 3, 4)]


def test_what_a_set_excludes(test_fold):
    offsets, items = excluded(test_fold, CANDIDATE_SETS["unseen"])
    assert np.array_equal(offsets, test_fold.seen_offsets)
    assert np.array_equal(items, test_fold.seen)
    for name in ("full", "neg100"):
        offsets, items = excluded(test_fold, CANDIDATE_SETS[name])
        assert not len(items) and np.array_equal(offsets, np.zeros(len(test_fold) + 1))
