"""Which rows BERT4Rec trains on, and that its test rows are like them."""

import random

import numpy as np
import pytest
import torch
from mmbench_recbole.rows import right_padded
from mmbench_recbole.sequential import MaskedSequential

from mmbench import Run

N_ITEMS, HISTORY = 400, 5
SIZES = (2, 3, 6, 7, 14, 1, 0, 5)


@pytest.fixture
def build(interactions_of, tmp_path):
    """``build(**settings)``: users shorter and longer than the window; no item comes twice."""
    items = np.split(np.arange(1, sum(SIZES) + 1), np.cumsum(SIZES)[:-1])
    train = interactions_of(items, n_items=N_ITEMS)
    run = Run(0, "cpu", tmp_path, tmp_path, "paper", None, None, None)

    def make(stride=1, **settings):
        made = MaskedSequential(
            "BERT4Rec",
            {"loss_type": "CE", **settings},
            train,
            run,
            max_history=HISTORY,
            batch_size=4,
            stride=stride,
            trim=True,
        )
        return made, items

    return make


def shown(network):
    """The events of each row."""
    rows = network.rows
    padded = right_padded(network.train.item, rows.start, rows.length, network.width)
    return sorted(tuple(row[row > 0].tolist()) for row in padded)


def test_each_event_but_a_users_first_ends_a_row(build):
    network, users = build()
    expected = [
        tuple(items[max(0, end - HISTORY - 1) : end].tolist())
        for items in users
        for end in range(2, len(items) + 1)
    ]
    assert shown(network) == sorted(expected)


@pytest.mark.parametrize("stride", [2, 5])
def test_a_stride_shows_every_event(build, stride):
    network, users = build(stride=stride)
    rows = shown(network)
    assert len(rows) < len(shown(build()[0]))
    assert {item for row in rows for item in row} == {
        int(item) for items in users if len(items) > 1 for item in items
    }
    assert {row[-1] for row in rows} >= {int(items[-1]) for items in users if len(items) > 1}


def test_masking_the_last_event_trains_each_history_and_target_once(build):
    """As the prefix rows of the next-item models, and with the mask where scoring puts it."""
    network, users = build(ft_ratio=1.0)
    found = []
    for batch in network.epoch():
        sequence, index = batch["Mask_item_id_list"].numpy(), batch["MASK_INDEX"].numpy()
        assert (index > 0).sum() == len(index)
        for row, place, target in zip(
            sequence, index.max(1), batch["Pos_item_id"].numpy(), strict=True
        ):
            assert row[place] == N_ITEMS + 1
            assert not row[place + 1 :].any()
            found.append((tuple(row[:place].tolist()), int(target.max())))
    assert sorted(found) == sorted(
        (tuple(items[max(0, end - HISTORY) : end].tolist()), int(items[end]))
        for items in users
        for end in range(1, len(items))
    )


def test_a_last_ratio_of_zero_masks_inside_the_rows(build):
    network, _ = build(ft_ratio=0.0, mask_ratio=0.5)
    random.seed(3)
    places = torch.cat([batch["MASK_INDEX"].flatten() for batch in network.epoch()])
    assert set(places.tolist()) == set(range(HISTORY + 1))
