"""Attacks that found targets under the first protocols find nothing now, and would be noticed.

Each begins with its success: without the wall, or by the first rules. Two datasets of one origin,
whose targets train in each other, are refused by the command line: see ``grid/test_fit_on.py``.
"""

import importlib
import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import mmbench.data.prepare  # noqa: F401  its rules are changed below
from mmbench import Queries
from mmbench.check import CHECKS, Lab, find_subject, judge_all, select, worlds
from mmbench.data import load
from mmbench.grid import landlock
from mmbench.grid.declared import describe_plugin
from mmbench.grid.question import ask_question
from mmbench.grid.registry import Plugin, parse_ref
from mmbench.grid.runner import Circumstances, Job, run_cell
from mmbench.protocol import CANDIDATE_SETS, evaluate, get_protocol, shown_candidates, split
from mmbench.protocol.metrics import per_query
from mmbench.results.cell import Cell
from mmbench.results.ranks import read_ranks
from mmbench.results.record import parse

LOO = get_protocol("loo@2")
CHECK = "no_better_than_chance_where_nothing_tells"
needs_landlock = pytest.mark.skipif(not landlock.abi(), reason="this kernel has no Landlock")
ATTACKS = {"InvertsNumbers": "full", "ReplaysNegatives": "neg100"}


@pytest.fixture(autouse=True)
def _gallery_on_the_path(monkeypatch):
    """For this process, and for those that it starts."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)


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


def run(model, log, folder, *, preset="paper", protocol="loo@2", **how):
    """A cell of an attack behind the wall, by the grid's own runner."""
    plugin = Plugin("attack", f"attack_models:{model}", "mmbench-gallery", "1.0")
    described = describe_plugin(
        plugin, parse_ref(f"attack/{preset}"), {}, size="tiny", isolated=True
    )
    assert not described.problem
    asked = ask_question(log, get_protocol(protocol))
    cell = Cell(
        model="attack",
        distribution="mmbench-gallery",
        version="1.0",
        config=described.declared.config,
        dataset=log.id,
        fingerprints={"events": log.fingerprints.events},
        protocol=protocol,
        seed=0,
    )
    scratch = folder / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    job = Job(cell, plugin, "attack", preset, described.declared)
    told = Circumstances(cache=folder / "cache", **how)
    done = run_cell(job, asked, scratch, told, lambda event: None)
    assert done.record.done, done.record.status
    return done


def figures(ranks, log):
    """ndcg@10 of each query of a cell under ``loo@2``, and popularity's."""
    found = per_query("ndcg@10", *(np.asarray(ranks[f"{k}_full"]) for k in ("greater", "equal")))
    parts = split(log, LOO)
    popular = np.bincount(parts.train.item, minlength=log.n_items + 1).astype(np.float32)
    return found, ndcg(parts.test, log.n_items, "full", lambda _, candidates: popular[candidates])


def last(done, name):
    """The last point of a curve."""
    return done.record.curves[name][-1][1]


@pytest.mark.parametrize("trace", ["name", "size", "time"])
def test_pictures_as_files_of_their_own_tell_the_targets(trace, tmp_path):
    first_rules = importlib.import_module("first_rules")
    log = worlds.make_random_world(tmp_path / "world", users=200)
    raw = np.array(log.item_ids[1:], dtype=np.int64)
    told = first_rules.hand_over(tmp_path / "pictures", raw, trace)
    parts = split(log, LOO)
    made = importlib.import_module("attack_models").ReadsTraces(None)
    logged = {}
    items = replace(log.items, images=told)
    made.fit(
        train=parts.train,
        items=items,
        run=SimpleNamespace(log=lambda step, **values: logged.update(values)),
    )
    found = ndcg(parts.test, log.n_items, "full", lambda queries, _: made.score(queries))
    assert logged["agreement"] > 0.95
    assert found.mean() > 0.7


@needs_landlock
def test_pictures_that_are_handed_over_tell_nothing(tmp_path):
    """No name, size, time or place in a folder goes with the order of the source's ids."""
    log = worlds.make_random_world(tmp_path / "world", users=200)
    done = run("ReadsTraces", log, tmp_path)
    assert last(done, "traces") >= 2
    assert last(done, "agreement") < 0.6
    found, honest = figures(done.ranks, log)
    low, high = interval(found)
    assert low <= honest.mean() <= high


def test_what_a_cache_carries_tells_the_targets(tmp_path):
    """Of the users that train under one protocol, and without a wall."""
    log = worlds.make_random_world(tmp_path / "world", users=200)
    run("Carries", log, tmp_path, preset="tiny", protocol="pixrec-window@2", walled=False)
    done = run("Carries", log, tmp_path, preset="tiny", walled=False)
    assert last(done, "found") == 1  # the model cache; encodings are apart
    found, honest = figures(done.ranks, log)
    assert found.mean() > 0.7 and honest.mean() < 0.1


@needs_landlock
def test_nothing_is_carried_from_one_protocol_to_another(tmp_path):
    log = worlds.make_random_world(tmp_path / "world", users=200)
    first = run("Carries", log, tmp_path, protocol="pixrec-window@2")
    assert last(first, "written") >= 4  # encodings, scratch, a home, shared memory
    done = run("Carries", log, tmp_path)
    assert last(done, "places") > 10
    assert last(done, "found") == 0
    found, honest = figures(done.ranks, log)
    np.testing.assert_array_equal(found, honest)
    left = [path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("mmbench-carried.npz")]
    assert set(left) == {"cache", "scratch"}


CARRIED = "carries_nothing_from_another_protocol"


def test_the_check_sees_what_a_cache_carries():
    lab = Lab(find_subject("attack_models:Carries"), walled=False)
    caught = {v.check: v.reason for v in judge_all(lab, CHECKS, CHECKS) if v.bad}
    assert caught.keys() == {
        CARRIED,
        "opens_nothing_outside_its_folders",
        "learns_which_item_follows_which",
    }
    assert "in which targets train" in caught[CARRIED]


@needs_landlock
def test_behind_the_wall_the_check_passes_and_the_attack_is_caught_by_learning_nothing():
    lab = Lab(find_subject("attack_models:Carries"))
    caught = [verdict.check for verdict in judge_all(lab, CHECKS, CHECKS) if verdict.bad]
    assert caught == ["opens_nothing_outside_its_folders", "learns_which_item_follows_which"]
    assert lab.verdicts[CARRIED].status == "passed"


@pytest.fixture
def burgled(bench):
    """The command line with honest results, and the burglar who knows where all lies."""
    bench.environment["PYTHONPATH"] += os.pathsep + str(Path(__file__).parent)
    bench.install("gallery", "mmbench-gallery", burgles="attack_models:Burgles")
    bench.install("forgers", "mmbench-forgers", **FORGERS)
    done = bench.run("run", "-m", "noise", "-d", "shop", "--seeds", "2")
    assert done.code == 0, done.err

    def listed(folder):
        return [str(path) for path in (bench.folder / folder).rglob("*") if path.is_file()]

    places = {"SOURCES": "data", "PREPARED": "cache/prepared", "RESULTS": "results"}
    wanted = {name: listed(folder) for name, folder in places.items()}
    assert all(wanted.values())
    lines = "".join(f"{name} = {paths!r}\n" for name, paths in wanted.items())
    (bench.folder / "site" / "wanted.py").write_text(lines)
    bench.before = {path: Path(path).read_bytes() for paths in wanted.values() for path in paths}
    return bench


def stored(bench, model):
    """The record of a model's cell on the shop, and the table of its ranks."""
    (path,) = (bench.folder / "results" / "shop" / "loo@2").glob(f"{model}*/*.json")
    record = parse(json.loads(path.read_text()))
    return record, read_ranks(path, record) if record.done else None


DOORS = ("sources", "prepared", "results", "parent", "descriptors")


@needs_landlock
def test_a_burglar_opens_no_door(burgled):
    done = burgled.run("run", "-m", "burgles", "-d", "shop")
    assert done.code == 0, done.err
    record, ranks = stored(burgled, "burgles")
    curves = {name: points[-1][1] for name, points in record.curves.items()}
    assert {name: curves[f"{name} opened"] for name in DOORS} == dict.fromkeys(DOORS, 0)
    assert min(curves[name] for name in DOORS) >= 2
    assert curves["written"] == 0
    for path, content in burgled.before.items():
        assert Path(path).read_bytes() == content
    log = load(str(burgled.folder / "data" / "shop"), cache=burgled.folder / "again")
    found, honest = figures(ranks, log)
    low, high = interval(found)
    assert low <= honest.mean() <= high


def test_without_the_wall_the_doors_are_open(burgled):
    """In a thread of the harness's own process, say; so a door that opens would be noticed."""
    done = burgled.run("run", "-m", "burgles/files", "-d", "shop", "--in-process")
    assert done.code == 0, done.err
    record, _ = stored(burgled, "burgles")
    curves = {name: points[-1][1] for name, points in record.curves.items()}
    for name in ("sources", "prepared", "results"):
        assert curves[f"{name} opened"] == curves[name] > 0
    assert curves["written"] > 0
    assert record.wall == "none"


FORGERS = {
    "costless": "forgers:Costless",
    "names": "forgers:ForgesNames",
    "early": "forgers:Early",
}
NOT_SO = "its process sent what it may not: "


def test_who_forges_costs_or_floods_curves_is_a_failed_row(burgled):
    done = burgled.run("run", "-m", ",".join(FORGERS), "-d", "shop")
    assert done.code == 1
    records = {name: stored(burgled, name)[0] for name in FORGERS}
    assert {record.status.kind for record in records.values()} == {"failed"}
    assert all(record.status.reason.startswith(NOT_SO) for record in records.values())
    assert "fit.seconds" in records["costless"].status.reason
    assert "curves, and a cell keeps 64" in records["names"].status.reason
    assert all(len(json.dumps(record.to_json())) < 50_000 for record in records.values())


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
