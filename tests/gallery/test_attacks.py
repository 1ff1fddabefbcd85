"""Attacks that found targets under the first protocols find nothing now, and would be noticed."""

import importlib
import os
import sys
from pathlib import Path

import numpy as np
import pytest

import mmbench.data.prepare  # noqa: F401  its rules are changed below
from mmbench import Queries
from mmbench.check import CHECKS, Lab, find_subject, judge_all, select, worlds
from mmbench.data import load
from mmbench.protocol import CANDIDATE_SETS, evaluate, get_protocol, shown_candidates, split
from mmbench.protocol.metrics import per_query

LOO = get_protocol("loo@2")
CHECK = "no_better_than_chance_where_nothing_tells"
ATTACKS = {"InvertsNumbers": "full", "ReplaysNegatives": "neg100"}


@pytest.fixture(autouse=True)
def _gallery_on_the_path(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


@pytest.fixture
def first_rules_hold(monkeypatch, _gallery_on_the_path):
    """Number and draw as ``loo@1`` did; the harness alone is changed, not the models."""
    first_rules = importlib.import_module("first_rules")

    def order(secret, kind, ids):
        assert ids == sorted(ids)
        return first_rules.item_order(len(ids)) if kind == "items" else np.arange(len(ids))

    def keys(secret, protocol, fold, user_ids):
        return first_rules.query_keys("loo@1", fold, user_ids).tolist()

    def streams(keys, width):
        return first_rules.streams(np.array(keys, np.uint64), width)

    for module, name, rule in (
        ("data.prepare", "secret_order", order),
        ("protocol.split", "query_keys", keys),
        ("protocol.candidates", "streams", streams),
    ):
        monkeypatch.setattr(sys.modules[f"mmbench.{module}"], name, rule)


def ndcg(fold, n_items, name, score):
    """ndcg@10 of each query; ``score`` answers queries and, where it can, candidates."""
    chosen = CANDIDATE_SETS[name]
    shown = shown_candidates(fold, [chosen], n_items) if chosen.sampled else None

    def ask(what, slices):
        for rows in slices:
            shape = (rows.stop - rows.start, n_items)
            everything = np.broadcast_to(np.arange(1, n_items + 1, dtype=np.int32), shape)
            parts = (fold.queries.user, fold.queries.history, fold.queries.time)
            queries = Queries(*(part[rows] for part in parts))
            yield score(queries, everything if shown is None else shown[rows])

    ranks = evaluate(fold, n_items, ask, LOO, sets=[chosen])
    return per_query("ndcg@10", ranks.greater[name], ranks.equal[name])


def attack(log, model):
    """ndcg@10 of each query: the attack's, and that of popularity or, of a sample, of chance."""
    fold, train = split(log, LOO).test, split(log, LOO).train
    made = getattr(importlib.import_module("attack_models"), model)(None)
    made.fit(train=train, items=log.items)
    name = ATTACKS[model]
    popular = np.bincount(train.item, minlength=log.n_items + 1).astype(np.float32)
    honest = popular if name == "full" else np.zeros_like(popular)

    def score(queries, candidates):
        return made.score(queries) if name == "full" else made.score(queries, candidates)

    return (
        ndcg(fold, log.n_items, name, score),
        ndcg(fold, log.n_items, name, lambda queries, candidates: honest[candidates]),
    )


def interval(values):
    """The 95% interval of a mean over queries."""
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    return values.mean() - half, values.mean() + half


@pytest.mark.parametrize(("model", "gained"), [("InvertsNumbers", 0.7), ("ReplaysNegatives", 0.7)])
def test_under_the_first_rules_the_attack_finds_targets(model, gained, tmp_path, first_rules_hold):
    found, honest = attack(worlds.make_random_world(tmp_path, users=400), model)
    assert found.mean() > gained
    assert honest.mean() < 0.05


@pytest.mark.parametrize("model", ATTACKS)
def test_the_attack_is_worth_nothing_now(model, tmp_path):
    found, honest = attack(worlds.make_random_world(tmp_path, users=400), model)
    low, high = interval(found)
    assert low <= honest.mean() <= high
    assert high < 0.08


@pytest.mark.parametrize("model", ATTACKS)
def test_the_check_sees_the_attack_where_it_works(model, first_rules_hold):
    verdict = judged(model)
    assert verdict.status == "failed"
    assert f"({ATTACKS[model]})" in verdict.reason


@pytest.mark.parametrize("model", ATTACKS)
def test_now_the_attack_is_caught_by_learning_nothing(model):
    lab = Lab(find_subject(f"attack_models:{model}"))
    caught = [verdict.check for verdict in judge_all(lab, CHECKS, CHECKS) if verdict.bad]
    assert caught == ["learns_which_item_follows_which"]


def judged(model):
    lab = Lab(find_subject(f"attack_models:{model}"))
    return list(judge_all(lab, select(CHECKS, CHECK), CHECKS))[-1]


needs_data = pytest.mark.skipif("MMBENCH_DATA" not in os.environ, reason="needs MMBENCH_DATA")
BEAUTY = {"InvertsNumbers": 0.045, "ReplaysNegatives": 0.98}


@pytest.mark.realdata
@needs_data
@pytest.mark.parametrize("model", ATTACKS)
def test_on_beauty_it_was_worth_much(model, tmp_path, first_rules_hold):
    found, honest = attack(load("amazon2014-beauty", cache=tmp_path), model)
    assert found.mean() > BEAUTY[model] > honest.mean()


@pytest.mark.realdata
@needs_data
@pytest.mark.parametrize("model", ATTACKS)
def test_on_beauty_it_is_worth_nothing_now(model, tmp_path):
    """Less than popularity: a guess that finds nothing takes the first place from popular items."""
    found, honest = attack(load("amazon2014-beauty", cache=tmp_path), model)
    low, high = interval(found)
    assert low <= honest.mean()
    assert high < 1.05 * honest.mean()
