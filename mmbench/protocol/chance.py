"""Chance that nobody can foretell: a key for each query from the log's secret, and its stream.

With a public seed a plugin could draw the negatives itself, and the candidate that is none of them
is the target. Neither keys nor streams depend on who else is asked, or on a library's version:
numpy does not promise that ``Generator`` methods keep theirs, and the negatives of a named protocol
must never change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from mmbench.data.secret import keyed

UInt64 = NDArray[np.uint64]


def query_keys(secret: bytes, protocol: str, fold: str, user_ids: Iterable[str]) -> list[bytes]:
    """16 bytes for each query, from the log's secret, the protocol, the fold and the raw user id.

    Queries stand in the order of their keys, and draw their negatives from them.
    """
    digest, prefix = keyed(secret, "queries"), f"{protocol}\n{fold}\n".encode()
    return [digest(prefix + one.encode("utf-8", "surrogatepass")) for one in user_ids]


def streams(keys: Sequence[bytes], width: int) -> UInt64:
    """uint64[q, width]: the first ``width`` numbers of each key's stream.

    SHAKE128 (FIPS 202, 2015), little-endian: what is seen of a stream tells neither its key nor
    the rest of it.
    """
    drawn = b"".join(hashlib.shake_128(key).digest(8 * width) for key in keys)
    return np.frombuffer(drawn, "<u8").astype(np.uint64, copy=False).reshape(-1, width)
