"""What a plugin may see: plain, read-only views of the data, none of which can hold a target.

Items are numbered ``1..n_items``; ``0`` is padding and never an item. Shape letters used below and
in the hooks: ``b`` queries, ``c`` candidates, ``n`` events, ``L`` history length, ``d`` features.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]

PICTURES = b"mmbench: pictures, 1\n\n\n\n"  # how a file of pictures begins; then its seal
SEAL = 32  # bytes


def _freeze(*arrays: np.ndarray) -> None:
    for array in arrays:
        array.setflags(write=False)


@dataclass(frozen=True, slots=True)
class Interactions:
    """The training events, sorted by user and, within a user, by time.

    Attributes:
        user: int32[n], ``0..n_users-1``, ascending.
        item: int32[n], ``1..n_items``.
        time: int64[n], seconds or, where the source has only an order, positions. Never decreases
            within a user.
        n_users: number of users; some may have no training event.
        n_items: size of the catalogue, which may exceed the number of distinct items here.
    """

    user: Int32
    item: Int32
    time: Int64
    n_users: int
    n_items: int

    def __post_init__(self) -> None:
        _freeze(self.user, self.item, self.time)

    def offsets(self) -> Int64:
        """int64[n_users + 1]: the events of user ``u`` are rows ``offsets[u]:offsets[u + 1]``."""
        return np.searchsorted(self.user, np.arange(self.n_users + 1)).astype(np.int64)

    def sequences(self) -> Iterator[Int32]:
        """The items of each user in time order, one int32 array a user (empty ones included)."""
        bounds = self.offsets()
        for start, stop in itertools.pairwise(bounds):
            yield self.item[start:stop]


class ImageError(ValueError):
    """An item has no picture, or the file of pictures is not whole."""


@dataclass(frozen=True, slots=True)
class ImageStore:
    """The items' pictures, all in one file that the harness has made, read when asked for.

    They stand in item order and were encoded anew from their pixels: nothing is left of the
    dataset's own files but what is to be seen. A picture that could not be used is none. All are
    RGB, upright, and ``mmbench.data.pixels.LONGEST`` pixels long at most.

    ``ImageStore(path)`` raises ImageError for a file that is none of pictures, and OSError.

    Attributes:
        path: the file, see ``mmbench.data.picture_file``.
        offsets: int64[n_items + 2]: the picture of item ``i`` is the file's bytes
            ``offsets[i]:offsets[i + 1]``; where there are none, it has no picture.
    """

    path: Path
    offsets: Int64 = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        with open(self.path, "rb") as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(0)
            head = file.read(len(PICTURES) + SEAL + 8)
            count = int.from_bytes(head[len(PICTURES) + SEAL :], "little")
            first = len(head) + 8 * count  # where the first picture begins
            whole = head.startswith(PICTURES) and count > 1 and first <= size
            table = file.read(8 * count) if whole else b""
        offsets = np.frombuffer(table, "<i8").astype(np.int64)
        if not whole or {first, *offsets[:2].tolist()} != {first} or offsets[-1] != size:
            raise ImageError(f"{self.path} is no whole file of pictures")
        if np.any(np.diff(offsets) < 0):
            raise ImageError(f"{self.path} is damaged: its pictures overlap")
        _freeze(offsets)
        object.__setattr__(self, "offsets", offsets)

    def __contains__(self, item: int) -> bool:
        return bool(self.offsets[item] < self.offsets[item + 1])

    def items(self) -> Int64:
        """int64[k]: the items that have a picture, ascending."""
        return np.flatnonzero(np.diff(self.offsets))

    def read(self, item: int) -> bytes:
        """The picture as it is encoded: equal pixels have equal bytes. Raises ImageError."""
        start, stop = self.offsets[item : item + 2].tolist()
        if start == stop:
            raise ImageError(f"item {item} has no picture")
        with open(self.path, "rb", buffering=0) as file:
            file.seek(start)
            data = file.read(stop - start)
        if len(data) != stop - start:
            raise ImageError(f"item {item}: {self.path} was cut short")
        return data

    def open(self, item: int) -> Picture:
        """The picture as an RGB image, fully decoded. Raises ImageError."""
        from PIL import Image

        data = self.read(item)
        try:
            with Image.open(io.BytesIO(data), formats=("WEBP",)) as image:
                return image.convert("RGB")
        except Exception as error:  # Pillow's decoders raise many types on damaged files
            raise ImageError(f"item {item}: its picture is damaged: {error}") from error


@dataclass(frozen=True, slots=True)
class Items:
    """The catalogue.

    Attributes:
        n_items: items are ``1..n_items``.
        fields: text columns such as ``title``; each a sequence of ``n_items + 1`` strings, index 0
            is padding (an empty string), a missing value is an empty string. The first field is
            the title.
        images: the pictures, or ``None`` where the dataset has none.
        features: float32[n_items + 1, d] matrices, such as another model's embeddings.
    """

    n_items: int
    fields: Mapping[str, Sequence[str]]
    images: ImageStore | None = None
    features: Mapping[str, Float32] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _freeze(*self.features.values())


@dataclass(frozen=True, slots=True)
class Queries:
    """Users to answer for, as of the moment before the event that is asked for.

    Attributes:
        user: int32[b]; ``-1`` for a user without a training event.
        history: int32[b, L], left-padded with 0, the last event in the last column.
        time: int64[b, L], the times of the history's events, 0 where padded.
    """

    user: Int32
    history: Int32
    time: Int64

    def __post_init__(self) -> None:
        _freeze(self.user, self.history, self.time)

    def __len__(self) -> int:
        return len(self.user)


@dataclass(frozen=True, slots=True)
class TopK:
    """What a generator or an index returns: the best items it found, in any order.

    Attributes:
        items: int32[b, k], ``1..n_items``, no item twice in a row.
        scores: float32[b, k]; ``-inf`` marks an item as not retrieved.
    """

    items: Int32
    scores: Float32


@dataclass(frozen=True, slots=True)
class Vectors:
    """What a model returns whose scores are inner products: the queries' side of them.

    The score of an item is the product with its vector, which ``embed_items`` returns in the space
    ``fused``. The harness asks for those once after a fit (and once in each ``run.validate``),
    multiplies, and ranks in blocks of rows: no matrix of queries and items is made or handed over.
    Items of equal vectors are exactly tied, whatever multiplies: see ``mmbench.products``.

    Attributes:
        queries: float32[b, d], finite.
        items: float32[n_items + 1, d], row 0 is padding. Leave it out: the harness fills it in.
    """

    queries: Float32
    items: Float32 | None = None


def _keep_nothing(title: str, /, **texts: str) -> None:
    """``run.example`` where nobody will look."""


@dataclass(frozen=True, slots=True)
class Run:
    """The circumstances of one fit.

    Attributes:
        seed: the only source of chance a model may use.
        device: ``"cpu"`` or ``"cuda"``, in torch's words.
        scratch: a folder that is deleted after the cell. It is empty, but where a scheduler took an
            earlier attempt's machine: then the folders called ``training`` of that one are there
            again, with whole and half-written files.
        cache: a folder that outlives the cell, for weights; the plugin's own.
        preset: the preset's name, for messages.
        validate: ``validate(limit=None) -> ndcg@10`` on the validation fold, whole catalogue;
            asks this plugin's ``score``. ``limit`` takes the first so many queries.
        log: ``log(step, name=value, ...)`` records a curve.
        progress: ``progress(done, total, unit)`` moves the running cell's bar.
        example: ``example(title, name=text, ...)`` keeps texts for ``mmbench show``, such as what a
            model wrote of an item and with which prompt. The first 24 of a cell are kept, in a file
            beside its result.
        encodings: the folder that all plugins share, for ``mmbench.toolkit.encodings`` alone. Who
            builds a ``Run`` for a test may leave it out: it is then in ``cache``.
    """

    seed: int
    device: str
    scratch: Path
    cache: Path
    preset: str
    validate: Callable[..., float]
    log: Callable[..., None]
    progress: Callable[..., None]
    encodings: Path = Path()
    example: Callable[..., None] = _keep_nothing

    def __post_init__(self) -> None:
        if self.encodings == Path():
            object.__setattr__(self, "encodings", self.cache / "encodings")


Modality = Literal["text", "image"]
Answer = Float32 | TopK | Vectors
Config = Any
