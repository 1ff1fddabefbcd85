"""Where checks see a model at work: cells on small worlds, each run once for many checks."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from mmbench.check import worlds
from mmbench.check.probe import CheckProbe, Offer, Viewed
from mmbench.check.rules import CheckFailed, Verdict
from mmbench.check.subject import Subject
from mmbench.data.log import Log
from mmbench.files import remove_tree
from mmbench.grid import fetch
from mmbench.grid.config import STAND_IN
from mmbench.grid.declaration import Declaration
from mmbench.grid.environment import cuda_gpus
from mmbench.grid.family import Limits
from mmbench.grid.fitting import restore_model
from mmbench.grid.host import Host, PluginFailure
from mmbench.grid.launch import launch
from mmbench.grid.outcome import Outcome, begin_record
from mmbench.grid.plan import demand_member
from mmbench.grid.question import Question, ask_question
from mmbench.grid.registry import ModelRef
from mmbench.grid.runner import Circumstances, Job, converse, run_cell
from mmbench.grid.watch import read_findings
from mmbench.protocol import DEFAULT, AnswerError, affordable, get_protocol
from mmbench.results.cell import Cell
from mmbench.results.record import is_tiny

LIMITS = Limits(seconds=600.0)
ABREAST = 2  # cells
PROTOCOL = DEFAULT
TRAINING_ON_TARGETS = "pixrec-window@2"  # most users' last event, the target, trains there

Told = TypeVar("Told")


class Lab:
    """Runs the cells of a subject as checks ask for them, each once.

    Args:
        subject: whom to look at.
        limits: time and memory of a cell.
        isolated: False runs the model in a thread of this process, for debuggers.
        walled: False leaves out the wall around its process.
        say: told what is going on.
    """

    def __init__(
        self,
        subject: Subject,
        *,
        limits: Limits = LIMITS,
        isolated: bool = True,
        walled: bool = True,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.subject, self.limits, self.say = subject, limits, say
        self.isolated, self.walled = isolated, walled
        self.verdicts: dict[str, Verdict] = {}
        self.cells: dict[str, Viewed] = {}
        self.pool = ThreadPoolExecutor(ABREAST if isolated else 1)
        self.running: dict[str, Future[None]] = {}
        self.stop = threading.Event()
        self.fetched = fetch.Fetched()

    @cached_property
    def folder(self) -> Path:
        """A folder for all cells, made when it is first wanted; it goes with the lab."""
        made = Path(tempfile.mkdtemp(prefix="mmbench-check-"))
        weakref.finalize(self, remove_tree, made)
        return made

    @cached_property
    def world(self) -> Log:
        """The world that most cells are about."""
        return worlds.make_world(self.folder / "world")

    @cached_property
    def random_world(self) -> Log:
        """A world in which nothing tells what comes next."""
        return worlds.make_random_world(self.folder / "random-world")

    @cached_property
    def declared(self) -> Declaration:
        """What the class declares for the chosen preset. Raises CheckFailed."""
        return self._describe(self.subject.ref)

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """What an instance of the chosen preset holds and offers. Raises CheckFailed."""
        return self.examine(self.declared.config)

    @cached_property
    def known_failures(self) -> Mapping[str, str]:
        """The class's ``{check: reason}``; nothing is known of a class that cannot be asked."""
        try:
            return dict(self.declared.known_failures)
        except CheckFailed:
            return {}

    @property
    def needs(self) -> frozenset[str]:
        """The modalities that the model declares."""
        return frozenset(self.declared.needs)

    @cached_property
    def offer(self) -> Offer:
        """What the model can be asked."""
        hooks, widest = self.facts["hooks"], self.declared.max_candidates
        return Offer(
            candidates="candidates" in hooks["score"],
            per_set=self.declared.per_set,
            widest=worlds.ITEMS if widest is None else widest,
            sets=affordable(get_protocol(PROTOCOL).candidate_sets, widest, worlds.ITEMS),
            embeddings={"embed_items", "embed_queries"} <= hooks.keys(),
            keeps="keep" in hooks,
        )

    def _describe(self, ref: ModelRef) -> Declaration:
        size = self.subject.size
        if size == "auto":
            size = "paper" if cuda_gpus() else STAND_IN
        overrides = dict(self.subject.overrides)
        plugin = self.subject.plugin
        (found,) = self._quick(lambda host: host.describe(plugin, ref, size, overrides))
        demand_member(ref, found)
        return found

    def preset(self, name: str) -> Declaration:
        """What the class declares for another of its presets. Raises CheckFailed."""
        ref = self.subject.ref
        return self._describe(ModelRef(ref.name, ref.family, name))

    def examine(self, config: dict[str, Any]) -> Mapping[str, Any]:
        """What an instance with this config holds and offers. Raises CheckFailed."""
        return self._quick(lambda host: host.examine(self.subject.plugin, config))

    def _quick(self, question: Callable[[Host], Told]) -> Told:
        """A question to the plugin's class, in a process that stays for the next one."""
        if self._desk is None:
            desk = self.folder / "desk"
            desk.mkdir(exist_ok=True)
            self._desk = launch(
                desk,
                isolated=self.isolated,
                limits=self.limits,
                environment=_environment(),
            )
        try:
            return question(self._desk)
        except PluginFailure as failure:
            self.leave_desk()
            raise CheckFailed(failure.reason) from failure

    _desk: Host | None = None

    def leave_desk(self) -> None:
        """End the process that answers questions about the class."""
        if self._desk is not None:
            self._desk.close()
            self._desk = None

    def cell(self, name: str) -> Viewed:
        """A cell by name: see ``_WORLDS``. It runs when it is first asked for."""
        self.start([name])
        self.say(f"waiting for the cell {name!r}")
        self.running[name].result()
        return self.cells[name]

    def start(self, names: Iterable[str]) -> None:
        """Begin to run cells that will be asked for, two at a time."""
        _ = self.world, self.offer, self.needs  # made once, before threads want them
        self.leave_desk()
        for name in names:
            if name not in self.running and _ABOUT.get(name) in (None, *self.needs):
                self.running[name] = self.pool.submit(_WORLDS[name], self)

    def leave(self) -> None:
        """End all that runs and remove the folder; verdicts and what was seen of cells stay."""
        self.stop.set()
        self.pool.shutdown(cancel_futures=True)
        self.leave_desk()
        if "folder" in vars(self):
            remove_tree(self.folder)

    def run(
        self,
        name: str,
        log: Log,
        *,
        record_only: bool = False,
        curious: bool = False,
        cache: str = "cache",
        protocol: str = PROTOCOL,
        seed: int = 0,
        then: Callable[[Host, Job, Circumstances, Path], None] | None = None,
    ) -> None:
        """Run a cell on a log through the runner, and keep what is to be seen.

        Args:
            name: under which ``cell`` finds it.
            log: the world.
            record_only: keep no answers and ask no more; for worlds of any number of items.
            curious: put all further questions, not only the one for comparisons.
            cache: name of the model's cache.
            protocol: name of what is asked; with another than the usual one, keep a record only.
            seed: the model's.
            then: what else to do before the process ends.
        """
        question = ask_question(log, get_protocol(protocol))
        scratch = self.folder / name
        scratch.mkdir()
        how = Circumstances(
            isolated=self.isolated,
            limits=self.limits,
            cache=self.folder / cache,
            stop=self.stop,
            environment=_environment(),
            watched=True,
            walled=self.walled,
            later=(self._asked(self.world),) if then is not None else (),
            fetched=self.fetched,
        )
        job = self._job(log, protocol, seed)
        probe = CheckProbe(self.offer, question, curious)
        if then is not None:
            probe.then = lambda host: then(host, job, how, scratch)
        looking = None if record_only else probe
        outcome = run_cell(job, question, scratch, how, lambda event: None, looking)
        viewed = self.cells[name] = probe.view(outcome)
        viewed.findings = [*read_findings(scratch), *read_findings(scratch / fetch.FOLDER)]
        remove_tree(scratch)

    def run_second_fit(self, host: Host, job: Job, how: Circumstances, scratch: Path) -> None:
        """Fit on the usual world in a process that has fitted another; kept as ``second``."""
        (question,) = how.later
        probe = CheckProbe(self.offer, question, curious=False)
        record = begin_record(job, question, self.isolated)
        try:
            converse(host, job, question, scratch, how, probe)
            probe.ranked(host)
        except (PluginFailure, AnswerError) as error:
            record = record.failed("failed", str(error))
        self.cells["second"] = probe.view(Outcome(record))

    def restore_first(self, host: Host, job: Job, how: Circumstances, scratch: Path) -> None:
        """Restore in this process what the first cell's model kept; kept as ``restored``."""
        first = self.cells.get("first")  # checks that want it have waited for that
        if first is None or not isinstance(first.kept, dict):
            return
        (question,) = how.later
        probe = CheckProbe(self.offer, question, curious=False)
        record = begin_record(job, question, self.isolated)
        try:
            restore_model(host, job, question, scratch, how, first.kept)
            probe.ask_restored(host)
        except PluginFailure as error:
            record = record.failed("failed", str(error))
        self.cells["restored"] = probe.view(Outcome(record))

    def _asked(self, log: Log) -> Question:
        return ask_question(log, get_protocol(PROTOCOL))

    def _job(self, log: Log, protocol: str, seed: int) -> Job:
        plugin, declared = self.subject.plugin, self.declared
        cell = Cell(
            model=self.subject.ref.model,
            distribution=plugin.distribution,
            version=plugin.version,
            config=declared.config,
            dataset=log.id,
            fingerprints={"events": log.fingerprints.events},
            protocol=protocol,
            seed=seed,
        )
        device = "cuda" if cuda_gpus() else "cpu"
        given = {**dict(self.subject.ref.overrides), **self.subject.overrides}
        reads = fetch.named_paths(given.values())
        return Job(cell, plugin, plugin.name, declared.preset, declared, device, reads=reads)


def _environment() -> dict[str, str]:
    """This process's search path, so that a child finds what was found here, and few threads.

    As many threads in every cell: a sum over more of them may round otherwise.
    """
    threads = max(1, (os.cpu_count() or 1) // ABREAST)
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    return {"PYTHONPATH": path, "OMP_NUM_THREADS": str(threads)}


def _run_again(lab: Lab) -> None:
    """The usual world in another process, and there what the first one kept.

    A model that declares that it draws nothing gets another seed.
    """
    then = lab.restore_first if lab.offer.keeps else None
    lab.run("again", lab.world, seed=int(not lab.declared.draws), then=then)


def _run_bare(lab: Lab) -> None:
    """Another world, without what the model does not need; then the usual one, in one process.

    The second fit may find in their cache what the first one left there.
    """
    other = worlds.make_world(lab.folder / "other-world", seed=1)
    bare = worlds.without(other, {"text", "image"} - lab.needs)
    lab.run("bare", bare, cache=_cache_apart(lab, "other-cache"), then=lab.run_second_fit)


def _run_random(lab: Lab) -> None:
    """A world of other items, in which nothing tells what comes next."""
    lab.run("random", lab.random_world, cache=_cache_apart(lab, "random-cache"), record_only=True)


def _run_carried(lab: Lab) -> None:
    """The usual world under a protocol in which targets train; then as usual, in its cache."""
    cache = _cache_apart(lab, "carried-cache")
    lab.run("told", lab.world, cache=cache, protocol=TRAINING_ON_TARGETS, record_only=True)
    lab.run("carried", lab.world, cache=cache)


def _cache_apart(lab: Lab, name: str) -> str:
    """A cache for other data; but what is downloaded once need not be again."""
    downloads = "fetch" in lab.facts["hooks"] and not is_tiny(lab.declared.preset)
    return "cache" if downloads else name


_ABOUT = {"titles": "text", "pictures": "image"}  # what a cell is of use for
_WORLDS: dict[str, Callable[[Lab], None]] = {
    "first": lambda lab: lab.run("first", lab.world, curious=True),
    "again": _run_again,
    "twin": lambda lab: lab.run("twin", worlds.with_other_targets(lab.world)),
    "random": _run_random,
    "bare": _run_bare,
    "carried": _run_carried,
    "titles": lambda lab: lab.run("titles", worlds.permuted(lab.world, "text")),
    "pictures": lambda lab: lab.run("pictures", worlds.permuted(lab.world, "image")),
}
