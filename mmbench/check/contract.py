"""Does the model keep the contract? One function a rule."""

from __future__ import annotations

import numpy as np

from mmbench.check import worlds
from mmbench.check.compare import demand_same
from mmbench.check.lab import PROTOCOL, Lab
from mmbench.check.rules import Check, CheckFailed, NotAsked
from mmbench.grid.question import ask_question, missing_modalities
from mmbench.protocol import get_protocol

LOUD = 1_000_000  # bytes of output


def declares_itself(lab: Lab) -> None:
    """The class imports and declares what it must; hooks and their arguments are spelt right."""
    _ = lab.declared, lab.facts  # the process that asks the class refuses what is wrong


def default_config_is_whole(lab: Lab) -> None:
    """Config() needs no argument, does not change, and survives being stored as JSON."""
    facts = lab.facts
    if not facts["frozen"]:
        raise CheckFailed("Config is a dataclass that is not frozen: write @dataclass(frozen=True)")
    if not facts["survives_json"]:
        raise CheckFailed("Config() read back from its own JSON differs from Config()")


def presets_build(lab: Lab) -> None:
    """Each preset resolves to a whole config that an instance takes; none is fitted here."""
    for name in lab.declared.presets:
        try:
            lab.examine(lab.preset(name).config)
        except CheckFailed as failure:
            raise CheckFailed(f"preset {name!r}: {failure}") from failure


def init_only_stores(lab: Lab) -> None:
    """__init__ keeps the config and does nothing else; work belongs into fit."""
    made = lab.facts["beyond_config"]
    if made:
        raise CheckFailed(f"__init__ sets {', '.join(made)} to something that is not in the config")


def runs_from_a_cold_cache_without_network(lab: Lab) -> None:
    """A cell runs to its end with an empty cache; only the fetch of a big preset may download."""
    problem = lab.cell("first").problem
    if problem:
        raise CheckFailed(problem)


def runs_without_what_it_does_not_need(lab: Lab) -> None:
    """A modality that needs does not name may be absent."""
    absent = {"text", "image"} - lab.needs
    if not absent:
        raise NotAsked("it needs both text and images")
    problem = lab.cell("bare").problem
    if problem:
        raise CheckFailed(f"without {' and '.join(sorted(absent))}: {problem}")


def missing_modality_is_refused_with_a_reason(lab: Lab) -> None:
    """Data without what the model needs makes a row that is not applicable and says why."""
    if not lab.needs:
        raise NotAsked("it needs neither text nor images")
    for need in sorted(lab.needs):
        name = f"no-{need}"
        lab.run(name, worlds.without(lab.world, {need}))
        status = lab.cells[name].outcome.record.status
        (word,) = missing_modalities([need], worlds.without(lab.world, {need}).items)
        if status.kind != "not-applicable" or word not in status.reason:
            raise CheckFailed(f"without {need}: {status.kind} {status.reason}")


def unknown_user_and_one_item_history_are_answered(lab: Lab) -> None:
    """User -1, a history of one item, and an item without a training event are all answered."""
    lab.cell("first").reply("unknown users")


def views_stay_unchanged(lab: Lab) -> None:
    """The files behind the views hold after the cell what they held before."""
    changed = lab.cell("first").changed
    if changed:
        raise CheckFailed(f"what was given was written into: {', '.join(changed)}")


def company_of_queries_does_not_matter(lab: Lab) -> None:
    """A query scores the same alone, in company, in another order, and when asked again."""
    first = lab.cell("first")
    usual = first.reply("few") if lab.offer.narrow else first.asked
    assert usual is not None
    demand_same(first.reply("again"), usual, "when the same queries are asked again")
    alone = first.reply("alone")
    demand_same(alone, usual[: len(alone)], "when a query is asked alone")
    demand_same(first.reply("reversed")[::-1], usual, "when the queries come in another order")


def candidates_order_does_not_matter(lab: Lab) -> None:
    """A candidate scores the same in whichever column it stands."""
    if not lab.offer.candidates:
        raise NotAsked("score does not name candidates")
    first = lab.cell("first")
    few = first.reply("few")
    order = np.random.default_rng(1).permutation(few.shape[1])
    demand_same(first.reply("shuffled"), few[:, order], "when the candidates change places")


def catalogue_answer_equals_candidate_answer(lab: Lab) -> None:
    """A candidate scores the same among few as among all."""
    if not lab.offer.candidates:
        raise NotAsked("score does not name candidates")
    if lab.offer.per_set:
        raise NotAsked("it is asked once for each set, and may score each otherwise")
    first = lab.cell("first")
    few = first.reply("few")
    demand_same(first.reply("fewer"), few[:, ::2], "when there are fewer candidates")
    if not lab.offer.narrow:
        assert first.asked is not None
        columns = worlds.choose_candidates(*few.shape).astype(np.int64) - 1
        among_all = np.take_along_axis(first.asked, columns, axis=1)
        demand_same(few, among_all, "between candidates and catalogue")


def heeds_what_is_excluded(lab: Lab) -> None:
    """A model that is told what is excluded rates some other item otherwise for it."""
    if "excluded" not in lab.facts["hooks"]["score"] or lab.offer.narrow:
        raise NotAsked("it is not asked about the catalogue with something excluded")
    first = lab.cell("first")
    assert first.asked is not None and first.unseen is not None
    fold = ask_question(lab.world, get_protocol(PROTOCOL)).split.test
    query = np.repeat(np.arange(len(fold)), np.diff(fold.seen_offsets))
    others = np.ones(first.asked.shape, dtype=bool)
    others[query, fold.seen - 1] = False
    if np.array_equal(first.asked[others], first.unseen[others]):
        raise CheckFailed(
            "what is excluded changes no other item's score: without per_set and excluded it is "
            "asked once, and the same is ranked"
        )


def prints_little(lab: Lab) -> None:
    """A cell prints less than a megabyte."""
    printed = lab.cell("first").printed
    if printed >= LOUD:
        raise CheckFailed(f"printed {printed / 1e6:.1f} MB in a cell of {worlds.USERS} users")


def leaves_no_process_behind(lab: Lab) -> None:
    """Every process that the model started has ended when the scoring has."""
    left = lab.cell("first").left
    if left:
        raise CheckFailed(f"still running after the last score: {'; '.join(left)}")


RUNS = (runs_from_a_cold_cache_without_network.__name__,)
DECLARED = (declares_itself.__name__,)
CHECKS = (
    Check(DECLARED[0], "contract", declares_itself),
    Check("default_config_is_whole", "contract", default_config_is_whole, DECLARED),
    Check("presets_build", "contract", presets_build, DECLARED),
    Check("init_only_stores", "contract", init_only_stores, DECLARED),
    Check(RUNS[0], "contract", runs_from_a_cold_cache_without_network, DECLARED, ("first",)),
    Check(
        "runs_without_what_it_does_not_need",
        "contract",
        runs_without_what_it_does_not_need,
        RUNS,
        ("bare",),
    ),
    *(
        Check(function.__name__, "contract", function, RUNS)
        for function in (
            missing_modality_is_refused_with_a_reason,
            unknown_user_and_one_item_history_are_answered,
            views_stay_unchanged,
            company_of_queries_does_not_matter,
            candidates_order_does_not_matter,
            catalogue_answer_equals_candidate_answer,
            heeds_what_is_excluded,
            prints_little,
            leaves_no_process_behind,
        )
    ),
)
