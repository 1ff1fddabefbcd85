"""The search: Optuna proposes, a trial is fitted and validated, and all of it is kept in a folder.

The folder holds Optuna's own journal (lines of JSON) and ``tuned.toml``, the best so far, which
``mmbench run`` takes. The same search goes on where it was left; an interrupted trial is run again.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.files import slug
from mmbench.grid.asked import Grid
from mmbench.grid.declared import given_to, split_setting
from mmbench.grid.plan import Planned, make_plan
from mmbench.grid.registry import UsageError
from mmbench.grid.runner import Circumstances, OnEvent
from mmbench.grid.unpackaged import locate
from mmbench.problems import did_you_mean
from mmbench.results.cell import canonical
from mmbench.results.tuning import Tuning, config_digest
from mmbench.tune.journal import mend
from mmbench.tune.space import Range, Space
from mmbench.tune.trial import TrialFailed, Trials
from mmbench.tune.tuned import write_tuned

if TYPE_CHECKING:
    import optuna

    from mmbench.data.log import Log

SAMPLERS = ("auto", "grid", "tpe", "random")
JOURNAL, BEST = "journal.jsonl", "tuned.toml"
INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched.

    Attributes:
        model: as ``mmbench run`` takes it.
        data: one dataset.
        space: what is tried.
        trials: how many, with those that the folder holds already.
        sampler: ``grid`` tries every point of a space without ranges, in its order; ``tpe`` and
            ``random`` are Optuna's; ``auto`` is ``grid`` where that fits the trials, else ``tpe``.
        seed: of the model and of the sampler.
        protocol, preset, limit, settings: as of a ``Grid``.
    """

    model: str
    data: str
    space: Space
    trials: int
    sampler: str = "auto"
    seed: int = 0
    protocol: str = ""
    preset: str = "auto"
    limit: int | None = None
    settings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial that ended: with a figure, or with a problem."""

    number: int
    settings: Mapping[str, Any]
    value: float | None
    seconds: float
    problem: str = ""


@dataclass(slots=True)
class Outcome:
    """What a search came to so far; ``best`` is None where no trial has a figure."""

    study: str
    folder: Path
    trials: list[Trial] = field(default_factory=list)
    best: Tuning | None = None

    @property
    def file(self) -> Path:
        """The best settings, for ``mmbench run``."""
        return self.folder / BEST


OnTrial = Callable[[Trial, Outcome], None]


def search(
    what: Search,
    out: Path,
    how: Circumstances,
    *,
    load: Callable[[str], Log],
    ready: Callable[[frozenset[str]], None] = lambda needs: None,
    say: Callable[[str], None] = lambda text: None,
    on_trial: OnTrial = lambda trial, outcome: None,
    on_event: OnEvent = lambda event: None,
) -> Outcome:
    """Try settings until there are so many trials. Interrupts leave all that ended.

    Raises UsageError for what cannot be searched, ``Interrupted``, OSError.
    """
    planner = _Planner(what, load, ready, say)
    base = planner.row({})
    assert base.job is not None and base.question is not None
    for name in what.space.settings:
        if name not in base.job.cell.config:
            hint = did_you_mean(name, base.job.cell.config)
            raise UsageError(f"{base.job.label} has no setting {name!r}.{hint}")
    study_id = _identify(base, what)
    name = f"{slug(what.model)}-{slug(base.dataset)}-{study_id}"
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    outcome = Outcome(study_id, folder)
    trials = Trials(base.question, how)
    with _opened(folder, study_id) as study:
        outcome.trials = [_told(trial, what.space) for trial in study.trials if _ended(trial)]
        _keep_best(study, outcome, what, base)
        _again(study)
        if (kind := _choose(what)) == "grid":
            for point in what.space.points():
                study.enqueue_trial(_texts(point, what.space), skip_if_exists=True)
        while len(outcome.trials) < what.trials and not _exhausted(kind, outcome, what):
            study.sampler = _sampler(kind, what.seed, len(study.trials))
            trial = study.ask(_distributions(what.space))
            settings = _values(trial.params, what.space)
            say(f"trial {len(outcome.trials) + 1} of {what.trials}: {_short(settings)}")
            ended = _run(study, trial, settings, planner, trials, on_event)
            outcome.trials.append(ended)
            _keep_best(study, outcome, what, base)
            on_trial(ended, outcome)
    return outcome


@dataclass(slots=True)
class _Planner:
    """Makes the job of a trial; the data is prepared once."""

    what: Search
    load: Callable[[str], Log]
    ready: Callable[[frozenset[str]], None]
    say: Callable[[str], None]
    logs: dict[str, Log] = field(default_factory=dict)

    def row(self, settings: Mapping[str, Any]) -> Planned:
        """The row of a plan with these settings. Raises UsageError where there can be none."""
        what = self.what
        given = tuple(f"{_plain(what.model)}.{k}={json.dumps(v)}" for k, v in settings.items())
        asked: dict[str, Any] = {"protocol": what.protocol} if what.protocol else {}
        grid = Grid(
            models=(what.model,),
            data=(what.data,),
            seeds=(what.seed,),
            preset=what.preset,
            limit=what.limit,
            settings=(*what.settings, *given),
            **asked,
        )
        first = not self.logs
        rows = make_plan(
            grid,
            Path("no results are read"),
            load=self._load,
            ready=self.ready if first else lambda needs: None,
            say=self.say if first else lambda text: None,
        )
        row = rows[-1]  # behind those of the models that it starts from
        if row.problem or row.inapplicable:
            raise UsageError(f"{row.label}: {row.problem or row.inapplicable}")
        return row

    def _load(self, name: str) -> Log:
        if name not in self.logs:
            self.logs[name] = self.load(name)
        return self.logs[name]


def _plain(model: str) -> str:
    """The name that ``--set`` takes for a model: without its settings; a file's is its module's."""
    ref = locate(model)
    return f"{ref.model}/{ref.variant}" if ref.variant else ref.model


def _identify(base: Planned, what: Search) -> str:
    """What two searches must share to be one: 12 hex digits."""
    assert base.job is not None
    told = base.job.cell.to_json()
    del told["id"]
    told |= {"space": what.space.digest, "sampler": _choose(what)}
    return hashlib.sha256(canonical(told).encode()).hexdigest()[:12]


def _choose(what: Search) -> str:
    size = what.space.size()
    if what.sampler not in SAMPLERS:
        raise UsageError(f"--sampler is one of {', '.join(SAMPLERS)}, not {what.sampler}")
    if what.sampler == "grid" and size is None:
        raise UsageError("--sampler grid wants a space of lists alone; a range is endless")
    if what.sampler != "auto":
        return what.sampler
    return "grid" if size is not None and size <= what.trials else "tpe"


def _exhausted(kind: str, outcome: Outcome, what: Search) -> bool:
    """Whether a grid has no more points."""
    return kind == "grid" and len(outcome.trials) >= (what.space.size() or 0)


@contextmanager
def _opened(folder: Path, name: str) -> Iterator[optuna.Study]:
    try:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
    except ImportError:
        raise UsageError("tuning needs Optuna: pip install 'mmbench[tune]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    journal = str(folder / JOURNAL)
    lock = JournalFileSymlinkLock(journal)
    lock.acquire()
    try:
        mend(folder / JOURNAL)
    finally:
        lock.release()
    storage = JournalStorage(JournalFileBackend(journal, lock))
    yield optuna.create_study(
        storage=storage, study_name=name, direction="maximize", load_if_exists=True
    )


def _sampler(kind: str, seed: int, trial: int) -> Any:
    """A sampler for one trial: seeded by its number, so that a search that goes on is the same."""
    import optuna

    own = int.from_bytes(hashlib.sha256(f"{seed} {trial}".encode()).digest()[:4], "big")
    if kind == "tpe":
        return optuna.samplers.TPESampler(seed=own)
    return optuna.samplers.RandomSampler(seed=own)


def _distributions(space: Space) -> dict[str, Any]:
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    found: dict[str, Any] = {}
    for name, values in space.settings.items():
        if not isinstance(values, Range):
            found[name] = CategoricalDistribution([json.dumps(value) for value in values])
        elif values.whole:
            low, high, step = int(values.low), int(values.high), int(values.step or 1)
            found[name] = IntDistribution(low, high, log=values.log, step=step)
        else:
            found[name] = FloatDistribution(
                float(values.low), float(values.high), log=values.log, step=values.step
            )
    return found


def _texts(point: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """Settings as Optuna holds them: a value of a list by its JSON."""
    return {
        name: value if isinstance(space.settings[name], Range) else json.dumps(value)
        for name, value in point.items()
    }


def _values(params: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """Optuna's values as settings; a number of a range has four digits that count."""
    found = {}
    for name, value in params.items():
        values = space.settings[name]
        if not isinstance(values, Range):
            found[name] = json.loads(value)
        elif isinstance(value, float):
            found[name] = min(max(float(f"{value:.4g}"), float(values.low)), float(values.high))
        else:
            found[name] = value
    return found


def _run(
    study: optuna.Study,
    trial: optuna.Trial,
    settings: dict[str, Any],
    planner: _Planner,
    trials: Trials,
    on_event: OnEvent,
) -> Trial:
    """Run a trial and tell the study how it ended, an interrupted one too."""
    from optuna.trial import TrialState

    clock = time.perf_counter()
    value, problem = None, INTERRUPTED
    try:
        row = planner.row(settings)
        assert row.job is not None
        trial.set_user_attr("config_digest", config_digest(row.job.cell.config))
        value = trials.run(row.job, on_event)
        problem = ""
    except (TrialFailed, UsageError) as error:
        problem = str(error)
    finally:
        seconds = round(time.perf_counter() - clock, 3)
        trial.set_user_attr("seconds", seconds)
        trial.set_user_attr("problem", problem)
        study.tell(trial, value, state=None if value is not None else TrialState.FAIL)
    return Trial(trial.number, settings, value, seconds, problem)


def _ended(trial: Any) -> bool:
    """Whether a trial counts: it was not interrupted."""
    problem = trial.user_attrs.get("problem", INTERRUPTED)
    return bool(trial.state.is_finished() and problem != INTERRUPTED)


def _again(study: optuna.Study) -> None:
    """Enqueue the trials that were interrupted, once each, and end those that seem to run on."""
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False):
        if trial.state == TrialState.RUNNING:  # of a process that was killed
            study.tell(trial.number, state=TrialState.FAIL)
    for trial in study.get_trials(deepcopy=False):
        left = trial.state == TrialState.FAIL and not _ended(trial)
        if left and not study.user_attrs.get(f"again {trial.number}"):
            study.enqueue_trial(trial.params)
            study.set_user_attr(f"again {trial.number}", True)


def _told(trial: Any, space: Space) -> Trial:
    attrs = trial.user_attrs
    value = None if attrs["problem"] else trial.value
    return Trial(
        trial.number, _values(trial.params, space), value, attrs["seconds"], attrs["problem"]
    )


def _keep_best(study: optuna.Study, outcome: Outcome, what: Search, base: Planned) -> None:
    """Write the best settings so far, the earliest of equal ones."""
    good = [trial for trial in outcome.trials if trial.value is not None]
    if not good or base.job is None:
        return
    config = base.job.cell.config
    held = given_to(locate(what.model), map(split_setting, what.settings))
    best = max(good, key=lambda trial: (trial.value or 0.0, -trial.number))
    assert best.value is not None
    outcome.best = Tuning(
        study=outcome.study,
        space=what.space.name,
        space_digest=what.space.digest,
        dataset=base.dataset,
        protocol=base.job.cell.protocol,
        seed=what.seed,
        trials=len(good),
        failed=len(outcome.trials) - len(good),
        seconds=round(sum(trial.seconds for trial in outcome.trials), 3),
        value=best.value,
        settings=dict(best.settings),
        held={key: config[key] for key in held if key not in best.settings},
        config_digest=study.trials[best.number].user_attrs["config_digest"],
    )
    protocol = what.protocol or base.job.cell.protocol
    asked = (what.data, what.preset, protocol)
    write_tuned(outcome.file, what.model, _plain(what.model), outcome.best, *asked)


def _short(settings: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in settings.items()
    )
