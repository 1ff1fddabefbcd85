"""What is seen of a cell: the answers that are ranked, and those to further questions."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from mmbench.check import worlds
from mmbench.check.rules import CheckFailed
from mmbench.grid import exchange
from mmbench.grid.host import Host, PluginFailure
from mmbench.grid.outcome import Outcome
from mmbench.grid.question import Question
from mmbench.grid.watch import Finding
from mmbench.protocol import AnswerError, CandidateSet, ask_order, shown_candidates
from mmbench.protocol.answers import check_answer
from mmbench.protocol.candidate_sets import UNSEEN
from mmbench.views import Answer, Float32, Int32, Queries

ALONE = 16  # so many queries are asked one by one
FEW = 10  # candidates


@dataclass(frozen=True, slots=True)
class Offer:
    """What a model can be asked.

    Attributes:
        candidates: ``score`` names candidates.
        per_set: it is asked once for each candidate set.
        widest: so many candidates it can afford.
        sets: the candidate sets that it can afford.
        embeddings: it has both embedding hooks.
        keeps: it has the hooks of a kept fit.
    """

    candidates: bool
    per_set: bool
    widest: int
    sets: tuple[CandidateSet, ...]
    embeddings: bool
    keeps: bool

    @property
    def narrow(self) -> bool:
        """Whether it cannot afford the whole catalogue."""
        return all(one.sampled for one in self.sets)


@dataclass(slots=True)
class Viewed:
    """What a cell left for the checks to look at.

    Attributes:
        outcome: its record and ranks, once it has ended.
        asked: float32[q, n_items] or [q, c]: the answers that were ranked; of a model that is asked
            for each set, those for the first.
        unseen: float32[q, n_items], its answers for ``unseen``.
        replies: answers to questions put afterwards, or why there is none.
        embeddings: ``items`` and ``queries`` by space, where the model offers them.
        findings: what the process opened and should not have.
        changed: names of views whose files are not what they were.
        left: processes that still ran after scoring.
        printed: bytes.
        kept: what the model said that it learned, or why it did not; None where it keeps nothing.
    """

    outcome: Outcome = field(init=False)
    asked: Float32 | None = None
    unseen: Float32 | None = None
    replies: dict[str, Float32 | Exception] = field(default_factory=dict)
    embeddings: dict[str, dict[str, Float32] | Exception] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    printed: int = 0
    kept: dict[str, np.ndarray] | Exception | None = None

    @property
    def problem(self) -> str:
        """Why the cell is not done, or nothing."""
        status = self.outcome.record.status
        return "" if status.kind == "done" else f"{status.kind}: {status.reason}"

    def reply(self, name: str) -> Float32:
        """The answer to a question put afterwards. Raises CheckFailed where there is none."""
        found = self.replies[name]
        if isinstance(found, Exception):
            raise CheckFailed(str(found))
        return found


class CheckProbe:
    """Writes down a cell's answers and, when all is ranked, asks further."""

    def __init__(self, offer: Offer, question: Question, curious: bool) -> None:
        self.offer, self.question, self.curious = offer, question, curious
        self.answers: dict[str, list[tuple[slice, Answer]]] = {}
        self.viewed = Viewed()
        self.host: Host | None = None
        self.then: Callable[[Host], None] | None = None

    def answered(self, fold: str, rows: slice, answer: Answer) -> None:
        """Keep what is ranked."""
        if fold != "valid":
            self.answers.setdefault(fold, []).append((rows, copy.deepcopy(answer)))

    def ranked(self, host: Host) -> None:
        """Put the further questions; what fails here fails a check, not the cell."""
        self.host = host
        queries = self.question.split.test.queries
        width = worlds.ITEMS
        if self.offer.narrow:
            fold = self.question.split.test
            width = shown_candidates(fold, self.offer.sets, worlds.ITEMS).shape[1]
        first = ask_order(self.offer.sets)[0].name if self.offer.per_set else ""
        self.viewed.asked = _dense(self.answers[exchange.part_of("test", first)], width)
        if (part := exchange.part_of("test", UNSEEN.name)) in self.answers:
            self.viewed.unseen = _dense(self.answers[part], worlds.ITEMS)
        chosen = self._chosen(len(queries))
        if chosen is not None:
            self._ask("few", queries, chosen)
        if self.curious:
            self._ask_more(queries, chosen)
        self.viewed.left = [_say_process(process) for process in _living(host)]
        self.viewed.changed = _changed(host.folder, self.question, bool(self.answers))
        if self.curious and self.offer.keeps:
            try:
                self.viewed.kept = host.keep()
            except PluginFailure as failure:
                self.viewed.kept = failure
        if self.then is not None:
            self.then(host)

    def ask_restored(self, host: Host) -> None:
        """Ask a model that was restored what one that was fitted is asked alone."""
        self.host = host
        queries = self.question.split.test.queries
        self._ask_alone("restored", queries, self._chosen(len(queries)))

    def view(self, outcome: Outcome) -> Viewed:
        """All that was seen."""
        self.viewed.outcome = outcome
        self.viewed.printed = self.host.printed if self.host else 0
        return self.viewed

    def _chosen(self, count: int) -> Int32 | None:
        """The candidates that the model is asked about, if it names any."""
        if not self.offer.candidates:
            return None
        return worlds.choose_candidates(count, min(FEW, self.offer.widest))

    def _ask_more(self, queries: Queries, chosen: Int32 | None) -> None:
        ask, n = self._ask, len(queries)
        usual = chosen if self.offer.narrow else None
        ask("again", queries, usual)
        ask("reversed", _rows(queries, np.arange(n)[::-1]), None if usual is None else usual[::-1])
        self._ask_alone("alone", queries, chosen)
        ask("unknown users", _unknown_users(queries), None if usual is None else usual[:3])
        if chosen is not None:
            order = np.random.default_rng(1).permutation(chosen.shape[1])
            ask("shuffled", queries, chosen[:, order])
            ask("fewer", queries, chosen[:, ::2])
        if self.offer.embeddings:
            assert self.host is not None
            for name, embed in (
                ("items", self.host.embed_items),
                ("queries", lambda: self.host.embed_queries("check-again", slice(0, n))),
            ):
                try:
                    self.viewed.embeddings[name] = {
                        space: np.array(matrix) for space, matrix in embed().items()
                    }
                except PluginFailure as failure:
                    self.viewed.embeddings[name] = failure

    def _ask_alone(self, name: str, queries: Queries, chosen: Int32 | None) -> None:
        usual = chosen if self.offer.narrow else None
        self._ask(name, queries, usual, [slice(row, row + 1) for row in range(ALONE)])

    def _ask(
        self,
        name: str,
        queries: Queries,
        candidates: Int32 | None = None,
        slices: list[slice] | None = None,
    ) -> None:
        assert self.host is not None
        slices = slices or [slice(0, len(queries))]
        exchange.save_queries(self.host.folder, f"check-{name}", queries, candidates)
        kind = "catalogue" if candidates is None else "candidates"
        width = worlds.ITEMS if candidates is None else candidates.shape[1]
        try:
            answers = [copy.deepcopy(a) for a in self.host.score(f"check-{name}", kind, slices)]
            dense = _dense(list(zip(slices, answers, strict=True)), width)
        except (PluginFailure, AnswerError) as error:
            self.viewed.replies[name] = error
            return
        if candidates is not None and dense.shape[1] != width:
            dense = np.take_along_axis(dense, candidates[: len(dense)].astype(np.int64) - 1, axis=1)
        self.viewed.replies[name] = dense


def _dense(answers: list[tuple[slice, Answer]], width: int) -> Float32:
    checked = [check_answer(answer, rows, worlds.ITEMS, width) for rows, answer in answers]
    return np.concatenate(checked)


def _rows(queries: Queries, rows: np.ndarray) -> Queries:
    return Queries(queries.user[rows], queries.history[rows], queries.time[rows])


def _unknown_users(queries: Queries) -> Queries:
    """Unknown users and one-item histories, one of them the cold item."""
    user = np.array([-1, -1, 0], np.int32)
    history, time = (np.zeros((3, queries.history.shape[1]), kind) for kind in (np.int32, np.int64))
    history[:, -1] = [1, worlds.ITEMS, 2]
    time[:, -1] = worlds.DAY
    history[0, -3:-1], time[0, -3:-1] = [3, 4], worlds.DAY
    return Queries(user, history, time)


def _changed(folder: Path, question: Question, asked: bool) -> list[str]:
    """The views that do not hold what they held."""
    split = question.split
    pairs: dict[str, tuple[Any, Any]] = {
        "train": (exchange.load_train(folder), split.train),
        "valid": (exchange.load_queries(folder, "valid"), split.valid.queries),
        "test": (exchange.load_queries(folder, "test"), split.test.queries),
    }
    changed = [
        name
        for name, (ours, theirs) in pairs.items()
        for part in ("user", "item", "history", "time")
        if hasattr(theirs, part) and not np.array_equal(getattr(ours, part), getattr(theirs, part))
    ]
    items = exchange.load_items(folder)
    if items.fields != question.log.items.fields or items.images != question.log.items.images:
        changed.append("items")
    return sorted(set(changed))


def _living(host: Host) -> list[psutil.Process]:
    """What the plugin's process has started and not ended; Python's own helpers do not count."""
    found = []
    for process in host.offspring():
        try:
            helper = "multiprocessing.resource_tracker" in " ".join(process.cmdline())
            if process.status() != psutil.STATUS_ZOMBIE and not helper:
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def _say_process(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())[:80]
    except psutil.NoSuchProcess:
        return f"process {process.pid}"
