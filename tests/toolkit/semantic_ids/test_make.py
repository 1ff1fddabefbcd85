"""From vectors to ids: shapes, small and strange catalogues, limits, and what is loaded."""

import json
import logging
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from mmbench.toolkit.semantic_ids import (
    Card,
    SemanticIdConfig,
    make,
    make_semantic_ids,
)

RKMEANS = SemanticIdConfig(method="rkmeans", sizes=(8, 8, 8))
RQVAE = SemanticIdConfig(sizes=(8, 8, 8), widths=(16,), dim=6, epochs=6, validate_every=2)
METHODS = [
    pytest.param(RKMEANS, id="rkmeans"),
    pytest.param(
        RQVAE,
        id="rqvae",
        marks=pytest.mark.skipif(
            not __import__("importlib.util").util.find_spec("torch"), reason="needs torch"
        ),
    ),
]


def catalogue(n=120, dim=10, seed=0):
    vectors = np.random.default_rng(seed).standard_normal((n + 1, dim)).astype(np.float32)
    vectors[0] = 0
    return vectors


def distinct(ids):
    return len(np.unique(ids.codes[1:], axis=0))


@pytest.mark.parametrize("config", METHODS)
def test_each_item_has_an_id_and_padding_has_none(config):
    ids = make_semantic_ids(catalogue(), config, 0)
    assert ids.codes.dtype == np.int32
    assert ids.codes.shape == (121, 3)
    assert (ids.codes[0] == -1).all()
    assert ((ids.codes[1:] >= 0) & (ids.codes[1:] < 8)).all()
    assert ids.sizes == (8, 8, 8)
    assert distinct(ids) == 120
    with pytest.raises(ValueError, match="read-only"):
        ids.codes[1] = 0


@pytest.mark.parametrize("config", METHODS)
def test_the_row_of_padding_does_not_matter_and_vectors_stay_as_they_are(config):
    vectors = catalogue()
    vectors.setflags(write=False)
    other = vectors.copy()
    other[0] = np.nan
    assert np.array_equal(
        make_semantic_ids(vectors, config, 0).codes, make_semantic_ids(other, config, 0).codes
    )


@pytest.mark.parametrize("config", METHODS)
def test_a_seed_makes_the_same_ids_again_and_another_others(config):
    one, same, other = (make_semantic_ids(catalogue(), config, seed) for seed in (0, 0, 1))
    assert np.array_equal(one.codes, same.codes)
    assert one.card == same.card
    assert not np.array_equal(one.codes, other.codes)


@pytest.mark.parametrize("unique", ["sinkhorn", "nearest"])
@pytest.mark.parametrize("n", [1, 2, 3, 5, 7, 8])
@pytest.mark.parametrize("config", METHODS)
def test_tiny_catalogues_have_ids(config, n, unique):
    ids = make_semantic_ids(catalogue(n), replace(config, unique=unique), 0)
    assert ids.codes.shape == (n + 1, 3)
    assert distinct(ids) == n
    assert ids.sizes == (2, 2, 2)
    json.dumps(ids.card.to_dict(), allow_nan=False)


@pytest.mark.parametrize("config", METHODS)
def test_items_of_equal_vectors_have_one_id_unless_it_must_be_unique(config):
    vectors = catalogue(60)
    vectors[10:30] = vectors[10]
    vectors[40:50] = 0
    shared = make_semantic_ids(vectors, replace(config, unique="none"), 0)
    assert len(np.unique(shared.codes[10:30], axis=0)) == 1
    assert len(np.unique(shared.codes[40:50], axis=0)) == 1
    assert shared.card.equal == 19 + 9
    assert shared.card.without_vector == 10
    assert shared.card.largest_group >= 20
    assert distinct(make_semantic_ids(vectors, config, 0)) == 60


@pytest.mark.parametrize("config", METHODS)
@pytest.mark.parametrize("value", [0.0, 3.0])
def test_a_catalogue_whose_vectors_are_all_alike_has_ids(config, value):
    vectors = np.full((41, 5), value, np.float32)
    ids = make_semantic_ids(vectors, config, 0)
    assert distinct(ids) == 40
    assert ids.card.reconstruction_error is None
    assert ids.card.collisions == pytest.approx(39 / 40)
    json.dumps(ids.card.to_dict(), allow_nan=False)


def test_a_level_has_at_most_a_quarter_as_many_codes_as_items_and_says_so(caplog):
    with caplog.at_level(logging.WARNING, "mmbench"):
        ids = make_semantic_ids(catalogue(50), replace(RKMEANS, sizes=(40, 12, 8)), 0)
    assert ids.sizes == (12, 12, 8)
    assert ids.card.asked == (40, 12, 8)
    assert ids.card.limited
    assert ids.card.to_dict()["limited"] is True
    (record,) = caplog.records
    assert "50 items have levels of (12, 12, 8) codes instead of (40, 12, 8)" in record.getMessage()
    caplog.clear()
    with caplog.at_level(logging.WARNING, "mmbench"):
        free = make_semantic_ids(catalogue(50), replace(RKMEANS, sizes=(12, 12, 8)), 0)
    assert not free.card.limited
    assert not caplog.records


def test_fewer_ids_than_items_are_refused_before_anything_is_learned(monkeypatch):
    monkeypatch.setattr(make, "_learn", lambda *given: pytest.fail("learned"))
    with pytest.raises(ValueError, match="lower `items_per_code`"):
        make_semantic_ids(catalogue(50), replace(RKMEANS, sizes=(64,)), 0)
    with pytest.raises(ValueError, match="add a level to `sizes`, or raise the smallest"):
        make_semantic_ids(catalogue(50), replace(RKMEANS, sizes=(7, 7)), 0)


@pytest.mark.parametrize(
    ("vectors", "told"),
    [
        (np.zeros(4, np.float32), r"\(4,\)"),
        (np.zeros((1, 4), np.float32), "row 0 for padding"),
        (np.zeros((4, 0), np.float32), r"\(4, 0\)"),
        (np.array([[0], [1], [np.nan]], np.float32), "item 2"),
        (np.array([[0], [np.inf], [1]], np.float32), "item 1"),
    ],
)
def test_vectors_that_are_none_are_refused(vectors, told):
    with pytest.raises(ValueError, match=told):
        make_semantic_ids(vectors, RKMEANS, 0)


def test_the_card_says_what_the_ids_are():
    vectors = catalogue(200)
    ids = make_semantic_ids(vectors, RKMEANS, 0)
    raw = make_semantic_ids(vectors, replace(RKMEANS, unique="none"), 0)
    card = ids.card
    codes = raw.codes[1:]
    assert card.used == tuple(len(set(codes[:, level])) for level in range(3))
    assert card.collisions == pytest.approx(1 - distinct(raw) / 200)
    moved = (ids.codes != raw.codes).any(axis=1).sum()
    assert card.moved == pytest.approx(moved / 200)
    assert moved > 0
    assert (card.method, card.items, card.epoch, card.restarts) == ("rkmeans", 200, 0, (0, 0, 0))
    assert 0 < card.reconstruction_error < card.reconstruction_error_unique < 1
    assert card.neighbours_kept > card.neighbours_by_chance
    assert card.aliasing[0] > card.aliasing[1]
    assert raw.card.moved == 0


def test_names_of_codes_do_not_matter_to_the_card(monkeypatch):
    """Entries in another order: the same items share codes, and every figure is the same."""
    vectors, plain = catalogue(), make._learn
    before = make_semantic_ids(vectors, RKMEANS, 0)

    def renamed(*given):
        learned = plain(*given)
        return replace(learned, books=tuple(book[::-1].copy() for book in learned.books))

    monkeypatch.setattr(make, "_learn", renamed)
    after = make_semantic_ids(vectors, RKMEANS, 0)
    np.testing.assert_array_equal(after.codes[1:], 7 - before.codes[1:])
    told, same = after.card.to_dict(), before.card.to_dict()
    assert told.keys() == same.keys()
    for name, value in told.items():
        assert value == (pytest.approx(same[name]) if name != "method" else same[name])


def test_a_card_is_data_and_comes_back():
    card = make_semantic_ids(catalogue(), RKMEANS, 0).card
    told = json.loads(json.dumps(card.to_dict(), allow_nan=False))
    assert Card.from_dict(told) == card
    with pytest.raises(KeyError):
        Card.from_dict({"method": "rkmeans"})


def test_what_a_card_puts_on_a_row_fits_into_a_log():
    from mmbench.grid.curves import check_point

    for n in (2, 120):
        figures = make_semantic_ids(catalogue(n), RKMEANS, 0).card.figures()
        check_point(0, figures, ())
        assert figures["semantic ids: perplexity 1"] >= 1
        assert all(isinstance(value, float) for value in figures.values())
        assert figures["semantic ids: limited by the catalogue"] == (n == 2)


def test_torch_is_loaded_by_training_alone():
    code = """
import sys
import numpy as np
from mmbench.toolkit import semantic_ids
vectors = np.random.default_rng(0).standard_normal((41, 4)).astype(np.float32)
config = semantic_ids.SemanticIdConfig(method="rkmeans", sizes=(8, 8))
semantic_ids.make_semantic_ids(vectors, config, 0)
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"method": "pq"}, "no method 'pq'"),
        ({"unique": "maybe"}, "unique is 'maybe'"),
        ({"sizes": ()}, "sizes is empty"),
        ({"sizes": (4, 0)}, "sizes is"),
        ({"widths": (-1,)}, "widths is"),
        ({"epochs": 0}, "epochs is 0; it must be above 0"),
        ({"batch_size": -1}, "batch_size is -1; it must be at least 0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(change, told):
    with pytest.raises(ValueError, match=told):
        SemanticIdConfig(**change)
