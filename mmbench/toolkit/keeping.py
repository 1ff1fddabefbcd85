"""Help for ``keep`` and ``restore``: sparse matrices and torch modules as named arrays.

Import it inside these hooks, so that it is no part of a model's digest of code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import nn

PARTS = ("data", "indices", "indptr")


def pack_sparse(name: str, matrix: Any) -> dict[str, np.ndarray]:
    """A scipy matrix or array in CSR form: its three arrays and its shape, as ``<name>.data``."""
    arrays = {f"{name}.{part}": getattr(matrix, part) for part in PARTS}
    return arrays | {f"{name}.shape": np.array(matrix.shape, dtype=np.int64)}


def unpack_sparse(name: str, arrays: Mapping[str, np.ndarray], kind: Any) -> Any:
    """What ``pack_sparse`` took apart, as ``scipy.sparse.csr_matrix`` or ``csr_array``."""
    parts = tuple(arrays[f"{name}.{part}"] for part in PARTS)
    return kind(parts, shape=tuple(arrays[f"{name}.shape"].tolist()))


def pack_module(module: nn.Module) -> dict[str, Any]:
    """A torch module's parameters and buffers, by their names in it."""
    return dict(module.state_dict())


def unpack_module(module: nn.Module, arrays: Mapping[str, np.ndarray]) -> None:
    """Fill a module of the same shape with what ``pack_module`` gave.

    Raises RuntimeError where names or shapes are not the module's.
    """
    import torch

    module.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
