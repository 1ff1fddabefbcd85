"""What a plugin may see: plain, read-only views of the data, none of which can hold a target.

Items are numbered ``1..n_items``; ``0`` is padding and never an item. Shape letters used below and
in the hooks: ``b`` queries, ``c`` candidates, ``n`` events, ``L`` history length, ``d`` features.
"""

from __future__ import annotations

import io
import itertools
import zipfile
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

MAX_IMAGE_PIXELS = 50_000_000
MAX_IMAGE_BYTES = 64 * 1024 * 1024


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
    """An item's picture is absent, damaged, or larger than the guard allows."""


@dataclass(frozen=True, slots=True)
class ImageStore:
    """The items' pictures, opened when asked for.

    Attributes:
        root: a folder or a ``.zip`` file.
        names: one path inside ``root`` (or ``None``) for each item; index 0 is padding.
        further: where datasets are joined, ``(first item, root)`` of each that follows the first
            one with pictures, ascending: from that item on the names are paths inside that root.
    """

    root: Path
    names: tuple[str | None, ...]
    further: tuple[tuple[int, Path], ...] = ()
    _archives: dict[Path, zipfile.ZipFile] = field(default_factory=dict, repr=False, compare=False)

    @property
    def roots(self) -> tuple[Path, ...]:
        """All folders and zips that hold pictures."""
        return (self.root, *(root for _, root in self.further))

    def root_of(self, item: int) -> Path:
        """The folder or zip that the item's name is a path in."""
        return next((root for first, root in reversed(self.further) if item >= first), self.root)

    def __contains__(self, item: int) -> bool:
        return self.names[item] is not None

    def read(self, item: int) -> bytes:
        """The picture file's bytes, at most ``MAX_IMAGE_BYTES``. Raises ImageError."""
        name = self.names[item]
        if name is None:
            raise ImageError(f"item {item} has no picture")
        root = self.root_of(item)
        try:
            if root.is_dir():
                path = root / name
                size = path.stat().st_size
                self._guard_bytes(item, name, size)
                return path.read_bytes()
            if root not in self._archives:
                self._archives[root] = zipfile.ZipFile(root)
            archive = self._archives[root]
            self._guard_bytes(item, name, archive.getinfo(name).file_size)
            return archive.read(name)
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise ImageError(f"item {item}: cannot read {name} in {root}: {error}") from error

    def open(self, item: int) -> Picture:
        """The picture as an RGB image, fully decoded. Raises ImageError."""
        from PIL import Image

        data = self.read(item)
        try:
            with Image.open(io.BytesIO(data)) as image:
                if image.width * image.height > MAX_IMAGE_PIXELS:
                    raise ImageError(
                        f"item {item}: {self.names[item]} has {image.width} x {image.height} "
                        f"pixels, more than the {MAX_IMAGE_PIXELS:,} that are allowed"
                    )
                return image.convert("RGB")
        except ImageError:
            raise
        except Exception as error:  # Pillow's decoders raise many types on damaged files
            raise ImageError(f"item {item}: {self.names[item]} is damaged: {error}") from error

    @staticmethod
    def _guard_bytes(item: int, name: str, size: int) -> None:
        if size > MAX_IMAGE_BYTES:
            raise ImageError(
                f"item {item}: {name} has {size:,} bytes, more than {MAX_IMAGE_BYTES:,}"
            )


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

    The score of an item is the product with its vector, which ``embed_items`` answers in the space
    ``fused``. The harness asks for those once after a fit (and once in each ``run.validate``),
    multiplies, and ranks in blocks of rows: no matrix of queries and items is made or handed over.
    Items of equal vectors are exactly level, whatever multiplies: see ``mmbench.products``.

    Attributes:
        queries: float32[b, d], finite.
        items: float32[n_items + 1, d], row 0 is padding. Leave it out: the harness fills it in.
    """

    queries: Float32
    items: Float32 | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """The circumstances of one fit.

    Attributes:
        seed: the only source of chance a model may use.
        device: ``"cpu"`` or ``"cuda"``, in torch's words.
        scratch: an empty folder, deleted after the cell.
        cache: a folder that outlives the cell, for weights; the plugin's own.
        preset: the preset's name, for messages.
        validate: ``validate(limit=None) -> ndcg@10`` on the validation fold, whole catalogue;
            asks this plugin's ``score``. ``limit`` takes the first so many queries.
        log: ``log(step, name=value, ...)`` records a curve.
        progress: ``progress(done, total, unit)`` moves the running cell's bar.
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

    def __post_init__(self) -> None:
        if self.encodings == Path():
            object.__setattr__(self, "encodings", self.cache / "encodings")


Modality = Literal["text", "image"]
Answer = Float32 | TopK | Vectors
Config = Any
