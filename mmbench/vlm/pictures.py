"""The catalogue's pictures as a backbone sees them; a tower that stands still sees each once."""

from __future__ import annotations

import logging
import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import torch
from torch import Tensor

from mmbench.toolkit import encodings
from mmbench.views import ImageStore
from mmbench.vlm.kept import Kept

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

    from mmbench.vlm.backbones import Backbone

KEPT_BYTES = 512 * 1024**2
CHUNK = 32  # pictures that go through the tower at a time
MUCH = 1024**3  # bytes of features that are worth a word
WHITE = (255, 255, 255)

logger = logging.getLogger("mmbench.vlm.pictures")


def square(picture: Picture, side: int) -> Picture:
    """A picture in the middle of a white square, resized (bicubic) to ``side`` pixels."""
    from PIL import Image, ImageOps

    return ImageOps.pad(picture, (side, side), Image.Resampling.BICUBIC, color=WHITE)


class Pictures:
    """The items' pictures; ``item in pictures`` where there is one.

    Where the vision tower and projector are not trained, all distinct pictures go through them when
    this is made, and their features are kept in memory, in the precision of the arithmetic:
    ``image_tokens * dim`` numbers each. Else the pixels of those shown last are kept, and between
    two steps of training the features of those looked at last.

    Attributes:
        seen: whether the features never change.
    """

    def __init__(
        self,
        backbone: Backbone,
        images: ImageStore | None,
        folder: Path | None = None,
        progress: Callable[[int, int, str], None] = lambda done, total, unit: None,
    ) -> None:
        """See the pictures.

        Args:
            backbone: whose eyes; a text-only one has no pictures.
            images: ``items.images``.
            folder: ``run.encodings`` to keep features on the disk too.
            progress: ``run.progress``.

        Raises MemoryError where the features do not fit the memory.
        """
        self._backbone = backbone
        self._images = images if backbone.family.vision is not None else None
        self.seen = backbone.sees_the_same
        self._content: dict[int, str] = {}
        self._row: dict[int, int] = {}
        self._features = torch.zeros(0)
        room = KEPT_BYTES // max(4 * 3 * backbone.image_size**2, 1)
        self._kept = lru_cache(room)(lambda item: self._pixels([self._open(item)])[0])
        self._looked: OrderedDict[str, Tensor] = OrderedDict()
        self._weights: tuple[int, ...] = ()
        if self._images is not None and self.seen:
            self._see(self._images, folder, progress)

    def __contains__(self, item: int) -> bool:
        return self._images is not None and item in self._images

    def content(self, item: int) -> str:
        """The digest of an item's picture; it has one."""
        assert self._images is not None
        if item not in self._content:
            self._content[item] = encodings.digest(self._images.read(item))
        return self._content[item]

    def distinct(self, items: Iterable[int]) -> dict[int, int]:
        """For each of some items the lowest of them with the same picture: show that one's."""
        first: dict[str, int] = {}
        return {
            item: first.setdefault(self.content(item) if item in self else str(item), item)
            for item in sorted(set(items))
        }

    def take(self, items: Sequence[int]) -> Tensor:
        """Features [k, tokens, dim] of k items' pictures, or pixels where the tower is trained.

        Raises ValueError for an item that is not in here.
        """
        self._check(items)
        if self.seen:
            return self._features[[self._row[item] for item in items]]
        return torch.stack([self._kept(item) for item in items])

    def features(self, items: Sequence[int]) -> Tensor:
        """Features [k, tokens, dim] of k items' pictures as the tower is now; without gradients.

        Raises ValueError for an item that is not in here.
        """
        if self.seen:
            return self.take(items)
        self._check(items)
        weights = self._backbone.vision_versions()
        if weights != self._weights:
            self._looked.clear()
            self._weights = weights
        wanted = {self.content(item): item for item in items}
        new = [digest for digest in wanted if digest not in self._looked]
        for start in range(0, len(new), CHUNK):
            part = new[start : start + CHUNK]
            with torch.no_grad():
                found = self._backbone.look(self.take([wanted[digest] for digest in part]))
            self._looked.update(zip(part, found.to("cpu", self._backbone.arithmetic), strict=True))
        features = torch.stack([self._looked[self.content(item)] for item in items])
        for digest in wanted:
            self._looked.move_to_end(digest)
        while len(self._looked) * features[0].nbytes > KEPT_BYTES:
            self._looked.popitem(last=False)
        return features

    def _check(self, items: Sequence[int]) -> None:
        absent = [item for item in items if item not in self]
        if absent:
            raise ValueError(
                f"a prompt shows item {absent[0]}, which has no picture; ask `item in pictures` "
                "before showing one"
            )

    def _see(
        self, images: ImageStore, folder: Path | None, progress: Callable[[int, int, str], None]
    ) -> None:
        for item in images.items().tolist():
            self.content(item)
        first = {digest: item for item, digest in reversed(self._content.items())}
        digests = list(first)
        self._features = self._room(len(first), folder)
        about = {"part": "vision", **self._backbone.vision_identity()}
        kept = Kept(folder, about) if folder is not None else None
        for start in range(0, len(first), CHUNK):
            part = digests[start : start + CHUNK]
            self._features[start : start + CHUNK] = self._matrices(part, first, kept)
            progress(start + len(part), len(first), "pictures")
        place = {digest: row for row, digest in enumerate(digests)}
        self._row = {item: place[digest] for item, digest in self._content.items()}

    def _matrices(
        self, digests: Sequence[str], items: Mapping[str, int], kept: Kept | None
    ) -> Tensor:
        """[k, tokens, dim] of k contents, from the disk where they are there."""
        new = [digest for digest in digests if kept is None or digest not in kept]
        seen = torch.zeros(0)
        if new:
            pixels = self._pixels([self._open(items[digest]) for digest in new])
            seen = self._backbone.look(pixels).to("cpu", self._features.dtype)
        if kept is None:
            return seen
        for digest, matrix in zip(new, seen, strict=True):
            kept.put(digest, matrix)
        found = torch.stack([kept.take(digest) for digest in digests])
        kept.flush()
        return found

    def _room(self, pictures: int, folder: Path | None) -> Tensor:
        """[k, tokens, dim], where the features of k pictures go.

        What takes much is said before it is taken. Raises MemoryError, saying so, where the memory
        has no room.
        """
        backbone = self._backbone
        shape = (pictures, backbone.image_tokens, backbone.dim)
        size = math.prod(shape) * backbone.arithmetic.itemsize
        taken = (
            f"the features of {pictures:,} pictures, {shape[1]} x {shape[2]} numbers each in "
            f"{backbone.arithmetic}, take {size / 1e9:,.1f} GB of memory"
            + (" and as much of the disk" if folder is not None else "")
        )
        free = psutil.virtual_memory().available
        if size > free:
            raise MemoryError(
                f"{taken}, and {free / 1e9:,.1f} GB are free: set a smaller image_size, or use a "
                "machine with more memory"
            )
        if size > MUCH:
            logger.warning(taken)
        return torch.empty(shape, dtype=backbone.arithmetic)

    def _pixels(self, pictures: Sequence[Picture]) -> Tensor:
        vision = self._backbone.family.vision
        assert vision is not None
        squares = [square(picture, self._backbone.image_size) for picture in pictures]
        return vision.pixels(self._backbone.processor, squares)

    def _open(self, item: int) -> Picture:
        assert self._images is not None
        return self._images.open(item)
