"""A class whose hooks are misspelt, unmarked or ask for what is never passed is refused by name."""

import functools

import pytest

from mmbench import EmbeddingModel, hookimpl
from mmbench.hooks import ContractError, check_hooks, hooks_of, open_manager
from mmbench.hookspecs import DatasetHooks, ModelHooks, ObserverHooks


class Good:
    looks = "anything"

    @property
    def costly(self):
        raise AssertionError("nobody asked")

    @hookimpl
    def fit(self, train, run): ...

    @hookimpl
    def score(self, queries, k=10): ...

    @hookimpl
    def fetch(self, *_, **__): ...

    def helper(self, anything, *at, **all_): ...


def loud(function):
    @functools.wraps(function)
    def louder(*given):
        return function(*given)

    return louder


class Decorated(Good):
    @hookimpl
    @loud
    def fit(self, train): ...

    @staticmethod
    @hookimpl
    def score(queries): ...

    @classmethod
    @hookimpl
    def embed_items(cls, items): ...

    @hookimpl(specname="embed_queries")
    def look_at(self, queries): ...


class Without(Good, EmbeddingModel):
    embed_queries = None  # not even the one that it would inherit


@pytest.mark.parametrize("found", [Good, Decorated, Without, EmbeddingModel])
def test_a_good_class_passes(found):
    check_hooks(found, ModelHooks, "here")


def test_its_manager_holds_an_instance_and_evaluates_no_property():
    manager = open_manager(Good, ModelHooks, "good")
    assert [type(one) for one in manager.get_plugins()] == [Good]
    assert manager.hook.fit.get_hookimpls()[0].argnames == ("train", "run")


def bad(**members):
    return type("Bad", (Good,), members)


def takes(*names):
    """A marked method that names these arguments."""
    made: dict = {}
    exec(f"def method(self, {', '.join(names)}): ...", made)
    return hookimpl(made["method"])


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Good(), "here is not a class"),
        (len, "here is not a class"),
        (bad(embed_item=takes("items")), "no hook 'embed_item'. Did you mean embed_items"),
        (bad(xyz=takes("items")), "no hook 'xyz'. Known: fetch, fit, score, "),
        (bad(other=hookimpl(specname="skore")(lambda self, queries: 0)), "Did you mean score"),
        (bad(score=lambda self, queries: 0), "here: mark score with @mmbench.hookimpl"),
        (bad(score=staticmethod(lambda queries: 0)), "mark score with @mmbench.hookimpl"),
        (bad(score=hookimpl(staticmethod(lambda queries: 0))), "of score below @staticmethod"),
        (bad(fetch=lambda self, cache: 0), "mark fetch with @mmbench.hookimpl"),
        (bad(fetch=property(lambda self: 0)), "fetch is the name of a hook; make it a method"),
        (bad(transfer=True), "transfer is the name of a hook; make it a method"),
        (
            bad(score=takes("query")),
            "here: score takes no argument 'query'; it may name queries, candidates, excluded. Did",
        ),
        (bad(score=staticmethod(takes("queries"))), "score takes no argument 'self'"),
        (bad(fit=takes("train", "valid")), "no argument 'valid'; it may name train, items, run"),
        (bad(fit=takes("train", "items=None")), "names items with a default or after a star"),
        (bad(fit=takes("*", "train")), "names train with a default or after a star"),
        (bad(fit=takes("train", "*rest")), r"fit takes *rest, and only what is named is passed"),
        (bad(fit=takes("train", "**rest")), r"fit takes **rest, and only what is named is passed"),
        (
            bad(fit=hookimpl(wrapper=True)(lambda self, train: (yield))),
            "fit is marked as a wrapper",
        ),
    ],
)
def test_a_bad_class_is_told_what_to_mend(found, said):
    with pytest.raises(ContractError) as error:
        check_hooks(found, ModelHooks, "here", needed=("fit", "score"))
    assert str(error.value).startswith("here")
    assert said in str(error.value)


class Nothing: ...


@pytest.mark.parametrize(
    ("specs", "needed", "said"),
    [
        (ModelHooks, ("fit", "score"), "here has no hook fit and no score"),
        (DatasetHooks, ("read",), "here has no hook read"),
        (
            ObserverHooks,
            (),
            "here has no hook; there are prepare, run_started, cell_stored, cell_",
        ),
    ],
)
def test_a_class_without_its_hooks(specs, needed, said):
    with pytest.raises(ContractError, match=said):
        check_hooks(Nothing, specs, "here", needed)


def test_an_inherited_hook_is_a_hook_and_an_override_is_to_be_marked():
    class Heir(Good): ...

    class Override(Good):
        def score(self, queries): ...

    check_hooks(Heir, ModelHooks, "here", needed=("fit", "score"))
    with pytest.raises(ContractError, match="mark score"):
        check_hooks(Override, ModelHooks, "here")


def test_the_hooks_are_those_of_the_contract():
    assert hooks_of(DatasetHooks) == {"fetch": ("cache", "progress"), "read": ("cache",)}
    assert hooks_of(ModelHooks)["score"] == ("queries", "candidates", "excluded")
