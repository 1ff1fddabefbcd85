"""The named protocols: everything that defines the question a model is asked.

``loo@1``, the default: leave one out. Of each user with three events or more, the last is the test
target, the one before it the validation target, and the rest trains; the test history includes the
validation event. Shorter users only train.

``time@1``: two cuts in time for everybody, before which 80% and 90% of all events lie. Only events
before the first cut train. A user's first event between the cuts is a validation target, the first
at or after the second cut a test target; the history is all that the user did before it.

``pixrec-window@1``: users are held out, by a hash of their ids: 80% train with all their events,
10% validate, 10% test. Of each held-out user with two events or more, the last is the target, and
the history is what they did before it; nothing of them trains. For short histories such as
PixRec's, where most users have two events and nothing is left of them to train on.

All rank against the sets of ``CANDIDATE_SETS``, and report ``hit@k`` and ``ndcg@k`` at 1, 5, 10, 20
and 50, ``mrr`` and ``mrr@10``. The first two show the last 50 events of
a history, ``pixrec-window@1`` the last 5.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from mmbench.problems import UserError
from mmbench.protocol.candidate_sets import CANDIDATE_SETS, CandidateSet


@dataclass(frozen=True, slots=True)
class Protocol:
    """A question, complete: two results compare only where all of this is equal.

    The name ends in a number; other semantics get a new number, never the old name.

    Attributes:
        name: as in ``loo@1``.
        splitter: a name in ``mmbench.protocol.split.SPLITS``.
        cuts: for ``time``, the shares of all events before which the validation and the test
            period begin; for ``users``, the shares of all users up to which they train and
            validate.
        max_history: a query shows the last so many events.
        candidate_sets: the sets that each query is ranked against, in one pass.
        seed: the root of the order of queries and of the negatives.
        cutoffs: the ``k`` of ``hit@k`` and ``ndcg@k``.
    """

    name: str
    splitter: str
    cuts: tuple[float, float] = (0.8, 0.9)
    max_history: int = 50
    candidate_sets: tuple[CandidateSet, ...] = tuple(CANDIDATE_SETS.values())
    seed: int = 2025
    cutoffs: tuple[int, ...] = (1, 5, 10, 20, 50)


DEFAULT = "loo@1"

PROTOCOLS: dict[str, Protocol] = {
    "loo@1": Protocol(name="loo@1", splitter="loo"),
    "time@1": Protocol(name="time@1", splitter="time"),
    "pixrec-window@1": Protocol(name="pixrec-window@1", splitter="users", max_history=5),
}


def get_protocol(name: str) -> Protocol:
    """The protocol of that name. Raises UserError, with a suggestion where one is near."""
    if name in PROTOCOLS:
        return PROTOCOLS[name]
    known = ", ".join(sorted(PROTOCOLS))
    near = difflib.get_close_matches(name, PROTOCOLS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UserError(f"unknown protocol {name!r}; {hint}known are: {known}")
