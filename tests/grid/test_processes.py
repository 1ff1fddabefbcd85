"""Several processes fit one model, as one process with the whole batch would."""

import os

import numpy as np
import pytest

from mmbench.grid import ranks
from mmbench.results.cell import Cell

pytestmark = pytest.mark.skipif(os.name == "nt", reason="wants loopback by its Linux name")
TRAINING = {"epochs": 2, "learning_rate": 0.01, "batch_size": 8}


def test_how_many_fit_a_model_is_part_of_its_cell_and_one_is_what_was_always_meant(make_cell):
    one, two = make_cell(), make_cell(processes=2)
    assert one.id == Cell(**{**one.to_json(), "id": ""}).id
    assert "processes" not in one.to_json()
    assert two.id != one.id


def test_one_process_needs_no_other(tmp_path):
    before = dict(os.environ)
    with ranks.joined(tmp_path, 1, {}):
        assert dict(os.environ) == before


@pytest.mark.slow
def test_two_with_half_a_batch_each_are_as_one_with_all_of_it(cell):
    pytest.importorskip("transformers")
    two = cell("together:Together", processes=2, training=TRAINING)
    assert two.record.done, two.record.status
    assert two.record.curves["processes"] == [(0, 2.0)]
    whole = {**TRAINING, "batch_size": 16}
    one = cell("together:Together", training=whole)
    assert one.record.done, one.record.status
    assert one.record.curves["processes"] == [(0, 1.0)]
    assert two.ranks.keys() == one.ranks.keys()
    for name, column in two.ranks.items():
        np.testing.assert_array_equal(column, one.ranks[name], err_msg=name)


@pytest.mark.slow
def test_where_one_fails_the_cell_does_and_says_why(cell):
    pytest.importorskip("transformers")
    failed = cell("together:Together", processes=2, fails=1)
    assert failed.record.status.kind == "failed"
    assert "ValueError: as it was told to" in failed.record.status.traceback
