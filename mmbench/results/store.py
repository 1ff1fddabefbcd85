"""Results on disk: a cell is done or it is not, and nothing finished is ever half there.

``<root>/<dataset>/<protocol>/<model>/<cell id>.json`` is the record; ``.ranks.parquet`` beside it
holds each query's ranks, ``.top.parquet`` its top lists and, where another cell starts from them,
``.items.npy`` its item embeddings; ``.examples.jsonl`` are texts that it made. All of them are
written into a temporary folder and flushed to the disk, then renamed; the record comes last: where
it is, all is there.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmbench.data.tables import parquet_bytes
from mmbench.files import slug, sync
from mmbench.problems import UserError
from mmbench.results.cell import Cell
from mmbench.results.examples import EXAMPLES, Example, as_lines
from mmbench.results.lease import open_fresh
from mmbench.results.ranks import RANKS, TOP
from mmbench.results.read import load_result
from mmbench.results.record import Record, ResultError, SchemaError

RECORD, ITEMS = ".json", ".items.npy"
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
        os.close(open_fresh(path))
        return load_result(path)
    except SchemaError as error:
        raise SchemaError(f"{path} {error}") from error
    except (OSError, ResultError):
        return None


@dataclass(frozen=True, slots=True)
class Rendered:
    """A result as it is stored: the record, with its seal and the digests of files, and the files.

    ``files`` maps the ending of a name to its content, in the order in which they get their names:
    the record's comes last. None is a file that this result does not have.
    """

    record: Record
    files: Mapping[str, bytes | None]


def render(
    record: Record,
    ranks: Columns | None = None,
    top: Columns | None = None,
    items: np.ndarray | None = None,
    examples: Sequence[Example] = (),
) -> Rendered:
    """A cell's result as bytes."""
    ranked, listed = (None if columns is None else _parquet(columns) for columns in (ranks, top))
    record = record.changed(ranks_sha256=_digest(ranked), top_sha256=_digest(listed))
    stored = record.to_json()
    text = json.dumps(stored, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    files = {
        RANKS: ranked,
        TOP: listed,
        ITEMS: None if items is None else _npy(items),
        EXAMPLES: as_lines(examples) if examples else None,
        RECORD: text.encode(),
    }
    return Rendered(record.changed(seal=stored["seal"]), files)


def demand_writable(folder: Path) -> None:
    """Raise UserError where no result can be stored in a folder, be it there or not; make nothing.

    A full disk is no such reason: what is there already may be all that is asked for.
    """
    nearest = folder.absolute()
    while not nearest.exists():
        nearest = nearest.parent
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return
        raise UserError(
            f"nothing can be stored in {folder}: {error.strerror}. Choose another folder with --out"
        ) from error


def write_bundle(bundle: Path, made: Rendered, path: Path) -> None:
    """Write a result's files, flushed to the disk, into a folder of their own.

    Raises OSError, which names the file that it would become.
    """
    for ending, data in made.files.items():
        if data is None:
            continue
        try:
            with open(bundle / ending, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            error.filename = str(path.with_suffix(ending))
            raise
    sync(bundle)


def place_parts(bundle: Path, made: Rendered, path: Path) -> None:
    """Give the files of a bundle their names, all but the record's.

    A file of an older result that this one does not have goes into the bundle. So each step ends in
    FileNotFoundError where the bundle was taken away, and nothing of another's is touched.
    """
    for ending, data in made.files.items():
        if ending == RECORD:
            continue
        place = path.with_suffix(ending)
        if data is not None:
            os.replace(bundle / ending, place)
            continue
        try:
            os.replace(place, bundle / f"old{ending}")
        except FileNotFoundError:
            if not bundle.is_dir():
                raise


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
