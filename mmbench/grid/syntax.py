"""What Python source does, as a digest that is the same on every supported Python.

Comments, docstrings and layout are not in it, nor is a statement that does nothing. The trees that
``ast`` makes of one source on 3.11, 3.12 and 3.13 differ in fields that are new or left out and in
how f-strings are cut; ``ast.dump`` and ``repr`` differ further (which letters are printable depends
on the version of Unicode). So the tree is written down here, field by field. Standard library
alone.

Of a class at a module's top level some things are left out, for no stored figure depends on them:
the hooks ``keep`` and ``restore``, as a kept fit never makes a row and a conformance check holds
its scores against those of the fit itself, the declaration ``draws = False``, which says how many
seeds are worth a run, and ``processes = True``, as a cell of several processes is another cell.
What these hooks import, inside themselves, is not followed either.
"""

from __future__ import annotations

import ast
import hashlib
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

SILENT = {"ctx", "kind", "type_comment", "type_ignores"}  # fields that change nothing
BLOCKS = {"body", "orelse", "finalbody"}  # fields that hold statements
KEEPING = {"keep", "restore"}  # hooks that no stored figure depends on
HOOK = "hookimpl"  # the decorator without which a method of that name is none
WORDS = ("draws", "processes")  # declarations that no stored figure depends on


@dataclass(frozen=True, slots=True)
class Source:
    """What is to be known of a module's source.

    Attributes:
        digest: sha256 of what it does, hex; of its bytes where this Python cannot parse them.
        imports: dotted names that it imports when it runs, at its top or inside a function (but for
            the hooks that are left out), as far as they are spelt: ``from a import b`` gives
            ``a.b``, and with ``b.c`` further down ``a.b.c`` too. Names that are put together at
            run time are not seen.
        promised: dotted names that it imports for type checkers only.
    """

    digest: str
    imports: frozenset[str] = frozenset()
    promised: frozenset[str] = frozenset()


@lru_cache(maxsize=4096)
def read_source(source: bytes, package: str) -> Source:
    """Parse a module; ``package`` is what its relative imports start from."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd escapes in strings
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Source(hashlib.sha256(b"not parsed\0" + source).hexdigest())
    for statement in tree.body:
        if isinstance(statement, ast.ClassDef):
            statement.body = [part for part in statement.body if not _scoreless(part)]
    written, attributes = _write(tree)
    imports, promised = _imports(tree, attributes, package)
    return Source(hashlib.sha256(written).hexdigest(), imports, promised)


def _scoreless(statement: ast.stmt) -> bool:
    """Whether it is ``keep`` or ``restore``, marked as a hook, or a declaration of ``WORDS``.

    A declaration has no annotation, so that it is no field of a dataclass.
    """
    if isinstance(statement, ast.FunctionDef):
        return statement.name in KEEPING and any(map(_is_hook, statement.decorator_list))
    return (
        isinstance(statement, ast.Assign)
        and len(statement.targets) == 1
        and getattr(statement.targets[0], "id", "") in WORDS
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, bool)
    )


def _is_hook(decorator: ast.expr) -> bool:
    """Whether it is ``@hookimpl`` or ``@mmbench.hookimpl``; one that is called may mark another."""
    return HOOK in (getattr(decorator, "id", ""), getattr(decorator, "attr", ""))


class _Mark(bytes):
    """Bytes that are written as they stand."""


_END, _CLOSE = _Mark(b")"), _Mark(b"]")


def _write(tree: ast.AST) -> tuple[bytes, list[ast.Attribute]]:
    """The tree as bytes, one text for one tree, and the attributes that were seen on the way.

    Each node tells its kind, its fields and its end. With a stack of its own: how deep functions
    may call each other differs between versions.
    """
    written: list[bytes] = []
    attributes: list[ast.Attribute] = []
    todo: list[Any] = [tree]
    while todo:
        value = todo.pop()
        if isinstance(value, ast.AST):
            kind = type(value)
            name, fields = _SHAPES.get(kind) or _shape(kind)
            written.append(name)
            todo.append(_END)
            for field, mark in fields:
                part = _cleaned(kind, field, getattr(value, field, None))
                if part is not None and part != []:
                    todo += (part, mark)
            if isinstance(value, ast.Attribute):
                attributes.append(value)
        elif isinstance(value, _Mark):
            written.append(value)
        elif isinstance(value, list):
            written.append(b"[")
            todo.append(_CLOSE)
            todo += reversed(value)
        else:
            written.append(_constant(value))
    return b"".join(written), attributes


_Shape = tuple[bytes, tuple[tuple[str, _Mark], ...]]
_SHAPES: dict[type[ast.AST], _Shape] = {}


def _shape(kind: type[ast.AST]) -> _Shape:
    """How a kind of node begins, its fields that count, and how each of these is announced."""
    names = sorted(set(kind._fields) - SILENT)
    marks = tuple((name, _Mark(f" {name}=".encode())) for name in names)
    return _SHAPES.setdefault(kind, (b"(" + kind.__name__.encode(), marks))


def _cleaned(kind: type[ast.AST], field: str, part: Any) -> Any:
    """A field's value: of statements those that do something, an f-string's text in one piece."""
    if field in BLOCKS and isinstance(part, list):
        return [one for one in part if not _idle(one)]
    if kind is ast.JoinedStr:
        return list(_pieces(part))
    if field == "format_spec" and part is not None:
        return list(_pieces(part.values))
    return part


def _idle(statement: Any) -> bool:
    """Whether it is ``pass``, a docstring, ``...`` or another constant that stands by itself."""
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def _pieces(values: Iterable[ast.expr]) -> Iterator[Any]:
    """An f-string's parts: placeholders, and between them text that is cut nowhere."""
    text = ""
    for value in _flat(values):
        if isinstance(value, ast.Constant):
            text += str(value.value)
            continue
        if text:
            yield text
            text = ""
        yield value
    if text:
        yield text


def _flat(values: Iterable[ast.expr]) -> Iterator[ast.expr]:
    for value in values:
        if isinstance(value, ast.JoinedStr):
            yield from _flat(value.values)
        else:
            yield value


def _constant(value: Any) -> bytes:
    """A constant or an identifier with its type; a text tells its length."""
    if isinstance(value, str):
        data = value.encode("utf-8", "surrogatepass")
        return b"s%d:%s" % (len(data), data)
    if isinstance(value, bytes):
        return b"b%d:%s" % (len(value), value)
    if isinstance(value, int) and not isinstance(value, bool):
        return hex(value).encode()  # in decimals, long ones are refused
    return f"{type(value).__name__} {value!r}".encode()  # bool, float, complex, ..., None


def _imports(
    tree: ast.Module, attributes: Iterable[ast.Attribute], package: str
) -> tuple[frozenset[str], frozenset[str]]:
    """What a module imports when it runs, and what for type checkers only."""
    found: set[str] = set()
    promised: set[str] = set()
    bound: dict[str, str] = {}
    for statement, checked in _statements(tree.body):
        for name, dotted in _bindings(statement, package):
            (promised if checked else found).add(dotted)
            if not checked:
                bound[name] = dotted
    for attribute in attributes:
        first, *rest = _chain(attribute)
        if first in bound:
            found.add(".".join([bound[first], *rest]))
    return frozenset(found), frozenset(promised)


def _statements(block: Iterable[Any], checked: bool = False) -> Iterator[tuple[ast.stmt, bool]]:
    """All statements of a block, nested ones too, and whether type checkers alone see them."""
    todo = [(statement, checked) for statement in block]
    while todo:
        statement, checked = todo.pop()
        yield statement, checked
        for field in (*BLOCKS, "handlers", "cases"):
            inside = field == "body" and isinstance(statement, ast.If) and _asks(statement.test)
            todo += [(one, checked or inside) for one in getattr(statement, field, ())]


def _asks(test: ast.expr) -> bool:
    """Whether a condition is ``TYPE_CHECKING``."""
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def _bindings(statement: ast.stmt, package: str) -> Iterator[tuple[str, str]]:
    """The names that an import makes, and the dotted name behind each."""
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            if alias.asname is None:
                top = alias.name.partition(".")[0]
                yield top, top
            yield alias.asname or alias.name, alias.name
    elif isinstance(statement, ast.ImportFrom):
        above = package.split(".")
        above = above[: len(above) + 1 - statement.level] if statement.level else []
        home = [*above, *(statement.module or "").split(".")] if statement.module else above
        for alias in statement.names:
            yield alias.asname or alias.name, ".".join([*home, alias.name])


def _chain(attribute: ast.Attribute) -> list[str]:
    """``a.b.c`` as its names; an empty first one where it does not start with a name."""
    names: list[str] = []
    here: ast.expr = attribute
    while isinstance(here, ast.Attribute):
        names.append(here.attr)
        here = here.value
    return [here.id if isinstance(here, ast.Name) else "", *reversed(names)]
