"""A cell's identity."""

import pytest

from mmbench.results.cell import Cell, Source, canonical

GIVEN = {
    "model": "pop",
    "distribution": "mmbench-x",
    "version": "1.0",
    "config": {"b": 1, "a": [1.5, None], "c": None},
    "dataset": "shop",
    "fingerprints": {"events": "ff"},
    "protocol": "loo@1",
    "seed": 0,
}
CELL = Cell(**GIVEN)
ELSEWHERE = Source(dataset="books", fingerprints={"events": "ee"})


def test_the_id_is_pinned():
    # a change here orphans every stored result: it needs a new schema
    assert CELL.id == "3ddfce93e110"


@pytest.mark.parametrize(
    "change",
    [
        {"model": "x"},
        {"distribution": "x"},
        {"version": "x"},
        {"code": "0123456789abcdef"},
        {"config": {}},
        {"config": {"b": 1, "a": [1.5, None]}},
        {"dataset": "x"},
        {"fingerprints": {"events": "x"}},
        {"fingerprints": {"events": "ff", "text": "x"}},
        {"protocol": "x"},
        {"seed": 1},
        {"limit": 5},
        {"upstream": CELL},
        {"fit_on": ELSEWHERE},
        {"together": (ELSEWHERE,)},
    ],
)
def test_whatever_changes_the_numbers_changes_the_id_and_comes_back(change):
    cell = Cell(**GIVEN | change)
    assert cell.id != CELL.id
    assert cell.digest() == cell.id
    assert Cell.model_validate(cell.to_json()) == cell


def test_key_order_does_not_matter():
    assert Cell(**GIVEN | {"config": {"c": None, "a": [1.5, None], "b": 1}}).id == CELL.id


def test_only_what_was_given_is_stored():
    assert list(CELL.to_json()) == ["id", *list(GIVEN)[:3], "code", *list(GIVEN)[3:]]


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_nan_is_refused(value):
    with pytest.raises(ValueError, match="Out of range"):
        canonical({"a": value})
    with pytest.raises(ValueError, match="Out of range"):
        Cell(**GIVEN | {"config": {"a": value}})
