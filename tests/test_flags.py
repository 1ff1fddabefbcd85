"""Every flag and command that a message, a docstring or a page names is there to be typed."""

import ast
import re
import shlex
from functools import cache
from pathlib import Path

import pytest
import typer

import mmbench
from mmbench.cli import app

ROOT = Path(mmbench.__file__).parents[1]
ROOTS = [ROOT / "mmbench", *sorted((ROOT / "plugins").glob("*/mmbench_*"))]
SOURCES = sorted(
    path for root in ROOTS for path in root.rglob("*") if path.suffix in (".py", ".in")
)
PAGES = sorted(
    path for path in (*ROOT.glob("*.md"), *ROOT.glob("plugins/*/*.md"), *ROOT.glob("[a-z]*/*.md"))
)
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*[a-z0-9]\b(?!-)")
OTHERS = {  # flags of other programs, by the file that calls or names them
    "environment.py": {"--query-gpu", "--format", "--porcelain"},
    "on_slurm.py": {"--array", "--me", "--noheader", "--parsable", "--requeue", "--gpus", "--mem"},
    "on_ray.py": {"--head"},
    "hub.py": {"--revision", "--cache-dir"},
    "child.py": {"--watch"},
    "host.py": {"--watch"},
}
EVERYWHERE = {"--editable", "--constraint", "--no-deps"}  # pip's
EVERYWHERE |= {"--logdir", "--backend-store-uri"}  # what looks at what trackers wrote


def commands(command=None, path=()):
    """Words of each command to its flags."""
    command = command or typer.main.get_command(app)
    own = {flag for one in command.params for flag in (*one.opts, *one.secondary_opts)}
    yield path, own | {"--help", "-h"}
    for name, part in getattr(command, "commands", {}).items():
        yield from commands(part, (*path, name))


COMMANDS = dict(commands())
KNOWN = {flag for flags in COMMANDS.values() for flag in flags}
SCRIPTS = {
    flag
    for path in ROOT.glob("benchmarks/*.py")
    for flag in re.findall(r"add_argument\(\s*\"(--[a-z-]+)\"", path.read_text())
}


@cache
def texts(path):
    """The texts of a file in which a flag could be named: of Python, its strings."""
    source = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return [source]
    nodes = ast.walk(ast.parse(source))
    constants = (node.value for node in nodes if isinstance(node, ast.Constant))
    return [value for value in constants if isinstance(value, str)]


def unknown_flags(text, known):
    return set(FLAG.findall(text)) - known - EVERYWHERE


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_flags_in_messages_exist(path):
    known = KNOWN | OTHERS.get(path.name, set())
    assert not {flag for text in texts(path) for flag in unknown_flags(text, known)}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_flags_on_pages_exist(path):
    scripts = path.parent.name == "benchmarks" or "benchmarks/" in path.read_text(encoding="utf-8")
    known = KNOWN | (SCRIPTS if scripts else set())
    assert not {flag for text in texts(path) for flag in unknown_flags(text, known)}


def typed(path):
    """The lines of a file that tell a reader to type ``mmbench ...``."""
    for text in texts(path):
        for line in text.splitlines():
            if re.match(r"\s*(\$ )?mmbench [a-z]", line) and not line.rstrip().endswith("."):
                yield line.strip().removeprefix("$ ").partition(" #")[0]
            yield from re.findall(r"`(mmbench [a-z][^`$]*)`", line)


def unknown_words(line):
    """What cannot be typed of a command line."""
    words = shlex.split(line)[1:]
    path = tuple(words[:2]) if tuple(words[:2]) in COMMANDS else tuple(words[:1])
    if path not in COMMANDS:
        return {" ".join(words[:2])}
    flags = {word.partition("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)}
    return flags - COMMANDS[path]


LINES = sorted({(path, line) for path in (*SOURCES, *PAGES) for line in typed(path)})


@pytest.mark.parametrize(("path", "line"), LINES, ids=lambda part: str(part)[-60:])
def test_commands_that_a_reader_is_told_to_type_exist(path, line):
    assert not unknown_words(line)


def test_a_flag_or_command_that_is_not_there_would_be_seen():
    assert len(LINES) > 40
    assert unknown_flags("take --gpu 1, or --data a", KNOWN) == {"--gpu"}
    assert unknown_words("mmbench run -m pop --limits 3 --data=demo") == {"--limits"}
    assert unknown_words("mmbench boards results") == {"boards results"}
    assert unknown_words("mmbench data describe demo --json") == set()


@pytest.mark.parametrize("path", [*SOURCES, *PAGES], ids=lambda path: str(path.relative_to(ROOT)))
def test_pages_that_are_named_exist(path):
    """In this folder or one above it."""
    named = {name for text in texts(path) for name in re.findall(r"\b[A-Z]{4,}\.md\b", text)}
    above = [*path.parents, ROOT / "mmbench" / "scaffold" / "templates"]
    written = {other.name.removesuffix(".in") for other in SOURCES}
    missing = {name for name in named if not any((folder / name).exists() for folder in above)}
    assert not missing - written
