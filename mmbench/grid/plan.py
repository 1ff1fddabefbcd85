"""From what the user asked for to a list of cells: nothing here runs a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from mmbench.data.fingerprint import Fingerprints
from mmbench.data.log import Log, sample_users
from mmbench.data.places import cache_home
from mmbench.grid.asked import Grid
from mmbench.grid.declaration import Declaration
from mmbench.grid.declared import (
    Description,
    Setting,
    describe_all,
    given_to,
    names_of,
    split_setting,
)
from mmbench.grid.environment import cuda_gpus
from mmbench.grid.estimate import estimate, peak_memory
from mmbench.grid.fetch import named_paths
from mmbench.grid.question import Question, ask_all, ask_question, not_applicable, split_parts
from mmbench.grid.registry import ModelRef, UsageError, spread
from mmbench.grid.runner import Circumstances, Job
from mmbench.grid.shelf import Shelf
from mmbench.grid.unpackaged import locate, unpackaged
from mmbench.grid.weights import weigh
from mmbench.problems import did_you_mean
from mmbench.protocol import get_protocol
from mmbench.protocol.apart import refuse_kin
from mmbench.results.cell import Cell, Source
from mmbench.results.record import Record, ResultError
from mmbench.results.tuning import Tuning, config_digest


@dataclass(frozen=True, slots=True)
class Planned:
    """A row of the plan: a job, or the reason why there is none.

    Attributes:
        label, dataset, seed: what it is called.
        job, question, source: what is run, what it is asked, and what it is fitted on where that is
            another dataset.
        problem: why there is no job.
        known: what is stored of the cell.
        inapplicable: why the model cannot be asked this question: such a row is recorded, not run.
        stale: what is stored of the same by other code, where the cell itself is not done.
        kept: ``known`` is such a record, and is to be served as if it were the cell's own.
        seconds: about how long it takes, where anything is known of it.
        memory_mb: about how much memory it takes, where that is known.
        ref: the model, as it was asked for.
        one_seed: more seeds were asked for, and the model declares that they give the same.
    """

    label: str
    dataset: str
    seed: int
    job: Job | None = None
    question: Question | None = None
    problem: str = ""
    known: Record | None = None
    source: Question | None = None
    inapplicable: str = ""
    stale: Record | None = None
    kept: bool = False
    seconds: float | None = None
    memory_mb: float | None = None
    ref: ModelRef | None = None
    one_seed: bool = False

    @property
    def state(self) -> str:
        """``new``, ``not-applicable``, a stored status such as ``done``, or ``broken``."""
        if self.job is None:
            return "broken"
        if self.known:
            return self.known.status.kind
        return "not-applicable" if self.inapplicable else "new"


def make_plan(
    grid: Grid,
    results: Path,
    *,
    load: Callable[[str], Log],
    ready: Callable[[frozenset[str]], None] = lambda needs: None,
    isolated: bool = True,
    keep_stale: bool = False,
    download: bool = True,
    say: Callable[[str], None] = lambda text: None,
) -> list[Planned]:
    """All cells of a grid, datasets outermost, with what the store already holds.

    ``ready`` is told what the models need of data, before the first dataset is loaded.
    With ``keep_stale``, what other code left is taken for the cell's own where that is not done.
    With ``download``, weights that a branch names are fetched where they are not here, as the
    commit is part of the cell; without it, such a row has a problem. A plugin that cannot be
    described becomes rows with a problem; an unknown name, dataset or setting is the user's to mend
    and raises UsageError (or the data layer's DataError).
    """
    protocol = get_protocol(grid.protocol)
    refs = [locate(one) for text in grid.models for one in spread(text)]
    settings = [split_setting(text) for text in grid.settings]
    described = describe_all(refs, settings, grid.preset, isolated, cache_home())
    _refuse_idle(settings, described, grid.tuned)
    places = Circumstances(isolated=isolated, cache=cache_home())
    described = {
        ref: weigh(found, named_by(ref, settings), places, say if download else None)
        for ref, found in described.items()
    }
    ready(frozenset(need for one in described.values() for need in one.declared.needs))

    def prepare(name: str) -> Question:
        say(f"preparing {name}")
        log = load(name)
        return ask_question(log if grid.limit is None else sample_users(log, grid.limit), protocol)

    words = [split_parts(name) for name in grid.data]
    if grid.fit_on and max(map(len, [*words, split_parts(grid.fit_on)])) > 1:
        raise UsageError(
            f"--fit-on {grid.fit_on} with --data {','.join(grid.data)}: --fit-on fits on one "
            "dataset and asks others, a+b fits on several and asks each; leave one of the two out"
        )
    questions = ask_all(words, prepare)
    source = ask_all([(grid.fit_on,)], prepare)[0] if grid.fit_on else None
    for log in {question.log.id: question.log for question in questions}.values():
        if source is not None:
            how = f"--fit-on {grid.fit_on} with --data {log.id}"
            refuse_kin(source.log, log, how, "leave --fit-on out to fit where you ask")
    device = "cuda" if cuda_gpus() else "cpu"
    planner = _Planner(grid, described, tuple(settings), source, device, Shelf(results), keep_stale)
    rows = [
        row
        for question in questions
        for ref in refs
        for seed in planner.seeds(ref)
        for row in planner.rows(question, ref, seed)
    ]
    unique: dict[str | int, Planned] = {}  # what was asked for twice, by one name or two, is one
    for row in rows:
        unique.setdefault(row.job.cell.id if row.job else id(row), row)
    return list(unique.values())


def make_label(ref: ModelRef, preset: str, overrides: Mapping[str, str], *, size: str = "") -> str:
    """A row's name: what was asked, which preset of it, and its size where that is smaller."""
    given = {**dict(ref.overrides), **overrides}
    variant, _, last = preset.rpartition("/")
    variant = variant if size and last == size else preset
    owner = f"{ref.package}/" if ref.package else ""
    name = owner + ref.model + (f"/{variant}" if variant not in ("", "paper") else "")
    if given:
        name += "[" + ",".join(f"{key}={value}" for key, value in sorted(given.items())) + "]"
    marks = [*([size] if size else []), *(["unpublished"] if unpackaged(ref) else [])]
    return f"{name} ({', '.join(marks)})" if marks else name


@dataclass(frozen=True, slots=True)
class _Planner:
    """Makes rows of what is the same for all of them."""

    grid: Grid
    described: Mapping[ModelRef, Description]
    settings: tuple[Setting, ...]
    source: Question | None
    device: str
    shelf: Shelf
    keep_stale: bool

    def seeds(self, ref: ModelRef) -> tuple[int, ...]:
        """Those that are worth a run: the first, where neither a model nor its upstream draws."""
        return self.grid.seeds if self._draws(ref) else self.grid.seeds[:1]

    def _draws(self, ref: ModelRef) -> bool:
        found = self.described[ref]
        return found.declared.draws or (found.upstream is not None and self._draws(found.upstream))

    def rows(self, question: Question, ref: ModelRef, seed: int) -> list[Planned]:
        """A model's cell, after those of the models that it starts from."""
        found, data = self.described[ref], question.log.id
        before = self.rows(question, found.upstream, seed) if found.upstream else []
        upstream = before[-1] if before else None
        problem = _problem(ref, found, self.described)
        if upstream is not None and upstream.job is None:
            problem = problem or f"starts from {upstream.label}, see there"
        if problem:
            return [*before, Planned(ref.model, data, seed, problem=problem)]
        job = self._job(question, ref, seed, upstream)
        row = Planned(job.label, data, seed, job, question, source=self.source, ref=ref)
        row = replace(row, one_seed=len(self.grid.seeds) > len(self.seeds(ref)))
        if why := self._inapplicable(found, question, upstream):
            # what it would start from is run where it is asked for by itself
            before, row = [], replace(row, inapplicable=why)
        try:
            known = self.shelf.find(job.cell)
            stale = None if known and known.done else self.shelf.find_stale(job.cell)
        except ResultError as error:
            return [*before, Planned(job.label, data, seed, problem=str(error))]
        kept = self.keep_stale and stale is not None
        row = replace(row, known=stale if kept else known, stale=stale, kept=kept)
        seconds, memory = estimate(job, question, self.shelf), peak_memory(job, self.shelf)
        return [*before, replace(row, seconds=seconds, memory_mb=memory)]

    def _inapplicable(
        self, found: Description, question: Question, upstream: Planned | None
    ) -> str:
        """Why a model cannot be asked, or an empty text."""
        if why := not_applicable(found.declared, question, self.source):
            return why
        if upstream is not None and upstream.inapplicable:
            return f"starts from {upstream.label}: {upstream.inapplicable}"
        return ""

    def _job(self, question: Question, ref: ModelRef, seed: int, upstream: Planned | None) -> Job:
        found, grid = self.described[ref], self.grid
        needs, before = found.declared.needs, upstream.job if upstream else None
        asked = name_source(question.log, needs)
        joined = question.logs if question.joined else ()
        cell = Cell(
            model=ref.model,
            distribution=found.plugin.distribution,
            version=found.plugin.version,
            code=found.code,
            config=found.declared.config,
            dataset=asked.dataset,
            fingerprints=asked.fingerprints,
            protocol=question.protocol.name,
            seed=seed,
            limit=grid.limit,
            processes=grid.processes if grid.processes > 1 and found.declared.processes else None,
            weights=found.weights,
            upstream=before.cell if before else None,
            fit_on=name_source(self.source.log, needs) if self.source else None,
            together=tuple(name_source(one, needs) for one in joined) or None,
        )
        given = given_to(ref, self.settings)
        reads = named_by(ref, self.settings)
        if upstream is not None and found.declared.upstream is not None:
            given[found.declared.upstream.field] = upstream.label
        if self.source is not None:
            given["fit-on"] = self.source.log.id
        if question.joined is not None:
            given["with"] = question.company
        preset = found.declared.preset
        label = make_label(ref, preset, given, size=found.declared.size)
        tuning = find_tuning(grid.tuned, ref, found.declared.config)
        return Job(
            *(cell, found.plugin, label, preset, found.declared, self.device, before, reads),
            tuning=tuning,
        )


def find_tuning(
    tuned: Mapping[str, Tuning], ref: ModelRef, config: Mapping[str, Any]
) -> Tuning | None:
    """The search that chose a model's config; None where any setting was changed since."""
    own = [tuned[name] for name in names_of(ref) if name in tuned]
    return next((one for one in own if one.config_digest == config_digest(config)), None)


def named_by(ref: ModelRef, settings: Iterable[Setting]) -> tuple[str, ...]:
    """The files and folders that the settings of a reference name."""
    return named_paths((*dict(ref.overrides).values(), *given_to(ref, settings).values()))


class Named(Protocol):
    """What has an id and fingerprints, such as a log."""

    @property
    def id(self) -> str:
        """The dataset's."""

    @property
    def fingerprints(self) -> Fingerprints:
        """Of its events, texts and pictures."""


def name_source(log: Named, needs: Sequence[str]) -> Source:
    """A dataset, as a cell names it whose model has these needs."""
    prints = {"events": log.fingerprints.events}
    if "text" in needs:
        prints["text"] = log.fingerprints.text
    if "image" in needs:
        prints["pictures"] = log.fingerprints.pictures
    return Source(dataset=log.id, fingerprints=prints)


def _problem(ref: ModelRef, found: Description, described: Mapping[ModelRef, Description]) -> str:
    """Why a model cannot be run, or an empty text. Raises UsageError for a senseless upstream."""
    if found.problem:
        return f"{found.plugin.distribution} {found.plugin.version}: {found.problem}"
    demand_member(ref, found.declared)
    if found.upstream is not None and (named := found.declared.upstream):
        other = described[found.upstream]
        if not other.problem and "embed_items" not in other.declared.embeds:
            raise UsageError(
                f"{ref.name}[{named.field}={found.upstream.model}]: {found.upstream.model} offers "
                "no item embeddings (it has no hook embed_items)"
            )
    return ""


def demand_member(ref: ModelRef, declared: Declaration) -> None:
    """Raise UsageError where a whole family was asked for, which has to be told one of."""
    if declared.unnamed:
        raise UsageError(f"say which {declared.unnamed}, as in {ref.name}:Name")


def _refuse_idle(
    settings: Iterable[Setting], refs: Iterable[ModelRef], tuned: Iterable[str]
) -> None:
    """Raise UsageError where a setting belongs to no model of the grid.

    ``tuned`` are the models whose settings may come from a search.
    """
    known = {name for ref in refs for name in names_of(ref)}
    for target, key, value in settings:
        if target not in known:
            names = sorted({ref.model for ref in refs})
            what = "tuned settings" if target in tuned else f"--set {target}.{key}={value}"
            raise UsageError(f"{what}: {target} is not run.{did_you_mean(target, names)}")
