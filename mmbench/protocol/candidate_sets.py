"""Candidate sets: which items compete with a query's target. All that is known of a set is here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["full", "unseen", "sampled"]


@dataclass(frozen=True, slots=True)
class CandidateSet:
    """A set by its rule; evaluation, results, checks and boards know of sets what this value says.

    Attributes:
        name: as in records, columns of ranks, and boards.
        kind: ``full`` is the whole catalogue, history included. ``unseen`` is the catalogue without
            the items of the user's whole history; a query whose target is among them has no answer
            and counts 0. ``sampled`` is the target and ``size`` items drawn uniformly, without
            replacement, from those that the user has in no fold. (So where users repeat items, only
            the target can be one that the history shows.)
        size: how many negatives are drawn for each query; 0 where none are.
        title, explanation: for a reader of figures.
    """

    name: str
    kind: Kind
    title: str
    explanation: str
    size: int = 0

    @property
    def sampled(self) -> bool:
        """Whether its figures are of a sample, and so no figures of the catalogue."""
        return self.kind == "sampled"

    def shortfall(self, least: int, most: int) -> str:
        """What a reader must know where queries have fewer negatives than asked for; else empty.

        Args:
            least: of the negatives that a query has.
            most: as ``least``.
        """
        if least >= self.size:
            return ""
        if most >= self.size:
            return (
                f"Users who have most of the catalogue are left with fewer than {self.size} "
                f"others: {least} at the least."
            )
        drawn = f"{most}" if least == most else f"{least} to {most}"
        return (
            f"Each query has only {drawn} of them, not {self.size}: the catalogue holds no more "
            "that its user does not have."
        )


def negatives(size: int) -> CandidateSet:
    """The target and so many drawn items."""
    return CandidateSet(
        name=f"neg{size}",
        kind="sampled",
        title=f"the target and {size} sampled items",
        explanation=(
            f"The target competes with {size} items drawn once for each query, uniformly, never "
            "from the user's own; the same for every model."
        ),
        size=size,
    )


FULL = CandidateSet(
    name="full",
    kind="full",
    title="the whole catalogue",
    explanation=(
        "The whole catalogue competes, items of the user's own history included, as in most "
        "published full-ranking tables. Where nobody buys twice, the top item is then for most "
        "users one that they already have."
    ),
)
UNSEEN = CandidateSet(
    name="unseen",
    kind="unseen",
    title="without the user's history",
    explanation=(
        "The harness leaves out the items of the user's history, for every model alike: the "
        "useful question where nobody buys twice. It moves figures by as much as a new model is "
        "often said to gain, so compare within a section and never across, and ask of any "
        "published table which of the two it shows."
    ),
)

CANDIDATE_SETS: dict[str, CandidateSet] = {one.name: one for one in (FULL, UNSEEN, negatives(100))}
"""Every set that a named protocol ranks against, in the order in which they are shown."""


def find_set(name: str) -> CandidateSet | None:
    """What is known of a set by its name: one of the usual ones, or ``neg<size>``."""
    drawn = re.fullmatch(r"neg([1-9]\d{0,6})", name)
    return CANDIDATE_SETS.get(name) or (negatives(int(drawn[1])) if drawn else None)


def set_order(name: str) -> tuple[int, int, str]:
    """The key that sorts sets, by name, as boards show them: the usual ones, then the others."""
    known, one = [*CANDIDATE_SETS], find_set(name)
    return known.index(name) if name in known else len(known), one.size if one else 0, name


def ask_order(sets: Iterable[CandidateSet]) -> list[CandidateSet]:
    """The sets in the order in which a model is asked that is asked about each.

    Candidates of a sampled set have the target among them, so they are told when all larger sets
    are answered: first the catalogue, then the sampled sets, the largest first.
    """
    return sorted(sets, key=lambda one: (one.sampled, -one.size))


def affordable(
    sets: Iterable[CandidateSet], widest: int | None, n_items: int
) -> tuple[CandidateSet, ...]:
    """The sets that a model can be asked about.

    Args:
        sets: those of its protocol.
        widest: the model's ``max_candidates``; None where it can rate any number of items.
        n_items: size of the catalogue.

    Returns:
        All of them, or, for a model that cannot rate the catalogue, the sampled ones that are no
        wider than it can afford, and the smallest of those in any case.
    """
    if widest is None or widest >= n_items:
        return tuple(sets)
    sampled = sorted((one for one in sets if one.sampled), key=lambda one: one.size)
    return tuple(one for k, one in enumerate(sampled) if not k or 1 + one.size <= widest)
