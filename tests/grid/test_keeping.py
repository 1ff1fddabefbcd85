"""What a plugin's process hands over to be kept, and what a class may declare of it."""

import numpy as np
import pytest

from mmbench import hookimpl
from mmbench.grid import exchange
from mmbench.grid.session import _check_keeping
from mmbench.hooks import ContractError
from mmbench.toolkit.keeping import pack_module, pack_sparse, unpack_module, unpack_sparse


@pytest.fixture
def folder(tmp_path):
    (tmp_path / exchange.ANSWERS).mkdir()
    return tmp_path


def test_arrays_and_tensors_are_handed_over(folder):
    torch = pytest.importorskip("torch")
    given = {
        "a": np.arange(6.0).reshape(2, 3).T,
        "b": torch.ones(2, requires_grad=True),
        "c": torch.full((2,), 0.1, dtype=torch.bfloat16),
        "d": np.float32(2),
    }
    found = exchange.load_kept(folder, **exchange.save_kept(folder, given))
    assert np.array_equal(found["a"], given["a"]) and found["d"].shape == ()
    assert found["b"].tolist() == [1, 1]
    assert found["c"].dtype == np.float32 and found["c"][0] == given["c"].float()[0]
    exchange.save_fit(folder, found)
    assert np.array_equal(exchange.load_fit(folder)["a"], given["a"])


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (None, "NoneType where named arrays"),
        ({1: np.zeros(1)}, "where named arrays"),
        ({"a": [1]}, "'a' is list"),
        ({"a": np.array(["x"])}, "'a' is <U1"),
        ({"a": np.array([object()])}, "'a' is object"),
        ({"a": np.zeros(1, complex)}, "what safetensors cannot hold"),
    ],
)
def test_what_cannot_be_kept_is_said(folder, answer, told):
    with pytest.raises(TypeError, match=told):
        exchange.save_kept(folder, answer)


def test_a_file_that_is_none_is_refused(folder):
    (folder / exchange.ANSWERS / exchange.FIT).write_bytes(b"\x80\x04pickle")
    with pytest.raises(ValueError, match="no safetensors"):
        exchange.load_kept(folder, 8)
    with pytest.raises(ValueError, match="another size"):
        exchange.load_kept(folder, 9)


class Half:
    @hookimpl
    def keep(self):
        return {}


class Unsure:
    draws = "no"


def test_half_a_pair_of_hooks_and_a_strange_declaration_are_refused():
    with pytest.raises(ContractError, match="has the hook keep and not restore"):
        _check_keeping(Half, "here")
    with pytest.raises(ContractError, match="draws is True or False, not 'no'"):
        _check_keeping(Unsure, "here")


def test_sparse_matrices_and_modules_come_back():
    torch = pytest.importorskip("torch")
    from scipy.sparse import csr_array, random_array

    matrix = csr_array(random_array((5, 4), density=0.4, rng=np.random.default_rng(0)))
    back = unpack_sparse("m", pack_sparse("m", matrix), csr_array)
    assert (back != matrix).nnz == 0 and back.shape == (5, 4)
    one, other = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    unpack_module(other, {name: part.numpy() for name, part in pack_module(one).items()})
    assert torch.equal(one.weight, other.weight)
