import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from mmbench_recbole.rows import batches, right_padded, trained, windows

lengths = st.lists(st.integers(0, 12), min_size=1, max_size=6)


def pairs(rows, events, width):
    """Every (history, target) that the rows train."""
    sequence = right_padded(events, rows.start, rows.length, width)
    found = []
    for start, row, mask in zip(rows.start, sequence, trained(rows, width), strict=True):
        found += [(tuple(row[: k + 1]), int(events[start + k + 1])) for k in np.flatnonzero(mask)]
    return sorted(found)


def layout(sizes):
    size = np.array(sizes)
    start = np.cumsum(size) - size
    return start, size - 1, np.arange(1, size.sum() + 1)


@settings(max_examples=60, deadline=None)
@given(lengths, st.integers(1, 5))
def test_prefix_rows_are_recboles_augmentation(sizes, width):
    start, inputs, events = layout(sizes)
    rows = windows(start, inputs, width, head=1, stride=1)
    expected = []
    for first, size in zip(start, sizes, strict=True):
        own = events[first : first + size]
        expected += [(tuple(own[max(0, k - width) : k]), int(own[k])) for k in range(1, size)]
    assert (rows.positions() == 1).all()
    if len(rows):
        last = [(history[-1], target) for history, target in pairs(rows, events, width)]
        assert all(target == item + 1 for item, target in last)
    sequence = right_padded(events, rows.start, rows.length, width)
    ends = events[rows.start + rows.length] if len(rows) else []
    found = [(tuple(s[:n]), int(t)) for s, n, t in zip(sequence, rows.length, ends, strict=True)]
    assert sorted(found) == sorted(expected)


@settings(max_examples=60, deadline=None)
@given(lengths, st.integers(1, 5))
def test_position_rows_train_the_same_pairs(sizes, width):
    start, inputs, events = layout(sizes)
    prefixes = windows(start, inputs, width, head=1, stride=1)
    positions = windows(start, inputs, width, head=width, stride=1)
    sequence = right_padded(events, prefixes.start, prefixes.length, width)
    ends = events[prefixes.start + prefixes.length] if len(prefixes) else []
    expected = sorted(
        (tuple(s[:n]), int(t)) for s, n, t in zip(sequence, prefixes.length, ends, strict=True)
    )
    assert pairs(positions, events, width) == expected
    assert len(positions) <= len(prefixes)


@settings(max_examples=60, deadline=None)
@given(lengths, st.integers(1, 5), st.integers(1, 5))
def test_a_stride_trains_each_target_once(sizes, width, stride):
    start, inputs, events = layout(sizes)
    rows = windows(start, inputs, width, head=width, stride=min(stride, width))
    targets = [target for _, target in pairs(rows, events, width)]
    expected = [i for f, n in zip(start, sizes, strict=True) for i in events[f + 1 : f + n]]
    assert sorted(targets) == sorted(expected)
    assert (rows.length <= width).all()
    assert (rows.length > 0).all()


@settings(max_examples=60, deadline=None)
@given(lengths, st.integers(1, 7), st.booleans(), st.integers(0, 9))
def test_batches_hold_each_row_once(sizes, size, alike, seed):
    start, inputs, _ = layout(sizes)
    rows = windows(start, inputs, 4, head=4, stride=1)
    parts = list(batches(rows, size, np.random.default_rng(seed), alike=alike))
    found = np.concatenate(parts) if parts else np.zeros(0, dtype=int)
    assert sorted(found) == list(range(len(rows)))
    longest = rows.positions().max(initial=0)
    assert all(rows.positions()[part].sum() < size + longest for part in parts)


def test_rows_of_like_length_come_together():
    rows = windows(np.zeros(64, dtype=int), np.tile([1, 9], 32), 9, head=9, stride=1)
    parts = list(batches(rows, 16, np.random.default_rng(0), alike=True))
    mixed = [len(set(rows.length[part])) > 1 for part in parts]
    assert sum(mixed) <= 1
