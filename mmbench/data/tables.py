"""The one way to Parquet and CSV files: pyarrow, without the threads that it would start.

Arrow's thread pools outlive a call and are torn down while the interpreter ends, which now and then
aborts a process whose work is done. What is read here starts no thread that outlives the call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # each takes long to import: a command pays for what it uses
    import pandas as pd
    import pyarrow as pa


def parquet_names(path: Path) -> list[str]:
    """The names of the columns. Raises pyarrow.ArrowException, OSError."""
    import pyarrow.parquet as pq

    return [str(name) for name in pq.read_schema(path).names]


def read_parquet(source: Path | bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """The named columns (default: all), in that order. Raises pyarrow.ArrowException, OSError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    place = pa.BufferReader(source) if isinstance(source, bytes) else source
    # not ``pq.read_table``: it scans a file as a dataset, with threads, whatever it is told
    with pq.ParquetFile(place, pre_buffer=False) as file:
        chosen = None if columns is None else list(columns)
        table = file.read(chosen, use_threads=False)
    return table if chosen is None else table.select(chosen)


def parquet_bytes(table: pa.Table, encodings: Mapping[str, str], level: int = 19) -> bytes:
    """A table as a small Parquet file.

    ``encodings`` of columns, by Parquet's names for them; ``level`` of zstd, the higher the smaller
    and slower.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        compression_level=level,
        use_dictionary=False,
        column_encoding=dict(encodings),
    )
    data: bytes = sink.getvalue().to_pybytes()
    return data


def parquet_head(path: Path, rows: int) -> pa.Table:
    """The first rows of all columns. Raises pyarrow.ArrowException, OSError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, pre_buffer=False) as file:
        first = next(file.iter_batches(rows, use_threads=False), None)
        return pa.table([], file.schema_arrow) if first is None else pa.Table.from_batches([first])


def read_csv(
    source: Path | bytes,
    delimiter: str,
    quoted: bool,
    names: Sequence[str],
    *,
    headless: bool = False,
    escaped: bool = False,
    skipped: int = 0,
) -> pa.Table:
    """A table whose columns ``names`` are strings as they stand in the file.

    ``quoted`` cells may hold delimiters, line ends and doubled quotes, and where it is ``escaped``
    quotes behind a backslash. A ``headless`` file has no header: ``names`` are given to its
    columns. So many lines are ``skipped`` before all others.
    Raises pyarrow.ArrowInvalid, which tells the row.
    """
    import pyarrow as pa
    import pyarrow.csv as pacsv

    # Arrow would catch Ctrl-C by a thread that stays: now Ctrl-C waits for the file's end
    pa.enable_signal_handlers(False)
    return pacsv.read_csv(
        pa.BufferReader(source) if isinstance(source, bytes) else source,
        # one thread, for messages with row numbers too
        read_options=pacsv.ReadOptions(
            use_threads=False,
            block_size=1 << 24,
            skip_rows=skipped,
            column_names=list(names) if headless else None,
        ),
        parse_options=pacsv.ParseOptions(
            delimiter=delimiter,
            quote_char='"' if quoted else False,
            double_quote=quoted,
            escape_char="\\" if escaped else False,
            newlines_in_values=quoted,
        ),
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        ),
    )


def as_frame(table: pa.Table) -> pd.DataFrame:
    """The table for pandas."""
    frame: pd.DataFrame = table.to_pandas(use_threads=False)
    return frame
