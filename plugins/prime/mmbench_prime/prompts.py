"""What the ranker reads: items as JSON-like objects, a history, and labelled candidates.

The history stands before the candidates, so that several candidate sets of one history share all
that comes before the first of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

from mmbench import Items, vlm
from mmbench_prime.configs import Attribute, Style

LABEL = "label"  # the span of the answer that is the candidate's label

OPENING: dict[Style, tuple[str, str, str, str]] = {
    # before the history, before the candidates, before each of them, after all
    "prime": (
        "Based on the user's browsing history and a collection of candidate items (both provided "
        "in JSON format), recommend the most suitable item by specifying its index letter."
        "\n\nBrowsing history:\n",
        "\nCandidate items:\n",
        "({}) ",
        "",
    ),
    "llamarec": (
        "Given user history in chronological order, recommend an item from the candidate pool "
        "with its index letter.\n\nUser history: ",
        "; \n Candidate pool: ",
        "({}) ",
        "",
    ),
    "plain": ("History:\n", "Candidates:\n", "{} ", ""),
}
COLUMNS: dict[Attribute, tuple[str, ...]] = {  # where datasets keep an attribute
    "price": ("price",),
    "brand": ("brand",),
    "categories": ("categories", "category", "genres"),
}


def find_columns(items: Items, attributes: Sequence[Attribute]) -> dict[Attribute, Sequence[str]]:
    """The text attributes that a catalogue has: its first column is the title."""
    found: dict[Attribute, Sequence[str]] = {}
    for attribute in attributes:
        if attribute == "title" and items.fields:
            found["title"] = next(iter(items.fields.values()))
        for name in COLUMNS.get(attribute, ()):
            if name in items.fields and attribute not in found:
                found[attribute] = items.fields[name]
    return found


class Writer:
    """Writes prompts about a catalogue.

    Args:
        items: the catalogue.
        attributes: what is told of an item, in this order; what it has not is left out.
        style: whose words.
        cut: shortens the text of an attribute.
        pictured: whether an item has a picture to show.
    """

    def __init__(
        self,
        items: Items,
        attributes: Sequence[Attribute],
        style: Style,
        cut: Callable[[str], str],
        pictured: Callable[[int], bool],
    ) -> None:
        self.attributes, self.style, self.pictured = attributes, style, pictured
        columns = find_columns(items, attributes)
        self.texts = {
            name: [json.dumps(cut(text), ensure_ascii=False) if text else "" for text in column]
            for name, column in columns.items()
        }

    def write(
        self, history: Sequence[int], labels: Sequence[str], items: Sequence[int], answer: str
    ) -> vlm.Prompt:
        """A prompt with its answer, the label of a candidate; the span ``LABEL`` marks it.

        What comes before that span is the question: it does not depend on the answer.
        """
        before, between, ahead, after = OPENING[self.style]
        parts: list[vlm.Part] = [before]
        for item in history:
            parts += [*self.describe(item), "\n"]
        parts.append(between)
        for label, item in zip(labels, items, strict=True):
            parts += [ahead.format(label), *self.describe(item), "\n"]
        return vlm.Prompt([*parts, after], [vlm.Span(LABEL, answer)])

    def describe(self, item: int) -> Iterator[vlm.Part]:
        """An item's object; in LlamaRec's words its title alone, in plain ones the values alone."""
        if self.style == "llamarec":
            yield self.texts["title"][item] if "title" in self.texts else ""
            return
        if self.style == "plain":
            yield from self._values(item)
            return
        lead, some = "{\n    ", False
        for attribute in self.attributes:
            if attribute == "image":
                if not self.pictured(item):
                    continue
                yield f'{lead}"image": '
                yield vlm.Image(item)
            else:
                text = self.texts[attribute][item] if attribute in self.texts else ""
                if not text:
                    continue
                yield f'{lead}"{attribute}": {text}'
            lead, some = ",\n    ", True
        yield "\n}" if some else "{}"

    def _values(self, item: int) -> Iterator[vlm.Part]:
        if "image" in self.attributes and self.pictured(item):
            yield vlm.Image(item)
        # escaped, so that an item is a line
        said = (self.texts[name][item][1:-1] for name in self.attributes if name in self.texts)
        yield ", ".join(text for text in said if text)

    def corpus(self, labels: Sequence[str]) -> list[str]:
        """All that a prompt may be made of, for a tiny model's tokenizer."""
        whole = "".join(part for item in range(1, 1 + self._count) for part in self._texts_of(item))
        before, between, ahead, after = OPENING[self.style]
        return [before, between, after, whole, *(ahead.format(label) for label in labels)]

    @property
    def _count(self) -> int:
        return max((len(texts) for texts in self.texts.values()), default=1) - 1

    def _texts_of(self, item: int) -> Iterator[str]:
        yield from (part for part in self.describe(item) if isinstance(part, str))
