"""What a cell is asked: a dataset under a protocol, alone or in company."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mmbench.data.log import Log
from mmbench.grid.declaration import Declaration
from mmbench.grid.registry import UsageError
from mmbench.protocol import (
    Ask,
    Joined,
    Protocol,
    Split,
    ask_part,
    candidates_hash,
    join_parts,
    split,
)
from mmbench.views import Int32, Interactions, Items, Queries


@dataclass(frozen=True, slots=True)
class Question:
    """A dataset under a protocol, split once for all cells that ask it.

    ``joined``: a model is fitted on this dataset and others together, and sees the join of them.
    ``asked``: the words that named these datasets, and what they named; this one is at ``place``.
    """

    log: Log
    protocol: Protocol
    split: Split
    candidates_sha256: str = ""
    joined: Joined | None = None
    asked: tuple[tuple[str, Log], ...] = ()
    place: int = 0

    @property
    def train(self) -> Interactions:
        """What a model is fitted on."""
        return self.joined.train if self.joined else self.split.train

    @property
    def items(self) -> Items:
        """The catalogue that a model sees."""
        return self.joined.items if self.joined else self.log.items

    @property
    def logs(self) -> tuple[Log, ...]:
        """All that a model is fitted on."""
        return self.joined.logs if self.joined else (self.log,)

    @property
    def company(self) -> str:
        """The other datasets' ids, as in ``beauty+sports``; empty where it is alone."""
        others = [log for log in self.logs if log.fingerprints != self.log.fingerprints]
        return "+".join(log.id for log in others)

    def queries(self, queries: Queries) -> Queries:
        """A fold's queries in the numbers that a model sees."""
        return self.joined.place.queries(queries) if self.joined else queries

    def numbers(self, items: Int32) -> Int32:
        """Items, such as a fold's candidates, in the numbers that a model sees; of any shape."""
        return self.joined.place.items(items) if self.joined else items

    def ask(self, ask: Ask, width: int) -> Ask:
        """A model's answers about this dataset alone; ``width`` as in ``ask_part``."""
        return ask_part(ask, self.joined.place, width) if self.joined else ask


def ask_question(log: Log, protocol: Protocol) -> Question:
    """Split a log and fix its candidates."""
    parts = split(log, protocol)
    return Question(log, protocol, parts, candidates_hash(parts.test, log.secret))


def ask_together(questions: Sequence[Question]) -> list[Question]:
    """The same questions, in the same order, of models that are fitted on all of them together.

    The join does not depend on that order. Raises UserError, see ``mmbench.protocol.join``.
    """
    names = [(question.log.id, question.log.fingerprints.events) for question in questions]
    order = sorted(range(len(questions)), key=names.__getitem__)
    chosen = [questions[k] for k in order]
    joined = join_parts([one.log for one in chosen], [one.split.train for one in chosen])
    return [replace(one, joined=joined[order.index(k)]) for k, one in enumerate(questions)]


def split_parts(name: str) -> tuple[str, ...]:
    """The datasets of a word of ``--data``: ``a+b`` is two; a path that exists is one, plus or not.

    Raises UsageError where a part has no name.
    """
    parts = tuple(part.strip() for part in name.split("+"))
    if len(parts) == 1 or Path(name).expanduser().exists():
        return (name,)
    if not all(parts):
        raise UsageError(f"--data {name}: name a dataset on both sides of each +")
    return parts


def ask_all(words: Sequence[Sequence[str]], prepare: Callable[[str], Question]) -> list[Question]:
    """What each word of ``--data`` asks, in order; what is named twice is prepared once."""
    ready = {part: prepare(part) for part in dict.fromkeys(itertools.chain(*words))}
    found = []
    for parts in words:
        chosen = [ready[part] for part in parts]
        together = ask_together(chosen) if len(parts) > 1 else chosen
        asked = tuple((part, one.log) for part, one in zip(parts, chosen, strict=True))
        found += [replace(one, asked=asked, place=k) for k, one in enumerate(together)]
    return found


def not_applicable(declared: Declaration, question: Question, source: Question | None) -> str:
    """Why a model cannot be asked this question, or an empty text."""
    logs = (*question.logs, *([source.log] if source else []))
    for log in logs:
        missing = missing_modalities(declared.needs, log.items)
        if missing == ["images"]:
            whose = f" of {log.id}" if len(logs) > 1 else ""
            return f"no pictures{whose} (add --images or --draw)"
        if missing:
            where = f"{log.id} has not" if len(logs) > 1 else "the data has not"
            return f"needs {' and '.join(missing)}, which {where}"
    if source is not None and not declared.transfers:
        return "knows its items by number: it has no hook `transfer`, so it cannot change catalogue"
    return ""


def missing_modalities(needs: Sequence[str], items: Items) -> list[str]:
    """Which of a model's needs a catalogue cannot serve."""
    missing = []
    if "text" in needs and not any(any(values) for values in items.fields.values()):
        missing.append("text")
    if "image" in needs and (items.images is None or not len(items.images.items())):
        missing.append("images")
    return missing
