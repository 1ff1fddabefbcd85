"""Kept fits on disk: whole, of one cell, and refused where they are anything else."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mmbench.problems import UserError
from mmbench.results.cell import Cell
from mmbench.results.fits import fit_path, read_fit, write_fit

CELL = Cell(
    **{"model": "m", "distribution": "d", "version": "1", "code": "ab", "config": {"k": 1}},
    **{"dataset": "shop", "fingerprints": {"events": "e"}, "protocol": "loo@2", "seed": 0},
)
ARRAYS = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "n": np.array(3), "e": np.zeros(0)}


@pytest.fixture
def kept(tmp_path):
    path = fit_path(tmp_path, CELL)
    write_fit(path, CELL, ARRAYS)
    return path


def test_a_fit_comes_back_as_it_was(kept):
    found = read_fit(kept, CELL)
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        assert np.array_equal(found[name], array)
    assert load_file(kept)["n"] == 3  # any tool that reads safetensors reads it
    assert [path.name for path in kept.parent.iterdir()] == [f"{CELL.id}.fit.safetensors"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"code": "cd"}, "code is ab, and cd is asked for"),
        ({"seed": 4}, "seed is 0, and 4 is asked for"),
        ({"config": {"k": 2}}, "config.k is 1, and 2 is asked for"),
        ({"fingerprints": {"events": "f"}}, "fingerprints.events is e, and f is asked for"),
        ({"protocol": "time@2"}, "protocol is loo@2"),
        ({"weights": {"a": "commit:0"}}, "weights is None"),
    ],
)
def test_a_fit_of_another_cell_is_refused(kept, change, told):
    other = CELL.model_copy(update={"id": "", **change})
    with pytest.raises(UserError, match=f"is the fit of another cell: .*{told}"):
        read_fit(kept, Cell(**other.to_json()))


def test_a_damaged_file_is_refused(kept, tmp_path):
    data = kept.read_bytes()
    kept.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(UserError, match="is damaged"):
        read_fit(kept, CELL)
    kept.write_bytes(data[:40])
    with pytest.raises(UserError, match="cannot read the fit"):
        read_fit(kept, CELL)
    save_file(ARRAYS, kept)
    with pytest.raises(UserError, match="is no fit that mmbench"):
        read_fit(kept, CELL)
    with pytest.raises(UserError, match="cannot read the fit"):
        read_fit(tmp_path / "none", CELL)
