"""Hits by text, by hand."""

from types import SimpleNamespace

import numpy as np

from mmbench.protocol import text_equal
from mmbench.views import Items


def items(*titles, brands=None):
    fields = {"title": ("", *titles)}
    if brands:
        fields["brand"] = ("", *brands)
    return Items(len(titles), fields)


def asked(top, target):
    lists = {"full": np.array(top, np.int32), "unseen": np.array(top, np.int32)[:, ::-1]}
    return SimpleNamespace(top=lists), SimpleNamespace(target=np.array(target, np.int32))


def test_an_item_of_the_targets_text_is_a_hit():
    ranks, fold = asked([[1, 3, 2], [3, 1, 2], [4, 2, 3], [2, 0, 0]], [2, 2, 4, 3])
    found = text_equal(ranks, fold, items("box", "box", "hat", "cap"), cutoffs=(1, 2, 3))
    assert found["full"] == {"text-equal@1": 0.5, "text-equal@2": 0.75, "text-equal@3": 0.75}
    assert found["unseen"] == {"text-equal@1": 0.5, "text-equal@2": 0.5, "text-equal@3": 0.75}


def test_all_columns_count():
    ranks, fold = asked([[1, 3, 4]], [2])
    told = items("box", "box", "hat", "hat", brands=("A", "B", "C", "C"))
    assert text_equal(ranks, fold, told, cutoffs=(3,))["full"] == {"text-equal@3": 0.0}


def test_items_without_a_text_equal_themselves_alone():
    ranks, fold = asked([[1, 0, 0], [2, 0, 0]], [2, 2])
    found = text_equal(ranks, fold, items("", "", "hat", "hat"), cutoffs=(1,))
    assert found["full"] == {"text-equal@1": 0.5}


def test_nothing_is_said_where_all_texts_differ():
    ranks, fold = asked([[1, 0, 0]], [2])
    assert text_equal(ranks, fold, items("box", "hat", "cap")) == {}
