"""The named protocols: everything that defines the question a model is asked."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from pathlib import Path

from mmbench.problems import UserError
from mmbench.protocol.candidate_sets import CANDIDATE_SETS, CandidateSet
from mmbench.protocol.local import read_local
from mmbench.protocol.local_splits import Given


@dataclass(frozen=True, slots=True)
class Protocol:
    """A question, complete: two results compare only where all of this is equal.

    The name ends in a number; other semantics get a new number, never the old name.

    Attributes:
        name: as in ``loo@2``. The order of queries and the negatives are drawn from the log's
            secret for each name apart.
        splitter: a name in ``mmbench.protocol.split.SPLITS``.
        explanation: for a reader of figures.
        cuts: for ``time``, the shares of all events before which the validation and the test
            period begin; for ``users``, the shares of all users up to which they train and
            validate.
        max_history: a query shows the last so many events.
        candidate_sets: the sets that each query is ranked against, in one pass.
        given: what a local protocol brings with it; its name has the digest of that.
    """

    name: str
    splitter: str
    explanation: str = ""
    cuts: tuple[float, float] = (0.8, 0.9)
    max_history: int = 50
    candidate_sets: tuple[CandidateSet, ...] = tuple(CANDIDATE_SETS.values())
    given: Given | None = field(default=None, compare=False)


PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            name="loo@2",
            splitter="loo",
            explanation=(
                "Leave one out: a user's last event is the test target, the one before it the "
                "validation target, the rest trains. The test history includes the validation "
                "event."
            ),
        ),
        Protocol(
            name="time@2",
            splitter="time",
            explanation=(
                "One cut in time for all users: nothing from after the cut is trained on, and "
                "what is asked for lies after it."
            ),
        ),
        # For short histories such as PixRec's: most users have two events, and nothing would be
        # left of them to train on.
        Protocol(
            name="pixrec-window@2",
            splitter="users",
            explanation=(
                "Users are held out: nothing of 10% of the users, chosen by a hash of their ids, "
                "is trained on; their last event is asked for, after the last five before it. "
                "Another 10% validate."
            ),
            max_history=5,
        ),
    )
}
DEFAULT = "loo@2"
LOCAL = "local:"
WHAT_LOCAL = (
    "A local protocol, from a file of whoever ran this. Its name ends in a digest of all that the "
    "file holds: results compare where that is the same, and with those of no other protocol."
)

RETIRED: dict[str, str] = {
    "loo@1": "loo@2",
    "time@1": "time@2",
    "pixrec-window@1": "pixrec-window@2",
}
"""Names that are asked no more, and what took their place."""

WHY_RETIRED = (
    "it numbered items and drew negatives from public seeds, from which a model could work out "
    "test targets, and events of one user at one time stood in the order of the file"
)


def get_protocol(name: str) -> Protocol:
    """The protocol of that name, or of that file (``.toml``, see ``mmbench.protocol.local``).

    Raises UserError: a file cannot be read, a retired name says why it is gone and what to use, an
    unknown one what is near.
    """
    if name.endswith(".toml"):
        return Protocol(**read_local(Path(name).expanduser()))
    if name in PROTOCOLS:
        return PROTOCOLS[name]
    if name in RETIRED:
        raise UserError(
            f"{name} is gone: {WHY_RETIRED}. Use {RETIRED[name]}, which splits the same way; "
            f"results of {name} are still shown, and compare with none of {RETIRED[name]}"
        )
    if name.startswith(LOCAL):
        raise UserError(f"{name} is a local protocol: say its file, as in --protocol mine.toml")
    known = ", ".join(sorted(PROTOCOLS))
    near = difflib.get_close_matches(name, PROTOCOLS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UserError(f"unknown protocol {name!r}; {hint}known are: {known}")


def explain_protocol(name: str) -> str:
    """What a name asked, in words, also of a retired one; empty where nothing is known of it."""
    if name.startswith(LOCAL):
        return WHAT_LOCAL
    protocol = PROTOCOLS.get(RETIRED.get(name, name))
    if protocol is None:
        return ""
    replaced = f" Replaced by {RETIRED[name]}: {WHY_RETIRED}." if name in RETIRED else ""
    return protocol.explanation + replaced
