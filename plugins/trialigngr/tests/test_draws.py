"""What is drawn: tasks uniformly, sequence tasks from training events alone, items all."""

from collections import Counter

import numpy as np
import pytest
from mmbench_trialigngr.configs import TASKS
from mmbench_trialigngr.draws import draw_tasks, prefixes
from mmbench_trialigngr.tasks import SEQUENCES, Told

N_ITEMS = 12


@pytest.fixture
def full():
    words = ["", *(f"text {n}" for n in range(N_ITEMS))]
    return Told(np.zeros((N_ITEMS + 1, 2), np.int64), words, words, words)


def test_prefixes_are_training_events_and_no_others(train):
    steps = prefixes(train, 3)
    known = {
        (tuple(row[max(end - 3, 0) : end].tolist()), int(row[end]))
        for row in train.sequences()
        for end in range(1, len(row))
    }
    assert set(steps) == known
    assert len(steps) == sum(len(row) - 1 for row in train.sequences())


def test_each_draw_has_each_task_with_the_same_chance(train, full):
    draws = draw_tasks(TASKS, train, full, 3, seed=0)
    steps = len(prefixes(train, 3))
    assert len(draws) == 8 * steps
    counts = Counter(draw.task for draw in draws)
    assert set(counts) == set(TASKS)
    spread = 4 * np.sqrt(len(draws) * 1 / 8 * 7 / 8)
    assert all(abs(count - steps) < spread for count in counts.values())
    assert draw_tasks(TASKS, train, full, 3, seed=0) == draws
    assert draw_tasks(TASKS, train, full, 3, seed=1) != draws


def test_sequence_tasks_end_with_training_events_and_item_tasks_reach_all_items(train, full):
    draws = draw_tasks(TASKS, train, full, 3, seed=0)
    steps = set(prefixes(train, 3))
    for draw in draws:
        if draw.task in SEQUENCES:
            assert (draw.history, draw.item) in steps
        else:
            assert draw.history == ()
    for task in set(TASKS) - SEQUENCES:
        assert {draw.item for draw in draws if draw.task == task} == set(range(1, N_ITEMS + 1))


def test_one_task_is_as_many_draws_as_prefixes_each_once(train, full):
    draws = draw_tasks(("next",), train, full, 3, seed=0)
    assert sorted((draw.history, draw.item) for draw in draws) == sorted(prefixes(train, 3))


def test_a_task_without_anything_to_ask_of_is_left_out(train, full):
    blind = Told(full.ids, full.titles, full.interests, [""] * (N_ITEMS + 1))
    draws = draw_tasks(TASKS, train, blind, 3, seed=0)
    assert {draw.task for draw in draws} == set(TASKS) - {"visdesc", "visdesc-to-title"}
    assert len(draws) == 6 * len(prefixes(train, 3))
