"""Letters and places against what they mean, pair by pair, and against all sets of rows."""

import itertools
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbench.report.statistics.letters import letters
from mmbench.report.statistics.places import places


@st.composite
def tables(draw, most=8):
    rows = draw(st.integers(0, most))
    pairs = list(itertools.combinations(range(rows), 2))
    return rows, draw(st.lists(st.sampled_from(pairs), unique=True) if pairs else st.just([]))


@given(tables())
@settings(max_examples=300, deadline=None)
def test_rows_share_a_letter_just_where_they_are_not_told_apart(table):
    rows, apart = table
    told = letters(rows, apart)
    assert all(told)
    for a, b in itertools.combinations(range(rows), 2):
        assert bool(set(told[a]) & set(told[b])) == ((a, b) not in apart)


def largest_sets(rows, apart):
    """All sets of rows that are not told apart and to which none can be added, by trying all."""
    every = [
        set(chosen)
        for size in range(1, rows + 1)
        for chosen in itertools.combinations(range(rows), size)
        if not any(pair in apart for pair in itertools.combinations(chosen, 2))
    ]
    return [one for one in every if not any(one < other for other in every)]


@given(tables(most=7))
@settings(max_examples=200, deadline=None)
def test_each_letter_is_a_largest_set_and_none_says_what_another_says(table):
    rows, apart = table
    told = letters(rows, apart)
    names = sorted({name for own in told for name in own})
    sets = [{row for row in range(rows) if name in told[row]} for name in names]
    largest = largest_sets(rows, apart)
    assert all(one in largest for one in sets)
    assert len({frozenset(one) for one in sets}) == len(sets)


def test_intervals_of_an_order_have_the_usual_display():
    apart = [(0, 2), (0, 3), (0, 4), (1, 3), (1, 4), (2, 4)]
    assert letters(5, apart) == (("a",), ("a", "b"), ("b", "c"), ("c", "d"), ("d",))
    assert letters(3, []) == (("a",),) * 3
    assert letters(3, [(1, 0), (2, 0), (2, 1)]) == (("a",), ("b",), ("c",))


def test_letters_do_not_end_with_the_alphabet():
    rows = 60
    told = letters(rows, list(itertools.combinations(range(rows), 2)))
    assert len({name for own in told for name in own}) == rows
    assert told[51] == (string.ascii_letters[-1],)
    assert told[52] == ("a1",)


def test_many_rows_take_no_time():
    """All largest sets of these pairs would be 3^20."""
    rows = 60
    apart = [(a, b) for a, b in itertools.combinations(range(rows), 2) if a // 3 == b // 3]
    told = letters(rows, apart)
    assert all(not set(told[a]) & set(told[b]) for a, b in apart)


@given(tables())
@settings(max_examples=200, deadline=None)
def test_a_row_may_hold_the_places_that_orders_of_all_rows_allow(table):
    """Of all permutations that keep an order's pairs, the first place and the last."""
    rows, better = table[0] % 6, [(a, b) for a, b in table[1] if b < table[0] % 6]
    closed = set(better)
    for middle, a, b in itertools.product(range(rows), repeat=3):  # what is better than worse
        if (a, middle) in closed and (middle, b) in closed:
            closed.add((a, b))
    held = [set() for _ in range(rows)]
    for order in itertools.permutations(range(rows)):
        place = {row: number for number, row in enumerate(order, start=1)}
        if all(place[a] < place[b] for a, b in closed):
            for row in range(rows):
                held[row].add(place[row])
    assert places(rows, closed) == tuple((min(own), max(own)) for own in held)


def test_places_worked_by_hand():
    assert places(4, [(0, 2), (0, 3), (1, 3)]) == ((1, 2), (1, 3), (2, 4), (3, 4))
    assert places(1, []) == ((1, 1),)


@pytest.mark.parametrize("rows", [0, 1])
def test_nobody_and_one(rows):
    assert letters(rows, []) == (("a",),) * rows
