"""Semantic ids in prompts and answers: names of new tokens, their numbers, how they are written.

``load_backbone(tokens=...)`` adds entries to the vocabulary and sees that their rows are trained:
with ``trained="lora"`` theirs alone of the table and the head (PEFT's trainable tokens), else with
all others. What is here makes items' codes into such entries, and lets prompts hold them::

    sizes = (256, 256, 256)
    backbone = vlm.load_backbone(config, run, titles, tokens=vlm.code_tokens(sizes))
    ids = vlm.code_ids(backbone, codes, sizes)               # int64[n_items, 3]
    vlm.write_tokens(backbone)
    prompt = vlm.Prompt(["Next after ", vlm.Tokens(*ids[7])], answer=[vlm.Tokens(*ids[8])])
    trie = vlm.Trie(ids)

A title that says ``<a_1>`` stays text. Loads no torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from string import ascii_lowercase
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmbench.views import Int64
from mmbench.vlm.prompts import Encoded, Image, Part, Prompt, Span, Writer

if TYPE_CHECKING:
    from mmbench.vlm.backbones import Backbone

STAND_IN = "."  # what is written in the place of tokens until they are put in
MARK = "\0tokens "


def code_tokens(sizes: Sequence[int]) -> list[str]:
    """Names of new tokens for codes of so many values a level: ``<a_0>``, ``<a_1>``, ... ``<b_0>``.

    Raises ValueError for more levels than there are letters.
    """
    if len(sizes) > len(ascii_lowercase):
        raise ValueError(f"there are {len(sizes)} levels; {len(ascii_lowercase)} have a letter")
    return [
        f"<{letter}_{code}>"
        for letter, size in zip(ascii_lowercase, sizes, strict=False)
        for code in range(size)
    ]


def code_ids(backbone: Backbone, codes: ArrayLike, sizes: Sequence[int]) -> Int64:
    """int64[n, levels]: the vocabulary's entries for codes, int[n, levels], each from 0.

    Raises ValueError where the backbone was loaded without ``tokens=code_tokens(sizes)``, and for
    a code that is not below its level's size.
    """
    names, table = code_tokens(sizes), np.asarray(codes)
    if tuple(backbone.tokens[: len(names)]) != tuple(names):
        raise ValueError(
            f"{backbone.config.backbone} has no tokens for codes of sizes {tuple(sizes)}: load it "
            "with tokens=vlm.code_tokens(sizes)"
        )
    if table.ndim != 2 or table.shape[1] != len(sizes) or table.dtype.kind not in "iu":
        raise ValueError(
            f"codes are {table.dtype} of shape {table.shape}; int[n, {len(sizes)}] are due"
        )
    outside = (table < 0) | (table >= np.asarray(sizes))
    if outside.any():
        row, level = np.argwhere(outside)[0]
        raise ValueError(
            f"row {row} has code {table[row, level]} at level {level}, which has {sizes[level]}"
        )
    ids: Int64 = np.array(backbone.tokenizer.convert_tokens_to_ids(names), dtype=np.int64)
    found: Int64 = ids[np.cumsum([0, *sizes[:-1]]) + table]
    return found


class _Unwritten:
    """What a writer that does not know ``Tokens`` stumbles over: nothing is left out in silence."""

    @property
    def item(self) -> int:
        """Raises TypeError."""
        raise TypeError("a prompt holds Tokens: call vlm.write_tokens(backbone) once, before it")


_UNWRITTEN = cast(Image, _Unwritten())


@dataclass(frozen=True, slots=True, init=False)
class Tokens(Span):
    """Entries of the vocabulary as they are, such as an item's semantic id; a part of a prompt.

    Needs ``write_tokens``.

    Attributes:
        ids: the entries.
    """

    ids: tuple[int, ...]

    def __init__(self, *ids: int) -> None:
        Span.__init__(self, "tokens", _UNWRITTEN)
        object.__setattr__(self, "ids", tuple(map(int, ids)))


def write_tokens(backbone: Backbone) -> None:
    """From now on, prompts of this backbone may hold ``Tokens``; all others are as they were."""
    old = backbone.writer
    backbone.writer = TokenWriter(old.family, old.tokenise, old.side, old.chat)


class TokenWriter(Writer):
    """A writer that knows ``Tokens``."""

    __slots__ = ()

    def encode(self, prompt: Prompt) -> Encoded:
        """The tokens of a prompt. Raises ValueError for a picture that the model cannot see.

        An answer that begins with ``Tokens`` begins as the open prompt ends, with no space between.
        """
        held: list[tuple[int, ...]] = []
        answer = prompt.answer if prompt.answer is None else list(_marked(prompt.answer, held))
        whole = Prompt(list(_marked(prompt.parts, held)), answer)
        if not held:
            return Writer.encode(self, prompt)
        family = self.family
        if answer and _begins_with_tokens(answer):
            family = replace(family, chat=replace(family.chat, answer_lead=""))
        plain = Writer(family, self.tokenise, self.side, self.chat)
        return _put_in(plain.encode(whole), held)


def _marked(parts: Iterable[Part], held: list[tuple[int, ...]]) -> Iterator[Part]:
    """The parts with a stand-in, in a span of its own, for each ``Tokens``, which join ``held``."""
    for part in parts:
        if isinstance(part, Tokens):
            if part.ids:
                yield Span(f"{MARK}{len(held)}", STAND_IN)
                held.append(part.ids)
        elif isinstance(part, Span):
            yield Span(part.name, *_marked(part.parts, held))
        else:
            yield part


def _begins_with_tokens(marked: Sequence[Part]) -> bool:
    first = marked[0]
    while isinstance(first, Span) and first.parts and not first.name.startswith(MARK):
        first = first.parts[0]
    return isinstance(first, Span) and first.name.startswith(MARK)


def _put_in(encoded: Encoded, held: Sequence[tuple[int, ...]]) -> Encoded:
    """A prompt with tokens in the place of their stand-ins; what follows moves on."""
    places = [np.flatnonzero(encoded.spans[f"{MARK}{number}"]) for number in range(len(held))]
    source: list[NDArray[np.int64]] = []  # of each column, the one that it has its marks from
    ids: list[NDArray[np.int64]] = []
    moved: list[NDArray[np.int64]] = []  # how far each column is from its source
    done = shift = 0
    for number in sorted(range(len(held)), key=lambda number: int(places[number][0])):
        begin, end, new = int(places[number][0]), int(places[number][-1]) + 1, held[number]
        kept = np.arange(done, begin)
        source += [kept, np.full(len(new), begin)]
        ids += [encoded.ids[kept], np.array(new, dtype=np.int64)]
        moved += [np.full(len(kept), shift), shift + np.arange(len(new))]
        shift += len(new) - (end - begin)
        done = end
    rest = np.arange(done, len(encoded))
    source.append(rest)
    ids.append(encoded.ids[rest])
    moved.append(np.full(len(rest), shift))
    columns = np.concatenate(source)
    return replace(
        encoded,
        ids=np.concatenate(ids),
        positions=encoded.positions[..., columns] + np.concatenate(moved),
        answer=encoded.answer[columns],
        pictured=encoded.pictured[columns],
        spans={
            name: mask[columns] for name, mask in encoded.spans.items() if not name.startswith(MARK)
        },
    )
