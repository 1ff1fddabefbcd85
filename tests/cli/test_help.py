"""The help of every command as it is printed, and the version."""

import inspect

import pytest
from typer.main import get_command

from mmbench.cli import app

ESCAPE = "\x1b"


def commands(command, *names):
    """Every command below this one, with the words that call it."""
    yield names, command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, *names, name)


EVERY = dict(commands(get_command(app)))


@pytest.mark.parametrize("names", EVERY, ids=" ".join)
def test_help_shows_no_mark_of_its_formatting_and_an_example_a_line(names):
    command = EVERY[names]
    context = command.make_context("mmbench", [], resilient_parsing=True, terminal_width=80)
    text = command.get_help(context)
    assert "\\" not in text and "\b" not in text
    examples = inspect.cleandoc(command.help or "").partition("Examples:")[2].split("\n")
    shown = [line.strip() for line in text.split("\n")]
    assert all(line.strip() in shown for line in examples)
    assert bool(examples[1:]) or hasattr(command, "commands")


def test_every_command_is_looked_at():
    assert {("show",), ("compare",), ("leaderboard",), ("data", "import")} <= EVERY.keys()


def test_help_and_version(bench):
    for words in (["--help"], ["run", "-h"], ["data", "-h"], ["audit", "-h"], ["demo", "-h"]):
        shown = bench.run(*words)
        assert shown.code == 0
        assert ESCAPE not in shown.out
    shown = " ".join(bench.run("run", "-h").out.split())
    assert "Examples: mmbench run --models" in shown
    assert bench.run("--version").out.startswith("mmbench ")
