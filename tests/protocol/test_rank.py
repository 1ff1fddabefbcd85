"""Both engines against a slow oracle, and against each other, to the last bit."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbench.protocol import rank
from mmbench.protocol.rank import TOP, choose_engine, numba_engine, numpy_engine

needs_numba = pytest.mark.skipif(not rank.has_numba(), reason="mmbench[fast] is not installed")
ENGINES = [numpy_engine, pytest.param(numba_engine, marks=needs_numba)]


def make(rng, scores, most_seen=12, n_negatives=9):
    """Targets, seen items and candidates for a matrix of scores."""
    total, n_items = scores.shape
    target = rng.integers(1, n_items + 1, total).astype(np.int32)
    seen = [
        np.sort(rng.permutation(n_items)[: rng.integers(0, min(most_seen, n_items) + 1)] + 1)
        for _ in range(total)
    ]
    offsets = np.cumsum([0, *map(len, seen)])
    others = [np.delete(np.arange(1, n_items + 1), item - 1) for item in target]
    candidates = np.zeros((total, 1 + min(n_negatives, n_items - 1)), np.int32)
    for row, item, rest in zip(candidates, target, others, strict=True):
        drawn = rng.permutation(rest)[: rng.integers(0, n_negatives + 1)]
        row[: 1 + len(drawn)] = item, *drawn
    return (
        scores,
        target,
        offsets.astype(np.int64),
        np.concatenate([*seen, []]).astype(np.int32),
        np.sort(candidates, axis=1),
    )


def ask(engine, question):
    total = len(question[0])
    scores, target, offsets, seen, candidates = question
    counts, top = np.full((3, 2, total), 77, np.int32), np.full((2, total, TOP), 77, np.int32)
    bad = engine.rank_rows(scores, target, offsets, seen, counts[:2], top)
    engine.among_rows(scores, target, candidates, counts[2])
    return bad, counts, top


def slowly(scores, target, offsets, seen, candidates):
    """Sets and sorted lists, spelt out."""
    counts = np.zeros((3, 2, len(scores)), np.int32)
    top = np.zeros((2, len(scores), TOP), np.int32)
    for i, row in enumerate(scores.tolist()):
        own = row[target[i] - 1]
        everything = range(1, len(row) + 1)
        known = set(seen[offsets[i] : offsets[i + 1]].tolist())
        sets = [
            set(everything),
            set(everything) - known,
            set(candidates[i].tolist()) - {0},
        ]
        for k, members in enumerate(sets):
            counts[k, :, i] = -1, 0
            if target[i] in members:
                counts[k, 0, i] = sum(row[item - 1] > own for item in members)
                counts[k, 1, i] = sum(row[item - 1] == own for item in members) - 1
        for k in (0, 1):
            found = [item for item in sets[k] if row[item - 1] > -np.inf]
            best = sorted(found, key=lambda item: (-row[item - 1], item))[:TOP]
            top[k, i, : len(best)] = best
    return counts, top


def drawn(rng, shape, kind):
    """Scores of the kinds that models answer."""
    scores = rng.standard_normal(shape).astype(np.float32)
    if kind == "levels":
        scores = np.round(scores * 2)
    elif kind == "mostly zero":
        scores = np.where(rng.random(shape) < 0.05, np.abs(scores), 0)
    elif kind == "few retrieved":
        scores = np.where(rng.random(shape) < 0.1, scores, -np.inf)
    elif kind == "probabilities":
        scores = np.exp(scores * 15)
    elif kind == "in order":
        scores = -np.sort(-scores, axis=1)
    elif kind == "constant":
        scores[:] = rng.choice([-np.inf, -1.0, 0.0])
    elif kind == "two zeros":
        scores = np.where(rng.random(shape) < 0.5, np.float32(0.0), np.float32(-0.0))
        scores[:, ::7] = -1
    return scores.astype(np.float32)


KINDS = [
    *("normal", "levels", "mostly zero", "few retrieved", "probabilities", "in order"),
    *("constant", "two zeros"),
]


@pytest.mark.parametrize("make_engine", ENGINES)
@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(KINDS),
    n_items=st.sampled_from([1, 2, 15, 16, 17, 40, 700]),
    most_seen=st.sampled_from([0, 5, 60]),
)
def test_against_the_oracle(make_engine, seed, kind, n_items, most_seen):
    rng = np.random.default_rng(seed)
    question = make(rng, drawn(rng, (5, n_items), kind), most_seen)
    bad, counts, top = ask(make_engine(), question)
    assert bad == -1
    want_counts, want_top = slowly(*question)
    np.testing.assert_array_equal(counts, want_counts)
    np.testing.assert_array_equal(top, want_top)


@needs_numba
@pytest.mark.parametrize("kind", KINDS)
def test_engines_agree_on_a_large_catalogue(kind):
    """More rows than a block of numpy's, more items than one look for the best can sort."""
    rng = np.random.default_rng(5)
    question = make(rng, drawn(rng, (150, 5000), kind), most_seen=400, n_negatives=100)
    for ours, theirs in zip(
        ask(numpy_engine(), question), ask(numba_engine(), question), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("make_engine", ENGINES)
def test_who_has_seen_all_the_best_gets_the_next_best(make_engine):
    scores = -np.arange(3000, dtype=np.float32)[None]
    seen = np.arange(1, 2001, dtype=np.int32)
    target, candidates = np.array([2500], np.int32), np.array([[1, 2500]], np.int32)
    _, counts, top = ask(make_engine(), (scores, target, np.array([0, 2000]), seen, candidates))
    assert counts[:, :, 0].tolist() == [[2499, 0], [499, 0], [1, 0]]
    assert top[:, 0].tolist() == [list(range(1, 21)), list(range(2001, 2021))]


@pytest.mark.parametrize("make_engine", ENGINES)
@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf])
@pytest.mark.parametrize("place", [(0, 0), (70, 399), (99, 200)])
def test_what_is_no_score_is_found_in_the_same_pass(make_engine, value, place):
    rng = np.random.default_rng(0)
    scores = drawn(rng, (100, 400), "few retrieved")
    question = make(rng, scores)
    assert ask(make_engine(), question)[0] == -1
    scores[place] = value
    counts = np.zeros((2, 100), np.int32)
    assert ask(make_engine(), question)[0] == place[0]
    column = question[1].astype(np.int64) - 1
    assert make_engine().count_rows(scores, column, counts) == place[0]
    scores[99, 399] = np.nan
    assert ask(make_engine(), question)[0] == place[0]


@pytest.mark.parametrize("make_engine", ENGINES)
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(KINDS), width=st.integers(1, 130))
def test_counting_alone(make_engine, seed, kind, width):
    rng = np.random.default_rng(seed)
    scores = drawn(rng, (70, width), kind)
    column = rng.integers(0, width, 70)
    counts = np.full((2, 70), 77, np.int32)
    assert make_engine().count_rows(scores, column, counts) == -1
    own = scores[np.arange(70), column][:, None]
    assert np.array_equal(counts[0], (scores > own).sum(axis=1))
    assert np.array_equal(counts[1], (scores == own).sum(axis=1) - 1)


@pytest.mark.parametrize("make_engine", ENGINES)
def test_scores_may_be_read_only(make_engine):
    rng = np.random.default_rng(0)
    question = make(rng, drawn(rng, (3, 50), "normal"))
    for array in question:
        array.setflags(write=False)
    assert ask(make_engine(), question)[0] == -1


def test_small_work_is_left_to_numpy():
    assert choose_engine(1000).name == "numpy"


@needs_numba
def test_large_work_goes_to_numba():
    assert choose_engine(10**9).name == "numba"


def test_without_numba_all_work_is_numpys(monkeypatch):
    monkeypatch.setattr(rank, "has_numba", lambda: False)
    assert choose_engine(10**9).name == "numpy"


@needs_numba
def test_machine_code_is_kept_in_our_cache_and_nowhere_else(tmp_path):
    code = (
        "import numba; from mmbench.protocol.rank import numba_engine;"
        "before = numba.config.CACHE_DIR; numba_engine(); assert numba.config.CACHE_DIR == before"
    )
    settings = {**os.environ, "MMBENCH_CACHE": str(tmp_path)}
    settings.pop("NUMBA_CACHE_DIR", None)
    subprocess.run([sys.executable, "-c", code], env=settings, check=True)
    kept = [path.name for path in (tmp_path / "numba").rglob("*.nbc")]
    assert any(name.startswith("rank_numba.rank_rows") for name in kept)
    assert not list(Path(rank.__file__).parent.rglob("*.nb?"))
