"""What ``mmbench.testing`` makes for tests of plugins."""

import numpy as np
import pytest

from mmbench.testing import make_interactions, make_queries, make_run


def test_events_are_told_user_by_user():
    train = make_interactions([[3, 1], [], [2]], n_items=4)
    assert (train.user.tolist(), train.item.tolist()) == ([0, 0, 2], [3, 1, 2])
    assert train.time.tolist() == [0, 1, 0]
    assert (train.n_users, train.n_items) == (3, 4)
    assert (train.user.dtype, train.item.dtype, train.time.dtype) == (np.int32, np.int32, np.int64)


def test_no_event_at_all():
    train = make_interactions([[], []], n_items=4)
    assert len(train.user) == len(train.item) == len(train.time) == 0
    assert train.n_users == 2


def test_histories_stand_right_and_lose_their_oldest_events():
    queries = make_queries([[5], [], [1, 2, 3, 4]], width=3)
    assert queries.history.tolist() == [[0, 0, 5], [0, 0, 0], [2, 3, 4]]
    assert queries.user.tolist() == [0, 1, 2]
    assert make_queries([[5]], width=3, user=[7]).user.tolist() == [7]


def test_a_run_takes_other_values_and_makes_no_folder(tmp_path):
    run = make_run(tmp_path, seed=3, validate=lambda limit=None: 0.5)
    assert (run.seed, run.validate(), run.device, run.preset) == (3, 0.5, "cpu", "tiny")
    assert not run.scratch.exists() and not run.cache.exists()
    assert run.scratch.is_relative_to(tmp_path) and run.cache.is_relative_to(tmp_path)
    with pytest.raises(TypeError):
        make_run(tmp_path, sead=3)
