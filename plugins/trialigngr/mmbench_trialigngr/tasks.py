"""The eight tasks in words: what is shown, what is asked, what is answered.

The wording of ``paper`` follows MiniOneRec, whose shell is Alpaca's; TriAlignGR's own is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmbench import vlm
from mmbench_trialigngr.configs import TASKS, Style, Task

Int64 = NDArray[np.int64]

SHELL = (
    "Below is an instruction that describes a task, paired with an input that provides further "
    "context. Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{}\n\n### User Input:\n",
    "\n\n### Response:\n",
)
NEXT = "Can you predict the next possible item that the user may expect?"
IDENTIFY = "Answer the question about item identification."
PAPER: dict[Task, tuple[str, str, str]] = {
    # instruction, and what stands before and after what is shown
    "next": (NEXT, "The user has interacted with items ", f" in chronological order. {NEXT}"),
    "title-to-id": (IDENTIFY, "Which item has the title: ", "?"),
    "id-to-title": (IDENTIFY, 'What is the title of item "', '"?'),
    "next-title": (
        "Can you recommend the next item for the user based on their interaction history?",
        "The user has sequentially interacted with items ",
        ". Can you recommend the next item for him? Tell me the title of the item",
    ),
    "titles-to-next": (
        NEXT,
        "The user has interacted with items of the following titles in chronological order: ",
        f". {NEXT}",
    ),
    "interests": (IDENTIFY, "Which item serves the interests: ", "?"),
    "visdesc": (IDENTIFY, "Which item looks as described: ", "?"),
    "visdesc-to-title": (IDENTIFY, "What is the title of the item that looks as described: ", "?"),
}
SHORT: dict[Task, tuple[str, str, str]] = {
    "next": ("", "next ", ""),
    "title-to-id": ("", "titled ", ":"),
    "id-to-title": ("", "title of ", ""),
    "next-title": ("", "next title ", ""),
    "titles-to-next": ("", "next of titles ", ":"),
    "interests": ("", "for ", ":"),
    "visdesc": ("", "looks ", ":"),
    "visdesc-to-title": ("", "title that looks ", ":"),
}
WORDING: dict[Style, dict[Task, tuple[str, str, str]]] = {"paper": PAPER, "short": SHORT}
SEQUENCES: frozenset[Task] = frozenset({"next", "next-title", "titles-to-next"})
ANSWERED_BY_TITLE: frozenset[Task] = frozenset({"id-to-title", "next-title", "visdesc-to-title"})
READ_TITLES: frozenset[Task] = frozenset({"title-to-id", "titles-to-next"})


@dataclass(frozen=True, slots=True)
class Told:
    """What prompts tell of items; index 0 is padding, an empty text is one that is missing.

    Attributes:
        ids: int64[n_items + 1, levels], the vocabulary's entries for each item's id.
        titles, interests, captions: texts, cut.
    """

    ids: Int64
    titles: Sequence[str]
    interests: Sequence[str]
    captions: Sequence[str]

    def id_of(self, item: int) -> vlm.Tokens:
        """An item's id as a part of a prompt."""
        return vlm.Tokens(*self.ids[item].tolist())

    def usable(self, task: Task, item: int) -> bool:
        """Whether an item task can be asked of an item, or a sequence task end with it."""
        if (task in ANSWERED_BY_TITLE or task == "title-to-id") and not self.titles[item]:
            return False
        if task == "interests":
            return bool(self.interests[item])
        if task in ("visdesc", "visdesc-to-title"):
            return bool(self.captions[item])
        return True


def write(
    task: Task, told: Told, history: Sequence[int], item: int | None, style: Style
) -> vlm.Prompt:
    """The prompt of a task.

    Args:
        task: which.
        told: of all items.
        history: for sequence tasks what came before, oldest first; else nothing.
        item: what is answered, or asked about; without it the prompt of a sequence task stays open.
        style: whose words.
    """
    instruction, before, after = WORDING[style][task]
    head, foot = SHELL if style == "paper" else ("", "")
    shown = _shown(task, told, history, item, ", " if style == "paper" else "")
    parts = [head.format(instruction) + before, *shown, after + foot]
    if item is None:
        return vlm.Prompt(parts)
    lead = " " if style == "short" else ""
    answer: vlm.Part = told.id_of(item)
    if task in ANSWERED_BY_TITLE:
        answer = lead + told.titles[item]
    return vlm.Prompt(parts, [answer])


def _shown(
    task: Task, told: Told, history: Sequence[int], item: int | None, between: str
) -> list[vlm.Part]:
    """Ids or titles of the history, or what is told of the item."""
    if task in SEQUENCES:
        if task == "titles-to-next":
            return [", ".join(told.titles[one] for one in history)]
        parts: list[vlm.Part] = []
        for place, one in enumerate(history):
            parts += [*([between] if place and between else []), told.id_of(one)]
        return parts
    assert item is not None
    if task == "id-to-title":
        return [told.id_of(item)]
    column = {"title-to-id": told.titles, "interests": told.interests}.get(task, told.captions)
    return [column[item]]


def corpus(told: Told, style: Style) -> list[str]:
    """All that a prompt may be made of, for a tiny model's tokenizer."""
    ours = [text for task in TASKS for text in WORDING[style][task] if text]
    shell = list(SHELL) if style == "paper" else []
    columns = (told.titles, told.interests, told.captions)
    return [*ours, *shell, *(f" {text}" for column in columns for text in column if text)]
