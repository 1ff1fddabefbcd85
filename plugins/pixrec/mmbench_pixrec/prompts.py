"""What the model reads: item texts and histories in the paper's words (section 3.4 and 3.5)."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence

from mmbench import Items, vlm

USER = "This is the summary of a user's purchase history."
FIRST = " The first item bought is as follows. "
NEXT = "\nThe next item bought is as follows. "
ASK = "\nThe next item bought is as follows.\n"
PICTURE = " Image: "
WORDS = USER + FIRST + NEXT + ASK + PICTURE  # all that is not the catalogue's
UNKNOWN = "Unknown"
LABELS = {"categories": "Category"}  # of columns whose name is not the label

ITEM, TEXT = "item", "text"  # spans: an item of the history, and the text of the target


def item_texts(
    items: Items, fields: Sequence[str] = (), cut: Callable[[str], str] = lambda text: text
) -> list[str]:
    """``Title: <title>. Category: <category>.`` and so on of each item, index 0 is padding.

    Args:
        items: the catalogue.
        fields: which columns, in order; empty takes all.
        cut: shortens a column's text.

    Raises:
        ValueError: there is no such column, or no text at all.
    """
    for name in fields:
        if name not in items.fields:
            raise ValueError(f"no text column is called {name!r}; there are {sorted(items.fields)}")
    columns = {name: items.fields[name] for name in fields or items.fields}
    if not any(any(values) for values in columns.values()):
        raise ValueError(f"no item has a text in the columns {list(columns)}")
    labels = [LABELS.get(name, name.replace("_", " ").capitalize()) for name in columns]
    return [
        " ".join(
            f"{label}: {cut(value.strip()) or UNKNOWN}."
            for label, value in zip(labels, values, strict=True)
        )
        for values in zip(*columns.values(), strict=True)
    ]


class Prompts:
    """Writes the prompts of a catalogue.

    An item's text is tokenised apart from what stands around it, so it has the same tokens in a
    history, as a target and alone, and the border between history and target needs no search.

    Args:
        texts: of each item, index 0 is padding.
        pictures: the items that have a picture.
    """

    def __init__(self, texts: Sequence[str], pictures: Container[int]) -> None:
        self.texts, self.pictures = texts, pictures

    def ask(self, history: Sequence[int]) -> vlm.Prompt:
        """An open prompt: what comes after these items?"""
        return vlm.Prompt(list(self._history(history)))

    def tell(self, history: Sequence[int], target: int) -> vlm.Prompt:
        """A prompt with its answer; the span ``TEXT`` marks the answer's text."""
        answer = [vlm.Span(TEXT, self.texts[target]), *self._picture(target)]
        return vlm.Prompt(list(self._history(history)), answer)

    def draft(self, history: Sequence[int], text: str) -> vlm.Prompt:
        """A prompt that is answered with a text that was generated."""
        return vlm.Prompt(list(self._history(history)), [text])

    def alone(self, item: int) -> vlm.Prompt:
        """An item and nothing else."""
        return vlm.Prompt([vlm.Span(ITEM, self.texts[item]), *self._picture(item)])

    def _history(self, history: Sequence[int]) -> Iterator[vlm.Part]:
        lead = USER + FIRST
        for item in history:
            yield lead
            yield vlm.Span(ITEM, self.texts[item])
            yield from self._picture(item)
            lead = NEXT
        yield ASK if len(history) else USER + ASK

    def _picture(self, item: int) -> Iterator[vlm.Part]:
        if item in self.pictures:
            yield PICTURE
            yield vlm.Image(item)
