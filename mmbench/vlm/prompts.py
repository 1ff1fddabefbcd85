"""Prompts: text, pictures and marked spans, and how they become tokens.

What a user or a dataset wrote is never read as a special token: an item whose title is
``<image>`` or ``<|im_end|>`` is text like any other. Spans are exact by construction: text in
a span is tokenised apart from what stands around it, so no token crosses a span's edge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mmbench.views import Int64
from mmbench.vlm.families import Family

Bool = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Image:
    """The picture of an item."""

    item: int


@dataclass(frozen=True, slots=True)
class Span:
    """Parts whose positions are asked for later, by name; spans may hold spans."""

    name: str
    parts: tuple[Part, ...]

    def __init__(self, name: str, *parts: Part) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "parts", parts)


Part = str | Image | Span


@dataclass(frozen=True, slots=True)
class Prompt:
    """A user's turn and, where it is known, the answer.

    Attributes:
        parts: of the user's turn.
        answer: ``None`` leaves the prompt open, at the place where the model would answer. Else the
            answer's tokens and the token that ends it follow; ``Encoded.answer`` marks them.
    """

    parts: Sequence[Part]
    answer: Sequence[Part] | None = None


@dataclass(frozen=True, slots=True)
class Encoded:
    """A prompt in tokens; n of them.

    Attributes:
        ids: int64[n]; a picture has as many placeholders as the model sees vectors of it.
        positions: int64[n], or [3, n] for time, row and column.
        images: the items whose pictures are shown, in order.
        answer: bool[n], the answer with the token that ends it, pictures included.
        pictured: bool[n], placeholders.
        spans: bool[n] for each name.
    """

    ids: Int64
    positions: Int64
    images: tuple[int, ...]
    answer: Bool
    pictured: Bool
    spans: dict[str, Bool] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of tokens that belongs to the same spans."""

    text: str = ""
    item: int | None = None
    spans: tuple[str, ...] = ()
    ours: bool = False  # written here, so that special tokens are meant
    answer: bool = False


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes prompts in a family's way.

    Attributes:
        family: whose format.
        tokenise: (text, whether special tokens are meant) to token ids.
        side: a picture is shown as ``side * side`` placeholders.
        chat: whether the chat format is used.
    """

    family: Family
    tokenise: Callable[[str, bool], list[int]]
    side: int
    chat: bool

    def encode(self, prompt: Prompt) -> Encoded:
        """The tokens of a prompt. Raises ValueError for a picture that the model cannot see."""
        ids: list[int] = []
        positions: list[NDArray[np.int64]] = []
        marks: list[tuple[int, Piece]] = []
        images: list[int] = []
        following = 1 if self.family.prefix else 0  # PaliGemma counts from 1
        for piece in self._pieces(prompt):
            if piece.item is None:
                new = self.tokenise(piece.text, piece.ours)
                positions.append(_running(following, len(new)))
                following += len(new)
            else:
                new = self._placeholders()
                images.append(piece.item)
                positions.append(self._picture_positions() + following)
                following = int(positions[-1].max()) + 1
            ids += new
            marks.append((len(new), piece))
        vision = self.family.vision
        three = np.concatenate(positions, axis=1)
        return Encoded(
            np.array(ids, dtype=np.int64),
            three if vision is not None and vision.grid else three[0],
            tuple(images),
            _mask(marks, lambda piece: piece.answer),
            _mask(marks, lambda piece: piece.item is not None),
            {
                name: _mask(marks, lambda piece, name=name: name in piece.spans)  # type: ignore[misc]
                for name in dict.fromkeys(name for _, piece in marks for name in piece.spans)
            },
        )

    def _pieces(self, prompt: Prompt) -> Iterator[Piece]:
        chat, vision = self.family.chat, self.family.vision
        question = list(self._turn(prompt.parts, answer=False))
        opening = Piece(chat.opening if self.chat else chat.start, ours=True)
        if vision is not None and vision.first:
            pictures = [piece for piece in question if piece.item is not None]
            question = [piece for piece in question if piece.item is None]
            yield from pictures
            yield opening
        else:
            yield opening
            if self.chat and chat.lead and question and question[0].text and not question[0].ours:
                yield Piece(chat.lead, ours=True)
        yield from question
        if self.chat:
            yield Piece(chat.bridge, ours=True)
        if prompt.answer is None:
            return
        answer = list(self._turn(prompt.answer, answer=True))
        if self.chat and chat.answer_lead and answer and not answer[0].ours:
            yield Piece(chat.answer_lead, ours=True, answer=True)
        yield from answer
        yield Piece(chat.closing, ours=True, answer=True)

    def _turn(self, parts: Sequence[Part], answer: bool) -> Iterator[Piece]:
        """Neighbouring texts of the same spans are one piece; pictures come with their frames."""
        text = ""
        last: tuple[str, ...] = ()
        for part, spans in _flat(parts, ()):
            if isinstance(part, str) and spans == last:
                text += part
                continue
            if text:
                yield Piece(text, spans=last, answer=answer)
            text, last = "", spans
            if isinstance(part, str):
                text = part
                continue
            vision = self.family.vision
            if vision is None:
                raise ValueError(
                    f"{self.family.name} sees no pictures, and the prompt shows item "
                    f"{part.item}'s; leave it out or take a vision-language backbone"
                )
            for frame in (vision.before, None, vision.after):
                if frame is None:
                    yield Piece(item=part.item, spans=spans, answer=answer)
                elif frame:
                    yield Piece(frame, spans=spans, ours=True, answer=answer)
        if text:
            yield Piece(text, spans=last, answer=answer)

    def _placeholders(self) -> list[int]:
        assert self.family.vision is not None
        return self.tokenise(self.family.vision.token, True) * self.side**2

    def _picture_positions(self) -> NDArray[np.int64]:
        """int64[3, side * side], from 0: for rotary embeddings on a grid, else running."""
        assert self.family.vision is not None
        if not self.family.vision.grid:
            return _running(0, self.side**2)
        row, column = np.divmod(np.arange(self.side**2), self.side)
        return np.stack([np.zeros_like(row), row, column])


def _running(start: int, count: int) -> NDArray[np.int64]:
    """int64[3, count]: the same on all axes. A view: ``np.tile`` would take most of the time."""
    return np.broadcast_to(np.arange(start, start + count), (3, count))


def _flat(
    parts: Sequence[Part], spans: tuple[str, ...]
) -> Iterator[tuple[str | Image, tuple[str, ...]]]:
    for part in parts:
        if isinstance(part, Span):
            yield from _flat(part.parts, (*spans, part.name))
        else:
            yield part, spans


def _mask(marks: Sequence[tuple[int, Piece]], wanted: Callable[[Piece], bool]) -> Bool:
    return np.repeat([wanted(piece) for _, piece in marks], [length for length, _ in marks])
