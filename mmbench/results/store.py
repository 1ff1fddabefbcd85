"""Results on disk: a cell is done or it is not, and nothing finished is ever half there.

``<root>/<dataset>/<protocol>/<model>/<cell id>.json`` is the record; ``.ranks.parquet`` beside it
holds each query's ranks, ``.top.parquet`` its top lists and, where another cell starts from them,
``.items.npy`` its item embeddings; ``.examples.jsonl`` are texts that it made. A file is written
under a temporary name, flushed to the disk and renamed; the record comes last: where it is, all is
there.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from mmbench.data.tables import parquet_bytes
from mmbench.files import put_in_place, remove_tree, slug, write_beside
from mmbench.results.cell import Cell
from mmbench.results.examples import EXAMPLES, Example, as_lines
from mmbench.results.ranks import RANKS, TOP
from mmbench.results.read import load_result
from mmbench.results.record import Record, ResultError, SchemaError

ITEMS = ".items.npy"
Columns = Mapping[str, np.ndarray]


def record_path(root: Path, cell: Cell) -> Path:
    """Where a cell's record is or will be."""
    return root / slug(cell.dataset) / slug(cell.protocol) / slug(cell.model) / f"{cell.id}.json"


def items_path(root: Path, cell: Cell) -> Path:
    """Where a cell's item embeddings are, if another cell wanted them: float32[n_items + 1, d]."""
    return record_path(root, cell).with_suffix(ITEMS)


def read_record(root: Path, cell: Cell) -> Record | None:
    """A cell's record with the figures of its ranks; None where there is none, or one is damaged.

    Raises SchemaError for a record that only a newer mmbench reads: nobody shall write over it.
    """
    path = record_path(root, cell)
    try:
        return load_result(path)
    except SchemaError as error:
        raise SchemaError(f"{path} {error}") from error
    except (OSError, ResultError):
        return None


def write_record(
    root: Path,
    record: Record,
    ranks: Columns | None = None,
    top: Columns | None = None,
    items: np.ndarray | None = None,
    examples: Sequence[Example] = (),
) -> Record:
    """Store a cell's result; returns the record as stored: with its seal and the digests of files.

    Raises OSError, leaving no half file.
    """
    path = record_path(root, record.cell)
    path.parent.mkdir(parents=True, exist_ok=True)
    ranked, listed = (None if columns is None else _parquet(columns) for columns in (ranks, top))
    record = record.changed(ranks_sha256=_digest(ranked), top_sha256=_digest(listed))
    stored = record.to_json()
    record = record.changed(seal=stored["seal"])
    text = json.dumps(stored, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    parts = {
        path.with_suffix(RANKS): ranked,
        path.with_suffix(TOP): listed,
        path.with_suffix(ITEMS): None if items is None else _npy(items),
        path.with_suffix(EXAMPLES): as_lines(examples) if examples else None,
        path: text.encode(),
    }
    # all is on the disk before anything gets its name: an older result is replaced whole
    written: dict[Path, Path] = {}
    try:
        for target, data in parts.items():
            if data is not None:
                written[target] = write_beside(target, data)
        for target in parts:
            if target in written:
                put_in_place(written[target], target)
            else:
                target.unlink(missing_ok=True)
    finally:
        for beside in written.values():
            beside.unlink(missing_ok=True)
    return record


@contextlib.contextmanager
def claim(
    root: Path,
    cell: Cell,
    stop: threading.Event,
    on_wait: Callable[[], None] = lambda: None,
) -> Iterator[Path]:
    """Hold a cell against other grids on the same folder; yields a fresh scratch folder.

    Waits while another process has the cell (until ``stop`` is set: InterruptedError), and calls
    ``on_wait`` once where it comes to that. The scratch folder of a grid that was killed is removed
    on the way.
    """
    work = root / ".work"
    work.mkdir(parents=True, exist_ok=True)
    lock_path = work / f"{cell.id}.lock"
    told = False
    while (handle := _take_lock(lock_path)) is None:
        if not told:
            on_wait()
            told = True
        if stop.wait(0.5):
            raise InterruptedError
    try:
        scratch = work / cell.id
        remove_tree(scratch)
        scratch.mkdir()
        try:
            yield scratch
        finally:
            remove_tree(scratch)
    finally:
        lock_path.unlink(missing_ok=True)
        os.close(handle)


def sweep(root: Path) -> None:
    """Remove what killed grids left: scratch folders that nobody holds, temporary files."""
    work = root / ".work"
    for lock_path in {path.with_suffix(".lock") for path in work.glob("*")}:
        if (handle := _take_lock(lock_path)) is not None:
            remove_tree(lock_path.with_suffix(""))
            lock_path.unlink(missing_ok=True)
            os.close(handle)
    for path in root.glob("*/*/*/.*"):
        owner = path.name.split(".")[-2] if path.name.count(".") > 2 else ""
        if owner.isdigit() and not _alive(int(owner)):
            path.unlink(missing_ok=True)


def _parquet(columns: Columns) -> bytes:
    import pyarrow as pa  # not for every command that looks into a store

    arrays = {
        name: pa.array(values)
        if values.ndim == 1
        else pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])
        for name, values in columns.items()
    }
    # small whole numbers have empty high bytes: split into streams they take half the room
    split = {
        name: "BYTE_STREAM_SPLIT"
        for name, values in columns.items()
        if values.ndim == 1 and values.dtype.kind == "i"
    }
    return parquet_bytes(pa.table(arrays), split)


def _digest(data: bytes | None) -> str:
    return "" if data is None else hashlib.sha256(data).hexdigest()


def _npy(array: np.ndarray) -> bytes:
    sink = io.BytesIO()
    np.save(sink, array, allow_pickle=False)
    return sink.getvalue()


def _take_lock(path: Path) -> int | None:
    """An open lock file, locked until it is closed or its holder dies; None if somebody has it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        import fcntl
    except ImportError:  # no such locks on Windows: two grids on one folder are not guarded there
        return handle
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(handle).st_ino == os.stat(path).st_ino:
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass  # held, or released and removed a moment ago: the caller tries again
    os.close(handle)
    return None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
