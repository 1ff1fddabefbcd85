"""A source's digest: blind to what does nothing, and one for every supported Python."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mmbench
from mmbench.grid.syntax import read_source

ODD = '''\
# -*- coding: utf-8 -*-
"""A module that spells what versions of Python parse or print otherwise."""

from __future__ import annotations

import asyncio
import os.path as paths
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
WIDE = 0x10 ** 2 + 1_000 - 0b11 + 0o7, 0x{long}, 1e999, -0.0, .1 + 1e-7, 2j
SHAKING = "\U0001fae8", "\\ud800", "a" "b" 'c', b"\\x00\\xff" b"d", u"kind", """
two lines"""
left, right = 3, "x"
PLAIN = f"", f"{{}}", f"abc", f"a" "b" f"c", "a" f"{left}" "b" "c" f"{right}d", f"{left}" f"{right}"
SHOWN = f"{left=}", f"{ left = !s:>{left}}", f"{left!r:^{left}.{left}}", f"{left:}"
NESTED = f"{f'{left}' + 'x'}", f"""{
    left
    if left else right}""" if False else f"{left:{'>'}{10}}", rf"\\d{left}\\n\\N{{", f"\\N{BULLET}"

@dataclass(frozen=True)
class Thing(Generic[T], metaclass=type):
    """Its docstring."""

    size: int = 1
    """And its field's."""
    (odd): int = 2
    names: dict[str, list[int]] = field(default_factory=dict)

    def act(self, a, /, b: int = 1, *rest: str, c, d=..., **more) -> "T":
        r"""Odd \\escapes."""
        global T
        with (open(a) as one, open(b) as two):
            pass
        for x, *y in rest: break
        else: ...
        while (n := len(rest)) > 1: continue
        try:
            assert n, "why"
        except (OSError, ValueError) as error:
            raise RuntimeError from error
        finally:
            del x
        try: ...
        except* KeyError: return None
        return {**more, 1: [*rest], **{}}, {1, 2}, a[1:2, ::3, ...], not a if b else ~c

async def walk(it):
    async with it as x, it: yield await x
    async for y in it: yield
    return_ = [z async for z in it if z if not z for w in z], {k: v for k, v in it}, (i for i in it)
    nonlocal_ = lambda *, k=1: (yield)

def choose(thing):
    def inner():
        nonlocal thing
        print(thing, end="", *thing, **thing)
    match thing:
        case None | True | -1 | 1.5 + 2j | "text" | b"bytes": ...
        case [1, _, *rest] if rest: ...
        case {"key": value, **others}: ...
        case Thing(1, size=[]) as whole: ...
        case paths.sep: pass
        case _: return 1 < 2 <= 3 != 4 is None not in () and 5 or 6 @ 7 // 8 % 9 << 1 >> 2 & 3 ^ 4
'''.replace("{long}", "f" * 5000)
# the same on each version; another one means that every stored cell is of other code
DIGEST = "048c8bb67e98856aced6bd08c83c4542aa2e380cdcb61b83a604799e87d89627"
ASK = (
    "import sys; from mmbench.grid.syntax import read_source; "
    "source = read_source(sys.stdin.buffer.read(), 'a.b'); "
    "print(sys.version_info[1], source.digest, len(source.imports))"
)


def digest(source: str) -> str:
    return read_source(source.encode(), "a.b").digest


def interpreters(minor: int) -> list[str]:
    """Where a Python 3 of this minor version may be."""
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [str(path) for path in sorted(kept.glob(f"3.{minor}.*/bin/python"))]
    on_path = shutil.which(f"python3.{minor}")
    return [sys.executable, *found, *([on_path] if on_path else [])]


@pytest.mark.parametrize("minor", [11, 12, 13])
def test_every_python_gives_the_same_digest(minor):
    """With the standard library alone: another version has no other packages here."""
    for python in interpreters(minor):
        done = subprocess.run(
            [python, "-W", "error", "-c", ASK],
            input=ODD.encode(),
            capture_output=True,
            env={**os.environ, "PYTHONPATH": str(Path(mmbench.__file__).parents[1])},
        )
        assert done.returncode == 0 or python != sys.executable, done.stderr.decode()
        version, found, imports = [*done.stdout.decode().split(), "", "", ""][:3]
        if version == str(minor):
            assert int(imports) > 5  # it was parsed
            assert found == DIGEST
            return
    pytest.skip(f"no Python 3.{minor} here")


SAME = [
    ("x = 1", "x = 1  # one\n\n\n"),
    ("x = 'a'", 'x = ("a")'),
    ("x = 'ab'", "x = 'a' 'b'"),
    ("x = 16", "x = 0x10"),
    ("x = f'a{b}c'", "x = 'a' f'{b}' 'c'"),
    ("x = f'{b}'", "x = f'{b:}'"),
    ("def f(): return 1", 'def f():\n    """Says."""\n    return 1'),
    ("def f(): pass", 'def f():\n    """Says."""'),
    ("class C:\n    x = 1", 'class C:\n    """Says."""\n\n    x = 1\n    """Of x."""'),
    ("if a:\n    b()", "if a:\n    ...\n    b()\n    pass"),
    ("import a, b", "import a, b;"),
    ("x = (1, 2)", "x = 1, 2"),
    ("f(a, b)", "f(\r\n    a,\r\n    b,\r\n)\r\n"),
]
OTHER = [
    ("x = 1", "x = -1"),
    ("x = 1", "x = 1.0"),
    ("x = 1", "x = True"),
    ("x = 1", "x = '1'"),
    ("x = '1'", "x = b'1'"),
    ("x = 0.0", "x = -0.0"),
    ("x = None", "x = ..."),
    ("x = a", "x = 'a'"),
    ("x = a", "y = a"),
    ("x = f'a{b}'", "x = f'a{b!r}'"),
    ("x = f'{b:>3}'", "x = f'{b}>3'"),
    ("x = f'{b}'", "x = '{b}'"),
    ("x = [a, b]", "x = [a], b"),
    ("a - b", "b - a"),
    ("f(a, b)", "f(a, *b)"),
    ("f(a=b)", "f(**{'a': b})"),
    ("f()", "f"),
    ("if a:\n    b()", "if a:\n    pass\nb()"),
    ("if a:\n    b()", "if a:\n    pass\nelse:\n    b()"),
    ("for a in b:\n    c()", "for a in b:\n    pass\nelse:\n    c()"),
    ("async def f(): pass", "def f(): pass"),
    ("from .a import b", "from ..a import b"),
    ("x: int = 1", "x = 1"),
    ("x: int = 1", "x: float = 1"),
    ("@d\ndef f(): pass", "def f(): pass"),
    ("def f(a, /): pass", "def f(a): pass"),
    ("x = 'a', 'b'", "x = 'a' 'b'"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_does_nothing_is_not_seen(one, other):
    assert digest(one) == digest(other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_what_does_something_is_seen(one, other):
    assert digest(one) != digest(other)


def test_no_two_of_all_these_sources_are_taken_for_one():
    sources = [*(text for pair in OTHER for text in pair), ODD]
    assert len({digest(source) for source in sources}) == len(set(sources))


def test_a_source_that_does_not_parse_is_known_by_its_bytes():
    broken = [b"x = (", b"x = ((", b"\xff", b"x = 1\0"]
    assert len({read_source(source, "a").digest for source in broken}) == len(broken)
    assert read_source(b"x = (", "a").imports == frozenset()


def test_sums_of_a_thousand_terms_are_read():
    assert digest("x = " + " + ".join(["a"] * 900)) != digest("x = " + " + ".join(["a"] * 899))


def test_imports_are_read_wherever_they_stand():
    source = """
import numpy as np, os.path
from typing import TYPE_CHECKING
from . import losses
from .losses import first, second as other
from ..far import away
from mmbench import vlm
if TYPE_CHECKING:
    from seldom import Seen
    import rare
else:
    import often
def f(x: "rare.Thing"):
    import torch.nn
    from star import *
    try:
        match x:
            case 1: import deep
    except ImportError:
        import fallback
    vlm.generate(vlm.Image(np.ones(3)), rare.thing, x.vlm.not_it, f().vlm)
    return torch.nn.functional.relu(x)
"""
    found = read_source(source.encode(), "pack.inner")
    assert found.imports == {
        *("numpy", "numpy.ones", "os", "os.path", "typing.TYPE_CHECKING"),
        *("pack.inner.losses", "pack.inner.losses.first", "pack.inner.losses.second"),
        *("pack.far.away", "mmbench.vlm", "mmbench.vlm.generate", "mmbench.vlm.Image"),
        *("often", "torch", "torch.nn", "torch.nn.functional", "torch.nn.functional.relu"),
        *("star.*", "deep", "fallback"),
    }
    assert found.promised == {"seldom.Seen", "rare"}


PLAIN = "class Model:\n    @hookimpl\n    def fit(self, train): self.a = 1\n"
LEFT_OUT = [
    "    @hookimpl\n    def keep(self): return {'a': self.a}\n",
    "    @mmbench.hookimpl\n    def restore(self):\n        import far\n        far.away.f()\n",
    "    draws = False\n",
    "    draws = True\n",
]
COUNTED = [
    "    def keep(self): return 1\n",
    "    @staticmethod\n    def restore(arrays): return 1\n",
    "    @hookimpl\n    def keeps(self): return 1\n",
    "    class Inner:\n        @hookimpl\n        def keep(self): return 1\n",
    "    if True:\n        @hookimpl\n        def keep(self): return 1\n",
    "    draws: bool = False\n",
    "    draws = 5\n",
    "    draws = other = False\n",
    "@hookimpl\ndef keep(self): return 1\n",
    "draws = False\n",
    "def f():\n    class Inner:\n        @hookimpl\n        def keep(self): return 1\n",
]


@pytest.mark.parametrize("more", LEFT_OUT)
def test_how_a_fit_is_kept_and_that_nothing_is_drawn_are_not_seen(more):
    assert digest(PLAIN + more) == digest(PLAIN)
    assert read_source((PLAIN + more).encode(), "a.b").imports == frozenset()


@pytest.mark.parametrize("more", COUNTED)
def test_the_same_elsewhere_or_unmarked_is_seen(more):
    assert digest(PLAIN + more) != digest(PLAIN)
