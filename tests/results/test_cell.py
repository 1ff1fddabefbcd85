"""A cell's identity."""

from dataclasses import replace

import pytest

from mmbench.results.cell import Cell, canonical

CELL = Cell("pop", "mmbench-x", "1.0", {"b": 1, "a": [1.5, None]}, "shop", "ff", "loo@1", 0)


def test_the_id_is_pinned():
    # a change here orphans every stored result: it needs a new schema
    assert CELL.id == "ba3aacacb44b"


@pytest.mark.parametrize(
    "change",
    [
        {"model": "x"},
        {"distribution": "x"},
        {"version": "x"},
        {"config": {}},
        {"dataset": "x"},
        {"fingerprint": "x"},
        {"protocol": "x"},
        {"seed": 1},
        {"limit": 5},
    ],
)
def test_whatever_changes_the_numbers_changes_the_id(change):
    assert replace(CELL, **change).id != CELL.id


def test_key_order_does_not_matter():
    assert replace(CELL, config={"a": [1.5, None], "b": 1}).id == CELL.id


def test_nan_is_refused():
    with pytest.raises(ValueError, match="Out of range"):
        canonical({"a": float("nan")})
