"""No road leads from what a plugin holds to a target."""

import dataclasses
import inspect
import threading
import types
import typing
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pytest

from mmbench import hookspecs, views
from mmbench.data.log import Log
from mmbench.grid.declared import describe_plugin
from mmbench.grid.host import Host
from mmbench.grid.plan import Planned
from mmbench.grid.question import Question, ask_question
from mmbench.grid.registry import Plugin, parse_ref
from mmbench.grid.runner import Circumstances, Job, run_cell
from mmbench.hookspecs import ModelHooks
from mmbench.protocol import Fold, Joined, Ranks, Split, get_protocol

SECRET = (Fold, Split, Question, Joined, Log, Host, Planned, Ranks, Job)


def annotated_types() -> Iterator[type]:
    """Every class reachable from the annotations of the model hooks."""
    scope = vars(hookspecs) | vars(views)
    queue: list[object] = []
    for hook in vars(ModelHooks).values():
        if inspect.isfunction(hook):
            queue += typing.get_type_hints(hook, scope).values()
    seen: set[int] = set()
    while queue:
        found = queue.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        queue += typing.get_args(found)
        queue += [part for part in typing.get_args(found) if isinstance(part, list)]
        if isinstance(found, list):
            queue += found
        if isinstance(found, type):
            yield found
            if dataclasses.is_dataclass(found):
                queue += typing.get_type_hints(found, scope | {"Picture": object}).values()


def test_no_type_in_a_hook_s_signature_holds_a_target():
    found = set(annotated_types())
    assert {views.Interactions, views.Items, views.Queries, views.Run} <= found
    assert not found & set(SECRET)
    for kind in found:
        if dataclasses.is_dataclass(kind):
            names = {field.name for field in dataclasses.fields(kind)}
            assert not names & {"target", "targets", "candidates", "negatives", "test", "valid"}


def reachable(root: object) -> Iterator[object]:
    """What attributes, slots, closures, defaults, bound selves and containers lead to."""
    queue, seen = [root], set()
    while queue:
        found = queue.pop()
        if id(found) in seen or isinstance(found, type | types.ModuleType | str | int | float):
            continue
        seen.add(id(found))
        yield found
        if isinstance(found, np.ndarray):
            queue.append(found.base)
        elif isinstance(found, Mapping):
            queue += [*found.keys(), *found.values()]
        elif isinstance(found, Sequence | set | frozenset):
            queue += list(found)
        queue += list(vars(found).values()) if hasattr(found, "__dict__") else []
        for name in getattr(type(found), "__slots__", ()):
            queue.append(getattr(found, name, None))
        closure = getattr(found, "__closure__", None) or ()
        queue += [cell.cell_contents for cell in closure]
        queue += list(getattr(found, "__defaults__", None) or ())
        queue.append(getattr(found, "__self__", None))
        if inspect.isgenerator(found):
            queue += list(inspect.getgeneratorlocals(found).values())


def test_the_walk_finds_what_a_closure_or_an_attribute_hides(log):
    fold = ask_question(log, get_protocol("loo@2")).split.test
    holder = types.SimpleNamespace(inner=[{"key": lambda: fold}])
    assert any(found is fold for found in reachable(holder))


def test_nothing_that_a_live_model_holds_leads_to_a_target(log, tmp_path, monkeypatch, make_cell):
    """In a thread of the same process, where the objects are there to be found."""
    monkeypatch.syspath_prepend(str(__import__("pathlib").Path(__file__).parent / "models"))
    plugin = Plugin("witness", "shelf:Witness", "mmbench-shelf", "1.0")
    found = describe_plugin(plugin, parse_ref("witness"), {}, size="tiny", isolated=False)
    question = ask_question(log, get_protocol("loo@2"))
    job = Job(make_cell(), plugin, "w", "paper", found.declared)
    how = Circumstances(isolated=False, cache=tmp_path / "cache", stop=threading.Event())
    run_cell(job, question, tmp_path, how, lambda event: None)
    import shelf

    assert len(shelf.Witness.given) >= 4
    test = question.split.test
    for thing in reachable(shelf.Witness.given):
        assert not isinstance(thing, SECRET)
        assert not isinstance(thing, bytes) or thing != log.secret
        if isinstance(thing, np.ndarray) and thing.shape == test.target.shape:
            assert not np.array_equal(thing, test.target)


def test_an_item_that_is_only_a_test_target_is_in_no_view_before_scoring(log):
    parts = ask_question(log, get_protocol("loo@2")).split
    canary = log.n_items + 1
    last = np.flatnonzero(np.diff(log.user, append=-1))[0]
    item = log.item.copy()
    item[last] = canary
    titles = (*log.items.fields["title"], "canary")
    world = dataclasses.replace(
        log,
        item=item,
        n_items=canary,
        items=views.Items(canary, {"title": titles}),
        item_ids=(*log.item_ids, "canary"),
    )
    parts = ask_question(world, get_protocol("loo@2")).split
    assert canary in parts.test.target
    assert canary not in parts.train.item
    assert canary not in parts.valid.queries.history
    assert canary not in parts.test.queries.history


@pytest.mark.parametrize(
    "name", ["fit", "score", "embed_items", "embed_queries", "fetch", "transfer"]
)
def test_hooks_name_their_arguments(name):
    hook = inspect.signature(getattr(ModelHooks, name))
    allowed = {"self", "train", "items", "run", "queries", "candidates", "excluded", "cache"}
    assert set(hook.parameters) <= allowed
