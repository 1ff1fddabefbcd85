"""Kept fits: what a model learned in a cell, as arrays with the cell's identity, never a pickle.

A fit is one file of safetensors beside the cell's record, ``<cell id>.fit.safetensors``. Its header
is JSON and holds the whole cell (model, code, config, data, protocol, seed), the version of mmbench
that wrote it, and a digest of the arrays.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mmbench import __version__
from mmbench.files import write_atomically
from mmbench.problems import UserError
from mmbench.results.cell import Cell, canonical, differences
from mmbench.results.store import record_path

FIT = ".fit.safetensors"
FORMAT = "mmbench-fit-1"
Arrays = dict[str, np.ndarray]


def fit_path(root: Path, cell: Cell) -> Path:
    """Where the fit of a cell is or will be, beside its record."""
    return record_path(root, cell).with_suffix(FIT)


def write_fit(path: Path, cell: Cell, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a fit, whole or not at all. Raises OSError, and UserError for what no file can hold."""
    from safetensors import SafetensorError
    from safetensors.numpy import save

    header = {
        "format": FORMAT,
        "mmbench": __version__,
        "cell": canonical(cell.to_json()),
        "sha256": _digest(arrays),
    }
    try:
        data = save(dict(arrays), metadata=header)
    except (SafetensorError, KeyError) as error:
        raise UserError(f"its arrays cannot be written: {error}") from error
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, data)


def read_fit(path: Path, cell: Cell) -> Arrays:
    """The arrays of a cell's fit.

    Raises UserError where the file cannot be read, is damaged, or is the fit of another cell, which
    says what differs.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            header = file.metadata() or {}
            if header.get("format") != FORMAT:
                raise UserError(f"{path} is no fit that mmbench {__version__} kept")
            _demand_same(path, header, cell)
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no dict
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"cannot read the fit {path}: {error}") from error
    if _digest(arrays) != header.get("sha256"):
        raise UserError(f"the fit {path} is damaged: its arrays have another digest; fit again")
    return arrays


def _demand_same(path: Path, header: Mapping[str, str], cell: Cell) -> None:
    """Raise UserError unless a fit is the cell's, and ValueError for a header that is no JSON."""
    kept, ours = json.loads(header["cell"]), cell.to_json()
    if kept == ours:
        return
    parts = [
        f"{name} is {one}, and {wanted} is asked for"
        for name, one, wanted in differences(kept, ours)
    ]
    what = "; ".join(parts) or "it is named otherwise"
    raise UserError(f"{path} is the fit of another cell: {what}")


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    """The sha256 over names, types, shapes and bytes, 64 hex digits."""
    found = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        found.update(canonical([name, array.dtype.str, list(array.shape)]).encode())
        found.update(np.asarray(array, order="C").tobytes())
    return found.hexdigest()
