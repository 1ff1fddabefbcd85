"""The trie against a dictionary of prefixes, and what it costs to leave items out."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbench import vlm


@st.composite
def tables(draw):
    """Sequences of few tokens, so that they share beginnings, and some are equal."""
    levels = draw(st.integers(1, 4))
    row = st.lists(st.integers(0, 3), min_size=levels, max_size=levels)
    return np.array(draw(st.lists(row, min_size=1, max_size=30)))


@given(tables())
def test_nodes_are_the_distinct_beginnings_in_order(table):
    trie = vlm.Trie(table)
    assert (trie.n_items, trie.levels) == table.shape
    for level in range(trie.levels + 1):
        below = defaultdict(set)
        for number, row in enumerate(table.tolist()):
            below[tuple(row[:level])].add(number + 1)
        assert len(trie.tokens[level]) == len(below)
        for node, beginning in enumerate(sorted(below)):
            bounds = trie.bounds[level][node : node + 2]
            assert set(trie.items[slice(*bounds)].tolist()) == below[beginning]
            assert trie.first[level][node] == min(below[beginning])
            if level:
                assert trie.tokens[level][node] == beginning[-1]
                assert trie.widths[level - 1] == len(below)
    assert trie.largest_group == max(map(len, below.values()))
    groups = [trie.items[a:b].tolist() for a, b in zip(*two(trie.bounds[-1]), strict=True)]
    assert all(group == sorted(group) for group in groups)


def two(bounds):
    return bounds[:-1], bounds[1:]


@given(tables(), st.data())
def test_children_of_any_nodes_are_those_that_go_on_from_them(table, data):
    trie = vlm.Trie(table)
    sequences = [sorted({tuple(row[:n]) for row in table.tolist()}) for n in range(trie.levels + 1)]
    for level in range(trie.levels):
        asked = data.draw(st.lists(st.integers(0, len(sequences[level]) - 1), max_size=6))
        place, child = trie.children(level, np.array(asked, dtype=np.int64))
        found = [sequences[level + 1][node] for node in child]
        expected = [
            (number, longer)
            for number, node in enumerate(asked)
            for longer in sequences[level + 1]
            if longer[:-1] == sequences[level][node]
        ]
        assert list(zip(place.tolist(), found, strict=True)) == expected
        for node in asked:
            tokens = [
                longer[-1]
                for longer in sequences[level + 1]
                if longer[:-1] == sequences[level][node]
            ]
            assert trie.following(sequences[level][node]) == tokens
    assert trie.following(sequences[-1][0]) == []
    place, item = trie.items_of(np.arange(len(sequences[-1])))
    assert [sequences[-1][leaf] for leaf in place] == [tuple(table[i - 1].tolist()) for i in item]
    items = np.arange(1, trie.n_items + 1)
    for level in range(trie.levels + 1):
        above = trie.nodes_at(level, trie.places(items))
        assert [sequences[level][node] for node in above] == [
            tuple(row[:level]) for row in table.tolist()
        ]


@given(tables(), st.data())
def test_a_node_is_closed_when_all_below_it_is_excluded(table, data):
    trie = vlm.Trie(table)
    item = st.integers(0, trie.n_items)  # 0 is none
    excluded = data.draw(st.lists(st.lists(item, min_size=6, max_size=6), min_size=1, max_size=4))
    barred = trie.bar(excluded)
    for level in range(trie.levels + 1):
        nodes = np.arange(len(trie.tokens[level]))
        for query, row in enumerate(excluded):
            found = barred.is_open(level, np.full(len(nodes), query), nodes)
            expected = [
                bool(set(trie.items[trie.bounds[level][n] : trie.bounds[level][n + 1]]) - set(row))
                for n in nodes
            ]
            assert found.tolist() == expected
    for query, row in enumerate(excluded):
        allowed = barred.allows(np.full(trie.n_items, query), np.arange(1, trie.n_items + 1))
        assert allowed.tolist() == [number not in row for number in range(1, trie.n_items + 1)]


def test_what_is_excluded_takes_memory_for_itself_alone():
    """Not for each query and node, as a mask would: here that were 20 million of them."""
    table = np.stack(np.unravel_index(np.arange(100_000), (50, 50, 40)), axis=1)
    excluded = np.random.default_rng(0).integers(0, 100_001, (200, 30))
    barred = vlm.Trie(table).bar(excluded)
    arrays = [value for value in vars(barred).values() if isinstance(value, np.ndarray)]
    assert 0 < sum(array.nbytes for array in arrays) <= 8 * excluded.size


def test_an_end_token_follows_every_sequence():
    trie = vlm.Trie([[3, 1], [3, 2]], end=9)
    assert trie.levels == 3 and trie.widths == (1, 2, 2)
    assert trie.following([3, 2]) == [9] and trie.following([3, 2, 9]) == []


def test_the_example_of_the_module():
    trie = vlm.Trie([[7, 20], [7, 21], [9, 20]])
    assert trie.following([7]) == [20, 21]
    place, child = trie.children(1, np.array([1, 0]))
    assert (place.tolist(), trie.tokens[2][child].tolist()) == ([0, 1, 1], [20, 20, 21])
    assert repr(trie) == "Trie(3 items, nodes 2 3)"


@pytest.mark.parametrize(
    ("sequences", "words"),
    [
        ([1, 2], "not int64 of shape"),
        ([[0.5, 1.0]], "not float64"),
        (np.zeros((0, 3), int), "of shape"),
        ([[1, 2], [3, -1]], "with -1 in it"),
    ],
)
def test_what_is_no_table_of_tokens_is_refused(sequences, words):
    with pytest.raises(ValueError, match=words):
        vlm.Trie(sequences)


def test_items_and_beginnings_that_are_none_are_refused():
    trie = vlm.Trie([[7, 20], [7, 21]])
    with pytest.raises(IndexError, match=r"3 is no item; items are 1\.\.2"):
        trie.bar([[1, 3]])
    with pytest.raises(IndexError, match="0 is no item"):
        trie.places([0])
    with pytest.raises(KeyError, match="no sequence begins with"):
        trie.following([8])
    with pytest.raises(KeyError, match="longer than all"):
        trie.following([7, 20, 1])
