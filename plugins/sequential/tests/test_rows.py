"""Rows, batches and padding against a plain reading of the sequences."""

import numpy as np
import pytest
from mmbench_sequential.rows import batches, every_position, left_padded, prefixes

SEQUENCES = [[1, 2, 3], [], [4], [5, 6], [7, 8, 9, 10, 11, 12, 13, 14, 15]]
WIDTH = 4


@pytest.fixture
def train(interactions_of):
    return interactions_of([np.array(s, dtype=int) for s in SEQUENCES], n_items=20)


def pairs(train, rows, width=WIDTH):
    """Every trained ``(history, target)``: what the row shows up to the trained position."""
    history, target = left_padded(train.item, rows, width)
    found = []
    for shown, wanted in zip(history.tolist(), target.tolist(), strict=True):
        columns = np.flatnonzero(wanted)
        found += [([item for item in shown[: c + 1] if item], wanted[c]) for c in columns]
    return found


@pytest.mark.parametrize("first", [False, True])
def test_every_position_trains_each_target_once_on_what_came_before(train, first):
    rows = every_position(train, WIDTH, first=first)
    found = pairs(train, rows)
    targets = [item for s in SEQUENCES for item in (s if first else s[1:])]
    assert sorted(target for _, target in found) == targets
    assert rows.widths().max() == WIDTH
    assert rows.targets().sum() == len(targets)
    for history, target in found:
        sequence = next(s for s in SEQUENCES if target in s)
        place = sequence.index(target)
        assert history == sequence[place - len(history) : place]
        assert history or place == 0


def test_the_last_window_of_a_long_sequence_is_full(train):
    rows = every_position(train, WIDTH, first=False)
    history, target = left_padded(train.item, rows, WIDTH)
    assert [11, 12, 13, 14] in history.tolist()
    assert [12, 13, 14, 15] in target.tolist()


def test_a_first_event_is_predicted_from_padding(train):
    rows = every_position(train, WIDTH, first=True)
    history, target = left_padded(train.item, rows, WIDTH)
    assert history[0].tolist() == [0, 0, 1, 2]
    assert target[0].tolist() == [0, 1, 2, 3]
    assert ([], 4) in pairs(train, rows)


def test_prefixes_train_only_the_last_position_on_all_that_came_before(train):
    rows = prefixes(train, WIDTH)
    history, target = left_padded(train.item, rows, WIDTH)
    assert (target[:, :-1] == 0).all()
    expected = [(s[max(0, k - WIDTH) : k], s[k]) for s in SEQUENCES for k in range(1, len(s))]
    assert [
        ([i for i in h if i], t)
        for h, t in zip(history.tolist(), target[:, -1].tolist(), strict=True)
    ] == expected


def test_wider_padding_only_adds_zeros_on_the_left(train):
    rows = every_position(train, WIDTH, first=True)
    narrow, wide = left_padded(train.item, rows, WIDTH), left_padded(train.item, rows, WIDTH + 3)
    for left, right in zip(narrow, wide, strict=True):
        assert np.array_equal(right[:, 3:], left)
        assert not right[:, :3].any()


def test_batches_hold_each_row_once_and_about_equal_targets(interactions_of):
    rng = np.random.default_rng(0)
    sequences = [rng.integers(1, 9, size=n) for n in rng.integers(2, 30, size=400)]
    rows = every_position(interactions_of(sequences, 8), 50, first=False)
    parts = list(batches(rows, 16, np.random.default_rng(1), alike=True))
    assert sorted(np.concatenate(parts)) == list(range(len(rows)))
    sizes = [rows.targets()[part].sum() for part in parts]
    assert len(parts) == pytest.approx(len(rows) / 16, abs=1)
    assert max(sizes) < 16 * rows.targets().mean() + 30
    columns = sum(len(part) * rows.widths()[part].max() for part in parts)
    assert columns < 1.2 * rows.targets().sum()

    again = list(batches(rows, 16, np.random.default_rng(1), alike=True))
    other = list(batches(rows, 16, np.random.default_rng(2), alike=True))
    assert all(np.array_equal(a, b) for a, b in zip(parts, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(parts, other, strict=False))


def test_rows_need_not_come_in_like_widths(interactions_of):
    rng = np.random.default_rng(0)
    sequences = [rng.integers(1, 9, size=n) for n in rng.integers(2, 12, size=200)]
    rows = prefixes(interactions_of(sequences, 8), 50)
    parts = list(batches(rows, 16, np.random.default_rng(1), alike=False))
    assert sorted(np.concatenate(parts)) == list(range(len(rows)))
    assert {len(part) for part in parts} <= {16, len(rows) % 16}
    assert np.mean([len(np.unique(rows.widths()[part])) for part in parts]) > 5
