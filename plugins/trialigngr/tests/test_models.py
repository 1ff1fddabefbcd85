"""Fits of small models: decoding, sets, shared ids, switches that differ, targets out of reach."""

from dataclasses import replace

import numpy as np
import pytest
from mmbench_trialigngr.configs import VARIANTS
from mmbench_trialigngr.models import TriAlignGR

from mmbench import Interactions

N_ITEMS = 12
NOTHING = np.zeros((3, 0), np.int32)


def catalogue(queries):
    everything = np.arange(1, N_ITEMS + 1, dtype=np.int32)
    return np.broadcast_to(everything, (len(queries), N_ITEMS))


@pytest.fixture
def fitted(small, items, train, make_run):
    """``fitted(preset, **changes)``: a model after ``fit``, with its curves."""

    def fit(preset="tiny", events=None, shop=None, **changes):
        model = TriAlignGR(small(preset, **changes))
        make_run.curve.clear()
        model.fit(
            train=train if events is None else events,
            items=items if shop is None else shop,
            run=make_run(),
        )
        model.curve = list(make_run.curve)
        return model

    return fit


def test_beams_that_cover_the_trie_find_what_rating_each_item_finds(fitted, queries):
    model = fitted()
    beams = model.score(queries, catalogue(queries), NOTHING)
    model.config = replace(model.config, exact=True)
    exact = model.score(queries, catalogue(queries), NOTHING)
    np.testing.assert_allclose(beams, exact, atol=1e-4)
    assert (exact < 0).all()


def test_few_candidates_are_rated_each(fitted, queries):
    model = fitted(beams=1)
    few = np.array([[2, 5, 6, 7, 9]] * 3, np.int32)
    model.config = replace(model.config, exact=True)
    whole = model.score(queries, catalogue(queries), NOTHING)
    model.config = replace(model.config, exact=False)
    found = model.score(queries, few, NOTHING)
    np.testing.assert_allclose(found, whole[:, few[0] - 1], atol=1e-4)


def test_what_is_excluded_takes_no_beam(fitted, queries):
    model = fitted(beams=2)
    model.writer.config = replace(model.writer.config, beams=2)
    best = model.writer.search([[3, 4]] * 3, NOTHING)[0]
    again = model.writer.search([[3, 4]] * 3, best)[0]
    assert not set(best[0].tolist()) & set(again[0].tolist())
    assert (again > 0).all()
    full = model.score(queries, catalogue(queries), NOTHING)
    shown = queries.history
    unseen = model.score(queries, catalogue(queries), shown)
    assert not np.array_equal(full, unseen)


def test_what_no_beam_reached_stands_last_by_popularity(fitted, queries, train):
    model = fitted(beams=2)
    model.writer.config = replace(model.writer.config, beams=2)
    scores = model.score(queries, catalogue(queries), NOTHING)
    reached, _ = model.writer.search([row[row > 0].tolist() for row in queries.history], NOTHING)
    counts = np.bincount(train.item, minlength=N_ITEMS + 1)
    for row, found in zip(scores, reached, strict=True):
        order = (1 + np.argsort(-row, kind="stable")).tolist()
        assert set(order[:2]) == set(found.tolist())
        rest = [counts[item] for item in order[2:]]
        assert rest == sorted(rest, reverse=True)


def test_items_that_share_an_id_are_level(fitted, queries):
    model = fitted(id_sizes=(2, 2), id_unique="none")
    scores = model.score(queries, catalogue(queries), NOTHING)
    ids = model.writer.told.ids[1:]
    _, group = np.unique(ids, axis=0, return_inverse=True)
    assert len(set(group.tolist())) < N_ITEMS
    for number in set(group.tolist()):
        same = scores[:, group == number]
        np.testing.assert_array_equal(same, np.repeat(same[:, :1], same.shape[1], axis=1))
    assert len(np.unique(fitted().writer.told.ids[1:], axis=0)) == N_ITEMS


def test_the_same_seed_gives_the_same_scores(fitted, queries):
    one, other = (fitted().score(queries, catalogue(queries), NOTHING) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_what_is_not_a_training_event_changes_nothing_that_is_trained_on(fitted, train, make_run):
    """The last event of each user left out: no draw of T1, T4 or T5 ends with it."""
    ends = np.cumsum([len(row) for row in train.sequences()]) - 1
    kept = np.setdiff1d(np.arange(len(train.item)), ends)
    cut = Interactions(
        train.user[kept], train.item[kept], train.time[kept], train.n_users, train.n_items
    )
    model = fitted(events=cut)
    steps = {
        (draw.history, draw.item)
        for draw in model.writer._encoded
        if draw.task in ("next", "next-title", "titles-to-next")
    }
    allowed = {
        (tuple(row[max(end - 2, 0) : end].tolist()), int(row[end]))
        for row in cut.sequences()
        for end in range(1, len(row))
    }
    assert steps and steps <= allowed


# a shop of twelve items has no room for many codes, and its ids are of residual k-means already
SAME = ("codes-256", "codes-4096", "rkmeans")
SWITCHES = {
    **{name: (f"{name}/tiny", {}) for name in VARIANTS if name and name not in SAME},
    "rqvae": ("rqvae/tiny", {"id_method": "rqvae", "id_epochs": 5}),
    "shared ids": ("tiny", {"id_sizes": (2, 2), "id_unique": "none"}),
    "sizes": ("tiny", {"id_sizes": (8, 4, 2), "id_unique": "none"}),
    "style": ("tiny", {"style": "paper", "max_tokens": 1000}),
    "picture's weight": ("tiny", {"image_weight": 3.0}),
    "one event": ("tiny", {"max_history": 1}),
}


QUICK = ("tiger", "titles-only", "shared ids")


@pytest.fixture(scope="module")
def plain():
    """Scores of ``tiny``, made once."""
    return {}


@pytest.mark.parametrize(
    "switch", [pytest.param(s, marks=[] if s in QUICK else pytest.mark.slow) for s in SWITCHES]
)
def test_switches_differ(fitted, queries, plain, switch):
    if not plain:
        plain["tiny"] = fitted().score(queries, catalogue(queries), NOTHING)
    preset, changes = SWITCHES[switch]
    other = fitted(preset, **changes).score(queries, catalogue(queries), NOTHING)
    assert np.isfinite(other).all()
    assert not np.allclose(plain["tiny"], other, atol=1e-3)


def test_a_shop_without_pictures_is_served(fitted, items, queries):
    model = fitted("without-pictures/tiny", shop=replace(items, images=None))
    assert np.isfinite(model.score(queries, catalogue(queries), NOTHING)).all()
    told = {name for _, values in model.curve for name in values}
    assert "assets: items with interests" in told and "semantic ids: collisions" in told


def test_assets_of_one_fit_serve_the_next(fitted, make_run):
    fitted("tiger/tiny")
    made = {
        path: path.stat().st_mtime_ns for path in make_run().encodings.rglob("*") if path.is_file()
    }
    assert {path.parent.name for path in made} >= {"texts", "shards", "semantic-ids"}
    fitted("tiger/tiny", max_history=1)  # the same captions, interests, vectors and ids
    again = {path: path.stat().st_mtime_ns for path in made}
    assert again == made
    assert {path for path in make_run().encodings.rglob("*") if path.is_file()} == set(made)
