"""Does a plugin's class keep the contract of its hooks? Asked of the class, before anything runs.

pluggy passes a hook the arguments that it names and nothing else, and asks no method that is not
marked. What it would let pass in silence, or tell of a numbered object, is said here of a class.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import pluggy

from mmbench.hookspecs import PROJECT
from mmbench.problems import did_you_mean

MARK = f"{PROJECT}_impl"


class ContractError(TypeError):
    """A plugin's class does not keep the contract; the message says which rule."""


def check_hooks(found: Any, specs: type, where: str, needed: tuple[str, ...] = ()) -> None:
    """Raise ContractError unless a class marks its hooks, spells them and names what they take.

    Args:
        found: what the entry point names.
        specs: the class of ``mmbench.hookspecs`` that says which hooks there are.
        where: whose class it is, for the message.
        needed: hooks that it cannot do without.
    """
    if not inspect.isclass(found):
        raise ContractError(f"{where} is not a class")
    known = hooks_of(specs)
    marked = set()
    for name, member in _members(found):
        options = getattr(getattr(member, "__func__", member), MARK, None)
        if options is None and hasattr(member, MARK):
            raise ContractError(f"{where}: put @mmbench.hookimpl of {name} below @staticmethod")
        if options is None and (name not in known or member is None):
            continue
        if not _is_method(member):
            raise ContractError(f"{where}: {name} is the name of a hook; make it a method")
        if options is None:
            raise ContractError(f"{where}: mark {name} with @mmbench.hookimpl")
        hook = options.get("specname") or name
        if hook not in known:
            raise ContractError(f"{where}: there is no hook {hook!r}.{did_you_mean(hook, known)}")
        if options.get("wrapper") or options.get("hookwrapper"):
            raise ContractError(f"{where}: {name} is marked as a wrapper of other plugins' hooks")
        _check_arguments(member, f"{where}: {name}", known[hook])
        marked.add(hook)
    if lacking := [name for name in needed if name not in marked]:
        raise ContractError(f"{where} has no hook {' and no '.join(lacking)}")
    if not marked:
        raise ContractError(f"{where} has no hook; there are {', '.join(known)}")


def has_hook(found: type, hook: str) -> bool:
    """Whether a checked class has a hook; a subclass may say None of one that it would inherit."""
    return getattr(found, hook, None) is not None


def arguments_of(found: type, hook: str) -> tuple[str, ...]:
    """What a checked class's implementation of a hook takes; nothing where it has none."""
    for name, member in _members(found):
        function = getattr(member, "__func__", member)
        options = getattr(function, MARK, None)
        if options is not None and (options.get("specname") or name) == hook:
            return tuple(inspect.signature(function).parameters)
    return ()


def hooks_of(specs: type) -> Mapping[str, tuple[str, ...]]:
    """The hooks of a class of specifications: name to the arguments that they may name."""
    return {
        name: tuple(inspect.signature(member).parameters)[1:]
        for name, member in vars(specs).items()
        if inspect.isfunction(member)
    }


def open_manager(found: Any, specs: type, name: str, *given: Any) -> pluggy.PluginManager:
    """A manager that holds one instance of a checked class, built from what is given."""
    manager = _Manager(PROJECT)
    manager.add_hookspecs(specs)
    manager.register(found(*given), name)
    manager.check_pending()
    return manager


class _Manager(pluggy.PluginManager):
    """Looks for hooks on the class, so that registering runs no property of the instance."""

    def parse_hookimpl_opts(self, plugin: object, name: str) -> Any:
        if not _is_method(inspect.getattr_static(type(plugin), name, None)):
            return None
        return super().parse_hookimpl_opts(plugin, name)


def _members(found: type) -> Iterator[tuple[str, Any]]:
    """All that a class or one before it defines, no property evaluated."""
    for name in dict.fromkeys(name for base in found.__mro__[:-1] for name in vars(base)):
        yield name, inspect.getattr_static(found, name)


def _is_method(member: Any) -> bool:
    return inspect.isroutine(member) or isinstance(member, staticmethod | classmethod)


def _check_arguments(member: Any, where: str, allowed: tuple[str, ...]) -> None:
    """Raise ContractError for an argument that would never be passed."""
    try:
        signature = inspect.signature(getattr(member, "__func__", member))
    except (TypeError, ValueError) as error:
        raise ContractError(f"{where}: its arguments cannot be read: {error}") from error
    may = f"it may name {', '.join(allowed)}"
    parameters = list(signature.parameters.values())
    for parameter in parameters if isinstance(member, staticmethod) else parameters[1:]:
        name, given = parameter.name, parameter.default is not parameter.empty
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            if name.startswith("_"):  # it says of itself that nothing is awaited there
                continue
            raise ContractError(
                f"{where} takes {parameter}, and only what is named is passed; {may}"
            )
        if name in allowed and (given or parameter.kind == parameter.KEYWORD_ONLY):
            raise ContractError(
                f"{where} names {name} with a default or after a star, where it is never passed; "
                "name it plainly"
            )
        if name not in allowed and not given:
            hint = did_you_mean(name, allowed)
            raise ContractError(f"{where} takes no argument {name!r}; {may}.{hint}")
