"""Footnotes: what a reader must know of a row before comparing it, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from mmbench.data.attach import ADDED
from mmbench.report.cards import sentences
from mmbench.report.words import plain
from mmbench.results import UNPACKAGED
from mmbench.results.record import UNSEALED, Record

if TYPE_CHECKING:
    from mmbench.report.aggregate import Board, Row

TINY = (
    "Tiny preset: the same code with a small stand-in for the pretrained backbone (random weights, "
    "or statistics of the items). It says nothing of what the published model can do."
)
SMALL = "Small: runs on smaller pretrained weights than the published model's."
NO_WALL = (
    "No wall: ran inside the harness's own process, where nothing kept the model from the targets."
)
PROCESS = (
    "A process alone for a wall: no target was handed to the model's process, but it could open "
    "the files of the machine. Landlock, the whole wall, did not stand there."
)
DIRTY = "Uncommitted changes: ran from a dirty checkout, so that no version names its code."
UNPUBLISHED = "Unpublished: a class in a file, which no package and version names."
UNKEPT = (
    "Ranks without a digest: stored by an earlier version, so that a change of them would not show."
)
CONTRIBUTED = (
    "Contributed by {}: run on another machine than this board's other rows. Its ranks, digests, "
    "arithmetic and wall were checked here."
)
RESUMED = "Went on from a checkpoint after an interruption: its fit time is that of the last part."
STALE = "Other code: the model's code was changed after this was run."
FAILURES = {
    "learns_which_item_follows_which": "Does not use the order of events",
    "refit_forgets": "Fitted twice, it is not as if fitted once",
    "deterministic_under_a_seed": "The same seed does not give the same again",
    "company_of_queries_does_not_matter": "Scores a query otherwise in other company",
    "candidates_order_does_not_matter": "Scores candidates otherwise in another order",
    "catalogue_answer_equals_candidate_answer": "Scores candidates otherwise than the catalogue",
    "embeddings_agree_with_scores": "Its embeddings tell another order than its scores",
    "uses_the_titles_it_needs": "Asks for titles and does not use them",
    "uses_the_pictures_it_needs": "Asks for pictures and does not use them",
}
"""What known failures of conformance checks mean to a reader of boards."""

LISTED = 3  # impossible figures are told one by one up to here
CANDIDATES = "Other candidates: its sampled candidates differ from those of the other rows."


def notes(row: Row, board: Iterable[Row], stale: Collection[str] = frozenset()) -> list[str]:
    """What is to be said of one row of a board, as plain text; ``stale`` are ids of cells."""
    limit = row.first.cell.limit
    budget = row.first.cell.config.get("training_tokens")
    unpublished = row.first.cell.distribution == UNPACKAGED
    texts = [
        (row.tiny, TINY),
        (row.small, SMALL),
        (limit is not None, _smoke(limit)),
        (bool(budget), _budget(budget)),
        *((True, sentence) for sentence in sentences(row.done)),
        (bool(row.done) and row.first.wall == "none", NO_WALL),
        (bool(row.done) and row.first.wall == "process", PROCESS),
        (unpublished, UNPUBLISHED),
        (not unpublished and any(record.environment.dirty for record in row.records), DIRTY),
        *((True, CONTRIBUTED.format(who)) for who in _contributors(row)),
        (any(record.environment.resumed for record in row.done), RESUMED),
        (any(record.cell.id in stale for record in row.records), STALE),
        (any(record.ranks_sha256 == UNSEALED for record in row.done), UNKEPT),
        (_other_candidates(row, board), CANDIDATES),
        *((True, f"Its {remark}.") for remark in _added_pictures(row.first)),
        *((True, _known_failure(*known)) for known in row.first.known_failures.items()),
        (bool(row.violations), _impossible(row.violations)),
    ]
    return [text for applies, text in texts if applies]


def _contributors(row: Row) -> list[str]:
    return sorted({record.contributor for record in row.records} - {""})


def numbered(board: Board) -> dict[str, int]:
    """The notes of a board, numbered from 1 in the order in which its rows need them."""
    texts = dict.fromkeys(text for row in board.rows for text in row.notes)
    return {text: number for number, text in enumerate(texts, start=1)}


def marks(row: Row, board: Board) -> tuple[int, ...]:
    """The numbers of the row's notes."""
    numbers = numbered(board)
    return tuple(sorted(numbers[text] for text in row.notes))


def _added_pictures(record: Record) -> list[str]:
    """What is to be said of pictures that the dataset has not of itself, where a row reads them."""
    if "pictures" not in record.cell.fingerprints:
        return []
    return [remark for remark in record.data.remarks if remark.startswith(ADDED)]


def _smoke(limit: int | None) -> str:
    return (
        f"Smoke run: only {limit} users were kept, in training too, so that neither its model nor "
        "its queries are the board's."
    )


def _budget(tokens: object) -> str:
    told = f"{tokens:,}" if isinstance(tokens, int) else str(tokens)
    return f"Budget: trained on at most {told} tokens of its prompts, all epochs together."


def _known_failure(check: str, reason: str) -> str:
    told = FAILURES.get(check, f"Fails the conformance check {check}, as is known")
    return f"{told}: {plain(reason)}."


def _impossible(violations: Sequence[str]) -> str:
    listed = "; ".join(map(plain, violations[:LISTED]))
    if len(violations) > LISTED:
        listed += f"; and {len(violations) - LISTED} more"
    return (
        "Fails the arithmetic gate: no average over queries with one target has these figures "
        f"({listed})."
    )


def _other_candidates(row: Row, board: Iterable[Row]) -> bool:
    """Whether one of the row's runs drew other candidates than most runs on as many users."""
    limit = row.first.cell.limit
    peers = [r for other in board for r in other.done if r.cell.limit == limit]
    drawn = Counter(_hashes(peers))
    usual = max(sorted(drawn), key=drawn.__getitem__, default=None)
    return any(sha != usual for sha in _hashes(row.done))


def _hashes(records: Iterable[Record]) -> list[str]:
    return [record.candidates_sha256 for record in records if record.candidates_sha256]
