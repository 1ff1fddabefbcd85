"""Can the model's figures be trusted? One function a rule."""

from __future__ import annotations

from mmbench.check.baseline import best_guess
from mmbench.check.compare import demand_identical
from mmbench.check.contract import RUNS
from mmbench.check.lab import PROTOCOL, TRAINING_ON_TARGETS, Lab
from mmbench.check.probe import Viewed
from mmbench.check.rules import Check, CheckFailed, NotAsked
from mmbench.grid.question import ask_question
from mmbench.protocol import CANDIDATE_SETS, get_protocol

SHOWN = 5
MARGIN = 0.1
"""Of ndcg@10: the standard error over the queries of a check's world is about 0.03 at most."""


def deterministic_under_a_seed(lab: Lab) -> None:
    """The same seed on the same data, in another process and with a warm cache: same scores.

    Another seed, of a model that declares ``draws = False``.
    """
    told = "between two runs with one seed"
    if not lab.declared.draws:
        told = "between seeds 0 and 1, and the class declares draws = False"
    demand_identical_cells(lab, "first", "again", told)


def kept_fit_scores_the_same(lab: Lab) -> None:
    """What keep gives, restored in another process without a fit, has the same scores."""
    if not lab.offer.keeps:
        raise NotAsked("it has no hook keep")
    first, _ = lab.cell("first"), lab.cell("again")
    if isinstance(first.kept, Exception):
        raise CheckFailed(f"keep: {first.kept}")
    restored = lab.cells["restored"]
    if restored.problem:
        raise CheckFailed(f"restored: {restored.problem}")
    demand_identical(first.reply("alone"), restored.reply("restored"), "once it is restored")


def refit_forgets(lab: Lab) -> None:
    """A fit on other data earlier in the process, or in the cache, leaves no trace."""
    bare = lab.cell("bare")
    if "second" not in lab.cells:
        raise NotAsked(f"the fit on other data did not end: {bare.problem}")
    demand_identical_cells(lab, "first", "second", "after an earlier fit on other data")


def carries_nothing_from_another_protocol(lab: Lab) -> None:
    """A fit under a protocol in which targets train, in the same cache, leaves no trace."""
    carried = lab.cell("carried")
    if problem := lab.cells["told"].problem:
        raise NotAsked(f"the fit under {TRAINING_ON_TARGETS} did not end: {problem}")
    if carried.problem:
        raise CheckFailed(f"after a fit under {TRAINING_ON_TARGETS}: {carried.problem}")
    when = f"after a fit under {TRAINING_ON_TARGETS}, in which targets train"
    demand_identical_cells(lab, "first", "carried", when)


def blind_to_test_targets(lab: Lab) -> None:
    """Two worlds that differ only in their test targets get the same scores, bit for bit."""
    demand_identical_cells(lab, "first", "twin", "where only the test targets do")


def no_better_than_chance_where_nothing_tells(lab: Lab) -> None:
    """Where the next item is drawn at random, ndcg@10 is within 0.1 of chance or popularity."""
    cell = lab.cell("random")
    if cell.problem:
        raise CheckFailed(f"on random events: {cell.problem}")
    question = ask_question(lab.random_world, get_protocol(PROTOCOL))
    for name, figures in cell.outcome.record.metrics.items():
        ours, bar = figures["ndcg@10"], best_guess(question, CANDIDATE_SETS[name]).mean()
        if ours > bar + MARGIN:
            raise CheckFailed(
                f"on random events ndcg@10 ({name}) is {ours:.3f}, and the better of chance and "
                f"popularity has {bar:.3f}: the model knows how the harness numbers items or draws "
                "negatives, or something that it is given tells the source's ids"
            )


def opens_nothing_outside_its_folders(lab: Lab) -> None:
    """No socket, and no file but code, pictures, scratch and cache, as far as Python sees."""
    if not lab.isolated:
        raise NotAsked("only a process of its own can be watched")
    findings = lab.cell("first").findings
    if findings:
        listed = "; ".join(map(str, findings[:SHOWN]))
        more = f"; and {len(findings) - SHOWN} more" if len(findings) > SHOWN else ""
        raise CheckFailed(listed + more)


def demand_identical_cells(lab: Lab, ours: str, theirs: str, when: str) -> None:
    """Raise CheckFailed unless two cells gave the same scores, bit for bit."""
    for one, other in zip(_answers(lab, ours), _answers(lab, theirs), strict=True):
        demand_identical(one, other, when)


def _answers(lab: Lab, name: str) -> list:  # type: ignore[type-arg]
    """A cell's scores that do not depend on what the candidates of its fold are."""
    viewed: Viewed = lab.cell(name) if name != "second" else lab.cells[name]
    if viewed.problem:
        raise CheckFailed(viewed.problem)
    few = [viewed.reply("few")] if lab.offer.candidates else []
    unseen = [] if viewed.unseen is None else [viewed.unseen]
    return few if lab.offer.narrow else [viewed.asked, *unseen, *few]


SAME = ("deterministic_under_a_seed",)
CHECKS = (
    Check(SAME[0], "honesty", deterministic_under_a_seed, RUNS, ("again",)),
    Check("kept_fit_scores_the_same", "honesty", kept_fit_scores_the_same, SAME),
    Check("refit_forgets", "honesty", refit_forgets, SAME, ("bare",)),
    Check(
        "carries_nothing_from_another_protocol",
        "honesty",
        carries_nothing_from_another_protocol,
        SAME,
        ("carried",),
    ),
    Check("blind_to_test_targets", "honesty", blind_to_test_targets, SAME, ("twin",)),
    Check(
        "no_better_than_chance_where_nothing_tells",
        "honesty",
        no_better_than_chance_where_nothing_tells,
        RUNS,
        ("random",),
    ),
    Check("opens_nothing_outside_its_folders", "honesty", opens_nothing_outside_its_folders, RUNS),
)
