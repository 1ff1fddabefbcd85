"""Views and answers as files of plain arrays, so that processes share them without copying.

Views lie in a folder that the plugin's process may only read, answers in one that it may write to.
So the harness never writes where a plugin does, and what it reads of a plugin's it copies first: a
file that another process holds may shrink at any moment, and links may lead anywhere.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from mmbench.files import save_array
from mmbench.grid.replies import Layout
from mmbench.grid.wall import ANSWERS
from mmbench.views import (
    Answer,
    Float32,
    ImageStore,
    Int32,
    Int64,
    Interactions,
    Items,
    Queries,
    TopK,
    Vectors,
)

Bytes = NDArray[np.uint8]
SPACES = ("fused", "text", "image")
VIEWS = "views"
WIDEST = 16_384  # columns of vectors, where the catalogue has fewer items
LARGE = 2**26  # bytes
FIT = "fit.safetensors"


@dataclass(frozen=True, slots=True)
class Room:
    """What an answer about so many rows can be at most, so that none fills the memory."""

    rows: int
    n_items: int

    def check(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        """Raise ValueError for an array that is larger than any good one, or than the memory.

        Good scores and lists have a row for each query, and a column for each item at most;
        vectors may be wider. A wrong shape of that size is told later, in the model's own words.
        """
        columns = self.n_items + 1
        if name == "queries":
            columns = max(columns, WIDEST)
        if math.prod(shape) > self.rows * columns:
            raise ValueError(
                f"an array of shape {shape} as {name} of {self.rows} rows: {self.rows} x {columns} "
                "is the most"
            )
        size = math.prod(shape) * dtype.itemsize
        if size > LARGE and 2 * size > (free := psutil.virtual_memory().available):
            raise ValueError(f"an array of {size:,} bytes, where {free:,} of memory are free")


def save_train(folder: Path, train: Interactions) -> None:
    """Write the training events below ``folder``."""
    _save(folder, "train", user=train.user, item=train.item, time=train.time)
    sizes = {"n_users": train.n_users, "n_items": train.n_items}
    (_views(folder) / "train.json").write_text(json.dumps(sizes))


def load_train(folder: Path) -> Interactions:
    """The training events, memory-mapped and read-only."""
    sizes = json.loads((folder / VIEWS / "train.json").read_text())
    return Interactions(**_load(folder, "train", "user", "item", "time"), **sizes)


def save_items(folder: Path, items: Items) -> None:
    """Write the catalogue below ``folder``; the file of pictures stays where it is."""
    catalogue = {
        "n_items": items.n_items,
        "fields": {name: list(values) for name, values in items.fields.items()},
        "features": sorted(items.features),
        "images": items.images and str(items.images.path),
    }
    (_views(folder) / "items.json").write_text(json.dumps(catalogue))
    _save(folder, "feature", **items.features)


def load_items(folder: Path) -> Items:
    """The catalogue."""
    catalogue = json.loads((folder / VIEWS / "items.json").read_text())
    return Items(
        n_items=catalogue["n_items"],
        fields={name: tuple(values) for name, values in catalogue["fields"].items()},
        images=ImageStore(Path(catalogue["images"])) if catalogue["images"] else None,
        features=_load(folder, "feature", *catalogue["features"]),
    )


def save_queries(
    folder: Path, fold: str, queries: Queries, candidates: Int32 | None = None
) -> None:
    """Write a fold's queries (there is no target in them) below ``folder``.

    Candidates have the target among them: give them only where the model is asked about them.
    """
    _save(folder, fold, user=queries.user, history=queries.history, time=queries.time)
    if candidates is not None:
        save_candidates(folder, fold, candidates)


def save_candidates(folder: Path, fold: str, candidates: Int32) -> None:
    """Write a fold's candidates, int32[q, c]; see ``save_queries``."""
    _save(folder, fold, candidates=candidates)


def part_of(fold: str, of: str) -> str:
    """The name under which lies what a candidate set ``of`` a fold tells beside the queries."""
    return f"{fold}-{of}" if of else fold


def load_queries(folder: Path, fold: str) -> Queries:
    """A fold's queries, memory-mapped and read-only."""
    return Queries(**_load(folder, fold, "user", "history", "time"))


def save_excluded(folder: Path, fold: str, offsets: Int64, items: Int32) -> None:
    """Write what cannot be recommended: query ``i``'s are ``items[offsets[i]:offsets[i + 1]]``."""
    _save(folder, fold, excluded=items, bounds=offsets)


def load_excluded(folder: Path, fold: str) -> tuple[Int64, Int32]:
    """``offsets`` and ``items`` of ``save_excluded``, memory-mapped and read-only."""
    found = _load(folder, fold, "bounds", "excluded")
    return found["bounds"], found["excluded"]


def load_candidates(folder: Path, fold: str) -> Int32:
    """A fold's candidates, int32[q, c], memory-mapped and read-only."""
    return _map(folder / VIEWS / f"{fold}-candidates.npy")


def save_answer(folder: Path, slot: int, answer: Any) -> dict[str, Any]:
    """Write a plugin's answer and describe it in a message.

    Raises TypeError for what is neither a numeric numpy array nor a TopK or Vectors of such.
    """
    if isinstance(answer, TopK):
        parts = {"items": answer.items, "scores": answer.scores}
    elif isinstance(answer, Vectors):
        parts = {"queries": answer.queries}
    else:
        parts = {"scores": answer}
    return {name: _write(_answer(folder, slot, name), array) for name, array in parts.items()}


def load_answer(
    folder: Path,
    slot: int,
    described: Mapping[str, Layout],
    memory: dict[str, Bytes],
    room: Room,
) -> Answer:
    """Read an answer back, with the sizes that the message states held against the file's.

    Args:
        folder: where it lies.
        slot: which of several answers.
        described: the message.
        memory: of earlier answers, to be filled again: fresh memory costs more than reading.
        room: how much there is for it.

    Raises ValueError where message and file disagree, or where it is too much.
    """
    if set(described) not in ({"scores"}, {"queries"}, {"items", "scores"}):
        raise ValueError(f"an answer of {sorted(described)}")
    parts = {
        name: _read(_answer(folder, slot, name), layout, memory, name, room)
        for name, layout in described.items()
    }
    if "queries" in parts:
        return Vectors(parts["queries"])
    if "items" in parts:
        return TopK(items=parts["items"], scores=parts["scores"])
    return parts["scores"]


def save_item_vectors(folder: Path, answer: Any) -> dict[str, Any]:
    """Write what ``embed_items`` returned to go with ``Vectors``, and describe it in a message.

    Raises TypeError where that holds no ``fused`` matrix.
    """
    fused = answer.get("fused") if isinstance(answer, Mapping) else None
    if not isinstance(fused, np.ndarray) or fused.ndim != 2 or fused.dtype.kind != "f":
        raise TypeError(
            "score answered Vectors, so embed_items must return {'fused': a matrix of floats}"
            f"{_to_numpy(fused)}"
        )
    return _write(folder / ANSWERS / "item-vectors", fused.astype(np.float32, copy=False))


def load_item_vectors(folder: Path, layout: Layout, n_items: int) -> Float32:
    """Read the items' vectors back. Raises ValueError as ``load_answer`` does."""
    room = Room(n_items + 1, n_items)
    return _read(folder / ANSWERS / "item-vectors", layout, {}, "queries", room)


def _answer(folder: Path, slot: int, name: str) -> Path:
    return folder / ANSWERS / f"{slot}-{name}"


def _write(path: Path, array: Any) -> dict[str, Any]:
    """An array's bytes, over those of the last one: pages that are there need not be made."""
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
        kind = getattr(array, "dtype", type(array).__name__)
        raise TypeError(
            f"score answered {kind} where a numeric numpy array, a TopK or Vectors is due"
            f"{_to_numpy(array)}"
        )
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        file.write(np.ascontiguousarray(array).data)
        file.truncate()
    return {"dtype": array.dtype.str, "shape": list(array.shape)}


def _to_numpy(value: Any) -> str:
    """How a tensor becomes an array; the end of a sentence, empty for what is none."""
    if type(value).__module__.partition(".")[0] != "torch":
        return ""
    return "; a tensor becomes one with .detach().float().cpu().numpy()"


def _read(
    path: Path, layout: Layout, memory: dict[str, Bytes], name: str, room: Room
) -> np.ndarray:
    try:
        dtype = np.dtype(layout.dtype)
    except TypeError as error:
        raise ValueError(f"an answer of type {layout.dtype!r}") from error
    shape = tuple(layout.shape)
    if dtype.kind not in "fiub":
        raise ValueError(f"an answer of type {dtype}")
    room.check(name, shape, dtype)
    with open(path, "rb", opener=_open_plain) as file:
        size = os.fstat(file.fileno()).st_size
        if math.prod(shape) * dtype.itemsize != size:
            raise ValueError(f"an answer of shape {shape} and type {dtype} in {size} bytes")
        if name not in memory or len(memory[name]) < size:
            memory[name] = np.empty(size, dtype=np.uint8)
        filled = memory[name][:size]
        if file.readinto(filled.data) != size:
            raise ValueError("an answer that changed while it was read")
    return filled.view(dtype).reshape(shape)


def _open_plain(path: str, flags: int) -> int:
    """Open a file, but no link and nothing that one would wait for. Raises OSError, ValueError."""
    handle = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ValueError(f"{os.path.basename(path)} is no plain file")
    return handle


def save_embeddings(folder: Path, answer: Any) -> dict[str, Any]:
    """Write what an embedding hook answered and describe it in a message.

    Raises TypeError for anything but a mapping from spaces to matrices of floats.
    """
    if not isinstance(answer, Mapping) or not answer or set(answer) - set(SPACES):
        held = sorted(map(str, answer)) if isinstance(answer, Mapping) else type(answer).__name__
        raise TypeError(f"embeddings are a mapping with some of {', '.join(SPACES)}, not {held}")
    described = {}
    for space, matrix in answer.items():
        if not isinstance(matrix, np.ndarray) or matrix.ndim != 2 or matrix.dtype.kind != "f":
            raise TypeError(
                f"the {space} embeddings must be a numpy matrix of floats{_to_numpy(matrix)}"
            )
        path = folder / ANSWERS / f"embedding-{space}"
        described[space] = _write(path, matrix.astype(np.float32, copy=False))
    return described


def load_embeddings(
    folder: Path, described: Mapping[str, Layout], room: Room
) -> dict[str, Float32]:
    """The embeddings that a message describes. Raises ValueError as ``load_answer`` does."""
    unknown = set(described) - set(SPACES)
    if unknown:
        raise ValueError(f"unknown spaces {sorted(unknown)}")
    found = {
        space: _read(folder / ANSWERS / f"embedding-{space}", layout, {}, "queries", room)
        for space, layout in described.items()
    }
    for space, matrix in found.items():
        if matrix.ndim != 2 or matrix.dtype != np.float32:
            raise ValueError(f"the {space} embeddings are {matrix.dtype}{list(matrix.shape)}")
    return found


def save_kept(folder: Path, answer: Any) -> dict[str, Any]:
    """Write what ``keep`` answered and describe it in a message.

    Raises TypeError for anything but a mapping from names to arrays or tensors of numbers.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save  # not in every cell

    if not isinstance(answer, Mapping) or not all(isinstance(name, str) for name in answer):
        raise TypeError(f"keep answered {type(answer).__name__} where named arrays are due")
    try:
        data = save({name: _plain(name, value) for name, value in answer.items()})
    except SafetensorError as error:
        raise TypeError(f"keep answered what safetensors cannot hold: {error}") from error
    with open(os.open(folder / ANSWERS / FIT, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        file.write(data)
        file.truncate()
    return {"size": len(data)}


def _plain(name: str, value: Any) -> np.ndarray:
    """An array or a tensor as an array of numbers; bfloat16, which numpy lacks, as float32."""
    if type(value).__module__.partition(".")[0] == "torch":
        value = value.detach().cpu()
        value = (value.float() if str(value.dtype) == "torch.bfloat16" else value).numpy()
    if not isinstance(value, np.ndarray | np.generic) or value.dtype.kind not in "fiubc":
        kind = getattr(value, "dtype", type(value).__name__)
        raise TypeError(f"keep: {name!r} is {kind}; arrays and tensors of numbers can be kept")
    return np.array(value, order="C")


def load_kept(folder: Path, size: int) -> dict[str, np.ndarray]:
    """The arrays of ``save_kept``. Raises ValueError for a file that is none, or is too much."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    with open(folder / ANSWERS / FIT, "rb", opener=_open_plain) as file:
        if os.fstat(file.fileno()).st_size != size:
            raise ValueError("the kept arrays are a file of another size than was said")
        if size > LARGE and 2 * size > (free := psutil.virtual_memory().available):
            raise ValueError(f"kept arrays of {size:,} bytes, where {free:,} of memory are free")
        data = file.read(size)
    try:
        return dict(load(data))
    except (SafetensorError, KeyError, TypeError) as error:
        raise ValueError(f"kept arrays that are no safetensors: {error}") from error


def save_fit(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a kept fit below ``folder``, for ``restore``."""
    from safetensors.numpy import save

    (_views(folder) / FIT).write_bytes(save(dict(arrays)))


def load_fit(folder: Path) -> dict[str, np.ndarray]:
    """The arrays of a kept fit."""
    from safetensors.numpy import load_file

    return dict(load_file(folder / VIEWS / FIT))


def _views(folder: Path) -> Path:
    """The folder to write views to, made if need be."""
    place = folder / VIEWS
    place.mkdir(exist_ok=True)
    return place


def _save(folder: Path, prefix: str, **arrays: np.ndarray) -> None:
    for name, array in arrays.items():
        path = _views(folder) / f"{prefix}-{name}.npy"
        path.unlink(missing_ok=True)  # the old file may be mapped somewhere: leave it as it is
        save_array(path, array)


def _load(folder: Path, prefix: str, *names: str) -> dict[str, Any]:
    return {name: _map(folder / VIEWS / f"{prefix}-{name}.npy") for name in names}


def _map(path: Path) -> np.ndarray:
    try:
        mapped: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:  # an empty array cannot be memory-mapped
        mapped = np.load(path, allow_pickle=False)
    return np.asarray(mapped)
