"""Batches change nothing: padding, neighbours, order, repeated pictures."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmbench import vlm
from mmbench.vlm.batches import by_length, shuffled_by_length

from .conftest import FAMILIES, shown


@pytest.mark.parametrize("name", FAMILIES)
def test_neighbours_and_padding_change_no_embedding(name, shared, store):
    backbone = shared(name)
    pictures = vlm.Pictures(backbone, store)
    histories = [(1,), (2, 3, 4, 5), (6, 1, 6), (3,), (5, 4)]
    prompts = [vlm.Prompt(shown(pictures, *history)) for history in histories]
    whole = vlm.embed(backbone, prompts, pictures, batch_size=5)
    pairs = vlm.embed(backbone, prompts[::-1], pictures, batch_size=2)[::-1]
    alone = vlm.embed(backbone, prompts, pictures, batch_size=1)
    assert np.abs(whole - alone).max() < 1e-5
    assert np.abs(pairs - alone).max() < 1e-5
    assert np.abs(alone[0] - alone[3]).max() > 1e-3  # they are not all the same


@pytest.mark.parametrize("name", FAMILIES)
def test_means_leave_padding_out(name, shared, store):
    backbone = shared(name)
    pictures = vlm.Pictures(backbone, store)
    prompts = [
        vlm.Prompt(["a ", vlm.Span("history", *shown(pictures, *history)), " b"])
        for history in [(1,), (2, 3, 4, 5)]
    ]
    together = vlm.embed(backbone, prompts, pictures, pool="history")
    alone = vlm.embed(backbone, prompts[:1], pictures, pool="history")
    assert np.abs(together[:1] - alone).max() < 1e-5
    encoded = backbone.encode(prompts[0])
    with torch.no_grad():
        states = backbone(backbone.batch([encoded], pictures))[0].double()
    expected = states[torch.from_numpy(encoded.spans["history"])].mean(0)
    assert np.abs(alone[0] - expected.numpy()).max() < 1e-5


def test_last_token_and_mean_by_hand():
    hidden = torch.arange(12.0).reshape(2, 3, 2)
    left = torch.tensor([[0, 1, 1], [1, 1, 1]])
    right = torch.tensor([[1, 1, 0], [1, 0, 0]])
    assert vlm.last_token(hidden, left).tolist() == [[4, 5], [10, 11]]
    assert vlm.last_token(hidden, right).tolist() == [[2, 3], [6, 7]]
    assert vlm.mean_over(hidden, left).tolist() == [[3, 4], [8, 9]]
    assert vlm.mean_over(hidden, torch.zeros(2, 3)).tolist() == [[0, 0], [0, 0]]


def test_a_batch_is_padded_on_the_left_and_holds_each_picture_once(shared, store):
    backbone = shared("smolvlm")
    pictures = vlm.Pictures(backbone, store)
    prompts = [
        vlm.Prompt([vlm.Image(2), "a", vlm.Image(1), vlm.Image(2)]),
        vlm.Prompt([vlm.Span("x", "b")], answer=[vlm.Image(2)]),
    ]
    encoded = [backbone.encode(prompt) for prompt in prompts]
    batch = backbone.batch(encoded, pictures)
    short = len(encoded[1])
    assert len(batch) == 2 and batch.ids.shape[1] == len(encoded[0])
    assert batch.attended[1].tolist() == [0] * (batch.ids.shape[1] - short) + [1] * short
    assert (batch.ids[1, :-short] == backbone.pad).all()
    assert batch.spans["x"].sum(1).tolist() == [0, 1]
    assert not batch.answer[0].any() and batch.answer[1, -1]
    assert len(batch.images) == 2  # items 1 and 2
    assert batch.rows.tolist() == [1, 0, 1, 1]
    assert (batch.images[0] == pictures.take([1])[0]).all()


def test_pictures_must_be_given_where_prompts_show_them(shared, store):
    backbone = shared("smolvlm")
    encoded = [backbone.encode(vlm.Prompt([vlm.Image(3)]))]
    with pytest.raises(ValueError, match="such as item 3's; give `pictures`"):
        backbone.batch(encoded)


lengths = st.lists(st.integers(1, 50), min_size=1, max_size=300)


@given(lengths, st.integers(1, 9))
def test_by_length_takes_each_once_the_longest_first(values, size):
    batches = by_length(values, size)
    flat = np.concatenate(batches)
    assert sorted(flat) == list(range(len(values)))
    assert all(len(batch) == size for batch in batches[:-1])
    assert (np.diff(np.asarray(values)[flat]) <= 0).all()


@given(lengths, st.integers(1, 9), st.integers(0, 99))
def test_shuffled_order_takes_each_once_and_depends_on_the_generator_alone(values, size, seed):
    order = shuffled_by_length(values, size, np.random.default_rng(seed))
    assert sorted(order) == list(range(len(values)))
    again = shuffled_by_length(values, size, np.random.default_rng(seed))
    assert (order == again).all()


def test_shuffled_order_puts_like_lengths_together_and_shuffles():
    rng = np.random.default_rng(0)
    values = rng.integers(1, 1000, 800)
    order = shuffled_by_length(values, 8, rng)
    spread = np.ptp(values[order].reshape(-1, 8), axis=1).mean()
    assert spread < 50  # of a batch by chance: about 780
    means = values[order].reshape(-1, 8).mean(1)
    assert abs(np.corrcoef(means, np.arange(100))[0, 1]) < 0.4  # batches are in no order
    other = shuffled_by_length(values, 8, rng)
    batches = {frozenset(batch) for batch in order.reshape(-1, 8)}
    assert not batches & {frozenset(batch) for batch in other.reshape(-1, 8)}
