"""Tables of which some rows are trained (new tokens under adapters), put together once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

MERGE = "get_merged_weights"  # PEFT's: a copy of the table with the trained rows in it


@contextmanager
def merged_once(model: nn.Module) -> Iterator[None]:
    """Meanwhile PEFT copies no table for each look at it, and twice for each look at the head.

    The numbers are the same, and no weight may change meanwhile. A table that the head shares is
    put together once for both. It takes one table's memory.
    """
    layers = [module for module in model.modules() if hasattr(module, MERGE)]
    tables: dict[int, Tensor] = {}
    for layer in layers:
        setattr(layer, MERGE, _remembering(layer, tables))
    try:
        yield
    finally:
        for layer in layers:
            delattr(layer, MERGE)


def _remembering(layer: Any, tables: dict[int, Tensor]) -> Callable[[Any], Tensor]:
    merge, table = getattr(layer, MERGE), layer.base_layer.weight.data_ptr()

    def merged(adapters: Any) -> Tensor:
        if table not in tables:
            tables[table] = merge(adapters)
        return tables[table]

    return merged
